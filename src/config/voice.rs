//! Settings of voice.

use std::{path::PathBuf, time::Duration};

use deskplane_providers::{
    Registry, Result,
    http::{Network, Policy},
    urls::judge_public,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::{DAY_S, HOUR_S};
use crate::secrets::vault;

/// Settings of voice providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Voice {
    /// Where the world reaches this server, e.g. `https://desk.example.com`; vendors post to
    /// `/webhooks/PROVIDER` below it. Without user name, query and fragment, in ASCII, and `https`
    /// unless it is an address of this machine. Empty: no vendor can reach it.
    pub public_url: String,
    /// Networks beside the public internet in which vendors may be, as a comma list such as
    /// `10.20.0.0/16,127.0.0.0/8`.
    pub allow_provider_net: String,
    /// Whether plug-ins may be reached over sockets of this machine.
    pub allow_provider_unix: bool,
    /// Whether providers may use the scriptable adapter of tests.
    pub fake_adapter: bool,
    /// File with the keys that seal secrets; empty: the variable `DESKPLANE_KEY_RING` holds the keys,
    /// if it is set.
    pub key_ring: PathBuf,
    /// Folder that `file:` references of secrets are relative to; empty: there are none.
    pub secrets_dir: PathBuf,
    /// Seconds between two checks of a provider, give or take a fifth.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub check_s: u64,
    /// Days that a call is kept after its end.
    #[schemars(range(min = 1, max = 3_650))]
    pub keep_calls_days: u64,
}

/// Flags of voice; the names are those of [`Voice`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, clap::Args)]
#[group(id = "voice")]
pub struct Flags {
    /// Where the world reaches this server, e.g. `https://desk.example.com`.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Networks beside the public internet in which vendors may be, e.g. `10.20.0.0/16`.
    #[arg(long, value_name = "CIDRS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_provider_net: Option<String>,
    /// Plug-ins may be reached over sockets of this machine.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_provider_unix: bool,
    /// Has the scriptable adapter `fake`, for tests.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fake_adapter: bool,
}

impl Flags {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            allow_provider_net: String::new(),
            allow_provider_unix: false,
            fake_adapter: false,
            key_ring: PathBuf::new(),
            secrets_dir: PathBuf::new(),
            check_s: crate::voice::CHECK_EVERY.as_secs(),
            keep_calls_days: crate::voice::KEEP.as_secs() / DAY_S,
        }
    }
}

impl Voice {
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        for network in self.networks().filter(|network| network.parse::<ipnet::IpNet>().is_err()) {
            mistakes.push(format!(
                "`voice.allow_provider_net`: {network} is no network such as 10.20.0.0/16"
            ));
        }
        if !self.public_url.is_empty()
            && let Err(rule) = judge_public(&self.public_url)
        {
            // The value may hold a password.
            mistakes.push(format!("`voice.public_url`: {rule}"));
        }
    }

    fn networks(&self) -> impl Iterator<Item = &str> {
        self.allow_provider_net.split(',').map(str::trim).filter(|network| !network.is_empty())
    }

    /// The adapters of the server.
    pub fn adapters(&self) -> Registry {
        let adapters = Registry::builtin();
        if self.fake_adapter { adapters.with_fake() } else { adapters }
    }

    /// Where keys and secrets come from, for the vault.
    pub fn vault(&self) -> vault::Settings {
        let given = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
        vault::Settings {
            key_ring: given(&self.key_ring),
            secrets_dir: given(&self.secrets_dir),
            environment: vault::Environment::process(),
        }
    }

    /// The way to vendors.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn network(&self) -> Result<Network> {
        let allowed = self.networks().filter_map(|network| network.parse().ok());
        let policy = Policy::allowing(allowed).allowing_unix(self.allow_provider_unix);
        Network::new(policy, &[])
    }

    /// Where the world reaches the server, without a slash at the end.
    pub fn public_url(&self) -> Option<String> {
        let url = self.public_url.trim_end_matches('/');
        (!url.is_empty()).then(|| url.to_owned())
    }

    /// How long a call is kept after its end.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_calls_days * DAY_S)
    }

    /// How often a provider is checked.
    pub fn check_every(&self) -> Duration {
        Duration::from_secs(self.check_s)
    }
}
