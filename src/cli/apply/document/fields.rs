//! From what is written to the fields of a message: every value has the type that its field has,
//! every field is known, and no value is given twice.

use std::collections::HashMap;

use prost_reflect::{FieldDescriptor, Kind as Type, MessageDescriptor};
use serde_json::{Map, Value as Json};

use crate::cli::{
    client,
    kind::Kind,
    output::bare,
    tree::{Key, Meaning, Mistake, Node, Place, Value, json},
};

mod words;

use words::{constant, cut, hint, noun, range, todo, wanted, whole};

/// The identity of the elements of a list: the fields of which no two elements may have the same
/// value. Elements of any other list are the same when all of them is.
const IDENTITY: &[(&str, &[&[&str]])] = &[
    ("PaneTool", &[&["tool"]]),
    ("InboxView", &[&["name"], &["unique_name"]]),
    ("SimpleFilter", &[&["record_type"]]),
    ("SortKey", &[&["entity", "attribute"]]),
    ("CardLayout", &[&["record_type"]]),
    ("TabParameter", &[&["name"], &["unique_name"]]),
    ("NotificationField", &[&["unique_name"]]),
    ("ScriptStep", &[&["unique_name"]]),
    // A macro may do the same twice.
    ("MacroAction", &[]),
    // What only the server writes.
    ("TeamRole", &[&["team", "role"]]),
    ("DirectAssignment", &[&["profile", "assign_time"]]),
    ("SecretState", &[&["name"]]),
];

/// Texts that hold JSON, which is part of the document.
const JSON_TEXT: &[(&str, &str)] = &[
    ("ChannelProvider", "config"),
    ("InboxView", "advanced_filter"),
    ("ScriptExpression", "tree"),
    // `data` of some page types.
    ("TabParameter", "value"),
];

/// Reads the fields of one document, and gathers what is wrong with them.
pub(super) struct Fields<'a> {
    kind: &'static Kind,
    mistakes: &'a mut Vec<Mistake>,
    seen: HashMap<&'static str, Place>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(kind: &'static Kind, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { kind, mistakes, seen: HashMap::new() }
    }

    /// What is wrong so far.
    pub(super) fn mistakes(&mut self) -> &mut Vec<Mistake> {
        self.mistakes
    }

    pub(super) fn mistake(&mut self, at: Place, text: impl Into<String>) {
        self.mistakes.push(Mistake::new(at, text));
    }

    fn twice(&mut self, at: Place, path: &str, first: Place, as_what: &str) {
        self.mistake(at, format!("{path}: is given twice, first at {first}{as_what}"));
    }

    /// Whether a key that is no field stands here for the first time.
    pub(super) fn once(&mut self, key: &Key, name: &'static str) -> bool {
        let first = self.seen.insert(name, key.at);
        if let Some(first) = first {
            self.twice(key.at, name, first, "");
        }
        first.is_none()
    }

    /// A list of names, each with its place.
    pub(super) fn names(&mut self, key: &Key, node: &Node) -> Vec<(String, Place)> {
        let path = key.scalar.text.as_str();
        let Some(all) = self.list(path, node) else { return Vec::new() };
        let mut named = Vec::new();
        for (at, node) in all.iter().enumerate() {
            let name = self.name(&format!("{path}[{at}]"), node);
            named.extend(name.map(|name| (name, node.at)));
        }
        let same = named.iter().map(|(name, at)| (folded(name), *at));
        self.elements(path, same.collect());
        named
    }

    /// A name.
    pub(super) fn name(&mut self, path: &str, node: &Node) -> Option<String> {
        match self.scalar(path, node, &Type::String)? {
            Json::String(name) => Some(name),
            _ => None,
        }
    }

    /// The fields of a message by their names in the API; `rename` says which field a key means.
    pub(super) fn message<'n>(
        &mut self,
        descriptor: &MessageDescriptor,
        path: &str,
        entries: impl Iterator<Item = (&'n Key, &'n Node)>,
        rename: impl Fn(&Key) -> String,
    ) -> Map<String, Json> {
        let mut fields = Map::new();
        let mut seen = HashMap::<u32, &Key>::new();
        for (key, node) in entries {
            let name = rename(key);
            let below = join(path, &key.scalar.text);
            let Some(field) = field(descriptor, &name) else {
                let text = format!("{below}: {} has no such field", noun(descriptor));
                self.mistake(key.at, text + &hint(key));
                continue;
            };
            if let Some(first) = seen.insert(field.number(), key) {
                let other = first.scalar.text != key.scalar.text;
                let spelled = format!(" as `{}`", first.scalar.text);
                self.twice(key.at, &below, first.at, if other { &spelled } else { "" });
                continue;
            }
            if let Some(value) = self.field(&field, &below, node) {
                fields.insert(field.name().to_owned(), value);
            }
        }
        fields
    }

    /// The value of a field; none when it is wrong.
    fn field(&mut self, field: &FieldDescriptor, path: &str, node: &Node) -> Option<Json> {
        if field.is_map() {
            return self.map(field, path, node);
        }
        if field.is_list() {
            return self.repeated(field, path, node);
        }
        if let Value::Scalar(scalar) = &node.value
            && scalar.meaning() == Meaning::Null
            && field.supports_presence()
            && field.kind().as_message().is_none()
        {
            return Some(Json::Null);
        }
        let value = self.single(&field.kind(), path, node)?;
        let name = (field.parent_message().name().to_owned(), field.name());
        if let Some(text) = value.as_str()
            && JSON_TEXT.contains(&(name.0.as_str(), name.1))
        {
            self.inner_json(path, node.at, text);
        }
        Some(value)
    }

    /// Refuses keys that stand twice in a text of JSON. What else is wrong with it, or whether it
    /// has to be JSON at all, is for the server to check.
    fn inner_json(&mut self, path: &str, at: Place, text: &str) {
        let mut left = json::read(text).unwrap_or_default();
        while let Some(node) = left.pop() {
            match node.value {
                Value::Scalar(_) => {}
                Value::List(all) => left.extend(all),
                Value::Map(entries) => {
                    let mut seen = HashMap::new();
                    for (key, node) in entries {
                        if let Some(first) = seen.insert(key.scalar.text.clone(), key.at) {
                            let text = format!(
                                "{path}: `{}` is given twice in this JSON, at {first} and {}",
                                cut(&key.scalar.text),
                                key.at
                            );
                            self.mistake(at, text);
                        }
                        left.push(node);
                    }
                }
            }
        }
    }

    fn repeated(&mut self, field: &FieldDescriptor, path: &str, node: &Node) -> Option<Json> {
        let all = self.list(path, node)?;
        let (mut values, mut places) = (Vec::new(), Vec::new());
        for (at, node) in all.iter().enumerate() {
            let value = self.single(&field.kind(), &format!("{path}[{at}]"), node);
            places.extend(value.is_some().then_some(node.at));
            values.extend(value);
        }
        // Fields that the server wrote are not checked here.
        if path.contains(['.', '[']) || !self.kind.is_read_only(field.name()) {
            for identities in identities(field, &values) {
                let named = identities.into_iter().zip(&places);
                let named = named.filter_map(|(name, at)| Some((name?, *at)));
                self.elements(path, named.collect());
            }
        }
        Some(Json::Array(values))
    }

    /// Refuses every element that stands a second time.
    fn elements(&mut self, path: &str, all: Vec<(String, Place)>) {
        let mut seen = HashMap::new();
        for (name, at) in all {
            match seen.get(&name) {
                Some(first) => {
                    let text = format!("{path}: `{name}` is given twice, first at {first}");
                    self.mistake(at, text);
                }
                None => drop(seen.insert(name, at)),
            }
        }
    }

    fn map(&mut self, field: &FieldDescriptor, path: &str, node: &Node) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            self.expected(path, node, "a map", true);
            return None;
        };
        let entry = field.kind().as_message()?.map_entry_value_field();
        let shown = !self.kind.is_secret(field.name());
        let mut values = Map::new();
        let mut seen = HashMap::new();
        for (key, node) in entries {
            let text = &key.scalar.text;
            let below = join(path, text);
            if !key.scalar.reads_as_text() {
                let found = key.scalar.meaning().name();
                self.mistake(key.at, format!("{below}: a key is text, this is {found}; quote it"));
            }
            match seen.insert(text.to_ascii_lowercase(), key.at) {
                Some(first) => self.twice(key.at, &below, first, ""),
                None => {
                    let value = match &node.value {
                        Value::Scalar(scalar) if !shown && !scalar.reads_as_text() => {
                            self.expected(&below, node, "text", false);
                            None
                        }
                        _ => self.single(&entry.kind(), &below, node),
                    };
                    values.extend(value.map(|value| (text.clone(), value)));
                }
            }
        }
        Some(Json::Object(values))
    }

    fn list<'n>(&mut self, path: &str, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(all) => Some(all),
            _ => {
                self.expected(path, node, "a list", true);
                None
            }
        }
    }

    fn single(&mut self, kind: &Type, path: &str, node: &Node) -> Option<Json> {
        let Type::Message(message) = kind else { return self.scalar(path, node, kind) };
        if message.package_name() == "google.protobuf" {
            return self.well_known(message, path, node);
        }
        let Value::Map(entries) = &node.value else {
            self.expected(path, node, "a map", true);
            return None;
        };
        let entries = entries.iter().map(|(key, node)| (key, node));
        let before = self.mistakes.len();
        let fields = self.message(message, path, entries, |key| key.scalar.text.clone());
        (self.mistakes.len() == before).then_some(Json::Object(fields))
    }

    /// A time or a duration, written as text.
    fn well_known(&mut self, message: &MessageDescriptor, path: &str, node: &Node) -> Option<Json> {
        let expected = match message.name() {
            "Timestamp" => "a time such as 2026-03-01T08:00:00Z",
            "Duration" => "a duration such as 1.5s",
            _ => "another value",
        };
        if let Value::Scalar(scalar) = &node.value
            && scalar.meaning() == Meaning::Text
        {
            let value = Json::String(scalar.text.clone());
            if client::message(message, value.clone()).is_ok() {
                return Some(value);
            }
        }
        self.expected(path, node, expected, true);
        None
    }

    fn scalar(&mut self, path: &str, node: &Node, kind: &Type) -> Option<Json> {
        let wanted = wanted(kind);
        let Value::Scalar(scalar) = &node.value else {
            self.expected(path, node, &wanted, true);
            return None;
        };
        let value = match kind {
            Type::String | Type::Bytes => {
                scalar.reads_as_text().then(|| Json::String(scalar.text.clone()))
            }
            Type::Bool => match scalar.meaning() {
                Meaning::Bool(value) => Some(Json::Bool(value)),
                _ => None,
            },
            Type::Enum(values) => (scalar.meaning() == Meaning::Text)
                .then(|| constant(values, &scalar.text))
                .flatten()
                .map(Json::String),
            Type::Double | Type::Float => match scalar.meaning() {
                Meaning::Whole | Meaning::Number => {
                    let number = scalar.text.parse().ok().and_then(serde_json::Number::from_f64);
                    number.map(Json::Number)
                }
                _ => None,
            },
            kind => range(kind).and_then(|range| whole(scalar, range)),
        };
        if value.is_none() {
            self.expected(path, node, &wanted, true);
        }
        value
    }

    /// The mistake of a field: what it accepts, what was found, and what to do.
    fn expected(&mut self, path: &str, node: &Node, wanted: &str, shown: bool) {
        let found = match &node.value {
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Nothing => "nothing stands here".to_owned(),
                _ if !shown => format!("{} stands here", node.kind()),
                Meaning::Text => format!("this is the text `{}`", cut(&scalar.text)),
                Meaning::Bool(_) => format!("`{}` is a truth value", scalar.text),
                Meaning::Null => format!("`{}` is no value", scalar.text),
                Meaning::Whole | Meaning::Number => format!("{} is a number", cut(&scalar.text)),
            },
            _ => format!("this is {}", node.kind()),
        };
        self.mistake(
            node.at,
            format!("{path}: {wanted} is expected, {found}{}", todo(wanted, node)),
        );
    }
}

/// For each set of identifying fields, the identity of each element.
fn identities(field: &FieldDescriptor, values: &[Json]) -> Vec<Vec<Option<String>>> {
    let Type::Message(message) = field.kind() else {
        return vec![values.iter().map(|value| value.as_str().map(folded)).collect()];
    };
    let of = |value: &Json, fields: &[&str]| {
        let texts = fields.iter().map(|field| value.get(field).and_then(Json::as_str));
        let texts = texts.map(|text| folded(text.unwrap_or_default()));
        let name = texts.collect::<Vec<_>>().join(" ");
        (!name.trim().is_empty()).then_some(name)
    };
    match IDENTITY.iter().find(|(name, _)| *name == message.name()) {
        Some((_, ways)) => ways
            .iter()
            .map(|fields| values.iter().map(|value| of(value, fields)).collect())
            .collect(),
        None => vec![values.iter().map(|value| Some(value.to_string())).collect()],
    }
}

/// Names compare without their collection and without case.
pub(super) fn folded(name: &str) -> String {
    bare(name).to_ascii_lowercase()
}

/// Whether a key means a field, in either spelling.
pub(super) fn same_name(key: &str, field: &str) -> bool {
    let plain = |text: &str| text.replace('_', "").to_ascii_lowercase();
    key == field || (plain(key) == plain(field) && !key.contains('_'))
}

fn field(descriptor: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    descriptor.get_field_by_name(key).or_else(|| descriptor.get_field_by_json_name(key))
}

fn join(path: &str, key: &str) -> String {
    let key = cut(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests;
