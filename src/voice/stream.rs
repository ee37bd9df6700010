//! Streams of calls: of each call the newest state, and nothing that was superseded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::Call;
use crate::{
    catalog::Catalog,
    domain::{Actor, Reason, Refusal, UserId},
};

/// Asks anew whether the caller may watch.
pub type Recheck = Box<dyn Fn(&Catalog) -> Result<(), Refusal> + Send + Sync>;

/// One message of a stream.
#[derive(Debug, Clone)]
pub enum Message {
    /// A call as it now is.
    Call(Arc<Call>),
    /// All live calls were told; how many there were.
    InSync(usize),
    /// The stream ends; how long to wait before opening another one.
    Drain(Duration),
}

/// Who watches whose calls.
pub struct Watcher {
    /// Who asks.
    pub caller: Actor,
    /// Whose calls.
    pub user: UserId,
    /// Asked after every commit.
    pub recheck: Recheck,
}

/// Times and limits of streams.
#[derive(Debug, Clone)]
pub struct Times {
    /// How long a client may take nothing while something waits.
    pub stalled: Duration,
    /// Age at which a stream ends.
    pub max_age: Duration,
    /// Time over which reconnects are spread at the end of the server.
    pub drain_window: Duration,
    /// Most streams of the server.
    pub max_streams: usize,
}

/// The streams of a server.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    draining: bool,
    slots: HashMap<u64, Arc<Slot>>,
}

/// One stream.
struct Slot {
    watcher: Watcher,
    waiting: Mutex<Waiting>,
    wake: Notify,
    ages_at: Instant,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Live calls that are still to be told before the client is in sync.
    opening: Option<usize>,
    calls: BTreeMap<Uuid, Arc<Call>>,
    since: Option<Instant>,
    drain: Option<(Reason, Duration)>,
    drained: bool,
    end: Option<Refusal>,
}

impl Streams {
    /// Opens a stream. `live` is asked once the stream hears of changes, so none is missed.
    pub(super) fn open<L: FnOnce(&UserId) -> Vec<Arc<Call>>>(
        self: &Arc<Self>,
        watcher: Watcher,
        times: &Times,
        per_user: usize,
        live: L,
    ) -> Result<BoxStream<'static, Result<Message, Refusal>>, Refusal> {
        let age = times.max_age.mul_f64(0.9 + 0.2 * fastrand::f64());
        let waiting = Mutex::default();
        let user = watcher.user.clone();
        let ages_at = Instant::now() + age;
        let slot = Arc::new(Slot { watcher, waiting, wake: Notify::new(), ages_at });
        let id = self.admit(&slot, times.max_streams, per_user)?;
        let guard = Guard { streams: Arc::clone(self), id };
        let calls = live(&user);
        let mut waiting = slot.waiting();
        waiting.opening = Some(calls.len());
        for call in calls {
            waiting.take(&call);
        }
        drop(waiting);
        Ok(stream::unfold(Some((slot, guard)), |open| async {
            let (slot, guard) = open?;
            let message = slot.next().await;
            let more = message.is_ok().then_some((slot, guard));
            Some((message, more))
        })
        .boxed())
    }

    fn admit(&self, slot: &Arc<Slot>, max: usize, per_user: usize) -> Result<u64, Refusal> {
        let mut open = self.opened();
        if open.draining {
            let message = "The server ends; open the stream elsewhere or later.";
            return Err(Refusal::new(Reason::Draining, message));
        }
        let same = |other: &&Arc<Slot>| {
            other.watcher.user == slot.watcher.user
                && other.watcher.caller.subject == slot.watcher.caller.subject
        };
        if open.slots.values().filter(same).count() >= per_user {
            let message = format!("{per_user} streams of these calls are open already.");
            return Err(Refusal::new(Reason::TooManyStreams, message).with("limit", per_user));
        }
        if open.slots.len() >= max {
            let message = "The server has as many streams as it takes.";
            return Err(Refusal::new(Reason::ServerBusy, message).with("limit", max));
        }
        open.next += 1;
        let id = open.next;
        open.slots.insert(id, Arc::clone(slot));
        Ok(id)
    }

    /// Tells whoever watches of a call.
    pub(super) fn tell(&self, call: &Arc<Call>) {
        for slot in self.opened().slots.values().filter(|slot| slot.watcher.user == call.user) {
            slot.waiting().take(call);
            slot.wake.notify_one();
        }
    }

    /// Ends the streams of callers who may not watch any more.
    pub(super) fn recheck(&self, catalog: &Catalog) {
        self.each(|slot, waiting| {
            let gone = catalog.user(&slot.watcher.user).is_none();
            let deleted = || {
                let message = format!("User {} was deleted.", slot.watcher.user);
                Err(Refusal::new(Reason::UserDeleted, message))
            };
            let allowed = if gone { deleted() } else { (slot.watcher.recheck)(catalog) };
            if let Err(refusal) = allowed {
                waiting.end.get_or_insert(refusal);
            }
        });
    }

    /// Ends the streams whose clients take nothing.
    pub(super) fn sweep(&self, stalled: Duration) {
        let now = Instant::now();
        self.each(|_, waiting| {
            if waiting.since.is_some_and(|since| now.duration_since(since) >= stalled) {
                let message = "The client took nothing while something waited; reconnect.";
                waiting.end.get_or_insert(Refusal::new(Reason::SlowConsumer, message));
            }
        });
    }

    /// Ends every stream as planned, and opens no further one.
    pub(super) fn drain(&self, window: Duration) {
        self.opened().draining = true;
        self.each(|_, waiting| {
            let after = window.mul_f64(fastrand::f64());
            waiting.drain.get_or_insert((Reason::Draining, after));
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.opened().slots.len()
    }

    fn each(&self, change: impl Fn(&Slot, &mut Waiting)) {
        for slot in self.opened().slots.values() {
            change(slot, &mut slot.waiting());
            slot.wake.notify_one();
        }
    }

    fn opened(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a stream out when its client goes.
struct Guard {
    streams: Arc<Streams>,
    id: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.streams.opened().slots.remove(&self.id);
    }
}

impl Slot {
    /// The next message, once there is one.
    async fn next(&self) -> Result<Message, Refusal> {
        loop {
            if let Some(message) = self.waiting().step() {
                return message;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(self.ages_at) => {
                    let after = Duration::from_millis(fastrand::u64(500..1_000));
                    self.waiting().drain.get_or_insert((Reason::MaxAge, after));
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self, call: &Arc<Call>) {
        let newer =
            self.calls.get(&call.call_id).is_none_or(|known| known.sequence < call.sequence);
        if newer {
            self.calls.insert(call.call_id, Arc::clone(call));
            self.since.get_or_insert_with(Instant::now);
        }
    }

    fn step(&mut self) -> Option<Result<Message, Refusal>> {
        if let Some(refusal) = &self.end {
            return Some(Err(refusal.clone()));
        }
        if let Some((_, call)) = self.calls.pop_first() {
            // What is left waits from now on: the client has just taken something.
            self.since = (!self.calls.is_empty()).then(Instant::now);
            return Some(Ok(Message::Call(call)));
        }
        self.since = None;
        if let Some(calls) = self.opening.take() {
            return Some(Ok(Message::InSync(calls)));
        }
        let (reason, after) = self.drain?;
        if !self.drained {
            self.drained = true;
            return Some(Ok(Message::Drain(after)));
        }
        let millis = after.as_millis().try_into().unwrap_or(u64::MAX);
        let message = "The stream ends as planned; reconnect after the delay.";
        Some(Err(Refusal::new(reason, message).retry_after_ms(millis)))
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("user", &self.watcher.user).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("user", &self.user).finish_non_exhaustive()
    }
}
