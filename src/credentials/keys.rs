//! The keys of an issuer (RFC 7517).

use std::{fmt, sync::Arc};

pub use jsonwebtoken::Algorithm;
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::problem::Problem;
use crate::auth::Revocation;

/// The algorithms that can be allowed. None of them is symmetric: a public key can never be taken for
/// the secret of one.
pub const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// Most keys of one issuer.
const MAX_KEYS: usize = 100;

/// The keys of an issuer, as fetched.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Arc<Key>>);

/// One public key.
pub(super) struct Key {
    id: Option<String>,
    /// As it stands in the set; by this a key is known again.
    material: Value,
    /// What it may verify.
    algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
    pub(super) revocation: Revocation,
}

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    /// It is not JSON with a list `keys`.
    #[error("it is no JSON Web Key Set")]
    Malformed,
    /// There are too many keys.
    #[error("it holds more than {MAX_KEYS} keys")]
    TooMany,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set; what cannot verify anything that is allowed is left out. A key that was in the set
    /// before keeps its trust.
    pub(super) fn read(
        text: &[u8],
        allowed: &[Algorithm],
        before: &Self,
    ) -> Result<Self, KeySetError> {
        let document: Document =
            serde_json::from_slice(text).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys = document.keys.into_iter().filter_map(|material| {
            let known = before.0.iter().find(|key| key.material == material);
            known.cloned().or_else(|| Key::read(material, allowed).map(Arc::new))
        });
        Ok(Self(keys.collect()))
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that a token names, or the only one that fits where it names none (RFC 7515 §4.1.4).
    ///
    /// # Errors
    /// `KeyUnknown`, or `Algorithm` when the named key is for other algorithms.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, Problem> {
        let fits = |key: &&Arc<Key>| key.algorithms.contains(&algorithm);
        let Some(id) = id else {
            let mut fitting = self.0.iter().filter(fits);
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(Problem::KeyUnknown),
            };
        };
        let mut named = self.0.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        named.peek().ok_or(Problem::KeyUnknown)?;
        named.find(fits).map(Arc::as_ref).ok_or(Problem::Algorithm)
    }

    /// Ends the trust in the keys that the next set lacks; answers whether there are any.
    pub(super) fn revoke_missing(&self, next: &Self) -> bool {
        let gone = |key: &&Arc<Key>| !next.0.iter().any(|other| Arc::ptr_eq(other, key));
        self.0.iter().filter(gone).map(|key| key.revocation.revoke()).count() > 0
    }
}

impl Key {
    fn read(material: Value, allowed: &[Algorithm]) -> Option<Self> {
        let jwk = Jwk::deserialize(&material).ok()?;
        if !may_verify(&jwk) {
            return None;
        }
        let named = jwk.common.key_algorithm.map(Algorithm::try_from);
        let algorithms: Vec<_> = possible(&jwk.algorithm)
            .iter()
            .filter(|algorithm| allowed.contains(algorithm))
            .filter(|algorithm| {
                named.as_ref().is_none_or(|named| named.as_ref().ok() == Some(algorithm))
            })
            .copied()
            .collect();
        if algorithms.is_empty() {
            return None;
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        let revocation = Revocation::default();
        Some(Self { id: jwk.common.key_id, material, algorithms, decoding, revocation })
    }
}

/// Whether the use of the key, as far as it says one, is to verify.
fn may_verify(jwk: &Jwk) -> bool {
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    let operations = common.key_operations.as_ref();
    signs && operations.is_none_or(|all| all.contains(&KeyOperations::Verify))
}

/// What a key of that kind can verify.
fn possible(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => &[],
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
