//! What is rendered: templates as the resolved profile delivers them.

/// A session template with its tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'a> {
    /// Title of the session.
    pub title: &'a str,
    /// Whether the title also stands on the anchor tab.
    pub title_on_anchor_tab: bool,
    /// What the session is anchored to.
    pub anchor: Anchor<'a>,
    /// Tabs in order.
    pub tabs: Vec<Tab<'a>>,
    /// Unique names of the active scripts, in order.
    pub scripts: Vec<&'a str>,
    /// Default-script expression as JSON text.
    pub expression: Option<&'a str>,
}

/// What a session is anchored to. Agents cannot close the anchor tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor<'a> {
    /// A record, whose tab opens before those of the template.
    Record {
        /// Logical name of its type.
        entity: &'a str,
        /// Its id; empty when it has none yet.
        id: &'a str,
    },
    /// The first tab of the template.
    FirstTab,
}

/// A tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab<'a> {
    /// Title.
    pub title: &'a str,
    /// Kind of page.
    pub page: Page,
    /// Whether agents may close the tab.
    pub can_close: bool,
    /// Parameters by name.
    pub parameters: Vec<(&'a str, &'a str)>,
}

/// Kinds of pages, as far as they differ in how values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A record: `data` is JSON.
    Record,
    /// A website: `url` is an address and `data` is appended to it.
    Website,
    /// A web resource: `data` goes into an address.
    WebResource,
    /// Any other page.
    Other,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Title.
    pub title: &'a str,
    /// Lines below the title: heading and text.
    pub fields: Vec<(&'a str, &'a str)>,
    /// Text of the accept button.
    pub accept_text: &'a str,
    /// Text of the reject button, where there is one.
    pub reject_text: Option<&'a str>,
    /// Whether the work is assigned without a question.
    pub auto_assign: bool,
}
