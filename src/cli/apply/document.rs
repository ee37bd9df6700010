//! Resources as documents: the canonical JSON form of their message with the `kind` beside its
//! fields.
//!
//! A user has a field `kind` of its own; in a document it is called `userKind`. A profile may name
//! the `users` that are linked to it, and a user the `profile` that it is linked to.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as FieldKind, MessageDescriptor};
use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_serde::{Mapping, Value as Yaml};

use crate::cli::{
    Api, Error, Result, client,
    kind::Kind,
    output::{self, prefix},
};

/// Key of the kind in every document.
const KIND: &str = "kind";

/// What the field `kind` of a user is called in a document.
const USER_KIND: &str = "userKind";

/// One resource as somebody wants it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Document {
    /// What it is.
    pub kind: &'static Kind,
    /// Unique name or id.
    pub id: String,
    /// Its fields by their names in the API; those that only the server sets are gone.
    pub fields: Map<String, Value>,
    /// The etag that it was read with.
    pub etag: Option<String>,
    /// Users of a profile.
    pub users: Option<Vec<String>>,
    /// Profile of a user.
    pub profile: Option<String>,
}

/// Reads all documents of a text: YAML, with several documents or lists of them, or JSON.
pub(in crate::cli) fn read(api: &Api, source: &str, text: &str) -> Result<Vec<Document>> {
    let unreadable = |error: String| Error::Usage(format!("{source}: {error}"));
    let mut values = Vec::new();
    if text.trim_start().starts_with(['{', '[']) {
        values.push(serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?);
    } else {
        for document in yaml_serde::Deserializer::from_str(text) {
            let value = Value::deserialize(document);
            values.push(value.map_err(|error| unreadable(error.to_string()))?);
        }
    }
    let (mut documents, mut mistakes) = (Vec::new(), Vec::new());
    let all = values.into_iter().flat_map(|value| match value {
        Value::Array(all) => all,
        Value::Null => Vec::new(),
        other => vec![other],
    });
    for (at, value) in all.enumerate() {
        match one(api, value) {
            Ok(document) => documents.push(document),
            Err(error) => mistakes.push(format!("{source}, document {}: {error}", at + 1)),
        }
    }
    if mistakes.is_empty() { Ok(documents) } else { Err(Error::Usage(mistakes.join("\n"))) }
}

fn one(api: &Api, value: Value) -> Result<Document> {
    let usage = |text: String| Err(Error::Usage(text));
    let Value::Object(mut given) = value else {
        return usage("a document is a map with a `kind` and the fields of the resource".into());
    };
    let Some(Value::String(kind)) = given.remove(KIND) else {
        return usage("`kind` is missing, e.g. `kind: Profile`".into());
    };
    let kind = Kind::find(&kind)?;
    if kind.name == "User"
        && let Some(value) = given.remove(USER_KIND)
    {
        given.insert(KIND.to_owned(), value);
    }
    let users = match (kind.name, given.remove("users")) {
        ("Profile", Some(users)) => Some(serde_json::from_value(users)?),
        (_, None) => None,
        (_, Some(_)) => return usage("only a Profile has `users`".into()),
    };
    let profile = match (kind.name, given.remove("profile")) {
        ("User", Some(profile)) => Some(serde_json::from_value(profile)?),
        (_, None) => None,
        (_, Some(_)) => return usage("only a User has a `profile`".into()),
    };
    let descriptor = api.message(kind.name)?;
    let mut fields = Map::new();
    let mut unknown = Vec::new();
    for (key, mut value) in given {
        match field(&descriptor, &key) {
            Some(field) => {
                whole_enums(&mut value, &field);
                fields.insert(field.name().to_owned(), value);
            }
            None => unknown.push(format!("`{key}`")),
        }
    }
    if !unknown.is_empty() {
        return usage(format!("a {} has no field {}", kind.name, unknown.join(", ")));
    }
    let id = identity(kind, &fields)?;
    if let Some(key) = kind.id {
        fields.insert(key.to_owned(), Value::String(id.clone()));
    }
    let etag = fields.get("etag").and_then(Value::as_str).map(str::to_owned);
    fields.retain(|name, _| !kind.is_read_only(name));
    client::message(&descriptor, Value::Object(fields.clone()))?;
    Ok(Document { kind, id, fields, etag, users, profile })
}

fn identity(kind: &Kind, fields: &Map<String, Value>) -> Result<String> {
    let Some(key) = kind.id else { return Ok(kind.collection.to_owned()) };
    let given = [key, "name"].into_iter().find_map(|key| fields.get(key)?.as_str());
    let id = given.map(|given| output::bare(given).into_owned()).filter(|id| !id.is_empty());
    id.ok_or_else(|| Error::Usage(format!("a {} needs `{key}`", kind.name)))
}

fn field(descriptor: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    descriptor.get_field_by_name(key).or_else(|| descriptor.get_field_by_json_name(key))
}

/// Lets people write `ACTIVE` for `STATE_ACTIVE`, at any depth.
fn whole_enums(value: &mut Value, at: &FieldDescriptor) {
    match (value, at.kind()) {
        (Value::Array(all), _) => all.iter_mut().for_each(|value| whole_enums(value, at)),
        (Value::String(name), FieldKind::Enum(names)) => {
            let whole = prefix(names.name()) + name;
            if names.get_value_by_name(name).is_none() && names.get_value_by_name(&whole).is_some()
            {
                *name = whole;
            }
        }
        (Value::Object(map), FieldKind::Message(entry)) if at.is_map() => {
            let value_field = entry.map_entry_value_field();
            map.values_mut().for_each(|value| whole_enums(value, &value_field));
        }
        (Value::Object(map), FieldKind::Message(inner)) => {
            for (key, value) in map {
                if let Some(below) = field(&inner, key) {
                    whole_enums(value, &below);
                }
            }
        }
        _ => {}
    }
}

/// A resource as a document that [`read`] takes.
pub(in crate::cli) fn show(kind: &Kind, message: &DynamicMessage) -> Result<Yaml> {
    let mut document = Mapping::from_iter([(Yaml::from(KIND), Yaml::from(kind.name))]);
    if let Yaml::Mapping(fields) = output::json(message)? {
        for (key, value) in fields {
            let own = key.as_str() == Some(KIND);
            document.insert(if own { Yaml::from(USER_KIND) } else { key }, value);
        }
    }
    Ok(Yaml::Mapping(document))
}
