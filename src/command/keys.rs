//! RotateSecretKeys: the keys of sealed secrets, put under another key of the ring.

use std::collections::BTreeMap;

use super::{Context, Plan};
use crate::{
    catalog::Catalog,
    domain::{
        Refusal, UniqueName,
        provider::ChannelProvider,
        secret::{Resealed, SecretValue},
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
