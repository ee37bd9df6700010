//! Places of texts in the answer.

use std::fmt;

/// A text of the answer; shown as its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    SessionTitle,
    TabTitle(usize),
    /// Tab and parameter.
    Parameter(usize, usize),
    NotificationTitle,
    NotificationField(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionTitle => f.write_str("session.title"),
            Self::TabTitle(tab) => write!(f, "tabs[{tab}].title"),
            Self::Parameter(tab, index) => write!(f, "tabs[{tab}].parameters[{index}].value"),
            Self::NotificationTitle => f.write_str("notification.title"),
            Self::NotificationField(index) => write!(f, "notification.fields[{index}].value"),
        }
    }
}
