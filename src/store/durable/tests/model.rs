//! Random histories with crashes between: kills, power cuts and failing calls. The store answers
//! what the naive model answers; what nobody was answered for is there as a whole or not at all.

use fastrand::Rng;

use super::{
    machine::{KEPT, scratch},
    *,
};
use crate::{
    domain::{Change, Kind, ObjectKey},
    store::Memory,
};

/// A store on a disk with faults, and the model that goes with it.
struct Pair {
    disk: Faulty,
    local: tempfile::TempDir,
    boot: u32,
    store: Option<Durable>,
    model: Memory,
    /// The batch whose commit nobody was answered for.
    unsettled: Option<Batch>,
}

/// What was met.
#[derive(Debug, Default)]
struct Met {
    commits: u32,
    conflicts: u32,
    unknown: u32,
    unknown_kept: u32,
    kills: u32,
    stops: u32,
    power_cuts: u32,
}

fn plan(random: &mut Rng, after: Revision) -> Batch {
    let mut at = after;
    let records = (0..random.usize(1..4)).map(|_| {
        at += random.i64(1..300);
        // Imports of every kind and rollbacks, larger than a segment.
        if random.u8(0..12) == 0 {
            return shapes::record(at, 100);
        }
        let change = |_| -> Change {
            let id = format!("user{}", random.u8(0..6));
            if random.bool() { fixtures::put_user(&id, at) } else { fixtures::delete_user(&id) }
        };
        let plain = fixtures::record(at, (0..at % 4).map(change).collect());
        if at % 2 == 0 { fixtures::asked(plain, at as u128) } else { plain }
    });
    let records = records.collect();
    Batch::new(after, records).unwrap()
}

// === impl Pair ===

impl Pair {
    async fn new() -> Self {
        let (disk, local, model) = (Faulty::new(), scratch(), Memory::new());
        let mut pair = Self { disk, local, boot: 0, store: None, model, unsettled: None };
        pair.open(&mut Met::default()).await;
        pair
    }

    /// Starts, and settles what was not known.
    async fn open(&mut self, met: &mut Met) {
        let (io, boot) = (Arc::new(self.disk.clone()), Some(self.boot.to_string()));
        let layout = Layout::new(io, Path::new("/data"), self.local.path(), boot);
        let store = Durable::open_at(layout, small()).await.unwrap();
        let head = store.linearize().await.unwrap();
        if let Some(batch) = self.unsettled.take()
            && head != batch.after()
        {
            assert_eq!(self.model.commit(batch).await.unwrap(), Commit::Committed(head));
            met.unknown_kept += 1;
        }
        self.store = Some(store);
        self.same().await;
    }

    fn has_power(&self) -> bool {
        self.disk.free_space(Path::new("/")).is_ok()
    }

    async fn same(&self) {
        let store = self.store.as_ref().unwrap();
        match store.load().await {
            // It reads files.
            Err(_) if !self.has_power() => return,
            loaded => assert_eq!(loaded.unwrap(), self.model.load().await.unwrap()),
        }
        let profile = ObjectKey::new(Kind::Profile, "msdyn_csw_default_profile");
        let users = ["user0", "user5"].map(|id| Some(fixtures::user_key(id)));
        for key in [None, Some(profile)].into_iter().chain(users) {
            let query = HistoryQuery { key, before: None, limit: 5 };
            let expected = self.model.history(query.clone()).await.unwrap();
            assert_eq!(store.history(query).await.unwrap(), expected);
        }
    }

    /// Commits to both; false when the store takes no more.
    async fn commit(&mut self, random: &mut Rng, met: &mut Met) -> bool {
        let stale = i64::from(random.u8(0..5) == 0);
        let batch = plan(random, self.model.linearize().await.unwrap() + stale);
        let store = self.store.as_ref().unwrap();
        match store.commit(batch.clone()).await {
            Ok(Commit::Unknown) => {
                met.unknown += 1;
                self.unsettled = Some(batch);
                false
            }
            Err(_) => false,
            Ok(answer) => {
                assert_eq!(self.model.commit(batch).await.unwrap(), answer);
                met.commits += u32::from(matches!(answer, Commit::Committed(_)));
                met.conflicts += u32::from(matches!(answer, Commit::Conflict(_)));
                true
            }
        }
    }

    /// One step of a random history.
    async fn step(&mut self, random: &mut Rng, met: &mut Met) {
        let (at, kind) = (self.disk.calls() + random.usize(0..12), random.u8(0..10));
        match kind {
            0 => {
                self.store = None;
                met.kills += 1;
            }
            1 => {
                self.store.take().unwrap().close().await.unwrap();
                met.stops += 1;
            }
            2 => self.disk.fail_at(at, Fault::PowerOff),
            3 => self.disk.fail_at(at, *random.choice(&[Fault::Eio, Fault::SyncFailed]).unwrap()),
            _ => {}
        }
        let mut goes_on = self.store.is_some();
        for _ in 0..random.usize(1..5) {
            goes_on = goes_on && self.commit(random, met).await;
        }
        if goes_on && self.has_power() && !self.store.as_ref().unwrap().engine.context.failed() {
            self.same().await;
            // A fault that was not met is none of the next step.
            if self.has_power() && (!matches!(kind, 2 | 3) || self.disk.calls() > at) {
                return;
            }
        }
        self.store = None;
        if random.bool() || !self.has_power() {
            let keep = *random.choice(&KEPT).unwrap();
            self.disk = self.disk.power_cut(random, keep);
            (self.boot, self.local) = (self.boot + 1, scratch());
            met.power_cuts += 1;
        } else {
            self.disk = Faulty::from(self.disk.snapshot());
        }
        self.open(met).await;
    }
}

/// Random histories, each with a seed of its own.
pub(super) async fn compare_many(histories: u64) {
    let mut met = Met::default();
    for seed in 0..histories {
        let (mut random, mut pair) = (Rng::with_seed(seed), Pair::new().await);
        for _ in 0..12 {
            pair.step(&mut random, &mut met).await;
        }
    }
    println!("histories with crashes: {histories}, all as the model has it; {met:?}");
    let Met { conflicts, unknown, unknown_kept, kills, stops, power_cuts, .. } = met;
    assert!(
        [conflicts, unknown, unknown_kept, kills, stops, power_cuts].iter().all(|met| *met > 0)
    );
}

#[tokio::test]
async fn a_store_with_crashes_answers_what_the_model_answers() {
    compare_many(16).await;
}
