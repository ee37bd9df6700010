//! The format of answers: tables for people, JSON and YAML for programs.

use std::{borrow::Cow, fmt, io::Write};

use comfy_table::{ContentArrangement, Table, presets};
use prost_reflect::{DynamicMessage, Kind as FieldKind, MessageDescriptor, ReflectMessage, Value};
use serde::Serialize;

use super::{
    Error, Result,
    tree::{self, Node},
};

/// Form of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// Canonical JSON of the API's messages.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Where a command writes to.
pub struct Io<'a> {
    /// The requested output.
    pub out: &'a mut (dyn Write + Send),
    /// Remarks and errors.
    pub err: &'a mut (dyn Write + Send),
    /// Whether a person can be asked, on standard input.
    pub(super) asks: bool,
}

impl<'a> Io<'a> {
    /// Writes answers to one, and remarks to the other.
    pub fn new(out: &'a mut (dyn Write + Send), err: &'a mut (dyn Write + Send)) -> Self {
        Self { out, err, asks: false }
    }

    /// The same for a person at a terminal, who can be asked.
    #[must_use]
    pub fn asking(self, asks: bool) -> Self {
        Self { asks, ..self }
    }

    /// Writes one line of an answer.
    pub fn line(&mut self, text: impl fmt::Display) -> Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Writes one remark.
    pub fn note(&mut self, text: impl fmt::Display) -> Result<()> {
        Ok(writeln!(self.err, "{text}")?)
    }

    /// Writes a value for programs; several YAML values in a row are separate documents.
    pub fn value(&mut self, format: Format, value: &impl Serialize) -> Result<()> {
        match format {
            Format::Json => self.line(serde_json::to_string_pretty(value)?),
            _ => Ok(write!(self.out, "---\n{}", tree::emit(&tree(value)?))?),
        }
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

/// The canonical JSON form of a message, its fields in the order of the API, its maps in that of
/// their keys: the same message always looks the same.
pub(super) fn message(message: &DynamicMessage) -> Result<Node> {
    let mut node = tree(message)?;
    sort(&mut node, &message.descriptor());
    Ok(node)
}

/// Brings the entries of every map in a message into the order of their keys.
fn sort(node: &mut Node, descriptor: &MessageDescriptor) {
    let tree::Value::Map(fields) = &mut node.value else { return };
    for (key, node) in fields {
        let Some(field) = descriptor.get_field_by_json_name(&key.scalar.text) else { continue };
        let FieldKind::Message(inner) = field.kind() else { continue };
        match &mut node.value {
            tree::Value::Map(entries) if field.is_map() => {
                entries.sort_by(|(a, _), (b, _)| a.scalar.text.cmp(&b.scalar.text));
                if let FieldKind::Message(inner) = inner.map_entry_value_field().kind() {
                    entries.iter_mut().for_each(|(_, node)| sort(node, &inner));
                }
            }
            tree::Value::List(all) => all.iter_mut().for_each(|node| sort(node, &inner)),
            _ => sort(node, &inner),
        }
    }
}

/// The JSON form of a value, its fields in their order.
fn tree(value: &impl Serialize) -> Result<Node> {
    let read = tree::json::read(&serde_json::to_string(value)?);
    let one = read.map_err(|mistake| Error::Message(mistake.text))?.pop();
    one.ok_or_else(|| Error::Message("it is empty".to_owned()))
}

/// Lays rows out in columns; without headings when there are none.
pub(super) fn table<R>(headings: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !headings.is_empty() {
        table.set_header(headings);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// The messages of a list.
pub(super) fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let list = message.get_field_by_name(field);
    let list = list.as_deref().and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(Value::as_message).cloned().collect()
}

/// The value at a dotted path, in words; of a list every element, empty when it is not set.
pub(super) fn cell(message: &DynamicMessage, path: &str) -> String {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(field) = message.descriptor().get_field_by_name(name) else { return String::new() };
    if field.supports_presence() && !message.has_field(&field) {
        return String::new();
    }
    let value = message.get_field(&field);
    match (value.as_ref(), rest) {
        (value, "") => text(value, &field.kind()),
        (Value::Message(inner), rest) => cell(inner, rest),
        (Value::List(all), rest) => {
            let inner = all.iter().filter_map(Value::as_message);
            inner.map(|message| cell(message, rest)).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

/// A value in words: enums and resource names without what is the same in all of them.
pub(super) fn text(value: &Value, kind: &FieldKind) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => bare(text).into_owned(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::EnumNumber(number) => match kind.as_enum().and_then(|e| e.get_value(*number)) {
            Some(_) if *number == 0 => String::new(),
            Some(value) => {
                value.name().trim_start_matches(&prefix(value.parent_enum().name())).to_owned()
            }
            None => number.to_string(),
        },
        Value::List(all) => {
            all.iter().map(|value| text(value, kind)).collect::<Vec<_>>().join(", ")
        }
        Value::Message(message) => words(message),
        Value::Map(map) => {
            let inner = kind.as_message().and_then(|entry| entry.get_field(2));
            let mut all: Vec<_> = map
                .iter()
                .filter_map(|(key, value)| Some((key.as_str()?, value)))
                .map(|(key, value)| match &inner {
                    Some(field) => format!("{key}={}", text(value, &field.kind())),
                    None => key.to_owned(),
                })
                .collect();
            all.sort();
            all.join(", ")
        }
        other => format!("{other:?}"),
    }
}

/// A message in words: `on=yes, mode=EXPANDED`; times and durations as JSON shows them.
fn words(message: &DynamicMessage) -> String {
    let descriptor = message.descriptor();
    if descriptor.package_name() == "google.protobuf" {
        let json = serde_json::to_value(message).ok();
        return json.as_ref().and_then(|json| json.as_str()).unwrap_or_default().to_owned();
    }
    let set = descriptor.fields().filter(|field| message.has_field(field));
    let parts = set.map(|field| {
        let value = text(message.get_field(&field).as_ref(), &field.kind());
        match message.get_field(&field).as_ref() {
            Value::List(_) | Value::Message(_) => format!("{}=({value})", field.name()),
            _ => format!("{}={value}", field.name()),
        }
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// `ROLE_BASED` of `METHOD_ROLE_BASED`.
pub(super) fn short<'a>(value: &'a str, kind: &str) -> &'a str {
    value.strip_prefix(&prefix(kind)).unwrap_or(value)
}

/// What the names of all values of an enum begin with: `PAGE_TYPE_` for `PageType`.
pub(super) fn prefix(name: &str) -> String {
    let mut prefix = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix + "_"
}

/// The unique name or id in a resource name, decoded; the whole of any other text.
pub(super) fn bare(text: &str) -> Cow<'_, str> {
    let known = super::kind::KINDS.iter().filter(|kind| kind.id.is_some());
    let mut names = known.map(|kind| kind.bare(text)).filter(|name| name != text);
    names.next().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cli::{client, kind::Kind},
        descriptors,
    };

    fn profile(json: serde_json::Value) -> DynamicMessage {
        let descriptor = descriptors::api().get_message_by_name("deskplane.v1.Profile").unwrap();
        client::message(&descriptor, json).unwrap()
    }

    #[test]
    fn cells_are_short() {
        let message = profile(json!({
            "uniqueName": "contoso_rep", "state": "STATE_ACTIVE", "rank": 0,
            "roles": ["securityRoles/msdyn_csr", "securityRoles/msdyn_oc_agent"],
            "pane": {"on": true, "mode": "PANE_MODE_COLLAPSED", "tools": [{"tool": "a"}, {"tool": "b"}]},
            "copilot": {"case_summary": "COPILOT_SETTING_ON"},
            "createTime": "2026-03-01T08:00:00Z",
        }));
        let table = [
            ("unique_name", "contoso_rep"),
            ("state", "ACTIVE"),
            ("origin", ""),
            ("rank", "0"),
            ("roles", "msdyn_csr, msdyn_oc_agent"),
            ("is_default", "no"),
            ("pane.tools.tool", "a, b"),
            ("pane", "on=yes mode=COLLAPSED tools=(tool=a, tool=b)"),
            ("copilot", "case_summary=ON"),
            ("create_time", "2026-03-01T08:00:00Z"),
            ("inbox.enabled", ""),
            ("nothing", ""),
        ];
        for (path, expected) in table {
            assert_eq!(cell(&message, path), expected, "{path}");
        }
    }

    #[test]
    fn json_keeps_the_order_of_the_api() {
        let message =
            profile(json!({"rank": 1, "displayName": "Rep", "uniqueName": "contoso_rep"}));
        assert_eq!(
            serde_json::to_string(&super::tree(&message).unwrap()).unwrap(),
            r#"{"uniqueName":"contoso_rep","displayName":"Rep","rank":1}"#
        );
    }

    #[test]
    fn maps_are_shown_in_the_order_of_their_keys() {
        let codes = |number: usize| (format!("{number:09}"), json!("COPILOT_SETTING_ON"));
        let copilot: serde_json::Map<_, _> = (0..40).map(codes).collect();
        let message = profile(json!({"copilot": copilot, "rank": 1}));
        let shown = serde_json::to_string(&super::message(&message).unwrap()).unwrap();
        let expected = serde_json::to_string(&copilot).unwrap();
        assert_eq!(shown, format!(r#"{{"rank":1,"copilot":{expected}}}"#));
    }

    #[test]
    fn only_names_of_resources_lose_their_first_part() {
        assert_eq!(bare("profiles/contoso_rep"), "contoso_rep");
        assert_eq!(bare("users/100%25#"), "100%#");
        assert_eq!(bare("icons/chat"), "icons/chat");
        assert_eq!(bare(Kind::find("settings").unwrap().collection), "organizationSettings");
    }

    #[test]
    fn a_table_has_no_trailing_blanks() {
        let rows = [["a", ""], ["longer", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&["ONE", "TWO"], rows), "ONE     TWO\na\nlonger  b");
    }
}
