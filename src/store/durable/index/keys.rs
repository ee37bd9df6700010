//! Keys of the index, and those of checkpoints and history files. Numbers are big endian, so that the order of keys is theirs.

use crate::{
    domain::{ObjectKey, Time},
    store::{Error, REQUEST_AGE, RequestKey, Result, Revision},
};

/// A key of the index with its value.
pub(in super::super) type Entry<'a> = (&'a [u8], &'a [u8]);

/// Keys of objects begin with this, and lie below [`STATES_END`].
pub(in super::super) const STATES: &[u8] = b"s/";
pub(in super::super) const STATES_END: &[u8] = b"s0";
/// Keys of records begin with this.
pub(in super::super) const RECORDS: &[u8] = b"r/";
/// Keys of requests begin with this, and lie below [`REQUESTS_END`].
pub(in super::super) const REQUESTS: &[u8] = b"q/";
/// All keys of requests lie below this.
pub(in super::super) const REQUESTS_END: &[u8] = b"q0";

/// Keys of the histories of objects begin with this, and lie below [`HISTORIES_END`].
pub(in super::super) const HISTORIES: &[u8] = b"i/";
pub(in super::super) const HISTORIES_END: &[u8] = b"i0";
/// Keys of how many objects need a record begin with this. They follow from the histories.
pub(in super::super) const NEEDED: &[u8] = b"c/";

/// Keys under which a request is looked up begin with this. They follow from the requests.
pub(in super::super) const LOOKUPS: &[u8] = b"k/";

pub(in super::super) fn lookup_key(key: &RequestKey) -> Vec<u8> {
    [LOOKUPS, key.bytes()].concat()
}

pub(in super::super) fn state_key(key: &ObjectKey) -> Vec<u8> {
    format!("s/{}/{}", key.kind.collection(), key.name).into_bytes()
}

pub(in super::super) fn record_key(revision: Revision, chunk: u32) -> Vec<u8> {
    [RECORDS, &revision.to_be_bytes()[..], &chunk.to_be_bytes()].concat()
}

/// The revision of a record, if this is the key of one.
pub(in super::super) fn record_of(key: &[u8]) -> Option<Revision> {
    key.starts_with(RECORDS).then(|| revision_of(key, RECORDS.len()).ok()).flatten()
}

/// What the keys of an object's history begin with. No name holds a NUL, so no object's history runs
/// into another's.
pub(in super::super) fn history_of(key: &ObjectKey) -> Vec<u8> {
    format!("i/{}/{}\0", key.kind.collection(), key.name).into_bytes()
}

/// The key of a revision in the history of an object, which [`history_of`] answers.
pub(in super::super) fn history_key(history: &[u8], revision: Revision) -> Vec<u8> {
    [history, &revision.to_be_bytes()].concat()
}

/// The key of the number of objects whose history needs a record.
pub(in super::super) fn needed_key(revision: Revision) -> Vec<u8> {
    [NEEDED, &revision.to_be_bytes()[..]].concat()
}

pub(in super::super) fn request_key(time: Time, revision: Revision) -> Vec<u8> {
    // With the sign turned, times before 1970 come first.
    let time = (time.micros() ^ i64::MIN).to_be_bytes();
    [REQUESTS, &time[..], &revision.to_be_bytes()].concat()
}

/// The lowest key of the requests that are still remembered.
pub(in super::super) fn oldest_request(now: Time) -> Vec<u8> {
    request_key(Time::from_micros(now.micros().saturating_sub(REQUEST_AGE)), 0)
}

pub(in super::super) fn revision_of(bytes: &[u8], at: usize) -> Result<Revision> {
    bytes
        .get(at..at + 8)
        .and_then(|number| number.try_into().ok())
        .map(Revision::from_be_bytes)
        .ok_or_else(|| Error::Damaged("a key or head is too short".to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Kind;

    const USERS: [&str; 12] =
        ["a", "a!", "a#", "a%", "a%00", "a|", "a|b", "a'", r"a\", r"a\0", "a~", "ab"];

    proptest! {
        /// A scan for the past of one object meets no other, whatever ids have in common.
        #[test]
        fn objects_have_keys_of_their_own(
            one in prop_oneof![proptest::sample::select(&USERS[..]).prop_map(str::to_owned), "[ -.0-~\u{e4}]{1,5}"],
            tail in "[ -.0-~\u{e4}]{0,3}",
            revision in 0..i64::MAX,
        ) {
            let key = |kind, id: &str| ObjectKey::new(kind, id);
            let others = USERS.map(str::to_owned).into_iter().chain([format!("{one}{tail}")]);
            for other in others {
                for kind in [Kind::User, Kind::Team] {
                    let (mine, its) = (key(Kind::User, &one), key(kind, &other));
                    let same = mine == its;
                    prop_assert_eq!(state_key(&mine) == state_key(&its), same);
                    let history = history_of(&mine);
                    let scan = history_key(&history, 0)..=history_key(&history, Revision::MAX);
                    prop_assert_eq!(scan.contains(&history_key(&history_of(&its), revision)), same, "{:?}", its);
                }
            }
        }
    }
}
