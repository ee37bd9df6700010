//! What rendering answers.

/// A rendered session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Title of the session.
    pub title: String,
    /// Tabs in order, the anchor first.
    pub tabs: Vec<RenderedTab>,
    /// The notification, where one was given.
    pub notification: Option<RenderedNotification>,
    /// Script that the session shows first, as the template spells it.
    pub default_script: Option<String>,
    /// Slugs that stay because there is no value for them, in reading order, each once per place.
    pub unresolved: Vec<Unresolved>,
    /// Slugs that stay for the client to replace, in reading order, each once per place.
    pub deferred: Vec<Deferred>,
    /// Places of texts that were cut, in reading order.
    pub truncated: Vec<String>,
}

/// A tab that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedTab {
    /// Title.
    pub title: String,
    /// Parameters by name.
    pub parameters: Vec<(String, String)>,
    /// Whether agents may close the tab.
    pub can_close: bool,
    /// Whether the tab is the anchor of the session.
    pub anchor: bool,
}

/// A notification that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedNotification {
    /// Title.
    pub title: String,
    /// Lines below the title: heading and text.
    pub fields: Vec<(String, String)>,
    /// Text of the accept button.
    pub accept_text: String,
    /// Text of the reject button; empty when there is none.
    pub reject_text: String,
}

/// A slug that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Path of the text that holds it.
    pub place: String,
    /// The slug as written.
    pub slug: String,
    /// Why it stays.
    pub reason: UnresolvedReason,
}

/// Why a slug has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnresolvedReason {
    /// Neither the context nor the anchor has it.
    Missing,
    /// Its value, or the slug itself, has no place in this text.
    NotAllowedHere,
}

/// A slug that the client replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// Path of the text that holds it.
    pub place: String,
    /// The slug as written.
    pub slug: String,
    /// Entity set to query; empty for a link to reconnect.
    pub entity: String,
    /// Attribute of the answer to show.
    pub attribute: String,
    /// Query options with their own slugs replaced.
    pub options: String,
}
