//! The engine at work: locks, sizes, room, retention.

use std::time::Instant;

use super::*;
use crate::{domain::Time, store::REQUEST_AGE};

#[tokio::test]
async fn a_second_opener_is_told_the_folder_at_once_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await.unwrap();
    fill(&first, 1..=2).await;
    first.load().await.unwrap();
    // What a live server is writing looks just like what a dead one left.
    let writing = folder.path().join("index/snap.00000000FFFFFFFF.generating");
    std::fs::write(&writing, b"being written").unwrap();
    // The index is written in the background by the store that is open.
    let untouched = || {
        let live = folder.path().join("index");
        let all = content(folder.path()).into_iter();
        all.filter(|(path, _)| !path.starts_with(&live) || *path == writing).collect::<Vec<_>>()
    };
    let before = untouched();
    let since = Instant::now();
    let error = open(folder.path()).await.unwrap_err();
    assert!(since.elapsed() < folder::LOCK_WAIT / 2, "it did not wait");
    assert!(matches!(error, Error::InUse(_)) && error.retryable());
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    assert!(untouched() == before, "the second opener changed a file");
    fill(&first, 3..=3).await;
}

#[tokio::test]
async fn a_program_that_knows_only_the_lock_of_sled_is_respected() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).await.unwrap());
    let index = folder.path().join("index");
    let other = ::sled::Config::new().path(&index).segment_size(super::index::SEGMENT);
    let _db = other.open().unwrap();
    let leftover = index.join("snap.00000000FFFFFFFF.generating");
    std::fs::write(&leftover, b"half").unwrap();
    assert!(matches!(open(folder.path()).await, Err(Error::InUse(_))));
    assert!(leftover.exists());
}

#[tokio::test]
async fn requests_past_their_age_leave_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    let old = fixtures::asked(fixtures::record(1, vec![]), 1);
    let mut late = fixtures::record(2, vec![]);
    late.time = Time::from_micros(old.time.micros() + REQUEST_AGE + 1);
    let mut later = late.clone();
    later.revision = 3;
    for record in [old, late, later] {
        store.commit(Batch::new(record.revision - 1, vec![record]).unwrap()).await.unwrap();
        // One group at a time: each removes what the one before has aged.
        store.load().await.unwrap();
    }
    assert_eq!(store.engine.indexer.index().unwrap().keys_of(b"q/"), 0);
}

#[tokio::test]
async fn a_record_outlives_history_as_long_as_its_request_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { retention: feed_alone(2), ..large() };
    let mut store = Durable::open(folder.path(), settings.clone()).await.unwrap();
    let commit = async |store: &Durable, record: crate::store::Record| {
        let batch = Batch::new(record.revision - 1, vec![record]).unwrap();
        store.commit(batch).await.unwrap();
        store.followed().await.unwrap();
    };
    let first = fixtures::asked(fixtures::record(1, vec![fixtures::put_user("jane", 1)]), 1);
    let header = first.header().unwrap();
    commit(&store, first.clone()).await;
    for at in 2..=6 {
        commit(&store, fixtures::record(at, vec![fixtures::put_user("jane", at)])).await;
    }
    assert_eq!(history(&store).await, [5, 6]);
    for _ in 0..2 {
        assert_eq!(store.request(header.key, 6).await.unwrap(), Some(header));
        assert_eq!(store.record(1).await.unwrap().as_ref(), Some(&first));
        assert_eq!(store.record(2).await.unwrap(), None, "it has no request");
        // The same from an index that is built from the checkpoint.
        store.close().await.unwrap();
        drop(store);
        std::fs::remove_dir_all(folder.path().join("index")).unwrap();
        store = Durable::open(folder.path(), settings.clone()).await.unwrap();
    }
    for at in 7..=9 {
        let mut late = fixtures::record(at, vec![]);
        late.time = Time::from_micros(first.time.micros() + REQUEST_AGE + at);
        commit(&store, late).await;
    }
    assert_eq!(history(&store).await, [8, 9]);
    assert_eq!(store.request(header.key, 9).await.unwrap(), None);
    assert_eq!(store.record(1).await.unwrap(), None);
    let index = store.engine.indexer.index().unwrap();
    for prefix in [b"q/", b"k/"] {
        assert_eq!(index.keys_of(prefix), 0);
    }
}

#[tokio::test]
async fn checkpoints_bound_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), small()).await.unwrap();
    for at in 1..=100 {
        fill(&store, at..=at).await;
        store.rested().await;
    }
    store.close().await.unwrap();
    let checkpoints = files_of(folder.path(), "checkpoint", "ckpt");
    assert_eq!(checkpoints.len(), checkpoint::KEPT);
    assert_eq!(files::number(&checkpoints[1]), Some(100));
    let journal = files_of(folder.path(), "journal", segment::ENDING);
    let bytes: u64 = journal.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    let settings = small();
    assert!(bytes <= 2 * settings.checkpoint_bytes + 2 * settings.segment_bytes, "{bytes}");
    drop(store);
    let store = open_rebooted(folder.path(), "other").await.unwrap();
    assert_eq!(history(&store).await, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_larger_than_a_segment_gets_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), small()).await.unwrap();
    let mut wide = fixtures::record(1, vec![]);
    wide.reason = "x".repeat(100_000);
    store.commit(Batch::new(0, vec![wide.clone()]).unwrap()).await.unwrap();
    fill(&store, 2..=2).await;
    drop(store);
    let lengths: Vec<_> = files_of(folder.path(), "journal", segment::ENDING)
        .iter()
        .map(|path| std::fs::metadata(path).unwrap().len())
        .collect();
    assert!(lengths[0] > 100_000 && lengths[1] == small().segment_bytes, "{lengths:?}");
    let store = open_rebooted(folder.path(), "other").await.unwrap();
    let query = HistoryQuery { before: Some(2), limit: 1, ..HistoryQuery::default() };
    assert_eq!(store.history(query).await.unwrap().items, [wide]);
}

#[tokio::test]
async fn records_past_keeping_go_and_readers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { retention: feed_alone(10), ..large() };
    let store = Durable::open(folder.path(), settings.clone()).await.unwrap();
    let mut early = store.changes(0).await.unwrap();
    for at in 1..=30 {
        fill(&store, at..=at).await;
        store.load().await.unwrap();
    }
    let kept: Vec<_> = (21..=30).collect();
    assert_eq!(history(&store).await, kept);
    let user =
        |name: &str| HistoryQuery { key: Some(fixtures::user_key(name)), before: None, limit: 50 };
    assert_eq!(store.history(user("user3")).await.unwrap().items, []);
    assert_eq!(store.history(user("kendall")).await.unwrap().items.len(), 10);
    let error = early.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Compacted { oldest: 21 }), "{error}");
    assert!(early.next().await.is_none());
    assert!(matches!(store.changes(19).await, Err(Error::Compacted { oldest: 21 })));
    let mut kept_on = store.changes(20).await.unwrap();
    assert_eq!(kept_on.next().await.unwrap().unwrap().revision, 21);
    // What is removed changes no object, and stays removed.
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.len(), 31);
    store.close().await.unwrap();
    drop((store, kept_on, early));
    let layout = Layout::new(Arc::new(Disk), folder.path(), folder.path(), None);
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    let store = Durable::open_at(layout, settings).await.unwrap();
    assert_eq!(store.load().await.unwrap(), loaded);
    assert_eq!(history(&store).await, kept);
}

#[tokio::test]
async fn an_import_evicts_no_history_of_resources() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { records: 5, revisions: 3, directory_revisions: 2 };
    let settings = Settings { retention, ..large() };
    let mut store = Durable::open(folder.path(), settings.clone()).await.unwrap();
    let commit = async |store: &Durable, at: Revision, batch: Batch| {
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Committed(at));
        store.followed().await.unwrap();
    };
    for at in 1..=4 {
        let record = fixtures::record(at, vec![fixtures::put_settings(at)]);
        commit(&store, at, Batch::new(at - 1, vec![record]).unwrap()).await;
    }
    // Every revision writes a user of its own, and Kendall.
    for at in 5..=40 {
        commit(&store, at, fixtures::batch(at - 1, &[at])).await;
    }
    let past = async |store: &Durable, key| {
        let query = HistoryQuery { key: Some(key), before: None, limit: 50 };
        let page = store.history(query).await.unwrap();
        page.items.iter().map(|record| record.revision).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(past(&store, fixtures::put_settings(1).key()).await, [4, 3, 2]);
        assert_eq!(past(&store, fixtures::user_key("user7")).await, [7]);
        assert_eq!(past(&store, fixtures::user_key("kendall")).await, [40, 39, 38, 37, 36]);
        assert_eq!(history(&store).await, [36, 37, 38, 39, 40]);
        assert!(matches!(store.changes(34).await, Err(Error::Compacted { oldest: 36 })));
        // The same from an index that is built from the checkpoint.
        store.close().await.unwrap();
        drop(store);
        std::fs::remove_dir_all(folder.path().join("index")).unwrap();
        store = Durable::open(folder.path(), settings.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn an_almost_full_disk_is_read_only_until_there_is_room() {
    let (disk, local) = (Faulty::new(), tempfile::tempdir().unwrap());
    let layout = Layout::new(Arc::new(disk.clone()), Path::new("/data"), local.path(), None);
    let settings = Settings { min_free_bytes: 64 << 10, ..small() };
    disk.set_capacity(1 << 20);
    let store = Durable::open_at(layout, settings).await.unwrap();
    fill(&store, 1..=3).await;
    disk.set_capacity(60 << 10);
    let error = store.commit(fixtures::batch(3, &[4])).await.unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }) && error.retryable());
    assert!(error.to_string().contains("read-only: disk almost full"), "{error}");
    assert_eq!(history(&store).await, [1, 2, 3]);
    disk.set_capacity(1 << 20);
    fill(&store, 4..=4).await;
}

#[tokio::test]
async fn a_failed_sync_ends_the_engine() {
    let (disk, local) = (Faulty::new(), tempfile::tempdir().unwrap());
    let layout = Layout::new(Arc::new(disk.clone()), Path::new("/data"), local.path(), None);
    let store = Durable::open_at(layout, large()).await.unwrap();
    fill(&store, 1..=2).await;
    let failed = store.failed();
    store.load().await.unwrap();
    // Space, write, sync.
    disk.fail_at(disk.calls() + 2, Fault::SyncFailed);
    assert_eq!(store.commit(fixtures::batch(2, &[3])).await.unwrap(), Commit::Unknown);
    assert_eq!(disk.log().last().unwrap().op, Op::Sync);
    let calls = disk.calls();
    assert!(failed.await.contains("journal"));
    assert!(matches!(store.commit(fixtures::batch(2, &[3])).await, Err(Error::Broken)));
    assert!(matches!(store.close().await, Err(Error::Broken)));
    let synced = disk.log()[calls..]
        .iter()
        .any(|call| call.op == Op::Sync && call.path.starts_with("/data/journal"));
    assert!(!synced, "it was synced again");
    let state = mark::read::<mark::State>(&disk, Path::new("/data")).unwrap().unwrap();
    assert_eq!(state.closed_at, None);
}

#[tokio::test]
async fn a_segment_whose_name_may_not_last_ends_the_engine() {
    let (disk, local) = (Faulty::new(), tempfile::tempdir().unwrap());
    let layout = |disk: &Faulty, local: &Path| {
        Layout::new(Arc::new(disk.clone()), Path::new("/data"), local, None)
    };
    let store = Durable::open_at(layout(&disk, local.path()), small()).await.unwrap();
    let wide = |at: Revision, bytes: usize| {
        let mut record = fixtures::record(at, vec![fixtures::put_user("jane", at)]);
        record.reason = "x".repeat(bytes);
        Batch::new(at - 1, vec![record]).unwrap()
    };
    store.commit(wide(1, 100)).await.unwrap();
    store.commit(wide(2, 100)).await.unwrap();
    disk.fail_when(Fault::Enospc, |call| call.op == Op::SyncDir && call.path.ends_with("journal"));
    store.commit(wide(3, 10_000)).await.unwrap_err();
    // This one would fit where the others are, behind a segment that says it begins before it.
    assert!(matches!(store.commit(wide(3, 100)).await, Err(Error::Broken)));
    drop(store);
    for keep in [0.0, 1.0] {
        let cut = disk.power_cut(&mut fastrand::Rng::with_seed(1), keep);
        let local = tempfile::tempdir().unwrap();
        let store = Durable::open_at(layout(&cut, local.path()), small()).await.unwrap();
        assert_eq!(history(&store).await, [1, 2]);
        store.commit(wide(3, 100)).await.unwrap();
    }
}
