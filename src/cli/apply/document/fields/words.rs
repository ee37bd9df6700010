//! What fields take and what stands there instead, in words; and the values of scalars.

use prost_reflect::{EnumDescriptor, Kind as Type, MessageDescriptor};
use serde_json::Value as Json;

use crate::cli::{
    output::prefix,
    tree::{Key, Meaning, Node, Scalar, Style, Value},
};

/// What to do about a value of another type.
pub(super) fn todo(wanted: &str, node: &Node) -> &'static str {
    let Value::Scalar(scalar) = &node.value else { return "" };
    match (wanted, scalar.meaning()) {
        ("a list", Meaning::Nothing | Meaning::Null) => "; write [] for an empty one",
        ("a map", Meaning::Nothing | Meaning::Null) => "; write {} for an empty one",
        ("a list", _) => "; put it into [ ]",
        (_, Meaning::Nothing) => "; write a value, or leave the field out",
        ("text", Meaning::Null) => "; quote it, write '' for an empty text, or leave the field out",
        ("text", _) => "; quote it",
        ("true or false", Meaning::Text) if scalar.style == Style::Quoted => {
            "; write it without quotes"
        }
        (_, Meaning::Null) => "; leave the field out",
        _ => "",
    }
}

/// What a field accepts, in words.
pub(super) fn wanted(kind: &Type) -> String {
    match kind {
        Type::String | Type::Bytes => "text".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::Double | Type::Float => "a number".to_owned(),
        Type::Enum(values) => {
            let short = prefix(values.name());
            let known = values.values().filter(|value| !value.name().ends_with("_UNSPECIFIED"));
            let known = known.map(|value| value.name().trim_start_matches(&short).to_owned());
            format!("one of {}", known.collect::<Vec<_>>().join(", "))
        }
        kind => match range(kind) {
            Some((least, most)) => format!("a whole number from {least} to {most}, in decimal,"),
            None => "another value".to_owned(),
        },
    }
}

pub(super) fn range(kind: &Type) -> Option<(i128, i128)> {
    match kind {
        Type::Int32 | Type::Sint32 | Type::Sfixed32 => Some((i32::MIN.into(), i32::MAX.into())),
        Type::Int64 | Type::Sint64 | Type::Sfixed64 => Some((i64::MIN.into(), i64::MAX.into())),
        Type::Uint32 | Type::Fixed32 => Some((0, u32::MAX.into())),
        Type::Uint64 | Type::Fixed64 => Some((0, u64::MAX.into())),
        _ => None,
    }
}

/// A whole number within a range; in quotes too, as JSON shows the large ones.
pub(super) fn whole(scalar: &Scalar, (least, most): (i128, i128)) -> Option<Json> {
    let plain = Scalar { style: Style::Plain, ..scalar.clone() };
    let number = plain.whole().filter(|number| (least..=most).contains(number))?;
    // As text, which the JSON form of every integer may be: no reader rounds it.
    Some(match i32::try_from(number) {
        Ok(small) => small.into(),
        Err(_) => number.to_string().into(),
    })
}

/// The whole name of a constant; `ACTIVE` may stand for `STATE_ACTIVE`.
pub(super) fn constant(values: &EnumDescriptor, name: &str) -> Option<String> {
    let names = [name.to_owned(), prefix(values.name()) + name];
    names.into_iter().find(|name| values.get_value_by_name(name).is_some())
}

/// As much of a text as a message needs.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `a Profile`, `an InboxView`.
pub(super) fn noun(descriptor: &MessageDescriptor) -> String {
    let name = descriptor.name();
    let article =
        if name.starts_with(['A', 'E', 'I', 'O', 'U']) && name != "User" { "an" } else { "a" };
    format!("{article} {name}")
}

/// A key that another version of YAML made out of a word.
pub(super) fn hint(key: &Key) -> String {
    match key.scalar.meaning() {
        Meaning::Bool(_) => "; a key such as `on` must be quoted for readers of YAML 1.1, \
             which take it for true"
            .to_owned(),
        _ => String::new(),
    }
}
