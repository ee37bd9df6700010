//! Application tab templates (SPEC §3.6).

mod parameters;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Common, Reason, Stamp, UniqueName, Violations,
        field::{Field, FieldType, FieldValue, Fields, Record, Value, Values, choice, field},
        refs::{Edge, Refs},
        rules::Rules,
    },
    render::targets,
};

/// Most parameters of a tab.
pub const MAX_PARAMETERS: usize = 20;

/// What a tab shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PageType {
    /// Code 509180000.
    EntityList,
    /// Code 509180001.
    EntityRecord,
    /// Code 509180002.
    WebResource,
    /// Code 509180003; built-in only.
    Control,
    /// Code 509180004.
    Dashboard,
    /// Code 509180005.
    Search,
    /// Code 509180006.
    ThirdPartyWebsite,
    /// Code 509180007.
    CustomPage,
}

/// One tab of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// At most 200 characters, slugs.
    #[serde(default)]
    pub title: String,
    /// Immutable.
    pub page_type: PageType,
    /// Whether the agent may close it.
    pub can_close: bool,
    /// In the order given; names unique ignoring case.
    #[serde(default)]
    pub parameters: Vec<TabParameter>,
}

/// One parameter of a tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabParameter {
    /// In the page type's spelling.
    pub name: String,
    /// At most 2048 characters.
    pub value: String,
    /// Optional, unique in the tab.
    #[serde(default)]
    pub unique_name: Option<UniqueName>,
}

choice! {
    PageType {
        EntityList = "ENTITY_LIST",
        EntityRecord = "ENTITY_RECORD",
        WebResource = "WEB_RESOURCE",
        Control = "CONTROL",
        Dashboard = "DASHBOARD",
        Search = "SEARCH",
        ThirdPartyWebsite = "THIRD_PARTY_WEBSITE",
        CustomPage = "CUSTOM_PAGE",
    }
}

impl Fields for TabTemplate {
    const FIELDS: &'static [Field<Self>] = &[
        field!(page_type).immutable().required().column("PAGE TYPE"),
        field!(title).length(0, 200).column("TITLE"),
        field!(can_close),
        field!(parameters).at_most(MAX_PARAMETERS),
    ];
}

impl Record for TabParameter {
    const PARTS: &'static [(&'static str, FieldType)] = &[
        ("name", FieldType::Text),
        ("value", FieldType::Text),
        ("unique_name", FieldType::UniqueName),
    ];

    fn values(&self) -> Vec<Value<'_>> {
        vec![self.name.value(), self.value.value(), self.unique_name.value()]
    }

    fn of(values: Vec<Value<'_>>) -> Option<Self> {
        let [name, value, unique_name] = values.try_into().ok()?;
        Some(Self {
            name: FieldValue::of(name)?,
            value: FieldValue::of(value)?,
            unique_name: FieldValue::of(unique_name)?,
        })
    }
}

impl Refs for TabTemplate {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for TabTemplate {
    /// There is no default page type: without one, a creation is refused.
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            title: String::new(),
            page_type: PageType::EntityRecord,
            can_close: true,
            parameters: Vec::new(),
        }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        if let Some(Err(error)) = values.text("title").map(targets::check_title) {
            v.add(Reason::SlugSyntax, "title", error.to_string());
        }
        if let Some(given) = values.get::<Vec<TabParameter>>("parameters") {
            parameters::syntax(&given, v);
        }
    }

    fn validate(&self, before: Option<&Self>, values: &Values<Self>, v: &mut Violations) {
        match (before, values.get("page_type")) {
            (None, None) => {}
            (None, Some(PageType::Control)) => v.invalid("page_type", BUILT_IN_ONLY),
            (None, Some(_)) => parameters::check(self, v),
            (Some(_), _) if values.gives("parameters") => parameters::check(self, v),
            (Some(_), _) => {}
        }
    }

    fn canonicalize(&mut self) {
        parameters::canonicalize(self);
    }

    fn prepare_clone(&mut self, v: &mut Violations) {
        if self.page_type == PageType::Control {
            v.invalid("page_type", BUILT_IN_ONLY);
        }
    }
}

const BUILT_IN_ONLY: &str = "CONTROL is for built-in templates only";
