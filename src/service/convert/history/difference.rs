//! Two states of a resource, field by field, by the JSON of their message.

use std::collections::BTreeSet;

use deskplane_proto::v1;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::{Map, Value};

use crate::descriptors;

/// Fields that the server notes: they differ whenever anything was written.
const NOTED: [&str; 7] =
    ["name", "etag", "revision", "create_time", "update_time", "created_by", "updated_by"];

/// The fields in which two states differ, ascending by path; a resource that does not exist has none.
/// No answer when a state is no resource of this API.
pub(in crate::service) fn differences(
    old: Option<&prost_types::Any>,
    new: Option<&prost_types::Any>,
) -> Option<Vec<v1::FieldDifference>> {
    let (old, new) = (fields(old)?, fields(new)?);
    let mut found = Vec::new();
    compare_fields("", &old, &new, &mut found);
    Some(found)
}

/// The fields of a resource that are compared, with the names of the API.
fn fields(resource: Option<&prost_types::Any>) -> Option<Map<String, Value>> {
    let Some(resource) = resource else { return Some(Map::new()) };
    let options = SerializeOptions::new().use_proto_field_name(true);
    let (_, name) = resource.type_url.rsplit_once('/')?;
    let descriptor = descriptors::api().get_message_by_name(name)?;
    let message = DynamicMessage::decode(descriptor, resource.value.as_slice()).ok()?;
    let json = message.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
    let Value::Object(mut fields) = json else { return None };
    NOTED.iter().for_each(|noted| _ = fields.remove(*noted));
    Some(fields)
}

fn compare_fields(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    found: &mut Vec<v1::FieldDifference>,
) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(path, old.get(name), new.get(name), found);
    }
}

/// Goes down where both sides have the same shape; else the whole value differs.
fn compare(
    field: String,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Vec<v1::FieldDifference>,
) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            compare_fields(&field, old, new, found);
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if of_messages(old) && of_messages(new) =>
        {
            for at in 0..old.len().max(new.len()) {
                compare(format!("{field}[{at}]"), old.get(at), new.get(at), found);
            }
        }
        _ => {
            let text = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
            let (old_value, new_value) = (text(old), text(new));
            found.push(v1::FieldDifference { field, old_value, new_value });
        }
    }
}

/// Whether the elements of a list are messages. An empty list counts as one of messages.
fn of_messages(list: &[Value]) -> bool {
    list.iter().all(Value::is_object)
}
