//! Channel providers (SPEC §3.11).

mod patch;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

pub use self::patch::ProviderPatch;
use super::{super::plan::Context, Strategy};
use crate::{
    catalog::Catalog,
    domain::{
        Common, Finding, FindingCode, Reason, Refusal, Stamp, Violations,
        provider::{ChannelProvider, Failover, WIDGET},
        secret::StoredSecret,
    },
};

impl Strategy for ChannelProvider {
    type Patch = ProviderPatch;

    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            label: String::new(),
            channel_url: String::new(),
            pinned_url: false,
            outbound: false,
            channel_order: 0,
            trusted_domains: Vec::new(),
            custom_parameters: String::new(),
            sandbox: BTreeSet::new(),
            analytics: false,
            capabilities: BTreeSet::new(),
            failover: Failover::default(),
            adapter: WIDGET.to_owned(),
            config: String::new(),
            secrets: BTreeMap::new(),
            refused_url: None,
        }
    }

    fn syntax(patch: &ProviderPatch, v: &mut Violations) {
        rules::syntax(patch, v);
    }

    fn validate(
        &self,
        catalog: &Catalog,
        before: Option<&Self>,
        patch: &ProviderPatch,
        v: &mut Violations,
    ) {
        if before.is_none() {
            for (field, given) in [("label", &patch.label), ("channel_url", &patch.channel_url)] {
                if given.is_none() {
                    v.invalid(field, "is required");
                }
            }
        }
        rules::check(catalog, self, before, patch, v);
    }

    /// Sets the secrets; keeps a pinned URL and notes the one that it was to become.
    fn canonicalize(
        &mut self,
        before: Option<&Self>,
        patch: &ProviderPatch,
        context: &Context,
    ) -> Vec<Finding> {
        let next = self;
        for (name, value) in &patch.secrets {
            let Some(value) = value else {
                next.secrets.remove(name);
                continue;
            };
            // What is sealed anew may be another secret; only a reference can be seen to stay.
            if next.secrets.get(name).is_none_or(|old| old.value != *value) {
                let secret = StoredSecret { set_time: context.time, value: value.clone() };
                next.secrets.insert(name.clone(), secret);
            }
        }
        if next.config.is_empty() {
            "{}".clone_into(&mut next.config);
        }
        if !next.pinned_url {
            next.refused_url = None;
        }
        let pinned = before.filter(|before| before.pinned_url && next.pinned_url);
        let Some(before) = pinned.filter(|before| before.channel_url != next.channel_url) else {
            return Vec::new();
        };
        let refused = std::mem::replace(&mut next.channel_url, before.channel_url.clone());
        let message = format!("The URL is pinned and stays; it was to become {refused}.");
        next.refused_url = Some(refused);
        vec![Finding::new(
            FindingCode::ProviderUrlDrift,
            before.common.unique_name.as_str(),
            message,
        )]
    }

    fn prepare_clone(&mut self, _source: &Self, v: &mut Violations) {
        self.refused_url = None;
        self.secrets.clear();
        if self.channel_url.is_empty() {
            let rule = "the source has no page of its own, so a copy would open nothing";
            v.add(Reason::ProviderUrlInvalid, "channel_url", rule);
        }
    }

    fn keep_secrets(old: &Self, patch: &mut ProviderPatch) {
        let secrets = old.secrets.iter();
        patch.secrets =
            secrets.map(|(name, kept)| (name.clone(), Some(kept.value.clone()))).collect();
    }

    /// A pinned URL stays pinned where the import would change it.
    fn keep_local(&mut self, before: &Self) {
        self.pinned_url |= before.pinned_url && before.channel_url != self.channel_url;
    }

    fn import_findings(&self, catalog: &Catalog) -> Vec<Finding> {
        let missing: Vec<_> = rules::missing_secrets(catalog, self).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let message = format!(
            "The adapter {} needs the secrets {}; set them, for secrets never travel.",
            self.adapter,
            missing.join(", ")
        );
        let name = self.common.unique_name.as_str();
        vec![Finding::new(FindingCode::AdapterSecretMissing, name, message)]
    }

    fn dependencies(&self, catalog: &Catalog) -> Result<(), Refusal> {
        if catalog.adapters.find(&self.adapter).is_some() {
            return Ok(());
        }
        let message = format!("No adapter {} is part of this server.", self.adapter);
        Err(Refusal::new(Reason::AdapterNotFound, message).with("adapter", &self.adapter).resource(
            "Adapter",
            &self.adapter,
            "is not part of this server",
        ))
    }
}
