//! The vault: seals the secrets of providers, and opens them for adapters alone.
//!
//! The store holds secrets sealed under the key ring, or as references. The data folder, a backup and
//! the answers of the API reveal none; the key ring comes from outside and is never stored. Rotation
//! reads the ring again and wraps the secrets' own keys under its primary key.

mod cause;
mod envelope;
mod fingerprint;
mod key;
mod reference;
mod ring;

use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

pub use self::{
    cause::{Cause, KEY_RING_VARIABLE},
    fingerprint::Fingerprint,
};
use self::{
    reference::{MAX_SECRET, Reference},
    ring::KeyRing,
};
use super::file::{self, Access};
use crate::{
    catalog::Catalog,
    domain::secret::{Resealed, SETTINGS, Sealed, SecretValue, StoredSecret},
};

/// Name of the key of fingerprints among what [`SETTINGS`] holds.
const FINGERPRINT_KEY: &str = "fingerprint_key";
/// Most bytes of a key ring.
const MAX_RING: u64 = 64 * 1024;

/// The variables of the environment, handed in so that tests have their own.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Secrets by name, in clear text.
pub type Opened = BTreeMap<String, Zeroizing<String>>;

/// Where keys and secrets come from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// File with the key ring; without one the variable [`KEY_RING_VARIABLE`] is read.
    pub key_ring: Option<PathBuf>,
    /// Folder that `file:` references are relative to; without one there are none.
    pub secrets_dir: Option<PathBuf>,
    /// Where the ring and `env:` references are looked up.
    pub environment: Environment,
}

/// Seals and opens the secrets of providers.
#[derive(Debug, Default)]
pub struct Vault {
    settings: Settings,
    ring: ArcSwap<KeyRing>,
}

/// Why the key ring cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key ring {place} cannot be used: {why}")]
pub struct RingError {
    place: String,
    why: String,
}

/// Why a secret cannot be used. It names the secret and never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {secret} of provider {provider} cannot be used: {cause}")]
pub struct OpenError {
    /// The provider.
    pub provider: String,
    /// Name of the secret.
    pub secret: String,
    /// Why.
    pub cause: Cause,
}

/// Why keys could not be rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The new ring is unusable; the old one stays in use.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The new ring does not open everything; the old one stays in use.
    #[error("{0}; the key ring stays as it was")]
    Open(#[from] OpenError),
}

impl Vault {
    /// A vault with the key ring that the settings name, or without one.
    ///
    /// # Errors
    /// When there is a ring that cannot be used, or that a reference could lead to.
    pub fn new(settings: Settings) -> Result<Self, RingError> {
        let ring = ArcSwap::from_pointee(settings.ring()?);
        Ok(Self { settings, ring })
    }

    /// The stored form of a value: a reference that is well formed, else a literal, sealed for this
    /// provider and name.
    ///
    /// # Errors
    /// The rule that the value breaks, continuing its name; nothing of the value is part of it.
    pub fn keep(&self, provider: &str, name: &str, value: &str) -> Result<SecretValue, String> {
        if value.len() > MAX_SECRET {
            return Err(format!("must be at most {MAX_SECRET} bytes, has {}", value.len()));
        }
        match Reference::read(value) {
            Some(Err(rule)) => Err(rule.to_owned()),
            Some(Ok(Reference::File(_))) if self.settings.secrets_dir.is_none() => {
                Err(format!("cannot be read: {}", Cause::NoFolder))
            }
            Some(Ok(_)) => Ok(SecretValue::Reference(value.to_owned())),
            None => match self.seal(provider, name, value) {
                Ok(sealed) => Ok(SecretValue::Sealed(sealed)),
                Err(cause) => Err(format!("cannot be sealed: {cause}")),
            },
        }
    }

    /// Seals a literal for this provider and name; nowhere else it opens.
    ///
    /// # Errors
    /// Without a key ring, or without random bytes.
    pub fn seal(&self, provider: &str, name: &str, plain: &str) -> Result<Sealed, Cause> {
        envelope::seal(self.ring.load().primary()?, &envelope::place(provider, name), plain)
    }

    fn follow(&self, reference: Reference<'_>) -> Result<Zeroizing<String>, Cause> {
        let Settings { secrets_dir, environment, .. } = &self.settings;
        reference.follow(secrets_dir.as_deref(), |name| environment.get(name))
    }

    /// Opens the secrets of a provider and reads what they refer to: by name, in clear text.
    ///
    /// # Errors
    /// The first secret that cannot be used.
    pub fn open(
        &self,
        provider: &str,
        secrets: &BTreeMap<String, StoredSecret>,
    ) -> Result<Opened, OpenError> {
        let ring = self.ring.load();
        let open = |(name, secret): (&String, &StoredSecret)| {
            let opened = match &secret.value {
                SecretValue::Sealed(sealed) => opened(&ring, provider, name, sealed),
                SecretValue::Reference(text) => match Reference::read(text) {
                    Some(Ok(reference)) => self.follow(reference),
                    _ => Err(Cause::Damaged),
                },
            };
            let opened = opened.map_err(|cause| OpenError::new(provider, name, cause))?;
            Ok((name.clone(), opened))
        };
        secrets.iter().map(open).collect()
    }

    /// Whether the key ring opens every secret: for the start of a server. A key of fingerprints that
    /// it does not open is replaced.
    ///
    /// # Errors
    /// The first secret that does not open.
    pub fn check(&self, catalog: &Catalog) -> Result<(), OpenError> {
        opens(&self.ring.load(), of_providers(catalog))
    }

    /// Reads the key ring again, and wraps the own key of each sealed secret under its primary key
    /// where it is not. A ring that does not open everything is refused.
    ///
    /// # Errors
    /// When the ring cannot be used; the one before stays.
    pub fn rotate(&self, catalog: &Catalog) -> Result<Vec<Resealed>, RotateError> {
        let ring = self.settings.ring()?;
        opens(&ring, sealed(catalog))?;
        let mut resealed = Vec::new();
        for (provider, name, sealed) in sealed(catalog) {
            let failed = |cause| OpenError::new(provider, name, cause);
            let primary = ring.primary().map_err(failed)?;
            if sealed.key == primary.id {
                continue;
            }
            let old = ring.find(&sealed.key).map_err(failed)?;
            let new = envelope::reseal(old, primary, sealed).map_err(failed)?;
            resealed.push(Resealed {
                provider: provider.to_owned(),
                secret: name.to_owned(),
                old: sealed.clone(),
                new,
            });
        }
        self.ring.store(Arc::new(ring));
        Ok(resealed)
    }
}

/// A line of a key ring with a new random key, or none when no key can have that id.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_key(id: &str) -> Result<Option<Zeroizing<String>>, Cause> {
    ring::line(id)
}

/// Everything that is sealed: who holds it, its name, what is stored; the key of fingerprints last.
fn sealed(catalog: &Catalog) -> impl Iterator<Item = (&str, &str, &Sealed)> {
    let key = catalog.settings.fingerprint_key.as_ref();
    of_providers(catalog).chain(key.map(|sealed| (SETTINGS, FINGERPRINT_KEY, sealed)))
}

/// Every sealed secret of a provider.
fn of_providers(catalog: &Catalog) -> impl Iterator<Item = (&str, &str, &Sealed)> {
    catalog.tables.providers.iter().flat_map(|provider| {
        let of = provider.common.unique_name.as_str();
        provider.secrets.iter().filter_map(move |(name, secret)| match &secret.value {
            SecretValue::Sealed(sealed) => Some((of, name.as_str(), sealed)),
            SecretValue::Reference(_) => None,
        })
    })
}

fn opened(
    ring: &KeyRing,
    provider: &str,
    name: &str,
    sealed: &Sealed,
) -> Result<Zeroizing<String>, Cause> {
    envelope::open(ring.find(&sealed.key)?, &envelope::place(provider, name), sealed)
}

fn opens<'a>(
    ring: &KeyRing,
    sealed: impl Iterator<Item = (&'a str, &'a str, &'a Sealed)>,
) -> Result<(), OpenError> {
    for (provider, name, sealed) in sealed {
        opened(ring, provider, name, sealed)
            .map_err(|cause| OpenError::new(provider, name, cause))?;
    }
    Ok(())
}

impl Settings {
    /// The key ring as it now is; empty when none is named.
    fn ring(&self) -> Result<KeyRing, RingError> {
        let (place, text) = match &self.key_ring {
            None => match self.environment.get(KEY_RING_VARIABLE) {
                None => return Ok(KeyRing::default()),
                Some(text) => (format!("in {KEY_RING_VARIABLE}"), Ok(Zeroizing::new(text))),
            },
            Some(path) => (path.display().to_string(), self.ring_file(path)),
        };
        let ring = text.and_then(|text| KeyRing::read(&text).map_err(|bad| bad.to_string()));
        ring.map_err(|why| RingError { place, why })
    }

    fn ring_file(&self, path: &std::path::Path) -> Result<Zeroizing<String>, String> {
        let unreadable = |why: io::Error| why.to_string();
        let file = path.canonicalize().map_err(unreadable)?;
        let secrets = self.secrets_dir.as_ref().and_then(|folder| folder.canonicalize().ok());
        if secrets.is_some_and(|folder| file.starts_with(folder)) {
            return Err("it lies in voice.secrets_dir, where a reference could read it".to_owned());
        }
        file::read_text(&file, Access::Secret, MAX_RING).map_err(|why| why.cause.to_string())
    }
}

impl Environment {
    /// Variables of one's own.
    pub fn new(get: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(get))
    }

    /// Those of the process.
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// The value of a variable; one that is set to nothing counts as not set.
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl Default for Environment {
    /// Without any variable.
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl OpenError {
    fn new(provider: &str, secret: &str, cause: Cause) -> Self {
        Self { provider: provider.to_owned(), secret: secret.to_owned(), cause }
    }
}

#[cfg(test)]
mod tests;
