//! Channel providers and their health.

use std::collections::BTreeMap;

use deskplane_proto::v1;

use super::{
    Reader, Reference, Resource, ResourceContext, library::Entry, mask::Mask, resource, timestamp,
    writes,
};
use crate::{
    command::{RotateSecretKeys, library::ProviderPatch},
    content::wire::{Coded as _, coded},
    domain::{
        Kind, Object, check,
        provider::{ApiVersion, ChannelProvider, MAX_SECRETS},
        secret::{SecretValue, StoredSecret},
    },
    live::{Health, HealthState},
};

coded! {
    ApiVersion => ApiVersion { V2 }
    HealthState => HealthState { Unknown, Healthy, Degraded, Down }
}

/// Measured health, with its detail.
fn health((health, detail): (Health, String)) -> v1::Health {
    v1::Health { state: health.state.wire().into(), since: health.since.map(timestamp), detail }
}

/// Health as agents see it: without the detail (SPEC §8.7).
pub(super) fn provider_health(provider: &str, health: &Health) -> v1::ProviderHealth {
    v1::ProviderHealth {
        provider: provider.to_owned(),
        state: health.state.wire().into(),
        since: health.since.map(timestamp),
    }
}

impl Resource for v1::ChannelProvider {
    const KIND: Kind = Kind::Provider;

    fn of(object: &Object, context: ResourceContext<'_>) -> Option<Self> {
        let Object::Provider(o) = object else { return None };
        let capabilities = context.catalog.capabilities(o);
        let state = |(name, secret): (&String, &StoredSecret)| v1::SecretState {
            name: name.clone(),
            set_time: Some(timestamp(secret.set_time)),
        };
        Some(resource! { ChannelProvider of o, Kind::Provider;
            label: o.label.clone(),
            channel_url: o.channel_url.clone(),
            pinned_url: o.pinned_url,
            outbound: o.outbound,
            channel_order: o.channel_order,
            api_version: v1::ApiVersion::V2.into(),
            trusted_domains: o.trusted_domains.clone(),
            custom_parameters: o.custom_parameters.clone(),
            sandbox: o.sandbox.iter().cloned().collect(),
            analytics: o.analytics,
            capabilities: capabilities.iter().flatten().map(|c| c.wire().into()).collect(),
            failover: o.failover.wire().into(),
            adapter: o.adapter.clone(),
            config: o.config.clone(),
            secrets: Default::default(),
            secret_states: o.secrets.iter().map(state).collect(),
            health: Some(health(context.hub.described_health(&o.common.unique_name))),
        })
    }
}

impl Entry for v1::ChannelProvider {
    type Object = ChannelProvider;

    fn identity(&self) -> (&str, &str, &str, i32) {
        (&self.name, &self.unique_name, &self.etag, self.state)
    }

    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> ProviderPatch {
        let failover = r.choice("failover", self.failover);
        let mut capabilities = std::collections::BTreeSet::new();
        for (at, number) in self.capabilities.iter().enumerate() {
            let field = format!("capabilities[{at}]");
            match (r.choice(&field, *number), number) {
                (Some(capability), _) => {
                    capabilities.insert(capability);
                }
                (None, 0) => r.v.invalid(field, "is not given"),
                (None, _) => {}
            }
        }
        let given = mask.sets("secrets", !self.secrets.is_empty());
        let secrets = if given { secrets(self, r) } else { Default::default() };
        ProviderPatch {
            display_name: mask.text("display_name", &self.display_name),
            description: mask.lines("description", &self.description),
            owner: mask.text("owner", &self.owner),
            label: mask.text("label", &self.label),
            channel_url: mask.text("channel_url", &self.channel_url),
            pinned_url: mask.pick("pinned_url", self.pinned_url, self.pinned_url),
            outbound: mask.pick("outbound", self.outbound, self.outbound),
            channel_order: mask.pick("channel_order", self.channel_order != 0, self.channel_order),
            trusted_domains: mask.pick(
                "trusted_domains",
                !self.trusted_domains.is_empty(),
                self.trusted_domains.clone(),
            ),
            custom_parameters: mask.lines("custom_parameters", &self.custom_parameters),
            sandbox: mask.pick(
                "sandbox",
                !self.sandbox.is_empty(),
                self.sandbox.iter().cloned().collect(),
            ),
            analytics: mask.pick("analytics", self.analytics, self.analytics),
            capabilities: mask.pick("capabilities", !self.capabilities.is_empty(), capabilities),
            api_version: r.choice("api_version", self.api_version),
            failover: mask.pick("failover", self.failover != 0, failover.unwrap_or_default()),
            adapter: (!self.adapter.is_empty()).then(|| self.adapter.clone()),
            config: mask.text("config", &self.config),
            secrets,
        }
    }
}

/// The secrets of a provider that is sent.
fn secrets(
    sent: &v1::ChannelProvider,
    r: &mut Reader<'_>,
) -> BTreeMap<String, Option<SecretValue>> {
    // A name that is no name is refused for itself.
    let named = Reference::of_kind(&sent.name, Kind::Provider).ok();
    let named = named.filter(|name| !name.is_empty());
    let provider = named.as_deref().unwrap_or(&sent.unique_name);
    check::count(&mut r.v, "secrets", sent.secrets.len(), MAX_SECRETS);
    let given = sent.secrets.iter().take(MAX_SECRETS);
    given.map(|(name, value)| (name.clone(), r.secret(provider, name, value))).collect()
}

writes! {
    RotateSecretKeysRequest => RotateSecretKeys, |_, r| RotateSecretKeys { resealed: r.resealed() };
}

/// The fields of ReportProviderHealth: provider, state and detail.
pub(in crate::service) fn report(
    q: &v1::ReportProviderHealthRequest,
    r: &mut Reader<'_>,
) -> (crate::domain::UniqueName, HealthState, String) {
    let name = r.name("name", Kind::Provider, &q.name);
    let state = r.choice("state", q.state);
    if q.state == 0 {
        r.v.invalid("state", "is required");
    }
    check::line(&mut r.v, "detail", &q.detail, 0..=500);
    (name, state.unwrap_or_default(), q.detail.clone())
}
