//! Logs on a disk that fails, loses its power or is full, compared with those in memory.

use std::{ops::ControlFlow, path::Path};

use fastrand::Rng;
use proptest::prelude::*;

use super::{
    super::{Ids, Meters, Settings, folder},
    *,
};
use crate::store::{
    MemoryLog,
    io::fault::{Fault, Faulty, Op},
};

const KIND: LogKind = LogKind::Audit;

/// Logs over a disk, with the context that keeps them open.
struct Home {
    disk: Faulty,
    context: Arc<Context>,
    logs: Logs,
    _local: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self::on(Faulty::new(), 1)
    }

    /// Opens the logs of a disk as another process does.
    fn on(disk: Faulty, store: u128) -> Self {
        let local = tempfile::tempdir().unwrap();
        disk.make_dir(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let io = Arc::new(disk.clone());
        let layout = Layout::new(io, Path::new("/data"), local.path(), None);
        let settings = Settings { min_free_bytes: 0, ..Settings::default() };
        let ids =
            Ids { store: uuid::Uuid::from_u128(store), incarnation: uuid::Uuid::from_u128(2) };
        let lock = folder::take(local.path()).unwrap();
        let context = Context::new(layout, settings, ids, Meters::default(), lock);
        let context = Arc::new(context);
        let logs = Logs::new(&context).with_file_bytes(600);
        Self { disk, context, logs, _local: local }
    }

    /// What the next process finds after a cut of the power now.
    fn cut(&self, seed: u64, keep: f64) -> Self {
        Self::on(self.disk.power_cut(&mut Rng::with_seed(seed), keep), 1)
    }

    fn append(&self, times: std::ops::RangeInclusive<i64>) -> Result<()> {
        self.logs.append(KIND, &times.map(entry).collect::<Vec<_>>())
    }

    fn times(&self) -> Vec<i64> {
        times(&self.logs, &all())
    }

    fn files(&self) -> Vec<PathBuf> {
        files::list(&self.disk, &self.context.layout.logs(), file::ENDING).unwrap()
    }
}

fn entry(time: i64) -> LogEntry {
    LogEntry { time: Time::from_micros(time), bytes: format!("entry {time:>80}").into() }
}

fn all() -> LogQuery {
    LogQuery { budget: usize::MAX, ..LogQuery::default() }
}

/// The times of what a query finds, newest first; numbers must fall.
fn times(log: &dyn Log, query: &LogQuery) -> Vec<i64> {
    let (mut found, mut last) = (Vec::new(), u64::MAX);
    let next = log.visit(KIND, query, &mut |logged| {
        assert!(logged.sequence < last);
        last = logged.sequence;
        found.push(logged.time.micros());
        ControlFlow::Continue(())
    });
    assert_eq!(next.unwrap(), None);
    found
}

fn falling(times: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    times.rev().collect()
}

#[test]
fn what_was_appended_is_there_after_a_kill_and_a_power_cut() {
    let home = Home::new();
    assert_eq!((home.times(), home.files().len()), (vec![], 0), "nothing is made by asking");
    for round in 0..5 {
        home.append(round * 4 + 1..=round * 4 + 4).unwrap();
    }
    assert_eq!(home.times(), falling(1..=20));
    assert!(home.files().len() > 2, "files are rolled");
    for (seed, keep) in [(1, 0.0), (2, 0.5), (3, 1.0)] {
        let next = home.cut(seed, keep);
        assert_eq!(next.times(), falling(1..=20));
        next.append(21..=22).unwrap();
        assert_eq!(next.times(), falling(1..=22));
    }
    let killed = Home::on(home.disk, 1);
    assert_eq!(killed.times(), falling(1..=20));
}

#[test]
fn a_cut_at_any_call_leaves_what_was_acknowledged_and_a_log_that_goes_on() {
    let dry = Home::new();
    (0..4).for_each(|round| dry.append(round * 3 + 1..=round * 3 + 3).unwrap());
    let calls = dry.disk.calls();
    let mut torn = 0;
    for at in 0..calls {
        for (seed, keep) in [(at as u64, 0.0), (at as u64 + 1_000, 0.5), (at as u64 + 2_000, 1.0)] {
            let home = Home::new();
            home.disk.fail_at(at, Fault::PowerOff);
            let acknowledged =
                (0..4).take_while(|round| home.append(round * 3 + 1..=round * 3 + 3).is_ok());
            let acknowledged = acknowledged.count() as i64 * 3;
            let next = home.cut(seed, keep);
            let found = next.times();
            let kept = found.len() as i64;
            assert!(kept >= acknowledged, "call {at}: {kept} of {acknowledged}");
            assert_eq!(found, falling(1..=kept), "call {at}");
            torn += usize::from(kept > acknowledged);
            next.append(100..=101).unwrap();
            assert_eq!(next.times()[..2], [101, 100], "call {at}");
        }
    }
    assert!(torn > 0, "no cut left more than was acknowledged");
}

#[test]
fn s11_3_a_failure_loses_its_batch_and_nothing_else() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncFailed, Fault::Denied] {
        for op in [Op::Create, Op::Write, Op::Sync, Op::SyncDir, Op::FreeSpace] {
            let home = Home::new();
            home.append(1..=2).unwrap();
            home.disk.fail_when(fault, move |call| call.op == op);
            let mut lost = None;
            // Until it meets the call that fails: not every batch begins a file.
            for time in 3..20 {
                if home.append(time..=time).is_err() {
                    lost = Some(time);
                    break;
                }
            }
            let context = format!("{fault:?} of {op:?}");
            let Some(lost) = lost else { continue };
            home.append(lost + 1..=lost + 1).unwrap();
            let expected: Vec<_> = (1..=lost + 1).rev().filter(|time| *time != lost).collect();
            assert_eq!(home.times(), expected, "{context}");
            assert!(!home.context.failed(), "{context}: the store goes on");
            let next = Home::on(home.disk.clone(), 1);
            let found = next.times();
            assert!(found == expected || found == falling(1..=lost + 1), "{context}: {found:?}");
        }
    }
}

#[test]
fn a_full_disk_takes_no_entries_and_the_log_goes_on_when_there_is_room() {
    let home = Home::new();
    home.append(1..=2).unwrap();
    home.disk.set_capacity(0);
    assert!(matches!(home.append(3..=3), Err(Error::ReadOnly(_) | Error::Engine(_))));
    home.disk.set_capacity(1 << 30);
    home.append(4..=4).unwrap();
    assert_eq!(home.times(), [4, 2, 1]);
}

#[test]
fn a_flipped_bit_costs_its_frame_alone() {
    let home = Home::new();
    for time in 1..=4 {
        home.append(time..=time).unwrap();
    }
    let file = home.files().remove(0);
    let frame = (home.disk.files()[&file].len() - file::HEADER) / 4;
    for (nth, expected) in [(0, [4, 3, 2]), (1, [4, 3, 1]), (3, [3, 2, 1])] {
        let damaged = Home::on(home.disk.snapshot().into(), 1);
        let bit = (file::HEADER + nth * frame + 40) as u64 * 8;
        damaged.disk.flip_bit(&file, bit).unwrap();
        assert_eq!(damaged.times(), expected);
        damaged.append(9..=9).unwrap();
        assert_eq!(damaged.times()[0], 9);
    }
}

#[test]
fn a_file_of_another_store_or_a_newer_program_is_left_alone() {
    let theirs = Home::new();
    theirs.append(1..=2).unwrap();
    let ours = Home::on(theirs.disk.clone(), 7);
    assert!(ours.times().is_empty());
    ours.append(3..=3).unwrap();
    ours.logs.retain(KIND, Time::from_micros(100), 0).unwrap();
    assert_eq!((ours.times(), ours.files().len()), (vec![3], 2));
    assert_eq!(Home::on(theirs.disk, 1).times(), [2, 1]);
}

#[test]
fn s11_3_entries_are_kept_for_their_time_and_up_to_their_size() {
    let home = Home::new();
    let files = |until: i64| {
        (1..=until).for_each(|time| home.append(time * 10..=time * 10).unwrap());
        home.files().len()
    };
    let many = files(40);
    assert!(many > 5);
    home.logs.retain(KIND, Time::from_micros(0), u64::MAX).unwrap();
    assert_eq!(home.times().len(), 40, "nothing is old");
    home.logs.retain(KIND, Time::from_micros(200), u64::MAX).unwrap();
    let left = home.times();
    assert!(left.len() < 40 && left.contains(&200) && left.contains(&400), "{left:?}");
    assert!(*left.last().unwrap() > 100, "whole files go: {left:?}");
    home.logs.retain(KIND, Time::from_micros(0), 1_300).unwrap();
    assert!(home.files().len() <= 2);
    home.logs.retain(KIND, Time::from_micros(9_999), 0).unwrap();
    assert_eq!(home.files().len(), 1, "the file that is being written stays");
    // The next process writes another one, so the old one may go.
    let next = Home::on(home.disk.clone(), 1);
    next.logs.retain(KIND, Time::from_micros(9_999), 0).unwrap();
    assert!(next.files().is_empty());
    next.append(500..=500).unwrap();
    assert_eq!(next.times(), [500]);
}

#[test]
fn kinds_do_not_mix_and_times_never_go_back() {
    let home = Home::new();
    home.append(5..=5).unwrap();
    home.logs.append(LogKind::Deliveries, &[entry(1)]).unwrap();
    home.append(3..=3).unwrap();
    home.append(9..=9).unwrap();
    assert_eq!(home.times(), [9, 5, 5]);
    let next = Home::on(home.disk, 1);
    next.append(2..=2).unwrap();
    assert_eq!(next.times(), [9, 9, 5, 5]);
}

#[test]
fn after_the_end_of_the_store_nothing_is_written() {
    let home = Home::new();
    home.append(1..=1).unwrap();
    let Home { context, logs, .. } = home;
    drop(context);
    assert!(matches!(logs.append(KIND, &[entry(2)]), Err(Error::Broken)));
}

#[test]
fn a_budget_ends_a_visit_that_the_next_one_goes_on_with() {
    let home = Home::new();
    (1..=30).for_each(|time| home.append(time..=time).unwrap());
    let (mut found, mut below, mut visits) = (Vec::new(), None, 0);
    loop {
        let query = LogQuery { below, budget: 250, ..LogQuery::default() };
        let next = home.logs.visit(KIND, &query, &mut |logged| {
            found.push(logged.time.micros());
            ControlFlow::Continue(())
        });
        visits += 1;
        match next.unwrap() {
            Some(next) => below = Some(next),
            None => break,
        }
    }
    assert_eq!(found, falling(1..=30));
    assert!(visits > 5, "{visits}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_log_on_the_disk_answers_as_one_in_memory(
        steps in prop::collection::vec((0_i64..50, 1_i64..6, any::<bool>()), 1..12),
        queries in prop::collection::vec((0_i64..60, 0_i64..60, 0_usize..30), 8),
    ) {
        let mut home = Home::new();
        let model = MemoryLog::default();
        for (time, count, reopen) in steps {
            let batch: Vec<_> = (time..time + count).map(entry).collect();
            home.logs.append(KIND, &batch).unwrap();
            model.append(KIND, &batch).unwrap();
            if reopen {
                home = Home::on(home.disk.clone(), 1);
            }
        }
        prop_assert_eq!(home.logs.next(KIND).unwrap(), model.next(KIND).unwrap());
        for (since, until, stop) in queries {
            let query = LogQuery {
                below: None,
                since: Some(Time::from_micros(since)),
                until: Some(Time::from_micros(until)),
                budget: usize::MAX,
            };
            prop_assert_eq!(times(&home.logs, &query), times(&model, &query));
            let mut seen = [0, 0];
            let logs: [&dyn Log; 2] = [&home.logs, &model];
            let ends = [0, 1].map(|nth: usize| {
                logs[nth].visit(KIND, &query, &mut |_| {
                    if seen[nth] == stop {
                        return ControlFlow::Break(());
                    }
                    seen[nth] += 1;
                    ControlFlow::Continue(())
                }).unwrap()
            });
            prop_assert_eq!(ends[0], ends[1]);
            prop_assert_eq!(seen[0], seen[1]);
        }
    }
}
