//! Power cuts and failing calls at every place: what was acknowledged is there, and what is there
//! is a beginning of what was asked for.

use fastrand::Rng;

use super::*;
use crate::store::Memory;

/// Power cuts of the usual run, and of the release set.
const CUTS: [u32; 2] = [200, 5_000];
/// Probabilities with which an unsynced page or name is kept.
const KEPT: [f64; 4] = [0.0, 0.5, 0.9, 1.0];
/// Revisions of one life of a store.
const STEPS: i64 = 24;

/// A disk that may lose its power, with the store on it.
struct Machine {
    disk: Faulty,
    boot: u32,
    /// Last acknowledged revision.
    acknowledged: Revision,
    /// Last revision that was asked for.
    asked: Revision,
}

// === impl Machine ===

impl Machine {
    fn new() -> Self {
        Self { disk: Faulty::new(), boot: 0, acknowledged: 0, asked: 0 }
    }

    /// Opens the store; the index of another life is not there.
    async fn open(&self, local: &Path) -> Result<Durable> {
        let (io, boot) = (Arc::new(self.disk.clone()), Some(self.boot.to_string()));
        Durable::open_at(Place::new(io, Path::new("/data"), local, boot), small()).await
    }

    /// Writes groups of different sizes until all is written or something fails.
    async fn live(&mut self, store: &Durable, random: &mut Rng, steps: Revision) {
        let end = self.acknowledged + steps;
        while self.acknowledged < end {
            let last = self.acknowledged + random.i64(1..=3);
            let group = plan(self.acknowledged, last);
            self.asked = self.asked.max(last);
            match store.commit(group).await {
                Ok(Commit::Committed(at)) => {
                    assert_eq!(at, last);
                    self.acknowledged = at;
                }
                Ok(Commit::Unknown) | Err(_) => return,
                Ok(other) => panic!("{other:?}"),
            }
        }
    }

    /// Checks a store against what was asked for; answers its head.
    async fn judge(&mut self, store: &Durable) {
        let head = store.linearize().await.unwrap();
        assert!(head >= self.acknowledged, "{head} of {} is there", self.acknowledged);
        assert!(head <= self.asked, "{head} was never asked for");
        let model = Memory::new();
        for at in 1..=head {
            model.commit(plan(at - 1, at)).await.unwrap();
        }
        assert_eq!(store.load().await.unwrap(), model.load().await.unwrap());
        assert_eq!(history(store).await, (1..=head).collect::<Vec<_>>());
        (self.acknowledged, self.asked) = (head, head);
    }
}

/// A folder for the index, in memory where there is such a thing: it is lost with the power anyway.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A group; the record of a revision is always the same. Some are wide.
fn plan(after: Revision, last: Revision) -> Batch {
    let record = |at: Revision| {
        let changes = vec![
            fixtures::put_user(&format!("user{}", at % 7), at),
            match at % 5 {
                0 => fixtures::delete_user("kendall"),
                _ => fixtures::put_user("Kendall", at),
            },
        ];
        let mut record = fixtures::asked(fixtures::record(at, changes), at as u128);
        record.reason = "x".repeat(if at % 11 == 0 { 6_000 } else { 10 * at as usize % 700 });
        record
    };
    Batch::new(after, (after + 1..=last).map(record).collect()).unwrap()
}

/// One life that the power ends at a random call, then a start, again and again.
async fn cut_again_and_again(seed: u64, cuts: u32) {
    let mut random = Rng::with_seed(seed);
    let mut machine = Machine::new();
    for cut in 0..cuts {
        let local = scratch();
        let at = machine.disk.calls() + random.usize(0..220);
        machine.disk.fail_at(at, Fault::PowerOff);
        if let Ok(store) = machine.open(local.path()).await {
            machine.judge(&store).await;
            machine.live(&store, &mut random, STEPS).await;
            if random.bool() {
                store.close().await.ok();
            }
        }
        let keep = KEPT[random.usize(0..KEPT.len())];
        machine.disk = machine.disk.power_cut(&mut random, keep);
        machine.boot += 1;
        let local = scratch();
        let store = machine.open(local.path()).await;
        let store = store.unwrap_or_else(|error| panic!("seed {seed}, cut {cut}: {error}"));
        machine.judge(&store).await;
        if machine.acknowledged > 200 {
            machine = Machine::new();
        }
    }
}

#[tokio::test]
async fn power_cuts_lose_nothing_acknowledged() {
    for seed in 0..4 {
        cut_again_and_again(seed, CUTS[0] / 4).await;
    }
}

#[tokio::test]
#[ignore = "minutes: part of the release set"]
async fn thousands_of_power_cuts_lose_nothing_acknowledged() {
    for seed in 100..120 {
        cut_again_and_again(seed, CUTS[1] / 20).await;
    }
}

/// The calls of one life: start, commits over several segments and checkpoints, clean stop.
async fn life(machine: &mut Machine, local: &Path) {
    let mut random = Rng::with_seed(7);
    if let Ok(store) = machine.open(local).await {
        machine.judge(&store).await;
        machine.live(&store, &mut random, STEPS).await;
        store.close().await.ok();
    }
}

#[tokio::test]
async fn a_call_may_fail_once() {
    fail_calls(8).await;
}

#[tokio::test]
#[ignore = "minutes: part of the release set"]
async fn every_call_may_fail_once_in_every_way() {
    fail_calls(1).await;
}

/// Fails every so many calls, in every way.
async fn fail_calls(every: usize) {
    // Two lives, so that a start from what is there is among the calls.
    let mut whole = Machine::new();
    let local = scratch();
    life(&mut whole, local.path()).await;
    life(&mut whole, local.path()).await;
    let calls = whole.disk.calls();
    assert!(calls > 300, "{calls} calls");
    // A folder whose name was lost cannot be told from one that never was.
    let folders = whole.disk.log().iter().position(|call| call.op == Op::Create).unwrap();
    let faults = [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncFailed];
    for (fault, way) in faults.into_iter().zip(0..) {
        let first = if fault == Fault::SyncFailed { folders } else { 0 };
        for at in (first..calls + 4).skip(way * every / faults.len()).step_by(every) {
            let mut random = Rng::with_seed(at as u64);
            let mut machine = Machine::new();
            let local = scratch();
            machine.disk.fail_at(at, fault);
            life(&mut machine, local.path()).await;
            life(&mut machine, local.path()).await;
            // The process starts again, on the same boot of the machine. The lives differ a little,
            // so the call may have come only now.
            let mut store = machine.open(local.path()).await;
            if machine.disk.calls() > at && store.is_err() {
                store = machine.open(local.path()).await;
            }
            let store = store.unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
            machine.judge(&store).await;
            machine.live(&store, &mut random, 5).await;
            drop(store);
            machine.disk = machine.disk.power_cut(&mut random, KEPT[at % KEPT.len()]);
            machine.boot += 1;
            let local = scratch();
            let store = machine.open(local.path()).await;
            let store = store.unwrap_or_else(|error| {
                panic!("{fault:?} at {at} {:?}, cut: {error}", whole.disk.log().get(at))
            });
            machine.judge(&store).await;
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_never_served() {
    let mut machine = Machine::new();
    let local = scratch();
    let mut random = Rng::with_seed(3);
    let store = machine.open(local.path()).await.unwrap();
    machine.live(&store, &mut random, 60).await;
    store.close().await.unwrap();
    drop(store);
    let store = machine.open(local.path()).await.unwrap();
    machine.live(&store, &mut random, 10).await;
    drop(store);
    let left = machine.disk.power_cut(&mut random, 1.0).snapshot();
    let head = machine.acknowledged;
    let mut places: Vec<_> = machine.disk.files().into_iter().collect();
    places.retain(|(path, bytes)| !bytes.is_empty() && !path.ends_with(Path::new("boot.mark")));
    for _ in 0..150 {
        let (path, bytes) = &places[random.usize(0..places.len())];
        let bit = random.u64(0..bytes.len() as u64 * 8);
        machine.disk = Faulty::from(left.clone());
        machine.disk.flip_bit(path, bit).unwrap();
        let local = scratch();
        machine.boot += 1;
        let Ok(store) = machine.open(local.path()).await else {
            continue;
        };
        // The last group may look like one that was being written.
        machine.acknowledged = head - 3;
        machine.asked = head;
        machine.judge(&store).await;
    }
}
