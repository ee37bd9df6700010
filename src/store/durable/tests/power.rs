//! Power cuts at every place, over what a store does in its life. No start after a cut may be
//! refused: nothing that a power cut leaves is damage.

use fastrand::Rng;

use super::{
    machine::{KEPT, Kind, Machine, Recording, scratch},
    *,
};
use crate::{
    domain::Object,
    store::{Record, io::fault::Call},
};

/// The same few objects again and again, so that segments and checkpoints come and go.
pub(super) const OVERWRITE: Recording = Recording {
    name: "overwrite",
    segment_bytes: 3 << 10,
    checkpoint_bytes: 6 << 10,
    record: overwrite,
    group: 3,
    groups: 12,
    calls: 120,
    aim: None,
    until: 200,
};

/// Checkpoints of several blocks, after every other group.
const CHECKPOINT: Recording = Recording {
    name: "checkpoint",
    segment_bytes: 64 << 10,
    checkpoint_bytes: 24 << 10,
    record: |at| wide_user(at, 120_000),
    group: 2,
    groups: 6,
    calls: 70,
    aim: Some(Kind::NewCheckpoint),
    until: 60,
};

/// A segment for every group or two, and no checkpoint but the last.
const ROLL: Recording = Recording {
    name: "segment roll",
    segment_bytes: 1 << 10,
    checkpoint_bytes: 1 << 20,
    record: overwrite,
    group: 2,
    groups: 10,
    calls: 90,
    aim: None,
    until: 60,
};

/// Groups of several MiB.
const IMPORT_OF_WIDE: Recording = Recording {
    name: "import of wide records",
    segment_bytes: 1 << 20,
    checkpoint_bytes: 8 << 20,
    record: |at| wide(at, 300_000),
    group: 20,
    groups: 2,
    calls: 30,
    aim: None,
    until: 40,
};

/// Groups of ten thousand.
const IMPORT_OF_MANY: Recording = Recording {
    name: "import of 10 000 records",
    segment_bytes: 1 << 20,
    checkpoint_bytes: 64 << 20,
    record: |at| fixtures::record(at, vec![fixtures::put_user(&format!("user{at}"), at)]),
    group: -10_000,
    groups: 1,
    calls: 12,
    aim: None,
    until: 10_000,
};

/// Objects of every kind in one record of several MiB, rollbacks of them, and their removal.
const SHAPES: Recording = Recording {
    name: "imports of every kind and rollbacks",
    segment_bytes: 1 << 20,
    checkpoint_bytes: 4 << 20,
    record: |at| shapes::record(at, shapes::WIDE),
    group: 2,
    groups: 4,
    calls: 40,
    aim: None,
    until: 24,
};

/// Every recording with its power cuts in the usual run and in the release set; those of a restore
/// come to them.
pub(super) static SHARES: [(&Recording, [u32; 2]); 6] = [
    (&OVERWRITE, [60, 1_600]),
    (&CHECKPOINT, [40, 1_000]),
    (&ROLL, [40, 1_000]),
    (&IMPORT_OF_WIDE, [16, 400]),
    (&IMPORT_OF_MANY, [4, 200]),
    (&SHAPES, [10, 200]),
];

/// What was met in the course of a recording.
#[derive(Debug, Default)]
pub(super) struct Met {
    cuts: u32,
    at_start: u32,
    within_a_call: u32,
    lost_groups: u32,
    segments_made: usize,
    segments_released: usize,
    checkpoints: usize,
    checkpoints_interrupted: u32,
    histories: usize,
    histories_interrupted: u32,
}

/// A record that writes users whom others write too; some are wide.
fn overwrite(at: Revision) -> Record {
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
}

fn wide(at: Revision, bytes: usize) -> Record {
    let changes = vec![fixtures::put_user(&format!("user{}", at % 50), at)];
    Record { reason: "x".repeat(bytes), ..fixtures::record(at, changes) }
}

/// A record whose object is wide, and not the record alone.
fn wide_user(at: Revision, bytes: usize) -> Record {
    let mut record = wide(at, 0);
    let Some(Change::Put(Object::User(user))) = record.changes.first_mut() else {
        panic!("it writes a user")
    };
    Arc::make_mut(user).email = "x".repeat(bytes);
    record
}

// === impl Met ===

impl Met {
    fn note(&mut self, log: &[Call]) {
        let count = |op: Op, kind: Kind| {
            log.iter().filter(|call| call.op == op && Kind::of(call) == kind).count()
        };
        self.segments_made += count(Op::Rename, Kind::NewSegment);
        self.segments_released += count(Op::Remove, Kind::Segment);
        self.checkpoints += count(Op::Rename, Kind::NewCheckpoint);
        let begun = count(Op::Create, Kind::NewCheckpoint);
        self.checkpoints_interrupted += u32::from(begun > count(Op::Rename, Kind::NewCheckpoint));
        self.histories += count(Op::Rename, Kind::NewHistory);
        let begun = count(Op::Create, Kind::NewHistory);
        self.histories_interrupted += u32::from(begun > count(Op::Rename, Kind::NewHistory));
    }
}

/// Lives that the power ends at a random call, of the start or of the writes, each judged by the
/// start of the next one.
pub(super) async fn cut(recording: &'static Recording, seed: u64, cuts: u32) -> Met {
    let mut random = Rng::with_seed(seed);
    let (mut machine, mut met) = (Machine::new(recording), Met::default());
    loop {
        let local = scratch();
        let starting = met.cuts < cuts && random.u8(0..4) == 0;
        let at = random.usize(0..40);
        if starting {
            machine.disk.fail_at(at, Fault::PowerOff);
        }
        match machine.open(local.path()).await {
            // The index was still being built.
            Ok(store) if store.followed().await.is_err() => {
                assert!(starting && machine.disk.calls() > at, "{}, seed {seed}", recording.name);
                met.at_start += 1;
            }
            // It started before its power was to go; what it does beside must not lose it later.
            Ok(store) if starting && !machine.disk.call_off() => {
                drop(store);
                met.at_start += 1;
            }
            Ok(store) => {
                met.lost_groups += u32::from(store.linearize().await.unwrap() < machine.asked);
                machine.judge(&store).await;
                if met.cuts == cuts {
                    return met;
                }
                if !starting {
                    machine.set_fault(&mut random);
                }
                machine.live(&store, &mut random, recording.groups).await;
                if random.bool() {
                    store.close().await.ok();
                }
            }
            Err(_) if starting && machine.disk.calls() > at => met.at_start += 1,
            Err(error) => panic!("{}, seed {seed}, cut {}: {error}", recording.name, met.cuts),
        }
        met.within_a_call += u32::from(!machine.disk.call_off());
        met.note(&machine.disk.log());
        machine.lose_power(&mut random, KEPT[met.cuts as usize % KEPT.len()]);
        met.cuts += 1;
        if machine.acknowledged >= recording.until && met.cuts < cuts {
            // What this disk holds is judged before it goes.
            let local = scratch();
            machine.judge(&machine.open(local.path()).await.unwrap()).await;
            machine = Machine::new(recording);
        }
    }
}

/// Cuts the power in one recording, says what was met, and asks that it was met.
pub(super) async fn cut_all(nth: usize, set: usize) {
    let (recording, cuts) = SHARES[nth];
    let met = cut(recording, nth as u64, cuts[set]).await;
    println!("power cuts, {}: nothing lost, nothing wrong, none refused; {met:?}", recording.name);
    assert!(met.within_a_call * 2 >= met.cuts, "{met:?}");
    assert!(met.lost_groups > 0 && met.segments_made > 0, "{met:?}");
    match recording.name {
        // On a busy machine few checkpoints are done before so many cuts: releases need many.
        "overwrite" => {
            let released = met.segments_released > 0 || met.cuts < 1_000;
            assert!(released && met.checkpoints > 0, "{met:?}");
        }
        "checkpoint" => {
            assert!(met.checkpoints > 0 && met.checkpoints_interrupted > 0, "{met:?}");
            assert!(met.histories > 0 && met.histories_interrupted > 0, "{met:?}");
        }
        "segment roll" => assert!(met.segments_made > 2 * met.cuts as usize, "{met:?}"),
        _ => {}
    }
}

macro_rules! usual {
    ($($name:ident = $nth:literal),*) => {
        $(#[tokio::test]
        async fn $name() {
            cut_all($nth, 0).await;
        })*
    };
}

usual!(
    overwrites_survive_power_cuts = 0,
    checkpoints_survive_power_cuts = 1,
    rolling_segments_survive_power_cuts = 2,
    wide_imports_survive_power_cuts = 3,
    imports_of_many_survive_power_cuts = 4,
    imports_of_every_kind_and_rollbacks_survive_power_cuts = 5
);
