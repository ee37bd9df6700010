//! Attributes in a JSON document: names compare without ASCII case (RFC 7643 §2.1).

use serde_json::{Map, Value};

/// A resource as its JSON document.
pub(super) type Document = Map<String, Value>;

/// The schema of users.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The schema of what enterprises add to users.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The key of an attribute, as the document spells it, or else as given.
pub(super) fn key(document: &Document, name: &str) -> String {
    let found = document.keys().find(|key| key.eq_ignore_ascii_case(name));
    found.map_or(name, String::as_str).to_owned()
}

/// The value of an attribute; null is none.
pub(super) fn get<'a>(document: &'a Document, name: &str) -> Option<&'a Value> {
    let exact = document.get(name);
    let folded =
        || document.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    exact.or_else(folded).filter(|value| !value.is_null())
}

/// The same of a value that may be an object.
pub(super) fn of<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object().and_then(|document| get(document, name))
}

/// A text that is not empty.
pub(super) fn text<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    get(document, name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Whether several values may stand under the name.
pub(super) fn is_multi_valued(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "members",
        "emails",
        "roles",
        "groups",
        "phoneNumbers",
        "addresses",
        "ims",
        "photos",
        "entitlements",
        "x509Certificates",
    ];
    NAMES.iter().any(|multi| multi.eq_ignore_ascii_case(name))
}

/// The elements of a value: those of an array, or the one that stands for itself.
pub(super) fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// What an element of a multi-valued attribute stands for: its `value`, or the text that it is.
pub(super) fn element_text(element: &Value) -> Option<&str> {
    element.as_str().or_else(|| of(element, "value").and_then(Value::as_str))
}

/// A yes or no, also as the text that Entra ID sends.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
