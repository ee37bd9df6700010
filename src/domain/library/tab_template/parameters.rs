//! The parameters of each page type, and what they accept (SPEC §3.6).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Reason, UniqueName, Violations, check,
        field::{FieldType, FieldValue, Parts, Record, Value, choice},
    },
    render::targets::{self, TargetError},
};

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

impl Record for TabParameter {
    const PARTS: Parts = Parts(&[
        ("name", FieldType::Text),
        ("value", FieldType::Text),
        ("unique_name", FieldType::UniqueName),
    ]);

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

/// Name, whether it is required, and what it accepts.
type Row = (&'static str, bool, Accepts);

#[derive(Clone, Copy)]
enum Accepts {
    /// Any text, slugs too.
    Slugs,
    /// Any text without slugs.
    Plain,
    /// 8-4-4-4-12 hexadecimal digits, in braces or not.
    Guid,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address of a website.
    Url,
    /// A JSON object with slugs in its strings.
    Json,
}

const BOOL: Accepts = Accepts::Word(&["true", "false"]);

fn rows(page_type: PageType) -> &'static [Row] {
    use Accepts::{Guid, Json, Plain, Slugs, Url, Word};
    match page_type {
        PageType::Dashboard => &[("dashboardId", true, Guid)],
        PageType::EntityList => &[("entityName", true, Slugs), ("viewId", false, Guid)],
        PageType::EntityRecord => &[
            ("entityName", true, Slugs),
            ("entityId", false, Slugs),
            ("formId", false, Guid),
            ("validateRecord", false, BOOL),
            ("data", false, Json),
        ],
        // 0 is the relevance search, 1 the categorised one.
        PageType::Search => {
            &[("searchType", false, Word(&["0", "1"])), ("searchText", true, Slugs)]
        }
        PageType::ThirdPartyWebsite => &[("url", true, Url), ("data", false, Slugs)],
        PageType::WebResource => &[("webresourceName", true, Plain), ("data", false, Slugs)],
        PageType::CustomPage => {
            &[("name", true, Plain), ("entityName", false, Slugs), ("recordId", false, Slugs)]
        }
        PageType::Control => &[],
    }
}

fn row(page_type: PageType, name: &str) -> Option<&'static Row> {
    rows(page_type).iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))
}

/// Notes what holds for parameters of every page type.
pub(super) fn syntax(parameters: &[TabParameter], v: &mut Violations) {
    let mut seen = HashSet::new();
    for (at, parameter) in parameters.iter().enumerate() {
        check::line(v, &format!("parameters[{at}].name"), &parameter.name, 1..=100);
        check::line(v, &format!("parameters[{at}].value"), &parameter.value, 0..=2_048);
        if let Some(name) = parameter.unique_name.as_ref().filter(|name| !seen.insert(*name)) {
            let text = format!("`{name}` stands twice");
            v.invalid(format!("parameters[{at}].unique_name"), text);
        }
    }
    check::unique(v, "parameters", parameters.iter().map(|p| p.name.as_str()));
}

/// Notes what the page type does not take, and what it misses.
pub(super) fn check(page_type: PageType, parameters: &[TabParameter], v: &mut Violations) {
    for (at, parameter) in parameters.iter().enumerate() {
        let Some((name, required, accepts)) = row(page_type, &parameter.name) else {
            let known: Vec<_> = rows(page_type).iter().map(|(name, ..)| *name).collect();
            let rule = format!("must be one of {}", known.join(", "));
            v.add(Reason::TabParameterUnknown, format!("parameters[{at}].name"), rule);
            continue;
        };
        let field = format!("parameters[{at}].value");
        if *required && parameter.value.is_empty() {
            v.add(Reason::TabParameterRequired, field, format!("{name} must have a value"));
        } else if let Err((reason, rule)) = accepted(*accepts, &parameter.value) {
            v.add(reason, field, rule);
        }
    }
    let given = |name: &str| parameters.iter().position(|p| p.name.eq_ignore_ascii_case(name));
    for (name, ..) in rows(page_type).iter().filter(|(_, required, _)| *required) {
        if given(name).is_none() {
            let rule = format!("{name} is required for this page type");
            v.add(Reason::TabParameterRequired, "parameters", rule);
        }
    }
    if page_type == PageType::EntityRecord
        && let (Some(_), Some(data)) = (given("entityId"), given("data"))
    {
        let rule = "entityId opens a record and data creates one: give one of them";
        v.invalid(format!("parameters[{data}]"), rule);
    }
}

/// Spells names as the page type does and takes GUIDs out of their braces.
pub(super) fn canonicalize(page_type: PageType, parameters: &mut [TabParameter]) {
    for parameter in parameters {
        let Some((name, _, accepts)) = row(page_type, &parameter.name) else { continue };
        (*name).clone_into(&mut parameter.name);
        if matches!(accepts, Accepts::Guid)
            && let Some(bare) = guid(&parameter.value)
        {
            parameter.value = bare.to_owned();
        }
    }
}

fn accepted(accepts: Accepts, value: &str) -> Result<(), (Reason, String)> {
    let refused = |error: TargetError| match error {
        TargetError::Slug(error) => (Reason::SlugSyntax, error.to_string()),
        TargetError::Invalid(rule) => (Reason::FieldInvalid, rule),
    };
    let invalid = |rule: String| Err((Reason::FieldInvalid, rule));
    let no_slugs = || targets::check_no_slugs(value).map_err(|error| refused(error.into()));
    match accepts {
        Accepts::Slugs => targets::check_title(value).map_err(|error| refused(error.into())),
        Accepts::Plain => no_slugs(),
        Accepts::Guid if guid(value).is_some() => Ok(()),
        Accepts::Guid => {
            no_slugs()?;
            invalid("must be a GUID: 8-4-4-4-12 hexadecimal digits".to_owned())
        }
        Accepts::Word(words) if words.contains(&value) => Ok(()),
        Accepts::Word(words) => {
            no_slugs()?;
            invalid(format!("must be {}", words.join(" or ")))
        }
        Accepts::Url => targets::check_url(value).map_err(refused),
        Accepts::Json => targets::check_json_data(value).map_err(refused),
    }
}

/// A GUID without its braces; none when the text is no GUID.
fn guid(text: &str) -> Option<&str> {
    let bare = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let groups = bare.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let hex = bare.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    (groups && hex).then_some(bare)
}
