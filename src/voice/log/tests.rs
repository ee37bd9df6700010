use std::time::Duration;

use rustix::io::Errno;

use super::*;
use crate::{
    domain::{Time, UniqueName, UserId},
    store::io::{
        Disk,
        fault::{Fault, Faulty, Op},
    },
};

fn call(number: u128, to: &str) -> Call {
    let (user, provider) =
        (UserId::parse("anna").unwrap(), UniqueName::parse("con_voice").unwrap());
    Call::outbound(Uuid::from_u128(number), user, provider, to.to_owned(), Time::from_micros(1))
}

fn open(folder: &Path) -> Result<(Log, Vec<Call>), Error> {
    Log::open(&Tasks::default(), Arc::new(Disk), folder, |_| true)
}

/// The calls after a start, once the thread of the log before has ended.
fn reopened(folder: &Path) -> Vec<Call> {
    let mut calls = open(folder).unwrap().1;
    calls.sort_by_key(|call| call.call_id);
    calls
}

async fn put(log: &Log, call: &Call) {
    let kept = log.append(call).durable();
    assert!(tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap());
}

fn file(folder: &Path) -> PathBuf {
    numbered(&Disk, folder).unwrap().pop().unwrap().1
}

#[tokio::test]
async fn the_newest_state_of_each_call_is_there_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (log, calls) = open(folder.path()).unwrap();
    assert!(calls.is_empty());
    let (one, two) = (call(1, "+12"), call(2, "+13"));
    for state in [&one, &two, &call(1, "+14")] {
        put(&log, state).await;
    }
    assert_eq!(reopened(folder.path()), [call(1, "+14"), two]);
    let (_, calls) =
        Log::open(&Tasks::default(), Arc::new(Disk), folder.path(), |call| call.to == "+14")
            .unwrap();
    assert_eq!(calls, [call(1, "+14")], "what is not retained is gone for good");
    assert_eq!(reopened(folder.path()), [call(1, "+14")]);
    assert_eq!(numbered(&Disk, folder.path()).unwrap().len(), 1, "one file is left");
}

#[tokio::test]
async fn a_torn_tail_is_left_out_at_every_length() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path()).unwrap();
    put(&log, &call(1, "+12")).await;
    put(&log, &call(2, "+13")).await;
    let whole = std::fs::read(file(folder.path())).unwrap();
    let size = entry(&call(1, "+12")).unwrap().len();
    for end in MAGIC.len()..MAGIC.len() + 2 * size {
        let torn = tempfile::tempdir().unwrap();
        std::fs::write(path(torn.path(), 1), &whole[..end]).unwrap();
        let kept = (end - MAGIC.len()) / size;
        assert_eq!(reopened(torn.path()).len(), kept, "{end} bytes");
    }
}

#[tokio::test]
async fn a_flipped_bit_before_a_whole_entry_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path()).unwrap();
    put(&log, &call(1, "+12")).await;
    put(&log, &call(2, "+13")).await;
    let whole = std::fs::read(file(folder.path())).unwrap();
    let first = MAGIC.len() + entry(&call(1, "+12")).unwrap().len();
    for at in 0..first {
        let bad = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(path(bad.path(), 1), &bytes).unwrap();
        let error = open(bad.path()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "byte {at}: {error}");
        assert_eq!(std::fs::read(path(bad.path(), 1)).unwrap(), bytes, "nothing is touched");
    }
}

#[tokio::test]
async fn a_log_that_grew_is_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path()).unwrap();
    let mut large = call(1, "+12");
    large.context = [("key".to_owned(), "x".repeat(4_000))].into();
    for number in 0..2_500_u32 {
        large.sequence = number.into();
        put(&log, &large).await;
    }
    let length = std::fs::metadata(file(folder.path())).unwrap().len();
    assert!(length < MIN_COMPACT + 2 * PREALLOCATE, "{length} bytes");
    assert_eq!(reopened(folder.path())[0].sequence, 2_499);
}

#[tokio::test]
async fn a_compaction_drops_what_is_not_retained() {
    let folder = tempfile::tempdir().unwrap();
    let retained = |call: &Call| call.to == "+12";
    let (log, _) = Log::open(&Tasks::default(), Arc::new(Disk), folder.path(), retained).unwrap();
    put(&log, &call(2, "+13")).await;
    let mut large = call(1, "+12");
    large.context = [("key".to_owned(), "x".repeat(4_000))].into();
    for _ in 0..1_200 {
        put(&log, &large).await;
    }
    assert_eq!(reopened(folder.path()), [large]);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    let (io, folder) = (Faulty::new(), Path::new("/calls"));
    let opened = Log::open(&Tasks::default(), Arc::new(io.clone()), folder, |_| true);
    let (log, _) = opened.unwrap();
    put(&log, &call(1, "+12")).await;
    io.fail_at(io.calls() + 1, Fault::SyncFailed);
    assert!(!log.append(&call(2, "+13")).durable().await);
    assert!(!log.append(&call(3, "+14")).durable().await, "nothing is written after a failure");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut() {
    let mut random = fastrand::Rng::with_seed(7);
    for keep in [0.0, 0.5, 0.9, 1.0] {
        for _ in 0..25 {
            let (io, folder) = (Faulty::new(), Path::new("/calls"));
            let (log, _) =
                Log::open(&Tasks::default(), Arc::new(io.clone()), folder, |_| true).unwrap();
            let calls = random.u128(1..20);
            for number in 0..calls {
                put(&log, &call(number, "+12")).await;
            }
            // One more is on its way when the power goes.
            let late = log.append(&call(99, "+13"));
            let cut = io.power_cut(&mut random, keep);
            drop(late);
            let (_, kept) = Log::open(&Tasks::default(), Arc::new(cut), folder, |_| true).unwrap();
            let acknowledged = kept.iter().filter(|call| call.to == "+12").count();
            assert_eq!(acknowledged as u128, calls, "keep {keep}");
        }
    }
}

/// The calls that another start finds, sorted by their numbers.
fn found(io: &Faulty) -> Vec<Call> {
    let (_, mut calls) =
        Log::open(&Tasks::default(), Arc::new(io.clone()), Path::new("/calls"), |_| true).unwrap();
    calls.sort_by_key(|call| call.call_id);
    calls
}

/// A log on a disk of the test's own.
fn on(io: &Faulty) -> Log {
    Log::open(&Tasks::default(), Arc::new(io.clone()), Path::new("/calls"), |_| true).unwrap().0
}

/// A call whose state takes about so many bytes.
fn wide(number: u128, bytes: usize) -> Call {
    let mut call = call(number, "+12");
    call.context = [("key".to_owned(), "x".repeat(bytes))].into();
    call
}

#[tokio::test]
async fn what_is_lacking_refuses_a_state_and_no_later_one() {
    for (op, errno) in
        [(Op::Reserve, Errno::NOSPC), (Op::Reserve, Errno::DQUOT), (Op::Reserve, Errno::NOMEM)]
    {
        let io = Faulty::new();
        let log = on(&io);
        io.fail_when(Fault::Of(errno), move |call| call.op == op);
        assert!(!log.append(&call(1, "+12")).durable().await, "{errno:?}");
        put(&log, &call(2, "+13")).await;
        assert_eq!(found(&io), [call(2, "+13")], "{errno:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_too_large_is_refused_alone() {
    let io = Faulty::new();
    let log = on(&io);
    let (large, small) = (log.append(&wide(1, MAX_ENTRY)), log.append(&call(2, "+13")));
    assert!(!large.durable().await);
    assert!(small.durable().await);
    put(&log, &call(3, "+14")).await;
    assert_eq!(found(&io), [call(2, "+13"), call(3, "+14")]);
}

#[tokio::test]
async fn a_log_that_cannot_be_compacted_goes_on() {
    for (op, errno) in [
        (Op::Create, Errno::MFILE),
        (Op::Create, Errno::NOSPC),
        (Op::Rename, Errno::NOSPC),
        (Op::SyncDir, Errno::MFILE),
    ] {
        let io = Faulty::new();
        let log = on(&io);
        // Only of a new file, or of its name.
        io.fail_when(Fault::Of(errno), move |call| {
            call.op == op && (call.path.ends_with("calls.tmp") || call.path.ends_with("calls"))
        });
        let mut acknowledged = 0;
        for number in 0..150 {
            let mut state = wide(1, 60_000);
            state.sequence = number;
            if log.append(&state).durable().await {
                acknowledged = number;
            }
        }
        assert_eq!(acknowledged, 149, "{op:?}, {errno:?}");
        let cut = io.power_cut(&mut fastrand::Rng::with_seed(1), 0.0);
        assert_eq!(found(&cut)[0].sequence, 149, "{op:?}, {errno:?}");
        let lengths: Vec<_> = io.files().into_values().map(|bytes| bytes.len() as u64).collect();
        assert!(lengths.len() == 1 && lengths[0] < MIN_COMPACT + 4 * PREALLOCATE, "{lengths:?}");
    }
}

#[tokio::test]
async fn a_log_starts_on_a_full_disk_and_is_written_when_there_is_room() {
    let fill_up = |io: &Faulty| {
        io.set_capacity(io.files().values().map(|bytes| bytes.len() as u64).sum());
    };
    // Without a file, and with one that has a torn tail.
    for torn in [false, true] {
        let io = Faulty::new();
        let mut expected = Vec::new();
        if torn {
            let log = on(&io);
            put(&log, &call(1, "+12")).await;
            expected.push(call(1, "+12"));
            drop(log);
            let path = path(Path::new("/calls"), 1);
            let (calls, end) = read(&io, &path).unwrap();
            let mut file = io.open(&path).unwrap();
            let torn = entry(&wide(9, 1_000)).unwrap();
            file.write_at(end as u64, &torn[..torn.len() - 1]).unwrap();
            assert_eq!(calls, expected);
        }
        fill_up(&io);
        let (log, calls) =
            Log::open(&Tasks::default(), Arc::new(io.clone()), Path::new("/calls"), |_| true)
                .unwrap();
        assert_eq!(calls.len(), expected.len());
        if !torn {
            assert!(!log.append(&call(2, "+13")).durable().await);
        }
        io.set_capacity(1 << 30);
        put(&log, &call(3, "+14")).await;
        expected.push(call(3, "+14"));
        expected.sort_by_key(|call| call.call_id);
        let cut = io.power_cut(&mut fastrand::Rng::with_seed(1), 0.0);
        let mut kept = found(&cut);
        kept.sort_by_key(|call| call.call_id);
        assert_eq!(kept, expected, "torn: {torn}");
    }
}

#[tokio::test]
async fn states_that_find_the_queue_full_are_refused_and_those_before_are_kept() {
    let (queue, mut entries) = mpsc::channel(QUEUE);
    let log = Log { queue: Some(queue) };
    // The disk takes nothing at present.
    let waiting: Vec<_> = (0..QUEUE).map(|i| log.append(&call(i as u128, "+14"))).collect();
    assert!(!log.append(&call(9_999, "+14")).durable().await, "the queue is full");
    let (first, kept) = entries.recv().await.unwrap();
    assert_eq!(first.call_id, Uuid::from_u128(0));
    kept.send(true).unwrap();
    let late = log.append(&call(10_000, "+14"));
    while let Ok((_, kept)) = entries.try_recv() {
        kept.send(true).unwrap();
    }
    for kept in waiting.into_iter().chain([late]) {
        assert!(kept.durable().await);
    }
}
