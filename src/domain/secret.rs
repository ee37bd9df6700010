//! Secrets of providers in the form in which they are stored: sealed, or as a reference to where
//! they are. Nothing here can read them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Time;

/// A secret of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Time at which its value was last set.
    pub set_time: Time,
    /// What it is, or where.
    pub value: SecretValue,
}

/// What a secret is, or where.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretValue {
    /// A literal, sealed.
    Sealed(Sealed),
    /// `env:NAME` or `file:PATH`: read when it is used.
    Reference(String),
}

/// A literal under a key of its own, which is itself under a key of the server's key ring.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Id of the key in the key ring.
    pub key: String,
    /// The secret's own key under that one, base64.
    pub wrapped: String,
    /// The secret under its own key, base64.
    pub data: String,
}

/// Holder of the key of fingerprints, where others name the provider that holds a secret. It has no
/// underscore, so no provider has that name.
pub const SETTINGS: &str = "settings";

/// A sealed secret whose own key was put under another key of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Unique name of the provider, or [`SETTINGS`].
    pub provider: String,
    /// Name of the secret.
    pub secret: String,
    /// What was stored.
    pub old: Sealed,
    /// What takes its place.
    pub new: Sealed,
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(sealed) => sealed.fmt(f),
            Self::Reference(_) => f.write_str("Reference"),
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("key", &self.key).finish_non_exhaustive()
    }
}
