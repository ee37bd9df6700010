//! Notification templates (SPEC §3.7).

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Stamp,
    field::{Field, Fields, choice, field},
    refs::{Edge, Refs},
    rules::Rules,
};

/// The notification that an agent gets when work arrives. No API yet: built-in templates only.
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
        field!(countdown_seconds),
        field!(auto_assign),
        field!(auto_accept),
        field!(auto_popup_session),
        field!(accept_text).length(1, 100),
        field!(reject_text).length(1, 100),
        field!(show_reject),
        field!(desktop),
        field!(theme),
        Field::described("fields"),
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
}
