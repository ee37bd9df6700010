//! A machine that may lose its power, what is written on it, and how it is judged: what was
//! acknowledged is there, and what is there is a beginning of what was asked for.

use fastrand::Rng;

use super::*;
use crate::store::{Memory, Record, io::fault::Call};

/// Probabilities with which an unsynced page or name is kept.
pub(super) const KEPT: [f64; 4] = [0.0, 0.5, 0.9, 1.0];

/// A course of writes, and sizes at which it meets what it is to meet.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: &'static str,
    pub(super) segment_bytes: u64,
    pub(super) checkpoint_bytes: u64,
    /// The record of a revision, always the same.
    pub(super) record: fn(Revision) -> Record,
    /// Most records of a group; all groups have as many when it is negative.
    pub(super) group: i64,
    /// Groups of one life.
    pub(super) groups: usize,
    /// Calls of the writes of one life, about.
    pub(super) calls: usize,
    /// Files that half of the faults hit while they are written: few others would.
    pub(super) aim: Option<Kind>,
    /// Revision from which another disk is taken.
    pub(super) until: Revision,
}

/// A disk that may lose its power, with the store on it.
pub(super) struct Machine {
    pub(super) disk: Faulty,
    pub(super) boot: u32,
    /// Last acknowledged revision.
    pub(super) acknowledged: Revision,
    /// Last revision that was asked for.
    pub(super) asked: Revision,
    recording: &'static Recording,
    /// What was there when it was judged last.
    model: Memory,
}

/// What a file of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    StoreMark,
    BootMark,
    StateMark,
    Segment,
    NewSegment,
    Checkpoint,
    NewCheckpoint,
    History,
    NewHistory,
    Folder,
}

// === impl Recording ===

impl Recording {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            segment_bytes: self.segment_bytes,
            checkpoint_bytes: self.checkpoint_bytes,
            ..small()
        }
    }

    fn plan(&self, after: Revision, last: Revision) -> Batch {
        Batch::new(after, (after + 1..=last).map(self.record).collect()).unwrap()
    }
}

// === impl Machine ===

impl Machine {
    pub(super) fn new(recording: &'static Recording) -> Self {
        let (disk, model) = (Faulty::new(), Memory::new());
        Self { disk, boot: 0, acknowledged: 0, asked: 0, recording, model }
    }

    pub(super) fn layout(&self, local: &Path) -> Layout {
        let (io, boot) = (Arc::new(self.disk.clone()), Some(self.boot.to_string()));
        Layout::new(io, Path::new("/data"), local, boot)
    }

    /// Opens the store; the index is where it was left if the folder is the same.
    pub(super) async fn open(&self, local: &Path) -> Result<Durable> {
        Durable::open_at(self.layout(local), self.recording.settings()).await
    }

    /// Writes groups until there are enough or something fails.
    pub(super) async fn live(&mut self, store: &Durable, random: &mut Rng, groups: usize) {
        for _ in 0..groups {
            let size = self.recording.group;
            let size = if size < 0 { -size } else { random.i64(1..=size) };
            let last = self.acknowledged + size;
            let group = self.recording.plan(self.acknowledged, last);
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

    /// Checks a store against what was asked for, and goes on from what it holds.
    pub(super) async fn judge(&mut self, store: &Durable) {
        let head = store.linearize().await.unwrap();
        assert!(head >= self.acknowledged, "{head} of {} is there", self.acknowledged);
        assert!(head <= self.asked, "{head} was never asked for");
        let known = self.model.linearize().await.unwrap();
        if head > known {
            self.model.commit(self.recording.plan(known, head)).await.unwrap();
        }
        let expected = self.model.load().await.unwrap();
        assert_eq!(store.load().await.unwrap(), expected, "from checkpoint and journal");
        assert_eq!(store.load().await.unwrap(), expected, "once more");
        let all = HistoryQuery { limit: 100_000, ..HistoryQuery::default() };
        let expected = self.model.history(all.clone()).await.unwrap();
        assert!(store.history(all).await.unwrap() == expected, "the history is another one");
        (self.acknowledged, self.asked) = (head, head);
    }

    /// Has the power fail at a call of the writes that come.
    pub(super) fn set_fault(&self, random: &mut Rng) {
        match self.recording.aim.filter(|_| random.bool()) {
            Some(kind) => {
                let mut left = random.usize(1..5);
                self.disk.fail_when(Fault::PowerOff, move |call| {
                    left -= usize::from(Kind::of(call) == kind);
                    left == 0
                });
            }
            None => {
                let at = self.disk.calls() + random.usize(0..self.recording.calls);
                self.disk.fail_at(at, Fault::PowerOff);
            }
        }
    }

    /// Loses the power and gets it back.
    pub(super) fn lose_power(&mut self, random: &mut Rng, keep: f64) {
        self.disk = self.disk.power_cut(random, keep);
        self.boot += 1;
    }
}

// === impl Kind ===

impl Kind {
    pub(super) fn of(call: &Call) -> Self {
        let name = call.path.to_str().unwrap();
        let known = [
            ("store.", Self::StoreMark),
            ("boot.", Self::BootMark),
            ("state.", Self::StateMark),
            (".seg", Self::Segment),
            ("journal/0", Self::NewSegment),
            (".ckpt", Self::Checkpoint),
            ("checkpoint/0", Self::NewCheckpoint),
            (".hist", Self::History),
            ("history/0", Self::NewHistory),
        ];
        known.iter().find(|(part, _)| name.contains(part)).map_or(Self::Folder, |(_, kind)| *kind)
    }
}

/// A folder for the index, in memory where there is such a thing: it is lost with the power anyway.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
