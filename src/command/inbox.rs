//! Plain rules of inbox views (SPEC §3.1.2).

use crate::domain::{Violations, check, profile::InboxView};

const EMAIL: &[&str] = &["sent_to_me", "assigned_to_me", "my_teams", "my_queues", "shared_mailbox"];
const CHAT: &[&str] = &["assigned", "unassigned", "resolved"];
const CASE: &[&str] = &["assigned_to_me", "my_teams", "my_queues"];
const ROUTED: &[&str] = &["assigned", "open", "closed"];

/// Values of the simple filter of a record type; `None` when there is no such record type.
fn filter_values(record_type: &str) -> Option<&'static [&'static str]> {
    match record_type {
        "case" => Some(CASE),
        "conversation" | "voicemail" => Some(CHAT),
        "email" => Some(EMAIL),
        "routed_record" => Some(ROUTED),
        custom => custom.strip_prefix("custom:").filter(|e| is_entity(e)).map(|_| &[][..]),
    }
}

fn is_entity(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Preset views: name, record type, value of its simple filter; those of conversations need
/// channels.
const PRESETS: [(&str, &str, &str); 4] = [
    ("Cases", "case", "assigned_to_me"),
    ("Assigned Conversations", "conversation", "assigned"),
    ("Unassigned Conversations", "conversation", "unassigned"),
    ("Resolved Conversations", "conversation", "resolved"),
];

/// Appends the preset views, except those whose name a view has already.
pub(super) fn add_presets(views: &mut Vec<InboxView>, channels: bool) {
    for (name, record_type, value) in PRESETS {
        let preset = InboxView {
            name: name.to_owned(),
            visible: true,
            record_types: vec![record_type.to_owned()],
            simple_filters: vec![(record_type.to_owned(), vec![value.to_owned()])],
            ..InboxView::default()
        };
        let taken = views.iter().any(|view| view.name.eq_ignore_ascii_case(name));
        if !taken && (channels || !preset.is_chat()) {
            views.push(preset);
        }
    }
}

pub(super) fn syntax(v: &mut Violations, views: &[InboxView]) {
    for (at, view) in views.iter().enumerate() {
        one(v, &format!("inbox.views[{at}]"), view);
    }
    check::unique(v, "inbox.views", views.iter().map(|view| view.name.as_str()));
    let names = views.iter().map(|view| view.unique_name.as_ref().map_or("", |n| n.as_str()));
    check::unique(v, "inbox.views.unique_name", names);
    if views.iter().filter(|view| view.is_default).count() > 1 {
        v.invalid("inbox.views", "at most one view may be the default");
    }
}

fn one(v: &mut Violations, field: &str, view: &InboxView) {
    let at = |name: &str| format!("{field}.{name}");
    check::line(v, &at("name"), &view.name, 1..=100);
    if !view.name.chars().all(|c| c.is_alphanumeric() || c == ' ') {
        v.invalid(at("name"), "may hold only letters, digits and spaces");
    }
    if !(1..=10).contains(&view.record_types.len()) {
        // Every other rule holds each part against these, so a long list would cost its square.
        v.invalid(at("record_types"), "must name 1 to 10 record types");
        return;
    }
    for record_type in &view.record_types {
        if filter_values(record_type).is_none() {
            v.invalid(at("record_types"), format!("`{record_type}` is no record type"));
        }
    }
    check::unique(v, &at("record_types"), view.record_types.iter().map(String::as_str));
    for (record_type, values) in &view.simple_filters {
        let allowed = filter_values(record_type).unwrap_or_default();
        if !view.record_types.contains(record_type) || values.is_empty() {
            v.invalid(
                at("simple_filters"),
                format!("`{record_type}` needs a record type of the view and a value"),
            );
        }
        for value in values.iter().filter(|value| !allowed.contains(&value.as_str())) {
            v.invalid(at("simple_filters"), format!("`{value}` is no value for {record_type}"));
        }
    }
    if !view.advanced_filter.is_empty() {
        check::json_object(v, &at("advanced_filter"), &view.advanced_filter, 64 * 1024);
    }
    check::count(v, &at("sort"), view.sort.len(), 10);
    for key in &view.sort {
        check::line(v, &at("sort"), &key.entity, 1..=100);
        check::line(v, &at("sort"), &key.attribute, 1..=100);
    }
    for (record_type, attributes) in &view.card {
        check::count(v, &at("card"), attributes.len(), 10);
        if !view.record_types.contains(record_type) {
            v.invalid(at("card"), format!("`{record_type}` is no record type of the view"));
        }
        for attribute in attributes {
            check::line(v, &at("card"), attribute, 1..=100);
        }
    }
}
