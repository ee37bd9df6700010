//! Voice on the server: what needs a vendor's credentials (SPEC §14).
//!
//! ```text
//! catalog -> accounts: one protected provider for each stored one, checked and listened to
//! calls   -> book: all that are kept; log: on the disk first; streams: what goes to WatchCalls
//! request -> dial: on the disk, then the vendor, never twice;  acts: what else is asked of calls
//! vendor  -> webhook, events, look-ups: verified, then applied, then told
//! ```
//!
//! A vendor that hangs holds up its own requests and nothing else: each account has its own tasks,
//! and no lock is held while a vendor is asked.

mod accounts;
mod acts;
mod book;
mod call;
mod dial;
mod drive;
mod log;
mod monitor;
mod refuse;
mod streams;
pub mod vault;
mod webhook;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deskplane_providers::{
    CallEvent, CallState, ChannelProvider as _, Context, ErrorKind, Registry, http::Network,
};
use futures_util::{TryStreamExt as _, stream::iter};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::{
    accounts::{Account, Accounts},
    book::Book,
    vault::Vault,
};
pub use self::{
    acts::Presence,
    call::{Applied, Call, Request},
    dial::Start,
    log::{Error as LogError, Log},
    monitor::Condition,
    streams::{CallSlot, CallStream, CallStreams, Message},
    webhook::{MAX_BODY, webhooks},
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    domain::{Reason, Refusal, Time, UniqueName, UserId},
    live::Access,
    tasks::{OnPanic, Tasks},
};

/// How long a call is kept after its end, unless the configuration says otherwise.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How often a provider is checked, give or take a fifth.
pub const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often calls are dropped whose time is over.
const TIDY: Duration = Duration::from_secs(600);
/// Pauses between look-ups of a call whose start nobody knows the outcome of.
const SETTLE: [u64; 6] = [1, 2, 5, 15, 60, 300];
/// Pause after which a vendor that knows no such call is believed.
const SURE: u64 = 15;

/// Most look-ups of calls that an account has under way at once.
const POLLS: usize = 8;
/// Longest that one of them takes.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes how a provider does, with a detail for administrators.
pub type Report = Arc<dyn Fn(&UniqueName, Condition, &str) + Send + Sync>;

/// What voice is made with.
#[derive(Clone)]
pub struct Settings {
    /// The adapters of this server.
    pub adapters: Arc<Registry>,
    /// The way to vendors.
    pub network: Network,
    /// Where the world reaches this server, without a slash at the end; without it no vendor can
    /// post events.
    pub public_url: Option<String>,
    /// Opens the secrets of providers.
    pub vault: Arc<Vault>,
    /// Takes the health of providers.
    pub report: Report,
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
    book: Book,
    counters: Counters,
}

/// What is counted since the start, and what is there now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls that are not over.
    pub live_calls: u64,
    /// Open streams of calls.
    pub streams: u64,
    /// Events that changed a call.
    pub applied: u64,
    /// Events that came before.
    pub repeated: u64,
    /// Events that a call was ahead of.
    pub late: u64,
    /// Events of calls that nobody knows.
    pub unknown: u64,
    /// Webhooks that were not believed.
    pub refused: u64,
}

/// What is counted of events.
#[derive(Debug, Default)]
struct Counters {
    applied: AtomicU64,
    repeated: AtomicU64,
    late: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Applied(Applied),
    /// A call from outside was opened.
    Opened,
    /// No call is meant, and nobody to offer it to.
    Nobody,
}

impl Voice {
    /// Takes up the calls that were kept, and looks after every provider of the catalog.
    pub fn open(
        settings: Settings,
        clock: Clock,
        log: Log,
        calls: Vec<Call>,
        catalog: Arc<Catalog>,
    ) -> Self {
        let book = Book::new(log, calls, settings.streams.clone());
        let shared = Arc::new(Shared {
            settings,
            clock,
            catalog: watch::Sender::new(Arc::clone(&catalog)),
            accounts: Accounts::default(),
            book,
            counters: Counters::default(),
        });
        shared.accounts.reconcile(&shared, &catalog);
        let tasks = &shared.settings.tasks;
        let (held, catalogs) = (Arc::downgrade(&shared), shared.catalog.subscribe());
        let follow = move || follow(Weak::clone(&held), catalogs.clone());
        tasks.spawn_restarting("voice.catalog", follow);
        let held = Arc::downgrade(&shared);
        tasks.spawn_restarting("voice.sweep", move || tidy(Weak::clone(&held)));
        let voice = Self { shared };
        voice.take_up();
        voice
    }

    /// Takes a new catalog; the hook of the ledger. Accounts follow soon after, if providers changed.
    pub fn committed(&self, catalog: &Arc<Catalog>, providers_changed: bool) {
        self.shared.catalog.send_if_modified(|newest| {
            if catalog.revision < newest.revision {
                return false;
            }
            *newest = Arc::clone(catalog);
            providers_changed
        });
    }

    /// Whether a kept call is still wanted.
    pub fn wants(call: &Call, now: Time, keep: Duration) -> bool {
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
        self.shared.book.get(call_id)
    }

    /// Calls of one user or of all that pass, newest first.
    pub fn calls(&self, user: Option<&UserId>, pass: impl Fn(&Call) -> bool) -> Vec<Arc<Call>> {
        self.shared.book.list(user, pass)
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
        let (book, user) = (&self.shared.book, access.user.clone());
        let mut stream = book.streams.open(catalog, access, (), CallSlot::default())?;
        // The stream gets changes from here on, so none between is missed.
        let live = book.list(Some(&user), |call| !call.is_over());
        stream.prepare(|slot| slot.open(live, Instant::now()));
        Ok(stream)
    }

    /// What is counted.
    pub fn figures(&self) -> Figures {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            live_calls: self.shared.book.count(|call| !call.is_over()) as u64,
            streams: self.shared.book.streams.len() as u64,
            applied: read(&counters.applied),
            repeated: read(&counters.repeated),
            late: read(&counters.late),
            unknown: read(&counters.unknown),
            refused: read(&counters.refused),
        }
    }

    /// How many streams of calls ended for which reason.
    pub fn stream_ends(&self) -> Vec<(Reason, u64)> {
        self.shared.book.streams.ends()
    }

    /// Lets go of every provider. Calls at vendors go on.
    pub fn close(&self) {
        self.shared.accounts.close();
    }

    /// What a kill left under way: nobody knows what became of it, so the vendors are asked.
    fn take_up(&self) {
        for call in self.shared.book.list(None, |call| !call.is_over()) {
            let asked = call.state == CallState::Queued && call.provider_call_id.is_empty();
            if asked || call.state == CallState::Unknown {
                self.shared.spawn_reconcile(call.call_id);
            }
        }
    }
}

impl Shared {
    /// Applies a verified event, keeps it, and sends it to the streams.
    async fn take(&self, provider: &UniqueName, event: CallEvent) -> Result<Taken, Refusal> {
        let now = self.clock.now();
        if let Some((applied, change)) = self.book.apply(provider, &event, now) {
            match applied {
                Applied::Changed => _ = self.counters.applied.fetch_add(1, Ordering::Relaxed),
                Applied::Repeated => _ = self.counters.repeated.fetch_add(1, Ordering::Relaxed),
                Applied::Late => _ = self.counters.late.fetch_add(1, Ordering::Relaxed),
            }
            self.book.settle(change).await?;
            return Ok(Taken::Applied(applied));
        }
        let catalog = self.catalog.borrow().clone();
        let named = event.agent.as_deref().and_then(|agent| UserId::parse(agent).ok());
        let user = named.and_then(|user| catalog.user(&user).map(|seated| seated.user.id.clone()));
        let Some(user) =
            user.filter(|_| !event.state.is_final() && !event.provider_call_id.is_empty())
        else {
            self.counters.unknown.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%provider, state = ?event.state, "an event of a call that nobody knows");
            return Ok(Taken::Nobody);
        };
        let call = Call::inbound(self.clock.uid(), user, provider.clone(), &event, now);
        let change = self.book.open(call);
        self.book.settle(change).await?;
        self.counters.applied.fetch_add(1, Ordering::Relaxed);
        Ok(Taken::Opened)
    }

    /// Asks a vendor for every live call of a provider, some at a time: events that were sent
    /// meanwhile may be lost.
    async fn catch_up(&self, account: &Account) {
        let Ok(provider) = &account.provider else { return };
        let ours = |call: &Call| {
            call.provider == account.name && !call.is_over() && !call.provider_call_id.is_empty()
        };
        let calls = iter(self.book.list(None, ours).into_iter().map(Ok));
        let polls = calls.try_for_each_concurrent(POLLS, |call| async move {
            let found = provider.poll_call(&Context::within(POLL_TIMEOUT), &call.reference()).await;
            match found {
                Ok(found) => self.looked_up(&call, found.as_ref()).await,
                // It answers the same for every call.
                Err(error) if error.kind() == ErrorKind::Unsupported => return Err(()),
                Err(error) => account.failed(self, &error),
            }
            Ok(())
        });
        let _ = polls.await;
    }

    async fn looked_up(&self, call: &Call, found: Option<&deskplane_providers::CallStatus>) {
        let now = self.clock.now();
        if let Some(change) = self.book.change(call.call_id, |call| call.found(found, now)) {
            // What cannot be stored is an error of the next request on the call.
            let _ = self.book.settle(change).await;
        }
    }

    /// Looks a call up in the background. After a panic it stays unknown, as after the last look-up.
    fn spawn_reconcile(self: &Arc<Self>, call_id: uuid::Uuid) {
        let reconcile = Arc::clone(self).reconcile_unknown_start(call_id);
        self.settings.tasks.spawn("voice.unknown_start", OnPanic::Report, reconcile);
    }

    /// Finds out what became of a start whose answer never came, without ever repeating it.
    async fn reconcile_unknown_start(self: Arc<Self>, call_id: uuid::Uuid) {
        let now = self.clock.now();
        // An event may have told already how far it is.
        let unknown = |call: &mut Call| {
            call.state == CallState::Queued && call.become_state(CallState::Unknown, None, now)
        };
        let Some(change) = self.book.change(call_id, unknown) else { return };
        if self.book.settle(change).await.is_err() {
            return;
        }
        for pause in SETTLE {
            sleep(Duration::from_secs(pause)).await;
            let Some(call) = self.book.get(call_id).filter(|call| call.state == CallState::Unknown)
            else {
                return;
            };
            let Some(account) = self.accounts.get(&call.provider) else { continue };
            let Ok(provider) = &account.provider else { continue };
            let cx = Context::within(POLL_TIMEOUT);
            match provider.poll_call(&cx, &call.reference()).await {
                // A vendor may list a call some seconds after it took it.
                Ok(None) if pause < SURE => {}
                Ok(found) => return self.looked_up(&call, found.as_ref()).await,
                Err(error) if error.kind() == ErrorKind::Unsupported => return,
                Err(error) => account.failed(&self, &error),
            }
        }
    }
}

/// Follows the catalog: opens providers that changed again, and closes those that are gone.
async fn follow(shared: Weak<Shared>, mut catalogs: watch::Receiver<Arc<Catalog>>) {
    // After a panic the catalog that it happened with is not left out.
    catalogs.mark_changed();
    while catalogs.changed().await.is_ok() {
        let catalog = catalogs.borrow_and_update().clone();
        let Some(shared) = shared.upgrade() else { return };
        shared.accounts.reconcile(&shared, &catalog);
    }
}

/// Drops calls whose time is over.
async fn tidy(shared: Weak<Shared>) {
    loop {
        sleep(TIDY).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = shared.clock.now();
        shared.book.forget(|call| !Voice::wants(call, now, shared.settings.keep));
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("adapters", &self.adapters).finish_non_exhaustive()
    }
}
