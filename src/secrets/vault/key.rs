//! Keys of a ring, and new random ones.

use std::fmt;

use chacha20poly1305::aead::Generate as _;
use zeroize::Zeroizing;

use super::cause::Cause;

/// A key with its id.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) bytes: Zeroizing<[u8; 32]>,
}

/// A new random key.
pub(super) fn fresh() -> Result<Zeroizing<[u8; 32]>, Cause> {
    <[u8; 32]>::try_generate().map(Zeroizing::new).map_err(|_| Cause::NoRandomness)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
