//! What is remembered of a request id: a few bytes of fixed length, whatever the request wrote.
//!
//! The stored form is the format version, then key, hash of the payload, revision and time, numbers
//! big endian. Format 1 is JSON with the caller, the id and the whole answer.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::format::split;
use crate::{
    domain::Time,
    store::{Error, Result, Revision},
};

/// Format version that is written.
const FORMAT: u8 = 2;
/// Bytes of a stored header.
const LENGTH: usize = 1 + 16 + 32 + 8 + 8;

/// A caller with one of its request ids, as 128 bits of their SHA-256: all that is compared, so no
/// caller's name is kept a second time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey([u8; 16]);

/// What is remembered of a record with a request id (SPEC §7.1 rule 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Revision of the record, which holds the rest of the answer.
    pub revision: Revision,
    /// Time of the commit.
    pub time: Time,
    /// Who asked, and under which id.
    pub key: RequestKey,
    /// Hash of the request less its id and reason.
    pub payload: [u8; 32],
}

/// The header in format 1, less what no reader needs any more.
#[derive(Deserialize)]
struct Format1 {
    revision: Revision,
    time: Time,
    actor: Caller,
    request: Asked,
}

#[derive(Deserialize)]
struct Caller {
    subject: String,
}

#[derive(Deserialize)]
struct Asked {
    id: Uuid,
    payload: [u8; 32],
}

// === impl RequestKey ===

impl RequestKey {
    /// The key of a caller's request id.
    pub fn new(subject: &str, id: Uuid) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(id).chain_update(subject).finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    pub(in super::super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestKey({})", Uuid::from_bytes(self.0).simple())
    }
}

// === impl Header ===

impl Header {
    /// The stored form, in the newest format.
    pub(in super::super) fn encode(&self) -> Vec<u8> {
        let (revision, time) = (self.revision.to_be_bytes(), self.time.micros().to_be_bytes());
        [&[FORMAT], &self.key.0[..], &self.payload, &revision, &time].concat()
    }

    /// Reads the stored form of any format.
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self> {
        let what = "a request";
        let (format, payload) = split(what, FORMAT, bytes)?;
        if format == 1 {
            let old: Format1 = serde_json::from_slice(payload)
                .map_err(|error| Error::Damaged(format!("{what}: {error}")))?;
            let Format1 { revision, time, actor, request } = old;
            let key = RequestKey::new(&actor.subject, request.id);
            return Ok(Self { revision, time, key, payload: request.payload });
        }
        if bytes.len() != LENGTH {
            return Err(Error::Damaged(format!("{what} has {} bytes", bytes.len())));
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&payload[at..at + 8]);
            i64::from_be_bytes(bytes)
        };
        let (mut key, mut hash) = ([0; 16], [0; 32]);
        key.copy_from_slice(&payload[..16]);
        hash.copy_from_slice(&payload[16..48]);
        let (revision, time) = (number(48), Time::from_micros(number(56)));
        Ok(Self { revision, time, key: RequestKey(key), payload: hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as each format wrote it; see `tests/data/records/README.md`.
    const FIXTURES: &[&[u8]] = &[
        include_bytes!("../../../tests/data/records/format-1.request"),
        include_bytes!("../../../tests/data/records/format-2.request"),
    ];

    #[test]
    fn every_format_of_a_request_is_read_and_the_newest_written_as_ever() {
        assert_eq!(FIXTURES.len(), usize::from(FORMAT));
        for (fixture, format) in FIXTURES.iter().zip(1..) {
            assert_eq!(fixture[0], format);
            let header = Header::decode(fixture).unwrap();
            assert_eq!((header.revision, header.payload), (7, [3; 32]));
            assert_eq!(header.time.to_string(), "2026-03-01T08:00:00.000001Z");
            assert_eq!(header.key, RequestKey::new("john.doe", Uuid::from_u128(42)));
            assert_eq!(header.encode(), FIXTURES[FIXTURES.len() - 1]);
        }
    }

    #[test]
    fn a_request_takes_the_same_room_whatever_it_wrote() {
        let key = RequestKey::new(&"caller".repeat(1_000), Uuid::nil());
        let header = Header { revision: 7, time: Time::from_micros(-1), key, payload: [9; 32] };
        assert_eq!(header.encode().len(), LENGTH);
        assert_eq!(Header::decode(&header.encode()).unwrap(), header);
    }

    #[test]
    fn callers_with_the_same_id_and_ids_of_the_same_caller_are_told_apart() {
        let key = |subject, id| RequestKey::new(subject, Uuid::from_u128(id));
        assert_eq!(key("jane", 1), key("jane", 1));
        assert_ne!(key("jane", 1), key("john", 1));
        assert_ne!(key("jane", 1), key("jane", 2));
    }

    #[test]
    fn damage_and_newer_formats_of_a_request_are_errors() {
        let newest = FIXTURES[FIXTURES.len() - 1];
        let newer = [&[FORMAT + 1][..], &newest[1..]].concat();
        assert!(matches!(Header::decode(&newer), Err(Error::NewerFormat { known: 2, .. })));
        for damaged in
            [&b""[..], b"\x00", b"\x01{}", &newest[..LENGTH - 1], &[newest, b"x"].concat()]
        {
            assert!(matches!(Header::decode(damaged), Err(Error::Damaged(_))), "{damaged:?}");
        }
    }
}
