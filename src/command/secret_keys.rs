//! RotateSecretKeys: the keys of sealed secrets, put under another key of the ring; and the key of
//! fingerprints, which a store gets once.

use std::{collections::BTreeMap, sync::Arc};

use super::plan::{Context, Plan};
use crate::{
    catalog::Catalog,
    domain::{
        Change, Object, Refusal, UniqueName,
        provider::ChannelProvider,
        secret::{Resealed, SETTINGS, Sealed, SecretValue},
        settings::Settings,
    },
};

/// Puts the keys of sealed secrets under another key of the ring.
#[derive(Debug, Clone)]
pub struct RotateSecretKeys {
    /// Each secret with its new form, or why the ring cannot be used.
    pub resealed: Result<Vec<Resealed>, Refusal>,
}

impl RotateSecretKeys {
    /// One change for each provider. A secret that was written meanwhile stays as it is.
    pub(super) fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut changed: BTreeMap<UniqueName, ChannelProvider> = BTreeMap::new();
        let mut plan = Plan::default();
        for Resealed { provider, secret, old, new } in
            self.resealed.as_ref().map_err(Clone::clone)?
        {
            if provider == SETTINGS {
                // It is no secret of anybody's, so it is not counted.
                let known = catalog.settings.fingerprint_key.as_ref() == Some(old);
                plan.changes.extend(known.then(|| fingerprint_key(catalog, new)));
                continue;
            }
            let Some(stored) = catalog.tables.providers.find(provider) else { continue };
            let known = SecretValue::Sealed(old.clone());
            if stored.secrets.get(secret).is_none_or(|stored| stored.value != known) {
                continue;
            }
            let name = stored.common.unique_name.clone();
            let next = changed.entry(name).or_insert_with(|| ChannelProvider::clone(stored));
            if let Some(secret) = next.secrets.get_mut(secret) {
                secret.value = SecretValue::Sealed(new.clone());
                plan.resealed += 1;
            }
        }
        for next in changed.into_values() {
            plan.put(next, context);
        }
        Ok(plan)
    }
}

/// Gives the store a key of fingerprints.
#[derive(Debug, Clone)]
pub struct CreateFingerprintKey {
    /// What the store has: nothing, or a key that does not open any more.
    pub replaces: Option<Sealed>,
    /// The new key, sealed.
    pub sealed: Sealed,
}

impl CreateFingerprintKey {
    pub(super) fn plan(&self, catalog: &Catalog, _: &Context) -> Result<Plan, Refusal> {
        let mut plan = Plan::default();
        if catalog.settings.fingerprint_key == self.replaces {
            plan.changes.push(fingerprint_key(catalog, &self.sealed));
        }
        Ok(plan)
    }
}

/// The change of the key alone. The settings keep their stamp: what callers see of them is as it was,
/// and so is the etag.
fn fingerprint_key(catalog: &Catalog, sealed: &Sealed) -> Change {
    let settings = Settings::clone(&catalog.settings);
    let settings = Settings { fingerprint_key: Some(sealed.clone()), ..settings };
    Change::Put(Object::Settings(Arc::new(settings)))
}
