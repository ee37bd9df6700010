//! The key ring: what seals secrets. It is never stored with what it seals.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    cause::Cause,
    key::{self, Key},
};

/// Longest id of a key.
const MAX_ID: usize = 64;

/// The keys of a server. The first is the primary one, which seals; the others only open.
#[derive(Clone, Default)]
pub(super) struct KeyRing(Vec<Key>);

/// Why a text is no key ring. Nothing of the text is part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRing {
    /// A line is none of a ring.
    #[error(
        "line {0} must be `id:key`, the id 1 to {MAX_ID} letters, digits, dots, dashes or underscores"
    )]
    Line(usize),
    /// A key is no base64 or has another length.
    #[error("the key in line {0} must be 32 bytes in base64")]
    Key(usize),
    /// Two keys have one id.
    #[error("the id in line {0} stands twice")]
    Twice(usize),
    /// There is no key.
    #[error("there is no key in it")]
    Empty,
}

impl KeyRing {
    /// Reads lines `id:key`; empty lines and those that begin with `#` are skipped.
    pub(super) fn read(text: &str) -> Result<Self, BadRing> {
        let mut keys: Vec<Key> = Vec::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (id, key) = text.split_once(':').ok_or(BadRing::Line(line))?;
            if !is_id(id) {
                return Err(BadRing::Line(line));
            }
            if keys.iter().any(|other| other.id == id) {
                return Err(BadRing::Twice(line));
            }
            let bytes = STANDARD.decode(key.trim()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| BadRing::Key(line))?;
            let bytes = bytes.as_slice().try_into().map_err(|_| BadRing::Key(line))?;
            keys.push(Key { id: id.to_owned(), bytes: Zeroizing::new(bytes) });
        }
        if keys.is_empty() { Err(BadRing::Empty) } else { Ok(Self(keys)) }
    }

    /// The key that seals.
    pub(super) fn primary(&self) -> Result<&Key, Cause> {
        self.0.first().ok_or(Cause::NoKeys)
    }

    /// Every key, the primary one first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// The key of that id.
    pub(super) fn find(&self, id: &str) -> Result<&Key, Cause> {
        let found = self.0.iter().find(|key| key.id == id);
        found.ok_or_else(|| Cause::KeyMissing(id.to_owned()))
    }
}

/// A line of a ring with a new random key; none when `id` cannot be one.
pub(super) fn line(id: &str) -> Result<Option<Zeroizing<String>>, Cause> {
    if !is_id(id) {
        return Ok(None);
    }
    let key = Zeroizing::new(STANDARD.encode(key::fresh()?.as_slice()));
    Ok(Some(Zeroizing::new(format!("{id}:{}", key.as_str()))))
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
