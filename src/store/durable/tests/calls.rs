//! Failing calls: no false acknowledgement, and the next start needs no hand.
//!
//! The recording is two lives, so that a start from what is there is among the calls. A call site is
//! a phase of a life, an operation and a kind of file. In the usual run the first and the last call
//! of every site fail, in the release set every call, each in every way that is different there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use fastrand::Rng;
use rustix::io::Errno;

use super::{
    machine::{KEPT, Kind, Machine, Recording, scratch},
    *,
};
use crate::store::io::fault::Call;

/// Phase of a life, operation, kind of file.
type Site = (&'static str, Op, Kind);

/// Every path is met within a few groups.
const RECORDING: Recording = Recording {
    name: "two lives",
    segment_bytes: 3 << 10,
    checkpoint_bytes: 6 << 10,
    ..super::power::OVERWRITE
};

const PHASES: [&str; 6] = ["first start", "first writes", "first stop", "start", "writes", "stop"];

/// A call that fails: the phase of the lives from whose begin on it is looked for, and its place
/// among those of its kind.
#[derive(Debug, Clone, Copy)]
struct Failing {
    phase: usize,
    op: Op,
    kind: Kind,
    nth: usize,
    fault: Fault,
}

/// A machine that lives twice.
struct Lives {
    machine: Machine,
    local: tempfile::TempDir,
    failing: Option<Failing>,
    /// Calls when the phases began, as far as they came.
    begins: Vec<(usize, usize)>,
    /// Whether the call that fails came.
    met: Arc<AtomicBool>,
}

// === impl Lives ===

impl Lives {
    async fn new(failing: Option<Failing>) -> Self {
        let (machine, local) = (Machine::new(&RECORDING), scratch());
        let mut lives = Self { machine, local, failing, begins: Vec::new(), met: Arc::default() };
        lives.life(0).await;
        lives.life(3).await;
        lives
    }

    fn begin(&mut self, phase: usize) {
        let calls = self.machine.disk.calls();
        self.begins.push((phase, calls));
        if let Some(Failing { op, kind, nth, fault, .. }) =
            self.failing.filter(|failing| failing.phase == phase)
        {
            let (met, mut seen) = (Arc::clone(&self.met), 0);
            self.machine.disk.fail_when(fault, move |call| {
                let alike = call.op == op && Kind::of(call) == kind;
                seen += usize::from(alike);
                let meets = alike && seen > nth;
                met.fetch_or(meets, Ordering::SeqCst);
                meets
            });
        }
    }

    /// Start, writes over several segments and checkpoints, clean stop.
    async fn life(&mut self, phase: usize) {
        let mut random = Rng::with_seed(7);
        self.begin(phase);
        if let Ok(store) = self.machine.open(self.local.path()).await {
            // Building the index may meet the failure, and then the store has ended.
            if store.followed().await.is_ok() {
                self.machine.judge(&store).await;
                self.begin(phase + 1);
                self.machine.live(&store, &mut random, 12).await;
            }
            // The last checkpoint of the writes may be underway still, and is then one of the stop.
            self.begin(phase + 2);
            store.close().await.ok();
        }
    }

    /// The sites of all calls, with their phases.
    fn sites(&self) -> Vec<(Site, usize)> {
        let log = self.machine.disk.log();
        let of = |(at, call): (usize, &Call)| {
            let begun = self.begins.partition_point(|(_, calls)| *calls <= at);
            let phase = self.begins[begun - 1].0;
            ((PHASES[phase], call.op, Kind::of(call)), phase)
        };
        log.iter().enumerate().map(of).collect()
    }
}

/// Whether this way to fail is another one than the plain error.
fn differs(fault: Fault, op: Op) -> bool {
    match fault {
        Fault::ShortWrite => matches!(op, Op::Write | Op::Reserve),
        Fault::SyncFailed => matches!(op, Op::Sync | Op::SyncDir),
        // A handle is wanted by what opens a file or a folder.
        Fault::Of(_) => op.opens(),
        _ => true,
    }
}

/// Lives in which one call fails, and the starts that follow; whether the call came.
async fn fail(failing: Failing) -> bool {
    let mut random = Rng::with_seed(failing.nth as u64);
    let Lives { mut machine, local, met, .. } = Lives::new(Some(failing)).await;
    let came = met.load(Ordering::SeqCst);
    // The process starts again, on the same boot of the machine. The index follows in a thread of
    // its own, so two lives are never quite the same, and the call may come only now.
    let mut store = machine.open(local.path()).await;
    let ended = match &store {
        Ok(store) => store.followed().await.is_err(),
        Err(_) => true,
    };
    if !came && ended {
        drop(store);
        store = machine.open(local.path()).await;
    }
    let store = store.unwrap_or_else(|error| panic!("{failing:?}: {error}"));
    machine.judge(&store).await;
    machine.live(&store, &mut random, 2).await;
    drop(store);
    machine.lose_power(&mut random, KEPT[failing.nth % KEPT.len()]);
    let local = scratch();
    let store = machine.open(local.path()).await;
    let store = store.unwrap_or_else(|error| panic!("{failing:?}, cut: {error}"));
    machine.judge(&store).await;
    met.load(Ordering::SeqCst)
}

/// Fails calls in one way: all, or those that stand for their site.
pub(super) async fn fail_calls(fault: Fault, all: bool) {
    let sites = Lives::new(None).await.sites();
    assert!(sites.len() > 200, "{} calls", sites.len());
    // A folder whose name was lost cannot be told from one that never was.
    let folders = sites.iter().position(|(site, _)| site.1 == Op::Create).unwrap();
    let first = if fault == Fault::SyncFailed { folders } else { 0 };
    let mut wanted: BTreeMap<Site, Vec<Failing>> = BTreeMap::new();
    for (at, (site, phase)) in sites.iter().copied().enumerate() {
        let (_, op, kind) = site;
        if differs(fault, op) {
            let nth = sites[..at].iter().filter(|(other, _)| *other == site).count();
            let calls = wanted.entry(site).or_default();
            if at >= first {
                calls.push(Failing { phase, op, kind, nth, fault });
            }
        }
    }
    // Threads of the store decide when they work: what one life in three has none of may not come.
    let mut always: BTreeSet<Site> = wanted.keys().copied().collect();
    for _ in 0..2 {
        let sites = Lives::new(None).await.sites();
        let others: BTreeSet<_> = sites.into_iter().map(|(site, _)| site).collect();
        always.retain(|site| others.contains(site));
    }
    wanted.retain(|_, calls| !calls.is_empty());
    always.retain(|site| wanted.contains_key(site));
    assert!(always.len() * 10 > wanted.len() * 8, "{} of {}", always.len(), wanted.len());
    let (mut failed, mut came) = (0, 0);
    let mut met = BTreeSet::new();
    for (site, calls) in &wanted {
        for (nth, failing) in calls.iter().enumerate() {
            if all || nth == 0 || nth + 1 == calls.len() {
                // A call of a checkpoint may stay out when that comes later than it did.
                for _ in 0..20 {
                    let comes = fail(*failing).await;
                    (failed, came) = (failed + 1, came + u32::from(comes));
                    met.extend(comes.then_some(*site));
                    if comes || met.contains(site) {
                        break;
                    }
                }
            }
        }
    }
    let all = sites.len();
    println!(
        "failing calls, {fault:?}: {came} of {failed} came, of {all} calls at {} sites, {} of \
         them in each life",
        wanted.len(),
        always.len(),
    );
    let missed: Vec<_> = always.difference(&met).collect();
    assert!(missed.is_empty(), "sites that were not met: {missed:?}");
    assert!(came * 10 > failed * 8, "{came} of {failed}");
}

#[tokio::test]
async fn every_call_site_may_meet_an_error_of_the_device() {
    fail_calls(Fault::Eio, false).await;
}

#[tokio::test]
async fn every_call_site_may_meet_a_full_disk() {
    fail_calls(Fault::Enospc, false).await;
}

#[tokio::test]
async fn every_call_that_opens_may_find_no_handle() {
    fail_calls(Fault::Of(Errno::MFILE), false).await;
}

#[tokio::test]
async fn every_write_may_be_short() {
    fail_calls(Fault::ShortWrite, false).await;
}

#[tokio::test]
async fn every_sync_may_fail() {
    fail_calls(Fault::SyncFailed, false).await;
}
