//! The stored form of a value: one byte of format version, then the payload.

use serde::{Serialize, de::DeserializeOwned};

use crate::store::{Error, Result};

/// The stored form of a value as JSON: version byte and payload.
pub(super) fn encode<T: Serialize>(format: u8, value: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![format];
    serde_json::to_writer(&mut bytes, value).map_err(|error| Error::Engine(error.to_string()))?;
    Ok(bytes)
}

/// Reads the stored form of a value whose formats are all JSON; `what` names it in errors.
pub(super) fn decode<T: DeserializeOwned>(what: &str, known: u8, bytes: &[u8]) -> Result<T> {
    let (_, payload) = split(what, known, bytes)?;
    serde_json::from_slice(payload).map_err(|error| Error::Damaged(format!("{what}: {error}")))
}

/// The format version of a stored value, and its payload.
pub(super) fn split<'a>(what: &str, known: u8, bytes: &'a [u8]) -> Result<(u8, &'a [u8])> {
    match bytes.split_first() {
        None => Err(Error::Damaged(format!("{what} is empty"))),
        Some((0, _)) => Err(Error::Damaged(format!("{what} has format 0"))),
        Some((&found, _)) if found > known => Err(Error::NewerFormat {
            what: what.to_owned(),
            found: found.into(),
            known: known.into(),
        }),
        Some((&format, payload)) => Ok((format, payload)),
    }
}
