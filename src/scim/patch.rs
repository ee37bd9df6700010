//! PATCH: operations on the document of a resource (RFC 7644 §3.5.2), in the forms that Entra ID and
//! Okta send as well.

use scim_v2::{
    filter::{AttrExp, AttrPath, CompValue, CompareOp, PatchPath, PatchValuePath, ValFilter},
    models::{
        errors::ScimType,
        others::{OperationTarget, PatchOp, PatchOperation},
    },
};
use serde_json::Value;

use super::{
    attributes::{self, Document, ENTERPRISE, elements, is_multi_valued, key},
    error::{Error, Result},
    filter::element_matches,
};

/// Most operations of one request.
const MAX_OPERATIONS: usize = 1_000;

/// What an operation does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
}

/// Applies the operations of a request in order.
pub(super) fn apply(document: &mut Document, body: &[u8]) -> Result<()> {
    let syntax = |error| Error::bad(ScimType::InvalidSyntax, format!("No PatchOp: {error}."));
    let patch: PatchOp = serde_json::from_slice(body).map_err(syntax)?;
    if patch.operations.is_empty() || patch.operations.len() > MAX_OPERATIONS {
        let detail = format!("Operations must hold 1 to {MAX_OPERATIONS} operations.");
        return Err(Error::bad(ScimType::InvalidSyntax, detail));
    }
    for operation in patch.operations {
        match operation {
            PatchOperation::Add(target) => put(document, Verb::Add, target)?,
            PatchOperation::Replace(target) => put(document, Verb::Replace, target)?,
            PatchOperation::Remove { path, value } => remove(document, &path, value.as_ref())?,
        }
    }
    Ok(())
}

fn put(document: &mut Document, verb: Verb, target: OperationTarget) -> Result<()> {
    match target {
        OperationTarget::WithPath { path, value } => {
            let missing = || Error::bad(ScimType::InvalidValue, "The operation has no value.");
            put_at(document, verb, &path, value.ok_or_else(missing)?)
        }
        OperationTarget::WithoutPath { value } => put_all(document, verb, value),
    }
}

/// An object without a path: each member is an attribute, whose name may be a path itself.
fn put_all(document: &mut Document, verb: Verb, members: Document) -> Result<()> {
    for (name, value) in members {
        // Okta repeats them; they change nothing.
        if ["schemas", "id", "meta"].iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            continue;
        }
        let invalid = |error| Error::bad(ScimType::InvalidPath, format!("{name}: {error}."));
        put_at(document, verb, &name.parse().map_err(invalid)?, value)?;
    }
    Ok(())
}

fn put_at(document: &mut Document, verb: Verb, path: &PatchPath, value: Value) -> Result<()> {
    match path {
        PatchPath::Attr(path) if is_extension(path) => match value {
            Value::Object(extension) => {
                for (name, value) in extension {
                    set(extended(document), verb, &name, value);
                }
                Ok(())
            }
            _ => Err(Error::value(ENTERPRISE, "must be an object")),
        },
        PatchPath::Attr(path) => {
            writable(path)?;
            let scope = scope(document, path);
            match &path.sub_attr {
                None => set(scope, verb, &path.name, value),
                Some(sub) => set_sub(scope, &path.name, sub, value),
            }
            Ok(())
        }
        PatchPath::Value(path) => {
            writable(&path.attr)?;
            put_elements(scope(document, &path.attr), verb, path, value)
        }
    }
}

/// Whether a path names the enterprise extension as a whole. The grammar takes the end of its name for
/// an attribute.
fn is_extension(path: &AttrPath) -> bool {
    path.to_string().eq_ignore_ascii_case(ENTERPRISE)
}

/// Refuses paths to what the server alone writes.
fn writable(path: &AttrPath) -> Result<()> {
    match path.name.to_ascii_lowercase().as_str() {
        "id" | "meta" | "groups" => {
            let detail = format!("{} is written by the server alone.", path.name);
            Err(Error::bad(ScimType::Mutability, detail))
        }
        _ => Ok(()),
    }
}

/// The object that a path starts in: the document, or its enterprise extension.
fn scope<'a>(document: &'a mut Document, path: &AttrPath) -> &'a mut Document {
    match path.uri.as_deref() {
        Some(uri) if uri.eq_ignore_ascii_case(ENTERPRISE) => extended(document),
        _ => document,
    }
}

fn extended(document: &mut Document) -> &mut Document {
    let key = key(document, ENTERPRISE);
    object(document.entry(key).or_insert(Value::Null))
}

/// The object that a value is, or becomes.
fn object(value: &mut Value) -> &mut Document {
    if !value.is_object() {
        *value = Value::Object(Document::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was made an object"),
    }
}

/// The elements that a value holds, or will hold.
fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(elements(value).to_vec());
    }
    match value {
        Value::Array(elements) => elements,
        _ => unreachable!("it was made an array"),
    }
}

fn set(scope: &mut Document, verb: Verb, name: &str, value: Value) {
    let slot = scope.entry(key(scope, name)).or_insert(Value::Null);
    match (verb, &value) {
        (Verb::Add, _) if is_multi_valued(name) => {
            let all = array(slot);
            let new = elements(&value).iter();
            let mut held: std::collections::HashSet<_> =
                all.iter().filter_map(element_key).collect();
            let new: Vec<_> = new
                .filter(|element| element_key(element).is_none_or(|key| held.insert(key)))
                .cloned()
                .collect();
            all.extend(new);
        }
        (Verb::Replace, _) if is_multi_valued(name) => {
            *slot = Value::Array(elements(&value).to_vec());
        }
        (_, Value::Object(members)) => {
            for (name, value) in members.clone() {
                let target = object(slot);
                target.insert(key(target, &name), value);
            }
        }
        _ => *slot = value,
    }
}

/// What elements are compared by; directories differ in the case of ids.
fn element_key(element: &Value) -> Option<String> {
    attributes::element_text(element).map(str::to_ascii_lowercase)
}

/// Sets a sub-attribute: of an object, or of each element.
fn set_sub(scope: &mut Document, name: &str, sub: &str, value: Value) {
    let slot = scope.entry(key(scope, name)).or_insert(Value::Null);
    if !is_multi_valued(name) {
        let target = object(slot);
        target.insert(key(target, sub), value);
        return;
    }
    let all = array(slot);
    if all.is_empty() {
        all.push(Value::Object(Document::new()));
    }
    for element in all {
        let target = object(element);
        target.insert(key(target, sub), value.clone());
    }
}

/// Puts into the elements that a filter selects. Where there is none, one is made that the filter
/// describes: Entra ID counts on that for `emails[type eq "work"].value`.
fn put_elements(
    scope: &mut Document,
    verb: Verb,
    path: &PatchValuePath,
    value: Value,
) -> Result<()> {
    let all = array(scope.entry(key(scope, &path.attr.name)).or_insert(Value::Null));
    if !all.iter().any(|element| element_matches(&path.filter, element)) {
        let mut described = Document::new();
        if !describe(&path.filter, &mut described) {
            let detail = format!("{path} selects nothing.", path = path.attr);
            return Err(Error::bad(ScimType::NoTarget, detail));
        }
        all.push(Value::Object(described));
    }
    for element in all.iter_mut().filter(|element| element_matches(&path.filter, element)) {
        match (&path.sub_attr, &value) {
            (Some(sub), value) => {
                let target = object(element);
                target.insert(key(target, sub), value.clone());
            }
            (None, Value::Object(members)) => {
                if verb == Verb::Replace {
                    *element = Value::Object(Document::new());
                }
                object(element).extend(members.clone());
            }
            (None, other) => *element = other.clone(),
        }
    }
    Ok(())
}

/// Writes what a filter demands into a new element; false when it is more than equalities.
fn describe(filter: &ValFilter, element: &mut Document) -> bool {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, wanted)) => {
            let value = match wanted {
                CompValue::Str(text) => Value::String(text.clone()),
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                CompValue::Number(number) => Value::Number(number.clone()),
                CompValue::Null => Value::Null,
            };
            element.insert(path.name.clone(), value);
            true
        }
        ValFilter::And(all) => all.as_slice().iter().all(|each| describe(each, element)),
        _ => false,
    }
}

/// Removes an attribute, elements of it, or a sub-attribute. What is not there needs no removal.
///
/// `remove` of `members` with a value takes away these members and no others, as Entra ID means it;
/// the RFC has no value there.
fn remove(document: &mut Document, path: &PatchPath, value: Option<&Value>) -> Result<()> {
    let (attr, sub) = match path {
        PatchPath::Attr(path) => (path, path.sub_attr.as_deref()),
        PatchPath::Value(path) => (&path.attr, path.sub_attr.as_deref()),
    };
    writable(attr)?;
    if is_extension(attr) {
        let key = key(document, ENTERPRISE);
        document.remove(&key);
        return Ok(());
    }
    let scope = scope(document, attr);
    let key = key(scope, &attr.name);
    let Some(slot) = scope.get_mut(&key) else { return Ok(()) };
    let selects = |element: &Value| match path {
        PatchPath::Attr(_) => true,
        PatchPath::Value(path) => element_matches(&path.filter, element),
    };
    if let Some(sub) = sub {
        let targets = match slot {
            Value::Array(elements) => elements.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for target in targets.iter_mut().filter(|element| selects(element)) {
            let target = object(target);
            target.remove(&attributes::key(target, sub));
        }
        return Ok(());
    }
    let named: Option<std::collections::HashSet<_>> = value
        .filter(|value| !value.is_null() && is_multi_valued(&attr.name))
        .map(|value| elements(value).iter().filter_map(element_key).collect());
    match (path, named) {
        (PatchPath::Attr(_), None) => drop(scope.remove(&key)),
        (_, Some(named)) => array(slot).retain(|element| {
            !selects(element) || element_key(element).is_none_or(|key| !named.contains(&key))
        }),
        (PatchPath::Value(_), None) => array(slot).retain(|element| !selects(element)),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
