//! The conversion of resources from and to the messages of the API by their field tables.
//!
//! The descriptors of the API define where a field stands in its message and how it is encoded there,
//! the table of the kind what it means. A kind whose message follows from both is marked `table` in
//! the list of kinds and needs no code here.

use std::borrow::Cow;

use deskplane_proto::v1;
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind as Encoding, MapKey, MessageDescriptor,
    ReflectMessage as _, Value as Encoded,
};

use super::{
    Reader, Resource, ResourceContext, library::Entry, mask::Mask, resource, resource_name,
};
use crate::{
    descriptors,
    domain::{
        Common, Kind, Object, Stamp, Time, UniqueName, check,
        field::{Access, COMMON, FieldType, Info, Value, Values},
        library, named_kinds,
        rules::Rules,
        stored::Stored,
    },
};

/// The descriptor of the message of a kind.
pub(super) fn descriptor(kind: Kind) -> MessageDescriptor {
    let name = format!("deskplane.v1.{}", kind.as_str());
    let found = descriptors::api().get_message_by_name(&name);
    found.unwrap_or_else(|| unreachable!("the API has no message {name}"))
}

/// The message of an object with the fields of its table; those that all resources share are left
/// out.
fn message<T: Rules + Stored, R: prost::Message + Default>(object: &T) -> R {
    let mut message = DynamicMessage::new(descriptor(T::KIND));
    for field in T::FIELDS {
        if let Some(value) = field.value(object) {
            write(&mut message, field.info.path, field.info.holds, value);
        }
    }
    R::decode(message.encode_to_vec().as_slice())
        .unwrap_or_else(|error| unreachable!("both are made from one descriptor: {error}"))
}

/// The new values of a resource that is sent.
fn values<T: Rules + Stored>(
    sent: &impl prost::Message,
    r: &mut Reader<'_>,
    mask: &Mask,
) -> Values<T> {
    let sent = DynamicMessage::decode(descriptor(T::KIND), sent.encode_to_vec().as_slice())
        .unwrap_or_else(|error| unreachable!("both are made from one descriptor: {error}"));
    // What a field is reset to that the mask names and the resource leaves out.
    let stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "");
    let defaults = T::empty(Common::custom(UniqueName::known("new_object"), ""), stamp);
    let mut values = Values::default();
    for info in COMMON.iter().filter(|info| info.access == Access::Mutable) {
        if let Some(value) = read(&sent, info, || None, r, mask) {
            values.set(info.path, value);
        }
    }
    for field in T::FIELDS {
        let default = || field.value(&defaults).map(Value::into_owned);
        if let Some(value) = read(&sent, &field.info, default, r, mask) {
            values.set(field.info.path, value);
        }
    }
    values
}

// ===== writing =====

fn write(message: &mut DynamicMessage, path: &str, holds: FieldType, value: Value<'_>) {
    let (outer, inner) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let field = field(&message.descriptor(), outer);
    let Some(inner) = inner else {
        if let Some(encoded) = encoded(&field, holds, value) {
            message.set_field(&field, encoded);
        }
        return;
    };
    // A part without values does not make its message present.
    if matches!(&value, Value::Bool(false))
        || matches!(&value, Value::Text(text) if text.is_empty())
    {
        return;
    }
    let mut part = match message.get_field(&field).into_owned() {
        Encoded::Message(part) => part,
        other => unreachable!("{outer} holds no message but {other:?}"),
    };
    write(&mut part, inner, holds, value);
    message.set_field(&field, Encoded::Message(part));
}

fn field(message: &MessageDescriptor, name: &str) -> FieldDescriptor {
    let found = message.get_field_by_name(name);
    found.unwrap_or_else(|| unreachable!("{} has no field {name}", message.full_name()))
}

/// A value as its field encodes it; none where the field stays unset.
fn encoded(field: &FieldDescriptor, holds: FieldType, value: Value<'_>) -> Option<Encoded> {
    Some(match value {
        Value::Text(text) => match field.kind() {
            Encoding::Enum(kind) => Encoded::EnumNumber(number(&kind, &text)?),
            _ => Encoded::String(text.into_owned()),
        },
        Value::Bool(truth) => Encoded::Bool(truth),
        Value::Number(number) => match field.kind() {
            Encoding::Int64 => Encoded::I64(number?),
            _ => Encoded::I32(number?.try_into().ok()?),
        },
        Value::Time(_) => unreachable!("no field of a table is a time"),
        Value::Name(name) if name.is_empty() => return None,
        Value::Name(name) => Encoded::String(shown(holds, name)),
        Value::Map(texts) => {
            let entry = |(name, text): (Cow<'_, str>, Cow<'_, str>)| {
                (MapKey::String(name.into_owned()), Encoded::String(text.into_owned()))
            };
            Encoded::Map(texts.into_iter().map(entry).collect())
        }
        Value::Names(names) => {
            Encoded::List(names.into_iter().map(|n| Encoded::String(shown(holds, n))).collect())
        }
        Value::List(texts) => {
            Encoded::List(texts.into_iter().map(|t| Encoded::String(t.into_owned())).collect())
        }
        Value::Records(rows) => {
            let (FieldType::Records(parts), Encoding::Message(record)) = (holds, field.kind())
            else {
                unreachable!("{} holds no records", field.full_name())
            };
            let rows = rows.into_iter().map(|row| {
                let mut message = DynamicMessage::new(record.clone());
                for ((name, holds), value) in parts.0.iter().zip(row) {
                    write(&mut message, name, *holds, value);
                }
                Encoded::Message(message)
            });
            Encoded::List(rows.collect())
        }
    })
}

/// A name as the API shows it: the resource name where it is a reference.
fn shown(holds: FieldType, name: Cow<'_, str>) -> String {
    match holds {
        FieldType::User => resource_name(Kind::User, &name),
        FieldType::Name(kind) | FieldType::Names(kind) => resource_name(kind, &name),
        _ => name.into_owned(),
    }
}

// ===== reading =====

/// The new value of a field; none where it stays as it is.
fn read(
    sent: &DynamicMessage,
    info: &Info,
    default: impl FnOnce() -> Option<Value<'static>>,
    r: &mut Reader<'_>,
    mask: &Mask,
) -> Option<Value<'static>> {
    if info.holds == FieldType::Other || matches!(info.access, Access::Action(_) | Access::Output) {
        return None;
    }
    let (outer, inner) = info.path.split_once('.').unwrap_or((info.path, ""));
    let mut at = field(&sent.descriptor(), outer);
    let mut message = Cow::Borrowed(sent);
    // A message that is present gives all its fields.
    let present = message.has_field(&at);
    if !inner.is_empty() {
        let Encoded::Message(part) = sent.get_field(&at).into_owned() else {
            unreachable!("{outer} holds no message")
        };
        at = field(&part.descriptor(), inner);
        message = Cow::Owned(part);
    }
    let given = message.has_field(&at);
    let sets = match info.access {
        Access::Immutable => given,
        _ => mask.sets(info.path, present),
    };
    // A value that no enum has is refused even where it would not be written.
    let is_choice = matches!(info.holds, FieldType::Choice(_));
    if !(sets || is_choice && given) {
        return None;
    }
    if !given && (is_choice || at.supports_presence()) {
        return default();
    }
    decoded(info.path, info.holds, &at, &message.get_field(&at), r).filter(|_| sets)
}

/// The value that a field encodes; what is wrong with it is noted.
fn decoded(
    path: &str,
    holds: FieldType,
    field: &FieldDescriptor,
    encoded: &Encoded,
    r: &mut Reader<'_>,
) -> Option<Value<'static>> {
    let text = |encoded: &Encoded| encoded.as_str().unwrap_or_default().to_owned();
    let each = || encoded.as_list().unwrap_or_default().iter().enumerate();
    Some(match holds {
        FieldType::Text => Value::Text(text(encoded).into()),
        FieldType::Lines => Value::Text(check::lines(&text(encoded)).into()),
        FieldType::Bool => Value::Bool(encoded.as_bool().unwrap_or_default()),
        FieldType::Number => {
            Value::Number(encoded.as_i32().map(i64::from).or_else(|| encoded.as_i64()))
        }
        FieldType::Choice(words) => {
            let number = encoded.as_enum_number().unwrap_or_default();
            let word = match field.kind() {
                Encoding::Enum(kind) => word(&kind, number),
                _ => None,
            };
            let Some(word) = words.iter().find(|known| word.as_deref() == Some(**known)) else {
                r.v.invalid(path, format!("has no value {number}"));
                return None;
            };
            Value::Text(Cow::Borrowed(*word))
        }
        FieldType::List => Value::List(each().map(|(_, item)| text(item).into()).collect()),
        FieldType::Name(kind) => {
            let name = r.optional_name(path, kind, &text(encoded));
            Value::Name(name.map(|name| name.as_str().to_owned()).unwrap_or_default().into())
        }
        FieldType::Names(kind) => {
            let read = |(at, item): (usize, &Encoded)| {
                r.name(&format!("{path}[{at}]"), kind, &text(item)).as_str().to_owned().into()
            };
            Value::Names(each().map(read).collect())
        }
        FieldType::UniqueName => Value::Name(unique_name(path, &text(encoded), r).into()),
        FieldType::User => {
            let given = text(encoded);
            let id = (!given.is_empty()).then(|| r.user(path, &given));
            Value::Name(id.map(|id| id.as_str().to_owned()).unwrap_or_default().into())
        }
        FieldType::Map => {
            let entries = encoded.as_map().into_iter().flatten();
            let mut texts: Vec<(Cow<'_, str>, Cow<'_, str>)> = entries
                .map(|(name, value)| {
                    let name = name.as_str().unwrap_or_default().to_owned();
                    (name.into(), check::lines(&text(value)).into())
                })
                .collect();
            texts.sort();
            Value::Map(texts)
        }
        FieldType::Records(parts) => {
            let mut rows = Vec::new();
            for (at, row) in each() {
                let message = row.as_message()?;
                let read = |(name, holds): &(&str, FieldType)| {
                    let part = self::field(&message.descriptor(), name);
                    let path = format!("{path}[{at}].{name}");
                    decoded(&path, *holds, &part, &message.get_field(&part), r)
                };
                rows.push(parts.0.iter().map(read).collect::<Option<_>>()?);
            }
            Value::Records(rows)
        }
        FieldType::Time | FieldType::UniqueNames | FieldType::Other => {
            unreachable!("{path} is no value that is sent")
        }
    })
}

/// A unique name that is no reference; empty when none is given or it is refused.
fn unique_name(path: &str, text: &str, r: &mut Reader<'_>) -> String {
    if text.is_empty() {
        return String::new();
    }
    match UniqueName::parse(text) {
        Ok(name) => name.as_str().to_owned(),
        Err(rule) => {
            r.v.invalid(path, rule);
            String::new()
        }
    }
}

// ===== words of enums =====

/// The word of a number: `DOCKED` for the one of `PANEL_MODE_DOCKED`.
fn word(kind: &EnumDescriptor, number: i32) -> Option<String> {
    let value = kind.get_value(number)?;
    value.name().strip_prefix(&prefix(kind)).map(str::to_owned)
}

/// The number of a word.
fn number(kind: &EnumDescriptor, word: &str) -> Option<i32> {
    let value = kind.get_value_by_name(&format!("{}{word}", prefix(kind)));
    value.map(|value| value.number())
}

/// `PANEL_MODE_` for the enum `PanelMode`.
fn prefix(kind: &EnumDescriptor) -> String {
    let mut prefix = String::new();
    for letter in kind.name().chars() {
        if letter.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix + "_"
}

// ===== the kinds =====

/// Expands to the conversion of one kind; to nothing for those that have their own.
macro_rules! converted {
    (table $variant:ident $module:ident $type:ident $message:ident) => {
        impl Resource for v1::$message {
            const KIND: Kind = Kind::$variant;

            fn of(object: &Object, _: ResourceContext<'_>) -> Option<Self> {
                let Object::$variant(o) = object else { return None };
                let own: Self = message(o.as_ref());
                Some(resource! { $message of o, Kind::$variant; ..own })
            }
        }

        impl Entry for v1::$message {
            type Object = library::$module::$type;

            fn identity(&self) -> (&str, &str, &str, i32) {
                (&self.name, &self.unique_name, &self.etag, self.state)
            }

            fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> Values<Self::Object> {
                values(self, r, mask)
            }
        }
    };
    ($api:ident $variant:ident $module:ident $type:ident $message:ident) => {};
}

/// Expands to [`converted!`] for every kind.
macro_rules! conversions {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        $(converted! { $api $variant $module $type $message })+
    };
}

named_kinds!(conversions);

#[cfg(test)]
mod tests;
