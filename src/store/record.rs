//! The record of one command, and its stored form: one byte of format version, then the payload.

mod format;
mod request;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use self::format::{decode, encode, split};
pub use self::request::{Header, RequestKey};
use super::{Error, Result, Revision};
use crate::domain::{Actor, Change, Object, ObjectKey, Provenance, Time, directory::packed};

/// Format version of records that is written. Both are JSON: in format 1 the answer to a request id
/// holds every object that it shows, in format 2 those alone that the record does not change.
pub const FORMAT: u8 = 2;
/// Format version of objects that are JSON: all but users, and users of older programs.
const OBJECT_JSON: u8 = 1;
/// Format version of users: the compact form of `domain::directory::packed`.
const OBJECT_USER: u8 = 2;

/// One command, one revision: the change of state, its history, audit entry and request id.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// Revision.
    pub revision: Revision,
    /// Time of the commit.
    pub time: Time,
    /// Name of the operation: `UpdateProfile`.
    pub operation: String,
    /// Who called.
    pub actor: Actor,
    /// From where the call came, and by which scope; unknown in records of older programs.
    #[serde(default)]
    pub provenance: Provenance,
    /// Why, in the caller's words; may be empty.
    #[serde(default)]
    pub reason: String,
    /// The flags of SPEC §7.1 rule 3 that the call set.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What makes a repetition of the call known.
    #[serde(default)]
    pub request: Option<Request>,
    /// What the command changes.
    pub changes: Vec<Change>,
}

/// Request id of a command, with its answer (SPEC §7.1 rule 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the caller.
    pub id: Uuid,
    /// Hash of the request less its id and reason.
    pub payload: [u8; 32],
    /// What the answer to a repetition needs beyond the changes of the record.
    pub answer: serde_json::Value,
}

/// A [`Record`] as it is written, around objects that are encoded already.
#[derive(Serialize)]
struct Written<'a> {
    revision: Revision,
    time: Time,
    operation: &'a str,
    actor: &'a Actor,
    #[serde(skip_serializing_if = "Provenance::is_unknown")]
    provenance: &'a Provenance,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    flags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a Request>,
    changes: Vec<WrittenChange<'a>>,
}

/// A [`Change`] as it is written.
#[derive(Serialize)]
enum WrittenChange<'a> {
    Put(&'a RawValue),
    Delete(&'a ObjectKey),
}

// === impl Record ===

impl Record {
    /// The stored form, in the newest format.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let put = self.changes.iter().filter_map(|change| match change {
            Change::Put(object) => Some(object.encode()),
            Change::Delete(_) => None,
        });
        let objects = put.collect::<std::result::Result<Vec<_>, _>>();
        self.encode_with(&objects.map_err(|error| Error::Engine(error.to_string()))?)
    }

    /// The stored form around objects that are encoded already: those that its changes put, in order.
    pub fn encode_with(&self, objects: &[Box<RawValue>]) -> Result<Vec<u8>> {
        let mut objects = objects.iter();
        let written = self.changes.iter().filter_map(|change| {
            Some(match change {
                Change::Put(_) => WrittenChange::Put(objects.next()?),
                Change::Delete(key) => WrittenChange::Delete(key),
            })
        });
        let changes: Vec<_> = written.collect();
        if changes.len() != self.changes.len() || objects.next().is_some() {
            return Err(Error::Engine("a record needs the encoding of each object".to_owned()));
        }
        let Self { revision, time, operation, actor, provenance, reason, flags, request, .. } =
            self;
        let request = request.as_ref();
        encode(
            FORMAT,
            &Written {
                revision: *revision,
                time: *time,
                operation,
                actor,
                provenance,
                reason,
                flags,
                request,
                changes,
            },
        )
    }

    /// Reads the stored form of any format up to [`FORMAT`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        decode("a record", FORMAT, bytes)
    }

    /// What is remembered of its request, if it carries a request id.
    pub fn header(&self) -> Option<Header> {
        let request = self.request.as_ref()?;
        Some(Header {
            revision: self.revision,
            time: self.time,
            key: RequestKey::new(&self.actor.subject, request.id),
            payload: request.payload,
        })
    }
}

/// The stored form of an object.
pub(super) fn encode_object(object: &Object) -> Result<Vec<u8>> {
    match object {
        Object::User(user) => Ok(packed::encode(user, user_format())),
        _ => encode(OBJECT_JSON, object),
    }
}

/// What the stored form of a user begins with.
pub(super) fn user_format() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(192);
    bytes.push(OBJECT_USER);
    bytes
}

/// The stored form of a user behind its format, if it is the compact one.
pub(super) fn user_form(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[OBJECT_USER])
}

/// A stored user that is none.
pub(super) fn no_user() -> Error {
    Error::Damaged("an object: it is no user".to_owned())
}

/// Reads the stored form of an object.
pub(super) fn decode_object(bytes: &[u8]) -> Result<Object> {
    match split("an object", OBJECT_USER, bytes)? {
        (OBJECT_USER, form) => {
            packed::decode(form).map(|user| Object::User(Arc::new(user))).ok_or_else(no_user)
        }
        _ => decode("an object", OBJECT_JSON, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Kind, ObjectKey, Scope},
        store::conformance::fixtures,
    };

    /// A record as each format wrote it; see `tests/data/records/README.md`.
    const FIXTURES: &[&[u8]] = &[
        include_bytes!("../../tests/data/records/format-1.record"),
        include_bytes!("../../tests/data/records/format-2.record"),
    ];

    /// The newest format with the provenance of its call, which older programs pass over.
    const PROVENANCE: &[u8] = include_bytes!("../../tests/data/records/format-2-provenance.record");

    #[test]
    fn every_format_is_read_and_the_newest_written_as_ever() {
        assert_eq!(FIXTURES.len(), usize::from(FORMAT));
        for (fixture, format) in FIXTURES.iter().zip(1..) {
            assert_eq!(fixture[0], format);
            let record = Record::decode(fixture).unwrap();
            assert_eq!(record.revision, 7);
            assert_eq!(record.time.to_string(), "2026-03-01T08:00:00.000001Z");
            assert_eq!(record.header().unwrap().payload, [3; 32]);
            assert_eq!(record.changes[0].key(), ObjectKey::new(Kind::User, "KENDALL"));
            assert_eq!(record.encode().unwrap(), FIXTURES[FIXTURES.len() - 1]);
        }
    }

    /// The user Kendall as each format of objects wrote her.
    const OBJECTS: &[&[u8]] = &[
        include_bytes!("../../tests/data/records/format-1.object"),
        include_bytes!("../../tests/data/records/format-2.object"),
    ];

    #[test]
    fn users_of_every_format_are_read_and_written_in_the_newest() {
        assert_eq!(OBJECTS.len(), usize::from(OBJECT_USER));
        for (fixture, format) in OBJECTS.iter().zip(1..) {
            assert_eq!(fixture[0], format);
            let object = decode_object(fixture).unwrap();
            assert_eq!(object.key(), ObjectKey::new(Kind::User, "kendall"));
            assert_eq!(object.stamp().update_time.to_string(), "2026-03-01T08:00:00.000001Z");
            assert_eq!(encode_object(&object).unwrap(), OBJECTS[OBJECTS.len() - 1]);
        }
        let newest = OBJECTS[OBJECTS.len() - 1];
        let newer = [&[OBJECT_USER + 1], &newest[1..]].concat();
        assert!(matches!(decode_object(&newer), Err(Error::NewerFormat { known: 2, .. })));
        for length in 1..newest.len() {
            let damaged = decode_object(&newest[..length]);
            assert!(matches!(damaged, Err(Error::Damaged(_))), "{length} bytes: {damaged:?}");
        }
    }

    #[test]
    fn provenance_is_kept_and_unknown_in_records_that_have_none() {
        let without = Record::decode(FIXTURES[FIXTURES.len() - 1]).unwrap();
        assert!(without.provenance.is_unknown());
        let record = Record::decode(PROVENANCE).unwrap();
        let address = "127.0.0.1:51234".to_owned();
        assert_eq!(record.provenance, Provenance { scope: Some(Scope::Admin), address });
        assert_eq!(record.encode().unwrap(), PROVENANCE);
        assert_eq!(Record { provenance: Provenance::default(), ..record }, without);
    }

    #[test]
    fn a_record_survives_its_stored_form() {
        let plain = fixtures::record(3, vec![fixtures::put_user("jane", 3)]);
        let asked = fixtures::asked(plain.clone(), 9);
        for record in [plain, asked] {
            assert_eq!(Record::decode(&record.encode().unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn unknown_versions_and_damage_are_errors() {
        let newest = FIXTURES[FIXTURES.len() - 1];
        let mut newer = newest.to_vec();
        newer[0] = FORMAT + 1;
        assert!(matches!(Record::decode(&newer), Err(Error::NewerFormat { known: 2, .. })));
        for damaged in [&b""[..], b"\x00{}", b"\x01", b"\x01{}", &newest[..newest.len() - 1]] {
            assert!(matches!(Record::decode(damaged), Err(Error::Damaged(_))), "{damaged:?}");
        }
    }
}
