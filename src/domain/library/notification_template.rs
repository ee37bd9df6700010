//! Notification templates (SPEC §3.7).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Common, Reason, Stamp, UniqueName, Violations, check,
        field::{
            Field, FieldType, FieldValue, Fields, Parts, Record, Value, Values, choice, field,
        },
        refs::{Edge, Refs},
        rules::Rules,
    },
    render::targets,
};

/// Most fields of a template.
pub const MAX_FIELDS: usize = 20;

/// The notification that an agent gets when work arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTemplate {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// 1 to 100 characters, slugs.
    pub title: String,
    /// Path, at most 1024 characters.
    pub icon: String,
    /// Whether a countdown is shown.
    pub show_countdown: bool,
    /// 0 to 500.
    pub countdown_seconds: u16,
    /// Whether the work is assigned without a question.
    pub auto_assign: bool,
    /// Whether it is accepted without a question.
    pub auto_accept: bool,
    /// Whether the session opens in front.
    pub auto_popup_session: bool,
    /// 1 to 100 characters.
    pub accept_text: String,
    /// 1 to 100 characters.
    pub reject_text: String,
    /// Whether a reject button is shown.
    pub show_reject: bool,
    /// When the desktop notifies.
    pub desktop: DesktopNotification,
    /// Colours.
    pub theme: Theme,
    /// Ascending by order, then position.
    pub fields: Vec<NotificationField>,
}

/// When the desktop shows a notification of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DesktopNotification {
    /// Code 509180000.
    #[default]
    Never,
    /// Code 509180001.
    InBackground,
    /// Code 509180002.
    Always,
}

/// Colours of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Theme {
    /// Code 509180000.
    #[default]
    Dark,
    /// Code 509180001.
    Light,
}

/// One line of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationField {
    /// At most 100 characters.
    pub name: String,
    /// 1 to 200 characters.
    pub header: String,
    /// At most 1028 characters, slugs.
    pub value: String,
    /// Position; 0 first.
    pub order: i32,
    /// Optional, unique in the template.
    #[serde(default)]
    pub unique_name: Option<UniqueName>,
}

impl Record for NotificationField {
    const PARTS: Parts = Parts(&[
        ("name", FieldType::Text),
        ("header", FieldType::Text),
        ("value", FieldType::Text),
        ("order", FieldType::Number),
        ("unique_name", FieldType::UniqueName),
    ]);

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            self.name.value(),
            self.header.value(),
            self.value.value(),
            self.order.value(),
            self.unique_name.value(),
        ]
    }

    fn of(values: Vec<Value<'_>>) -> Option<Self> {
        let [name, header, value, order, unique_name] = values.try_into().ok()?;
        Some(Self {
            name: FieldValue::of(name)?,
            header: FieldValue::of(header)?,
            value: FieldValue::of(value)?,
            order: FieldValue::of(order)?,
            unique_name: FieldValue::of(unique_name)?,
        })
    }
}

choice! {
    DesktopNotification { Never = "NEVER", InBackground = "IN_BACKGROUND", Always = "ALWAYS" }
    Theme { Dark = "DARK", Light = "LIGHT" }
}

impl Fields for NotificationTemplate {
    const FIELDS: &'static [Field<Self>] = &[
        field!(title).length(1, 100).required(),
        field!(icon).length(0, 1_024),
        field!(show_countdown),
        field!(countdown_seconds).range(0, 500),
        field!(auto_assign),
        field!(auto_accept),
        field!(auto_popup_session),
        field!(accept_text).length(1, 100),
        field!(reject_text).length(1, 100),
        field!(show_reject),
        field!(desktop),
        field!(theme),
        field!(fields).at_most(MAX_FIELDS),
    ];
}

impl Refs for NotificationTemplate {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for NotificationTemplate {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            title: String::new(),
            icon: "chat".to_owned(),
            show_countdown: true,
            countdown_seconds: 120,
            auto_assign: false,
            auto_accept: false,
            auto_popup_session: false,
            accept_text: "Accept".to_owned(),
            reject_text: "Reject".to_owned(),
            show_reject: true,
            desktop: DesktopNotification::default(),
            theme: Theme::default(),
            fields: Vec::new(),
        }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        let mut text = |field: &str, text: &str| {
            if let Err(error) = targets::check_title(text) {
                v.add(Reason::SlugSyntax, field, error.to_string());
            }
        };
        if let Some(title) = values.text("title") {
            text("title", title);
        }
        let fields = values.get::<Vec<NotificationField>>("fields").unwrap_or_default();
        for (at, field) in fields.iter().enumerate() {
            text(&format!("fields[{at}].value"), &field.value);
        }
        if let Some(Err(error)) = values.text("icon").map(targets::check_no_slugs) {
            v.add(Reason::SlugSyntax, "icon", error.to_string());
        }
        let mut names = BTreeSet::new();
        for (at, field) in fields.iter().enumerate() {
            let path = |part: &str| format!("fields[{at}].{part}");
            check::line(v, &path("name"), &field.name, 0..=100);
            check::line(v, &path("header"), &field.header, 1..=200);
            check::line(v, &path("value"), &field.value, 0..=1_028);
            check::range(v, &path("order"), field.order.into(), 0..=i32::MAX.into());
            if let Some(name) = field.unique_name.as_ref().filter(|name| !names.insert(*name)) {
                v.invalid(path("unique_name"), format!("`{name}` stands twice"));
            }
        }
    }

    fn canonicalize(&mut self) {
        self.fields.sort_by_key(|field| field.order);
    }

    fn validate(&self, _: Option<&Self>, _: &Values<Self>, v: &mut Violations) {
        if self.auto_accept && !self.auto_assign {
            let rule = "needs auto_assign to be true as well";
            v.add(Reason::AutoAcceptNeedsAutoAssign, "auto_accept", rule);
        }
    }
}
