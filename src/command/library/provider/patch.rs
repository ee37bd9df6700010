//! New values of a channel provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::super::patch::{Patch, set};
use crate::domain::{
    Reason, Violations,
    provider::{ApiVersion, Capability, ChannelProvider, Failover, WIDGET},
    secret::SecretValue,
};

/// New values of a channel provider; what is `None` stays.
#[derive(Clone, Default)]
pub struct ProviderPatch {
    /// 1 to 100 characters after trimming.
    pub display_name: Option<String>,
    /// Text about the provider.
    pub description: Option<String>,
    /// At most 100 characters.
    pub owner: Option<String>,
    /// Kind of the server-side adapter; `widget` unless given. Immutable.
    pub adapter: Option<String>,
    /// Widget title, 1 to 100 characters; required at creation.
    pub label: Option<String>,
    /// Absolute https URL, at most 1024 characters; required at creation.
    pub channel_url: Option<String>,
    /// Whether updates and imports must leave the URL alone.
    pub pinned_url: Option<bool>,
    /// Whether click-to-act may dial.
    pub outbound: Option<bool>,
    /// 0 (first) to 1000.
    pub channel_order: Option<i32>,
    /// Hosts or https origins, at most 2000 characters joined; replaces the list.
    pub trusted_domains: Option<Vec<String>>,
    /// At most 2000 characters, readable by every agent.
    pub custom_parameters: Option<String>,
    /// Iframe sandbox tokens; replaces the set.
    pub sandbox: Option<BTreeSet<String>>,
    /// Whether analytics are on.
    pub analytics: Option<bool>,
    /// Replaces the set; only where there is no adapter to declare it.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// While the provider is down.
    pub failover: Option<Failover>,
    /// JSON object, at most 16 KiB; empty stands for `{}`.
    pub config: Option<String>,
    /// Immutable; there is one.
    pub api_version: Option<ApiVersion>,
    /// Secrets that are set, by name; those without a value are removed, all others stay.
    pub secrets: BTreeMap<String, Option<SecretValue>>,
}

impl Patch<ChannelProvider> for ProviderPatch {
    fn of(provider: &ChannelProvider) -> Self {
        Self {
            display_name: Some(provider.common.display_name.clone()),
            description: Some(provider.common.description.clone()),
            owner: Some(provider.common.owner.clone()),
            adapter: Some(provider.adapter.clone()),
            label: Some(provider.label.clone()),
            channel_url: Some(provider.channel_url.clone()),
            pinned_url: Some(provider.pinned_url),
            outbound: Some(provider.outbound),
            channel_order: Some(provider.channel_order),
            trusted_domains: Some(provider.trusted_domains.clone()),
            custom_parameters: Some(provider.custom_parameters.clone()),
            sandbox: Some(provider.sandbox.clone()),
            analytics: Some(provider.analytics),
            // Any other adapter declares them.
            capabilities: (provider.adapter == WIDGET).then(|| provider.capabilities.clone()),
            failover: Some(provider.failover),
            config: Some(provider.config.clone()),
            api_version: None,
            secrets: BTreeMap::new(),
        }
    }

    fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    fn immutable(&self, before: &ChannelProvider, v: &mut Violations) {
        if self.adapter.as_ref().is_some_and(|adapter| *adapter != before.adapter) {
            v.add(Reason::FieldImmutable, "adapter", "cannot change");
        }
    }

    fn apply(&self, provider: &mut ChannelProvider) {
        if let Some(name) = &self.display_name {
            provider.common.display_name = name.trim().to_owned();
        }
        set(&mut provider.common.description, self.description.as_ref());
        set(&mut provider.common.owner, self.owner.as_ref());
        set(&mut provider.adapter, self.adapter.as_ref());
        set(&mut provider.label, self.label.as_ref());
        set(&mut provider.channel_url, self.channel_url.as_ref());
        set(&mut provider.pinned_url, self.pinned_url.as_ref());
        set(&mut provider.outbound, self.outbound.as_ref());
        set(&mut provider.channel_order, self.channel_order.as_ref());
        set(&mut provider.trusted_domains, self.trusted_domains.as_ref());
        set(&mut provider.custom_parameters, self.custom_parameters.as_ref());
        set(&mut provider.sandbox, self.sandbox.as_ref());
        set(&mut provider.analytics, self.analytics.as_ref());
        set(&mut provider.capabilities, self.capabilities.as_ref());
        set(&mut provider.failover, self.failover.as_ref());
        set(&mut provider.config, self.config.as_ref());
    }
}

impl fmt::Debug for ProviderPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderPatch")
            .field("display_name", &self.display_name)
            .field("adapter", &self.adapter)
            .field("channel_url", &self.channel_url)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}
