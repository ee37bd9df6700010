//! Voice on the server: what needs a vendor's credentials (SPEC §14).
//!
//! ```text
//! catalog -> accounts: one protected provider for each stored one; drive: checks and event streams
//! request -> dial: durable, then at the vendor, never twice; vendor_commands: all other requests
//! vendor  -> webhook, event streams, polls: verified, then (events) applied to the call
//! calls   -> call_registry: all of them, in memory; log: write-ahead; streams: to WatchCalls
//! ```
//!
//! A vendor that hangs holds up its own requests and nothing else: each account has its own tasks,
//! and no lock is held while a vendor is asked.

mod accounts;
mod call;
mod call_registry;
mod dial;
mod drive;
mod events;
mod health;
mod log;
mod provider_selection;
mod refuse;
mod streams;
mod vendor_commands;
mod vendor_spans;
mod webhook;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deskplane_providers::{CallState, Registry, http::Network};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::{accounts::Accounts, call_registry::CallRegistry};
pub use self::{
    call::{Applied, Call, Request},
    dial::Start,
    health::Condition,
    log::{Error as LogError, Log},
    streams::{CallSlot, CallStream, CallStreams, Message},
    vendor_commands::Presence,
    webhook::{MAX_BODY, webhooks},
};
use crate::{
    audit::Recorder,
    catalog::Catalog,
    clock::Clock,
    domain::{Reason, Refusal, Time, UniqueName, UserId},
    live::Access,
    secrets::vault::Vault,
    tasks::Tasks,
};

/// How long a call is kept after its end, unless the configuration says otherwise.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How often a provider is checked, give or take a fifth.
pub const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often expired calls are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Reports the health of a provider, with a detail for administrators.
pub type Report = Arc<dyn Fn(&UniqueName, Condition, &str) + Send + Sync>;

/// Dependencies and settings of voice.
#[derive(Clone)]
pub struct Settings {
    /// The adapters of this server.
    pub adapters: Arc<Registry>,
    /// The network to vendors.
    pub network: Network,
    /// Public URL of this server, without a slash at the end; without it no vendor can post events.
    pub public_url: Option<String>,
    /// Opens the secrets of providers.
    pub vault: Arc<Vault>,
    /// Reports the health of providers.
    pub report: Report,
    /// Audits webhooks that are refused.
    pub recorder: Recorder,
    /// How often a provider is checked.
    pub check_every: Duration,
    /// How long a call is kept after its end.
    pub keep: Duration,
    /// The streams of calls.
    pub streams: CallStreams,
    /// Where the tasks of voice run.
    pub tasks: Tasks,
}

/// Voice as the services use it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Voice {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    clock: Clock,
    catalog: watch::Sender<Arc<Catalog>>,
    accounts: Accounts,
    calls: CallRegistry,
    counters: Counters,
}

/// Counters since the start, and current numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls that are not over.
    pub live_calls: u64,
    /// Open streams of calls.
    pub streams: u64,
    /// Events that changed a call.
    pub applied: u64,
    /// Events that were applied before.
    pub repeated: u64,
    /// Events of a state that the call had passed.
    pub late: u64,
    /// Events of no known call.
    pub unknown: u64,
    /// Webhooks that failed verification.
    pub refused: u64,
}

/// Counters of events.
#[derive(Debug, Default)]
struct Counters {
    applied: AtomicU64,
    repeated: AtomicU64,
    late: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
}

impl Voice {
    /// Registers the calls that the log held, and drives every provider of the catalog.
    pub fn open(
        settings: Settings,
        clock: Clock,
        log: Log,
        calls: Vec<Call>,
        catalog: Arc<Catalog>,
    ) -> Self {
        let network = settings.network.traced(Arc::new(vendor_spans::VendorSpans));
        let settings = Settings { network, ..settings };
        let calls = CallRegistry::new(log, calls, settings.streams.clone());
        let shared = Arc::new(Shared {
            settings,
            clock,
            catalog: watch::Sender::new(Arc::clone(&catalog)),
            accounts: Accounts::default(),
            calls,
            counters: Counters::default(),
        });
        shared.accounts.reconcile(&shared, &catalog);
        let tasks = &shared.settings.tasks;
        let (held, catalogs) = (Arc::downgrade(&shared), shared.catalog.subscribe());
        let follow = move || follow(Weak::clone(&held), catalogs.clone());
        tasks.spawn_restarting("voice.catalog", follow);
        let held = Arc::downgrade(&shared);
        tasks.spawn_restarting("voice.sweep", move || sweep(Weak::clone(&held)));
        let voice = Self { shared };
        voice.resume_starts();
        voice
    }

    /// Passes on a new catalog, without waiting until the accounts follow it, if providers changed.
    /// Called by the ledger.
    pub fn committed(&self, catalog: &Arc<Catalog>, providers_changed: bool) {
        self.shared.catalog.send_if_modified(|newest| {
            if catalog.revision < newest.revision {
                return false;
            }
            *newest = Arc::clone(catalog);
            providers_changed
        });
    }

    /// Whether a call is retained: it is live, or ended less than `keep` ago.
    pub fn retains(call: &Call, now: Time, keep: Duration) -> bool {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let last = call.end_time.unwrap_or(call.start_time).micros();
        now.micros().saturating_sub(last) < keep
            || (call.end_time.is_none() && call.state != CallState::Unknown)
    }

    /// The adapters of this server.
    pub fn adapters(&self) -> &Registry {
        &self.shared.settings.adapters
    }

    /// The call of that id.
    pub fn call(&self, call_id: uuid::Uuid) -> Option<Arc<Call>> {
        self.shared.calls.get(call_id)
    }

    /// Calls of one user or of all that pass, newest first.
    pub fn calls(&self, user: Option<&UserId>, pass: impl Fn(&Call) -> bool) -> Vec<Arc<Call>> {
        self.shared.calls.list(user, pass)
    }

    /// Opens a stream of a user's calls.
    ///
    /// Its live calls come first, then every change. `catalog` answers the newest catalog.
    ///
    /// # Errors
    /// TOO_MANY_STREAMS, SERVER_BUSY, DRAINING, USER_NOT_FOUND, and those of the access check.
    pub fn watch(
        &self,
        catalog: impl Fn() -> Arc<Catalog>,
        access: Access,
    ) -> Result<CallStream, Refusal> {
        let (calls, user) = (&self.shared.calls, access.user.clone());
        let mut stream = calls.streams.open(catalog, access, (), CallSlot::default())?;
        // The stream is registered before the calls are read, so no change is lost between.
        let live = calls.list(Some(&user), |call| !call.is_over());
        stream.prepare(|slot| slot.open(live, Instant::now()));
        Ok(stream)
    }

    /// The counters and current numbers.
    pub fn figures(&self) -> Figures {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            live_calls: self.shared.calls.count(|call| !call.is_over()) as u64,
            streams: self.shared.calls.streams.len() as u64,
            applied: read(&counters.applied),
            repeated: read(&counters.repeated),
            late: read(&counters.late),
            unknown: read(&counters.unknown),
            refused: read(&counters.refused),
        }
    }

    /// How many streams of calls ended for which reason.
    pub fn stream_ends(&self) -> Vec<(Reason, u64)> {
        self.shared.calls.streams.ends()
    }

    /// Closes every account. Calls at vendors go on.
    pub fn close(&self) {
        self.shared.accounts.close();
    }

    /// Reconciles the starts that were in progress when the last process ended.
    fn resume_starts(&self) {
        for call in self.shared.calls.list(None, |call| !call.is_over()) {
            let in_progress = call.state == CallState::Queued && call.provider_call_id.is_empty();
            if in_progress || call.state == CallState::Unknown {
                self.shared.spawn_reconcile(call.call_id);
            }
        }
    }
}

/// Follows the catalog: rebuilds the accounts of providers that changed, closes those of deleted ones.
async fn follow(shared: Weak<Shared>, mut catalogs: watch::Receiver<Arc<Catalog>>) {
    // After a panic the catalog that it happened with is processed again.
    catalogs.mark_changed();
    while catalogs.changed().await.is_ok() {
        let catalog = catalogs.borrow_and_update().clone();
        let Some(shared) = shared.upgrade() else { return };
        shared.accounts.reconcile(&shared, &catalog);
    }
}

/// Removes expired calls from time to time.
async fn sweep(shared: Weak<Shared>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = shared.clock.now();
        shared.calls.remove_expired(|call| !Voice::retains(call, now, shared.settings.keep));
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("adapters", &self.adapters).finish_non_exhaustive()
    }
}
