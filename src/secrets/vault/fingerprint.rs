//! Fingerprints: how the repetition of a request that may hold secrets is recognised.
//!
//! The stored hash of a request must not allow an offline guess at its secrets, so it is keyed
//! (HMAC-SHA-256). The key is random, made once for a store and sealed like a secret: rotation wraps
//! it under another key of the ring and does not change it, so a repetition after a rotation is still
//! recognised.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Cause, FINGERPRINT_KEY, Vault, envelope, key, opened};
use crate::domain::secret::{SETTINGS, Sealed};

/// Hashes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash that is stored with the request.
    pub current: [u8; 32],
    /// Hashes that may have been stored with it before the store had its key.
    pub former: Vec<[u8; 32]>,
}

impl Vault {
    /// A new key of fingerprints, sealed; `None` without a key ring. Literal secrets are refused
    /// then, so no kept request holds one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new_fingerprint_key(&self) -> Result<Option<Sealed>, Cause> {
        let ring = self.ring.load();
        let Ok(primary) = ring.primary() else { return Ok(None) };
        let key = Zeroizing::new(STANDARD.encode(key::fresh()?.as_slice()));
        envelope::seal(primary, &envelope::place(SETTINGS, FINGERPRINT_KEY), &key).map(Some)
    }

    /// Whether the ring opens this key of fingerprints.
    pub fn opens_fingerprint_key(&self, sealed: &Sealed) -> bool {
        opened(&self.ring.load(), SETTINGS, FINGERPRINT_KEY, sealed).is_ok()
    }

    /// Hashes of a request that may hold secrets, useless for guessing them without the ring.
    ///
    /// Without a key that opens (no ring, or a store that could not be written since the server knows
    /// of such keys) a request gets the legacy hash, which depends on the ring.
    pub fn fingerprint(&self, key: Option<&Sealed>, request: &[u8]) -> Fingerprint {
        let ring = self.ring.load();
        let keys = ring.keys().map(|key| key.bytes.as_slice()).chain([&[][..]]);
        let mut former: Vec<_> = keys.map(|key| legacy_hash(key, request)).collect();
        let key = key.and_then(|sealed| opened(&ring, SETTINGS, FINGERPRINT_KEY, sealed).ok());
        let Some(key) = key else {
            let current = former.remove(0);
            return Fingerprint { current, former };
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let mut current = [0; 32];
        current.copy_from_slice(hmac::sign(&key, request).as_ref());
        Fingerprint { current, former }
    }
}

/// The hash of servers without a key of its own for it.
fn legacy_hash(key: &[u8], request: &[u8]) -> [u8; 32] {
    let hash = |text: &[u8]| Sha256::new().chain_update(key).chain_update(text).finalize();
    hash(&hash(request)).into()
}
