//! What drives voice providers, as a server is given it.

use std::{fmt, sync::Arc, time::Duration};

use deskplane_providers::{Registry, http::Network};

use crate::{
    audit::Recorder,
    clock::Clock,
    ledger::Ledger,
    live::{HealthState, Hub},
    secrets::vault::Vault,
    tasks::Tasks,
    voice::{self, CallStreams, Condition},
};

/// What drives voice providers.
pub struct Voice {
    /// The adapters of this server.
    pub adapters: Arc<Registry>,
    /// The way to vendors.
    pub network: Network,
    /// Where the world reaches this server, without a slash at the end.
    pub public_url: Option<String>,
    /// Seals and opens the secrets of providers.
    pub vault: Arc<Vault>,
    /// Where calls are kept, and those that were.
    pub calls: (voice::Log, Vec<voice::Call>),
    /// How long a call is kept after its end.
    pub keep: Duration,
    /// How often a provider is checked, give or take a fifth.
    pub check_every: Duration,
}

impl Voice {
    /// Without secrets and without a public URL; calls are forgotten with the process.
    pub fn plain(adapters: Registry, network: Network) -> Self {
        Self {
            adapters: Arc::new(adapters),
            network,
            public_url: None,
            vault: Arc::default(),
            calls: (voice::Log::in_memory(), Vec::new()),
            keep: voice::KEEP,
            check_every: voice::CHECK_EVERY,
        }
    }

    pub(super) fn open(
        self,
        clock: &Clock,
        streams: CallStreams,
        hub: &Hub,
        ledger: &Ledger,
        (recorder, tasks): (&Recorder, &Tasks),
    ) -> voice::Voice {
        let (told, time) = (hub.clone(), clock.clone());
        let settings = voice::Settings {
            adapters: self.adapters,
            network: self.network,
            public_url: self.public_url,
            vault: self.vault,
            report: Arc::new(move |provider, condition, detail| {
                told.report(provider, health(condition), detail.to_owned(), time.now());
            }),
            recorder: recorder.clone(),
            check_every: self.check_every,
            keep: self.keep,
            streams,
            tasks: tasks.clone(),
        };
        let (log, calls) = self.calls;
        voice::Voice::open(settings, clock.clone(), log, calls, ledger.catalog())
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("adapters", &self.adapters).finish_non_exhaustive()
    }
}

fn health(condition: Condition) -> HealthState {
    match condition {
        Condition::Unknown => HealthState::Unknown,
        Condition::Healthy => HealthState::Healthy,
        Condition::Degraded => HealthState::Degraded,
        Condition::Down => HealthState::Down,
    }
}
