//! New values of a channel provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::domain::{
    provider::{ApiVersion, Capability, ChannelProvider, Failover},
    secret::SecretValue,
};

patch! {
    /// New values of a channel provider; what is `None` stays.
    #[derive(Clone, Default)]
    ProviderPatch of ChannelProvider {
        fixed {
            /// Kind of the server-side adapter; `widget` unless given.
            adapter: String => "adapter",
        }
        free {
            /// Widget title, 1 to 100 characters; required at creation.
            label: String,
            /// Absolute https URL, at most 1024 characters; required at creation.
            channel_url: String,
            /// Whether updates and imports must leave the URL alone.
            pinned_url: bool,
            /// Whether click-to-act may dial.
            outbound: bool,
            /// 0 (first) to 1000.
            channel_order: i32,
            /// Hosts or https origins, at most 2000 characters joined; replaces the list.
            trusted_domains: Vec<String>,
            /// At most 2000 characters, readable by every agent.
            custom_parameters: String,
            /// Iframe sandbox tokens; replaces the set.
            sandbox: BTreeSet<String>,
            /// Whether analytics are on.
            analytics: bool,
            /// Replaces the set; only where there is no adapter to declare it.
            capabilities: BTreeSet<Capability>,
            /// While the provider is down.
            failover: Failover,
            /// JSON object, at most 16 KiB; empty stands for `{}`.
            config: String,
        }
        more {
            /// Immutable; there is one.
            api_version: Option<ApiVersion>,
            /// Secrets that are set, by name; those without a value are removed, all others stay.
            secrets: BTreeMap<String, Option<SecretValue>>,
        }
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
