//! Takes entries from the calls and streams that cause them, and writes them in the background.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    Entry, Keep, Outcome, Settings, delivery,
    refusals::{Refusals, WINDOW},
};
use crate::{
    clock::Clock,
    domain::{DeliveryLog, DeliveryRef, Time},
    store::{Log, LogEntry, LogKind, Result, Store},
    tasks::Tasks,
};

/// Entries that wait at most; further ones are dropped and counted.
const ENTRIES: usize = 1 << 16;
/// Deliveries that wait at most: those of one change that reaches every stream.
const DELIVERIES: usize = 1 << 18;
/// How long entries are gathered before they are written.
pub(super) const GATHER: Duration = Duration::from_millis(250);
/// How often entries are removed that are too old or too many.
const RETAIN: Duration = Duration::from_secs(10 * 60);
/// How often a warning about dropped entries is repeated at most.
const WARN: Duration = Duration::from_secs(60);

/// Writes the audit of reads and refusals, and the resolution log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: Arc<dyn Log>,
    clock: Clock,
    settings: Settings,
    waiting: Mutex<Waiting>,
    /// There is something to write.
    wake: Notify,
    /// Held by who writes.
    writing: AsyncMutex<Option<Instant>>,
    counts: Counts,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    deliveries: delivery::Batch,
    refusals: Refusals,
}

#[derive(Debug, Default)]
struct Counts {
    audited: AtomicU64,
    delivered: AtomicU64,
    service_reads: AtomicU64,
    suppressed: AtomicU64,
    dropped: [AtomicU64; LogKind::ALL.len()],
    /// Microseconds that the oldest entry of the last batch waited.
    lag: AtomicU64,
}

/// Figures of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Audited reads and refusals that were written.
    pub audited: u64,
    /// Deliveries that were written.
    pub delivered: u64,
    /// Resolutions and watches of somebody else by SERVICE, which have no entry.
    pub service_reads: u64,
    /// Refusals that are counted by another one's entry.
    pub suppressed: u64,
    /// Entries that were lost, by the order of [`LogKind::ALL`]: there was no room to wait, or the
    /// log could not be written.
    pub dropped: [u64; LogKind::ALL.len()],
    /// How long the oldest entry of the last batch waited, in microseconds.
    pub lag_micros: u64,
}

/// An audited read that is under way. Dropped without an end it is recorded as abandoned.
#[derive(Debug)]
pub struct Read {
    recorder: Recorder,
    /// In a box, for a stream keeps its read until it ends.
    entry: Mutex<Option<Box<Entry>>>,
}

// === impl Recorder ===

impl Recorder {
    /// A recorder that writes into the logs of a store. Nothing is written before [`Self::start`].
    pub fn new(store: &dyn Store, clock: Clock, settings: Settings) -> Self {
        Self::over(store.log(), clock, settings)
    }

    pub(super) fn over(log: Arc<dyn Log>, clock: Clock, settings: Settings) -> Self {
        Self(Arc::new(Shared {
            log,
            clock,
            settings,
            waiting: Mutex::default(),
            wake: Notify::new(),
            writing: AsyncMutex::default(),
            counts: Counts::default(),
        }))
    }

    /// Writes in the background until the scope is cancelled. A panic loses what was gathered, and the
    /// task goes on.
    pub fn start(&self, tasks: &Tasks) {
        let recorder = self.clone();
        tasks.spawn_restarting("audit", move || recorder.clone().run());
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// Begins an audited read; none when reads are not audited.
    pub fn read(&self, entry: impl FnOnce() -> Entry) -> Option<Read> {
        let enabled = self.0.settings.reads.enabled;
        enabled.then(|| Read { recorder: self.clone(), entry: Mutex::new(Some(Box::new(entry()))) })
    }

    /// Takes a refusal by scope, within the rate limit of its caller.
    pub fn denied(&self, entry: impl FnOnce() -> Entry) {
        self.push_limited(None, entry);
    }

    /// Takes a refusal of a request without a caller, within the rate limit of what it is for. Names
    /// of what requests are for have a `/`, so that no caller's name is one.
    pub fn denied_for(&self, name: &str, entry: impl FnOnce() -> Entry) {
        self.push_limited(Some(name), entry);
    }

    /// Counts a resolution or watch of somebody else by SERVICE, which has no entry.
    pub fn count_service_read(&self) {
        self.0.counts.service_reads.fetch_add(1, Ordering::Relaxed);
    }

    /// The figures now.
    pub fn figures(&self) -> Figures {
        let counts = &self.0.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            audited: read(&counts.audited),
            delivered: read(&counts.delivered),
            service_reads: read(&counts.service_reads),
            suppressed: read(&counts.suppressed),
            dropped: [read(&counts.dropped[0]), read(&counts.dropped[1])],
            lag_micros: read(&counts.lag),
        }
    }

    /// Writes what waits, with the refusals that were only counted, and returns once it is durable or
    /// lost.
    pub async fn close(&self) {
        let now = self.now();
        let suppressed = self.waiting().refusals.close(now);
        self.waiting().entries.extend(suppressed);
        self.write().await;
    }

    /// Writes what waits now.
    pub async fn write(&self) {
        let mut warned = self.0.writing.lock().await;
        let (entries, deliveries) = {
            let mut waiting = self.waiting();
            let expired = waiting.refusals.expire(self.now());
            waiting.entries.extend(expired);
            (mem::take(&mut waiting.entries), mem::take(&mut waiting.deliveries))
        };
        if entries.is_empty() && deliveries.is_empty() {
            return;
        }
        let oldest = entries.first().map(|entry| entry.time);
        let oldest = oldest.into_iter().chain(deliveries.oldest()).min();
        let shared = Arc::clone(&self.0);
        let written = spawn_blocking(move || {
            shared.append(LogKind::Audit, entries.len(), || encode(gathered(entries)));
            shared.append(LogKind::Deliveries, deliveries.len(), || Ok(deliveries.entries()))
        });
        let whole = written.await.is_ok();
        let lag = oldest.map_or(0, |oldest| self.now().micros() - oldest.micros());
        self.0.counts.lag.store(lag.try_into().unwrap_or(0), Ordering::Relaxed);
        let dropped = self.figures().dropped;
        let due = warned.is_none_or(|warned| warned.elapsed() >= WARN);
        if (!whole || dropped != [0, 0]) && due {
            *warned = Some(Instant::now());
            tracing::warn!(
                audit = dropped[0],
                resolution = dropped[1],
                "entries of the logs were lost"
            );
        }
    }

    async fn run(self) {
        let mut retained: Option<Instant> = None;
        loop {
            if retained.is_none_or(|at| at.elapsed() >= RETAIN) {
                self.retain().await;
                retained = Some(Instant::now());
            }
            let wait = match self.waiting().refusals.is_empty() {
                true => RETAIN,
                false => Duration::from_micros(WINDOW.unsigned_abs()),
            };
            if timeout(wait, self.0.wake.notified()).await.is_ok() {
                sleep(GATHER).await;
            }
            self.write().await;
        }
    }

    async fn retain(&self) {
        let shared = Arc::clone(&self.0);
        let now = self.now();
        let retained = spawn_blocking(move || shared.retain(now));
        if let Ok(Err(error)) = retained.await {
            tracing::warn!(%error, "old entries of the logs could not be removed");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Entries are pushed whole.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pushes a refusal within the rate limit of that name, or of its caller; counts one beyond it.
    fn push_limited(&self, name: Option<&str>, entry: impl FnOnce() -> Entry) {
        if !self.0.settings.reads.enabled {
            return;
        }
        let entry = entry();
        let name = name.unwrap_or(&entry.actor).to_owned();
        let mut waiting = self.waiting();
        match waiting.refusals.admit(name, entry) {
            Some(entry) => self.push(waiting, entry),
            None => drop(self.0.counts.suppressed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn push(&self, mut waiting: MutexGuard<'_, Waiting>, entry: Entry) {
        if waiting.entries.len() >= ENTRIES {
            drop(waiting);
            self.0.drop_entries(LogKind::Audit, 1);
            return;
        }
        waiting.entries.push(entry);
        let first = waiting.entries.len() == 1;
        drop(waiting);
        if first {
            self.0.wake.notify_one();
        }
    }
}

impl DeliveryLog for Recorder {
    fn delivered(&self, delivery: DeliveryRef<'_>) {
        if !self.0.settings.deliveries.enabled {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.deliveries.len() >= DELIVERIES || waiting.deliveries.push(delivery).is_err() {
            drop(waiting);
            self.0.drop_entries(LogKind::Deliveries, 1);
            return;
        }
        let first = waiting.deliveries.len() == 1;
        drop(waiting);
        if first {
            self.0.wake.notify_one();
        }
    }
}

// === impl Read ===

impl Read {
    /// Ends the read; only the first end counts.
    pub fn end(&self, outcome: Outcome) {
        let entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(entry) = entry {
            self.recorder.push(self.recorder.waiting(), Entry { outcome, ..*entry });
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.end(Outcome::Failed("CANCELLED".to_owned()));
    }
}

// === impl Shared ===

impl Shared {
    /// Writes entries of a kind; what cannot be written is lost, and counted.
    fn append(&self, kind: LogKind, count: usize, encode: impl FnOnce() -> Result<Vec<LogEntry>>) {
        let count = count as u64;
        if count == 0 {
            return;
        }
        let written = match kind {
            LogKind::Audit => &self.counts.audited,
            LogKind::Deliveries => &self.counts.delivered,
        };
        match encode().and_then(|entries| self.log.append(kind, &entries)) {
            Ok(()) => drop(written.fetch_add(count, Ordering::Relaxed)),
            Err(error) => {
                tracing::debug!(%error, log = kind.as_str(), count, "a batch was lost");
                self.drop_entries(kind, count);
            }
        }
    }

    fn drop_entries(&self, kind: LogKind, count: u64) {
        self.counts.dropped[kind as usize].fetch_add(count, Ordering::Relaxed);
    }

    fn retain(&self, now: Time) -> Result<()> {
        let kinds = [
            (LogKind::Audit, self.settings.reads),
            (LogKind::Deliveries, self.settings.deliveries),
        ];
        for (kind, Keep { age, bytes, .. }) in kinds {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            let since = Time::from_micros(now.micros().saturating_sub(age));
            self.log.retain(kind, since, bytes)?;
        }
        Ok(())
    }
}

/// Entries with those counted as one that repeat the one before.
fn gathered(entries: Vec<Entry>) -> Vec<Entry> {
    let mut gathered: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match gathered.last_mut() {
            Some(last) if last.repeats(&entry) => {
                last.repeats = last.repeats.saturating_add(1).saturating_add(entry.repeats);
            }
            _ => gathered.push(entry),
        }
    }
    gathered
}

fn encode(entries: Vec<Entry>) -> Result<Vec<LogEntry>> {
    let entry = |entry: Entry| Ok(LogEntry { time: entry.time, bytes: entry.encode()?.into() });
    entries.into_iter().map(entry).collect()
}
