//! Resources as documents: the canonical JSON form of their message with the `kind` beside its
//! fields.
//!
//! A kind may have a field `kind` of its own; in a document that of a user is called `userKind`, that of
//! a queue `queueKind`, and so on. A profile may name
//! the `users` that are linked to it, and a user the `profile` that it is linked to.
//!
//! A document gives each value once (SPEC §2.4): [`fields`] finds what one document gives twice,
//! [`twice`] what several do. All documents are checked before any of them is sent.

use std::rc::Rc;

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value as Json};

use crate::cli::{
    Api, Error, Result, client,
    kind::Kind,
    output,
    tree::{self, Key, Mistake, Node, Place, Scalar, Value},
};

mod fields;
mod located;
mod twice;

#[cfg(test)]
mod tests;

use fields::{Fields, same_name};
pub(in crate::cli) use located::Document;
use located::{Located, Origin};

/// Key of the kind in every document.
const KIND: &str = "kind";

/// What the field `kind` of a resource is called in a document, in both spellings of a field.
fn own_kind(kind: &Kind) -> [String; 2] {
    let (first, rest) = kind.name.split_at(1);
    [format!("{}{rest}Kind", first.to_ascii_lowercase()), format!("{}_kind", kind.field)]
}

/// Kind of a document that holds others.
const LIST: &str = "List";

/// Most mistakes that are shown.
const MAX_MISTAKES: usize = 50;

/// A text and what it is called.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Source {
    pub name: String,
    pub text: String,
}

/// Reads all documents of one text.
pub(in crate::cli) fn read(api: &Api, name: &str, text: &str) -> Result<Vec<Document>> {
    read_all(api, &[Source { name: name.to_owned(), text: text.to_owned() }])
}

/// Reads all documents of all texts of one call: YAML with several documents or lists of them, or
/// JSON. Mistakes are answered together, each with its place.
pub(in crate::cli) fn read_all(api: &Api, sources: &[Source]) -> Result<Vec<Document>> {
    let (mut documents, mut mistakes) = (Vec::new(), Vec::new());
    for source in sources {
        let name: Rc<str> = source.name.as_str().into();
        let mut own = Vec::new();
        match tree::read(&source.text) {
            Ok(nodes) => {
                for node in &nodes {
                    collect(api, &name, node, &mut documents, &mut own)?;
                }
            }
            Err(mistake) => own.push(mistake),
        }
        own.sort_by_key(|mistake| mistake.at);
        let located = |mistake| Located { source: Rc::clone(&name), mistake };
        mistakes.extend(own.into_iter().map(located));
    }
    twice::find(&documents, &mut mistakes);
    match mistakes.len() {
        0 => Ok(documents),
        all => {
            let shown = mistakes.iter().take(MAX_MISTAKES);
            let mut lines: Vec<_> = shown.map(ToString::to_string).collect();
            if all > lines.len() {
                lines.push(format!("and {} more", all - lines.len()));
            }
            Err(Error::Usage(lines.join("\n")))
        }
    }
}

/// The documents of a value: itself, or those of a list.
fn collect(
    api: &Api,
    source: &Rc<str>,
    node: &Node,
    documents: &mut Vec<Document>,
    mistakes: &mut Vec<Mistake>,
) -> Result<()> {
    match &node.value {
        Value::List(all) => {
            all.iter().try_for_each(|node| collect(api, source, node, documents, mistakes))
        }
        Value::Map(entries) => match kind(node.at, entries) {
            Ok(None) => match items(entries, mistakes) {
                Some(items) => collect(api, source, items, documents, mistakes),
                None => Ok(()),
            },
            Ok(Some(kind)) => {
                documents.extend(one(api, kind, source, node.at, entries, mistakes)?);
                Ok(())
            }
            Err(mistake) => {
                mistakes.push(mistake);
                Ok(())
            }
        },
        Value::Scalar(_) => {
            let text = "a document is a map with a `kind` and the fields of the resource";
            mistakes.push(Mistake::new(node.at, format!("{text}, this is {}", node.kind())));
            Ok(())
        }
    }
}

/// The kind of a document; none when it is a list of others.
fn kind(at: Place, entries: &[(Key, Node)]) -> Result<Option<&'static Kind>, Mistake> {
    let mut given = entries.iter().filter(|(key, _)| key.scalar.text == KIND);
    let Some((first, node)) = given.next() else {
        return Err(Mistake::new(at, "`kind` is missing, e.g. `kind: Profile`"));
    };
    if let Some((key, _)) = given.next() {
        return Err(Mistake::new(key.at, format!("{KIND}: is given twice, first at {}", first.at)));
    }
    match &node.value {
        Value::Scalar(scalar) if scalar.text.eq_ignore_ascii_case(LIST) => Ok(None),
        Value::Scalar(Scalar { text, .. }) if !text.is_empty() => Kind::find(text)
            .map(Some)
            .map_err(|error| Mistake::new(node.at, format!("{KIND}: {error}"))),
        _ => {
            Err(Mistake::new(node.at, format!("{KIND}: text is expected, this is {}", node.kind())))
        }
    }
}

/// The items of a list of documents. Other fields that Kubernetes writes have no meaning here.
fn items<'a>(entries: &'a [(Key, Node)], mistakes: &mut Vec<Mistake>) -> Option<&'a Node> {
    let mut found: Option<(&Key, &Node)> = None;
    for (key, node) in entries {
        match (key.scalar.text.as_str(), found, &node.value) {
            (KIND, _, _) => {}
            ("items", None, Value::List(_)) => found = Some((key, node)),
            ("items", None, _) => {
                let text = format!("items: a list is expected, this is {}", node.kind());
                mistakes.push(Mistake::new(node.at, text));
                return None;
            }
            ("items", Some((first, _)), _) => {
                let text = format!("items: is given twice, first at {}", first.at);
                mistakes.push(Mistake::new(key.at, text));
            }
            (name, _, _) => {
                let text = format!("{name}: a List has no such field, only `items`");
                mistakes.push(Mistake::new(key.at, text));
            }
        }
    }
    if found.is_none() {
        let at = entries.first().map(|(key, _)| key.at);
        mistakes.extend(at.map(|at| Mistake::new(at, "a List needs `items`")));
    }
    found.map(|(_, node)| node)
}

/// One document; none when it has mistakes.
fn one(
    api: &Api,
    kind: &'static Kind,
    source: &Rc<str>,
    at: Place,
    entries: &[(Key, Node)],
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<Document>> {
    let before = mistakes.len();
    let descriptor = api.message(kind.name)?;
    let mut fields = Fields::new(kind, mistakes);
    let mut origin = Origin { source: Rc::clone(source), id: at, users: Vec::new(), profile: None };
    let (mut users, mut profile, mut resource) = (None, None, Vec::new());
    for (key, node) in entries {
        match (kind.name, key.scalar.text.as_str()) {
            (_, KIND) => {}
            ("Profile", "users") => {
                if let Some(named) = fields.once(key, "users").then(|| fields.names(key, node)) {
                    users = Some(named.iter().map(|(name, _)| name.clone()).collect());
                    origin.users = named.into_iter().map(|(_, at)| at).collect();
                }
            }
            ("User", "profile") => {
                if fields.once(key, "profile") {
                    profile = fields.name("profile", node);
                    origin.profile = Some(node.at);
                }
            }
            (_, "users") => fields.mistake(key.at, "users: only a Profile has it"),
            (_, "profile") => fields.mistake(key.at, "profile: only a User has it"),
            _ => resource.push((key, node)),
        }
    }
    let own = own_kind(kind);
    let has_kind = descriptor.get_field_by_name(KIND).is_some();
    let rename = |key: &Key| match has_kind && own.contains(&key.scalar.text) {
        true => KIND.to_owned(),
        false => key.scalar.text.clone(),
    };
    let mut values = fields.message(&descriptor, "", resource.iter().copied(), rename);
    let id = identity(kind, at, &resource, &mut values, &mut origin, fields.mistakes());
    if mistakes.len() > before {
        return Ok(None);
    }
    let etag = values.get("etag").and_then(Json::as_str).map(str::to_owned);
    values.retain(|name, _| !kind.is_read_only(name));
    // All that can be wrong was found above; this is what sends them.
    if let Err(error) = client::message(&descriptor, Json::Object(values.clone())) {
        mistakes.push(Mistake::new(at, error.to_string()));
        return Ok(None);
    }
    Ok(id.map(|id| Document { kind, id, fields: values, etag, users, profile, origin }))
}

/// The unique name or id, from the field that holds it or from the resource name. Where both are
/// given they must agree.
fn identity(
    kind: &'static Kind,
    at: Place,
    entries: &[(&Key, &Node)],
    values: &mut Map<String, Json>,
    origin: &mut Origin,
    mistakes: &mut Vec<Mistake>,
) -> Option<String> {
    let Some(key) = kind.id else { return Some(kind.collection.to_owned()) };
    let place = |field: &str| {
        let same = |(key, _): &&(&Key, &Node)| same_name(&key.scalar.text, field);
        entries.iter().find(same).map_or(at, |(_, node)| node.at)
    };
    let mut named = |field: &str| {
        let given = values.get(field)?.as_str()?;
        let bare = kind.bare(given);
        if bare.contains('/') {
            let text = format!("{field}: `{given}` names no {}", kind.names[0]);
            mistakes.push(Mistake::new(place(field), text));
        }
        Some(bare.into_owned()).filter(|bare| !bare.is_empty())
    };
    let (own, whole) = (named(key), named("name"));
    if let (Some(own), Some(whole)) = (&own, &whole)
        && !own.eq_ignore_ascii_case(whole)
    {
        let (first, other) = (place(key), place("name"));
        let text = format!("name: says `{whole}`, and {key} at {first} says `{own}`");
        mistakes.push(Mistake::new(other, text));
    }
    origin.id = place(if own.is_some() { key } else { "name" });
    let id = own.or(whole);
    match &id {
        Some(id) => {
            values.insert(key.to_owned(), Json::String(id.clone()));
        }
        // A field that is there and wrong has been reported.
        None if values.contains_key(key) || place(key) == at => {
            mistakes.push(Mistake::new(at, format!("a {} needs `{key}`", kind.name)));
        }
        None => {}
    }
    id
}

/// A resource as a document that [`read`] accepts.
pub(in crate::cli) fn show(kind: &Kind, message: &DynamicMessage) -> Result<Node> {
    let Node { at, value } = output::message(message)?;
    let key = |text: &str| Key { at, scalar: Scalar::text(text) };
    let name = Node { at, value: Value::Scalar(Scalar::text(kind.name)) };
    let mut document = vec![(key(KIND), name)];
    if let Value::Map(fields) = value {
        document.extend(fields.into_iter().map(|(field, value)| match field.scalar.text == KIND {
            true => (key(&own_kind(kind)[0]), value),
            false => (field, value),
        }));
    }
    Ok(Node { at, value: Value::Map(document) })
}
