//! Rendering of a session: titles, tabs and the notification of one event, with the slugs replaced
//! by values (SPEC §9.3 to §9.6).
//!
//! A pure function of a template and the values of an event. A template is parsed once and the text
//! that is put in is never parsed, so a value that looks like a slug stays what it is. Each value is
//! escaped for the place it stands in; a slug without a value stays in the text and is listed.
//!
//! What one call makes is bounded whatever the input: titles and lines of notifications are cut at
//! their limits, all other values together take at most [`MAX_VALUE_BYTES`], the lists of slugs at
//! most [`MAX_LISTED_BYTES`].

mod escape;
mod limits;
mod place;
mod rendered;
mod script;
mod shown;
mod tabs;
mod template;
mod values;
mod writer;

#[cfg(test)]
mod tests;

pub use self::{
    limits::{
        MAX_FIELD_CHARS, MAX_LISTED_BYTES, MAX_NOTIFICATION_TITLE_CHARS, MAX_TITLE_CHARS,
        MAX_VALUE_BYTES,
    },
    rendered::{
        Deferred, Rendered, RenderedNotification, RenderedTab, Unresolved, UnresolvedReason,
    },
    template::{Anchor, Notification, Page, Tab, Template},
    values::{Value, Values},
};
use self::{place::Place, writer::Writer};

/// Accept button of work that is assigned without a question.
const AUTO_ASSIGN_ACCEPT: &str = "Open";

/// Renders a session, and the notification that announces it.
pub fn render(
    template: &Template<'_>,
    notification: Option<&Notification<'_>>,
    values: &Values,
) -> Rendered {
    let mut writer = Writer::new(values);
    let title = writer.text(Place::SessionTitle, template.title, MAX_TITLE_CHARS);
    let tabs = tabs::render(&mut writer, template);
    let notification = notification.map(|announced| announce(&mut writer, announced));
    let (unresolved, deferred, truncated) = writer.finish();
    let default_script = script::choose(template, values).map(str::to_owned);
    Rendered { title, tabs, notification, default_script, unresolved, deferred, truncated }
}

fn announce(writer: &mut Writer<'_>, notification: &Notification<'_>) -> RenderedNotification {
    let title = notification.title;
    let title = writer.text(Place::NotificationTitle, title, MAX_NOTIFICATION_TITLE_CHARS);
    let fields = notification.fields.iter().enumerate().map(|(index, (header, value))| {
        let value = writer.text(Place::NotificationField(index), value, MAX_FIELD_CHARS);
        ((*header).to_owned(), value)
    });
    let fields = fields.collect();
    let (accept_text, reject_text) = match notification.auto_assign {
        true => (AUTO_ASSIGN_ACCEPT, ""),
        false => (notification.accept_text, notification.reject_text.unwrap_or_default()),
    };
    let (accept_text, reject_text) = (accept_text.to_owned(), reject_text.to_owned());
    RenderedNotification { title, fields, accept_text, reject_text }
}
