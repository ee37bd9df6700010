//! Reads the event of a request; all bad fields are noted together.

use deskplane_proto::v1;
use prost_types::{Struct, Value as ProtoValue, value::Kind as ValueKind};

use crate::{
    domain::{Kind, UniqueName, check, workstream::Slot},
    render::session::{Value, Values},
    service::convert::Reader,
};

/// Most entries of context and attributes together.
const MAX_ENTRIES: usize = 500;
/// Most bytes of their keys and values together.
const MAX_BYTES: usize = 256 * 1024;
/// Most characters of a key of the context, as a slug may have.
const MAX_KEY: usize = 200;
/// Most characters of the name of an attribute, with an annotation.
const MAX_ATTRIBUTE: usize = 300;
/// Most characters of a key that a violation shows.
const SHOWN_KEY: usize = 60;

/// What a session is rendered for.
#[derive(Debug)]
pub(in crate::service) struct Event {
    /// What opens it.
    pub(super) source: Source,
    /// Id of the record that the session is about; may be empty.
    pub(super) anchor_id: String,
    /// What slugs stand for.
    pub(super) values: Values,
}

/// What a session is opened by.
#[derive(Debug)]
pub(super) enum Source {
    /// A record of this type.
    Entity(String),
    /// Work that arrives through a work stream.
    Workstream(UniqueName, Option<Slot>),
    /// Work that arrives through a channel.
    Channel(UniqueName, Option<Slot>),
}

/// Reads the event of a request.
pub(in crate::service) fn session_event(q: &v1::RenderSessionRequest, r: &mut Reader<'_>) -> Event {
    let source = source(q, r);
    let anchor = q.anchor.as_ref();
    if let Some(anchor) = anchor {
        check::line(&mut r.v, "anchor.entity", &anchor.entity, 0..=100);
        check::line(&mut r.v, "anchor.id", &anchor.id, 0..=200);
        let differs = !anchor.entity.is_empty() && !anchor.entity.eq_ignore_ascii_case(&q.entity);
        if matches!(source, Source::Entity(_)) && differs {
            r.v.invalid("anchor.entity", "must be empty or equal to `entity`");
        }
    }
    let attributes = anchor.and_then(|anchor| anchor.attributes.as_ref());
    Event {
        source,
        anchor_id: anchor.map(|anchor| anchor.id.clone()).unwrap_or_default(),
        values: values(q.context.as_ref(), attributes, r),
    }
}

fn source(q: &v1::RenderSessionRequest, r: &mut Reader<'_>) -> Source {
    let slot = r.choice("slot", q.slot);
    let given = [("entity", &q.entity), ("workstream", &q.workstream), ("channel", &q.channel)];
    let mut given = given.into_iter().filter(|(_, text)| !text.is_empty()).map(|(field, _)| field);
    let first = given.next();
    for other in given {
        let first = first.unwrap_or_default();
        r.v.invalid(other, format!("must be empty, as `{first}` says what opens the session"));
    }
    match first {
        Some("workstream") => {
            Source::Workstream(r.name("workstream", Kind::Workstream, &q.workstream), slot)
        }
        Some("channel") => Source::Channel(r.name("channel", Kind::Channel, &q.channel), slot),
        Some(_) => {
            check::line(&mut r.v, "entity", &q.entity, 1..=100);
            if q.slot != 0 {
                r.v.invalid("slot", "must not be given with `entity`: records announce nothing");
            }
            Source::Entity(q.entity.clone())
        }
        None => {
            r.v.invalid("entity", "is required, unless `workstream` or `channel` is given");
            Source::Entity(String::new())
        }
    }
}

fn values(context: Option<&Struct>, attributes: Option<&Struct>, r: &mut Reader<'_>) -> Values {
    let all = [("context", context), ("anchor.attributes", attributes)];
    let entries = || all.iter().filter_map(|(_, given)| *given).flat_map(|given| &given.fields);
    let (count, bytes) = (entries().count(), entries().map(size).sum::<usize>());
    let mut values = Values::default();
    if count > MAX_ENTRIES || bytes > MAX_BYTES {
        let text = format!(
            "and `anchor.attributes` must have at most {MAX_ENTRIES} entries and {MAX_BYTES} bytes \
             together, have {count} and {bytes}"
        );
        r.v.invalid("context", text);
        return values;
    }
    for (field, given) in all {
        for (key, value) in given.iter().flat_map(|given| &given.fields) {
            let shown: String = key.chars().take(SHOWN_KEY).collect();
            let path = format!("{field}[{shown}]");
            let longest = if field == "context" { MAX_KEY } else { MAX_ATTRIBUTE };
            check::line(&mut r.v, &path, key, 1..=longest);
            let problem = match read(value) {
                Ok(value) => {
                    let is_new = match field {
                        "context" => values.insert_context(key, value),
                        _ => values.insert_attribute(key, value),
                    };
                    (!is_new).then_some("is given twice, in two spellings")
                }
                Err(problem) => Some(problem),
            };
            if let Some(problem) = problem {
                r.v.invalid(path, problem);
            }
        }
    }
    values
}

/// The bytes that an entry counts.
fn size((key, value): (&String, &ProtoValue)) -> usize {
    let value = match &value.kind {
        Some(ValueKind::StringValue(text)) => text.len(),
        _ => size_of::<f64>(),
    };
    key.len() + value
}

fn read(value: &ProtoValue) -> Result<Value, &'static str> {
    match &value.kind {
        Some(ValueKind::StringValue(text)) => Ok(Value::Text(text.clone())),
        Some(ValueKind::NumberValue(number)) if number.is_finite() => Ok(Value::Number(*number)),
        Some(ValueKind::BoolValue(truth)) => Ok(Value::Bool(*truth)),
        Some(ValueKind::NullValue(_)) => Ok(Value::Null),
        Some(ValueKind::NumberValue(_)) => Err("must be a finite number"),
        Some(ValueKind::ListValue(_) | ValueKind::StructValue(_)) | None => {
            Err("must be a text, a number, true, false or null")
        }
    }
}
