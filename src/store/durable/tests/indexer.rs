//! Indexes that fail, and ends that do not come: the store goes on, and it ends in time.

use std::{fs, sync::mpsc, time::Instant};

use super::{doctor::examine_at, machine::scratch, *};
use crate::{
    domain::{Change, Object, directory::User},
    store::io::fault::Call,
};

/// How long a test waits for what is bound to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn layout(disk: &Faulty, local: &Path) -> Layout {
    Layout::new(Arc::new(disk.clone()), Path::new("/data"), local, Some("one".into()))
}

async fn open_on(disk: &Faulty, local: &Path) -> Durable {
    let store = Durable::open_at(layout(disk, local), large()).await.unwrap();
    store.followed().await.unwrap();
    store
}

/// A group with a record, an object and an answer that are longer than a page of sled may be.
fn wide(at: Revision) -> Batch {
    let mut changes = vec![fixtures::put_user("jane", at)];
    changes.extend((0..1_000).map(|nth| fixtures::put_user(&format!("user{nth}"), at)));
    let mut record = fixtures::asked(fixtures::record(at, changes), at as u128);
    let answer = serde_json::Value::String("x".repeat(1 << 20));
    record.request.as_mut().unwrap().answer = answer;
    Batch::new(at - 1, vec![record]).unwrap()
}

/// A group that changes an object of so many bytes, and whose record is long as well.
fn long(at: Revision, bytes: usize) -> Batch {
    let Change::Put(Object::User(user)) = fixtures::put_user("kendall", at) else { panic!() };
    let business_unit = "x".repeat(bytes);
    let user = User { business_unit, ..User::clone(&user) };
    let mut record = fixtures::record(at, vec![Change::Put(Object::User(Arc::new(user)))]);
    record.reason = "y".repeat(300_000);
    Batch::new(at - 1, vec![record]).unwrap()
}

#[tokio::test]
async fn sled_opens_no_file_at_work() {
    let (disk, local) = (Faulty::new(), scratch());
    let settings = Settings { retention: feed_alone(3), ..large() };
    let store = Durable::open_at(layout(&disk, local.path()), settings.clone()).await.unwrap();
    store.followed().await.unwrap();
    let index = local.path().join("index");
    let model = crate::store::Memory::new();
    for (at, bytes) in (1..).zip([400_000, 10, 50_000, 0, 400_000, 300_000, 10]) {
        for batch in [long(2 * at - 1, bytes), wide(2 * at)] {
            store.commit(batch.clone()).await.unwrap();
            model.commit(batch).await.unwrap();
        }
        store.followed().await.unwrap();
        assert_eq!(store.load().await.unwrap(), model.load().await.unwrap());
    }
    let files = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(files(&index.join("blobs")), 0, "sled has made files of its own");
    let (newest, query) = (14, HistoryQuery { limit: 2, ..HistoryQuery::default() });
    let page = store.history(query.clone()).await.unwrap();
    assert!(page.items == model.history(query).await.unwrap().items);
    // Nothing is left behind by what was removed or became shorter.
    let engine = &store.engine;
    assert_eq!(engine.indexer.index().unwrap().head().unwrap().records, 3);
    // History files have whole values, and the index that is built from them has pieces.
    store.close().await.unwrap();
    drop(store);
    fs::remove_dir_all(&index).unwrap();
    let store = Durable::open_at(layout(&disk, local.path()), settings).await.unwrap();
    store.followed().await.unwrap();
    store.load().await.unwrap();
    assert_eq!(store.load().await.unwrap(), model.load().await.unwrap(), "once more");
    assert_eq!(store.linearize().await.unwrap(), newest);
    assert_eq!(files(&index.join("blobs")), 0);
}

/// Waits until the index is known to be lost; what a reader gets then.
async fn lost(store: &Durable) -> Error {
    let since = Instant::now();
    loop {
        if let Err(error) = store.followed().await {
            return error;
        }
        assert!(since.elapsed() < PATIENCE, "the index was not lost");
        tokio::task::yield_now().await;
    }
}

/// Has the index fail with the next group, and waits until it is gone and another one is there.
async fn fails(store: &Durable, group: Batch) {
    let index = store.engine.indexer.index().unwrap();
    index.spoil();
    let index = Arc::downgrade(&{ index });
    let head = group.records().last().unwrap().revision;
    assert_eq!(store.commit(group).await.unwrap(), Commit::Committed(head));
    let since = Instant::now();
    while index.upgrade().is_some() || store.engine.indexer.index().is_err() {
        assert!(since.elapsed() < PATIENCE, "the index was not built");
        tokio::task::yield_now().await;
    }
}

/// Waits until the index has everything.
async fn indexed(store: &Durable, revisions: Revision) {
    let query = HistoryQuery { limit: 100, ..HistoryQuery::default() };
    let since = Instant::now();
    // It may be lost between two looks.
    let page = loop {
        if let Ok(page) = store.history(query.clone()).await {
            break page;
        }
        assert!(since.elapsed() < PATIENCE, "the index was not built");
        tokio::task::yield_now().await;
    };
    let found: Vec<_> = page.items.iter().rev().map(|record| record.revision).collect();
    assert_eq!(found, (1..=revisions).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_index_that_fails_is_built_once_more_and_nothing_ends() {
    let (disk, local) = (Faulty::new(), scratch());
    let store = open_on(&disk, local.path()).await;
    fill(&store, 1..=3).await;
    store.followed().await.unwrap();
    fails(&store, fixtures::batch(3, &[4])).await;
    fill(&store, 5..=6).await;
    indexed(&store, 6).await;
    assert_eq!(*store.condition().borrow(), Condition::default());
    // Once more.
    fails(&store, fixtures::batch(6, &[7])).await;
    indexed(&store, 7).await;
    fill(&store, 8..=8).await;
    indexed(&store, 8).await;
    let loaded = store.load().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open_on(&disk, local.path()).await;
    assert_eq!(store.load().await.unwrap(), loaded);
    indexed(&store, 8).await;
    let leftovers = fs::read_dir(local.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let leftovers: Vec<_> = leftovers.filter(|name| name != "index" && name != "lock").collect();
    assert_eq!(leftovers, [""; 0]);
}

#[tokio::test]
async fn a_kill_after_an_index_failed_does_not_believe_it() {
    let (disk, local) = (Faulty::new(), scratch());
    let store = open_on(&disk, local.path()).await;
    fill(&store, 1..=3).await;
    store.followed().await.unwrap();
    store.engine.indexer.index().unwrap().spoil();
    // No index can be built until this goes.
    fs::write(local.path().join("index.fresh"), b"in the way").unwrap();
    store.commit(fixtures::batch(3, &[4])).await.unwrap();
    let failed = lost(&store).await;
    assert!(matches!(failed, Error::Unindexed(_)) && failed.retryable(), "{failed}");
    assert!(matches!(store.changes(0).await, Err(Error::Unindexed(_))));
    fill(&store, 5..=20).await;
    assert_eq!(*store.condition().borrow(), Condition::default());
    assert_eq!(mark::read::<mark::Boot>(&disk, Path::new("/data")).unwrap(), None);
    // A clean stop is none without an index, and no failure either.
    store.close().await.unwrap();
    drop(store);
    fs::remove_file(local.path().join("index.fresh")).unwrap();
    let store = open_on(&disk, local.path()).await;
    indexed(&store, 20).await;
}

#[tokio::test]
async fn an_index_is_built_as_soon_as_it_can_be() {
    let (disk, local) = (Faulty::new(), scratch());
    let store = open_on(&disk, local.path()).await;
    let obstacle = local.path().join("index.fresh");
    fs::write(&obstacle, b"in the way").unwrap();
    store.engine.indexer.index().unwrap().spoil();
    store.commit(fixtures::batch(0, &[1])).await.unwrap();
    lost(&store).await;
    fs::remove_file(&obstacle).unwrap();
    indexed(&store, 1).await;
    fill(&store, 2..=2).await;
    indexed(&store, 2).await;
}

/// Holds up the first call that the test takes, and with it the disk, until the sender goes.
fn hang(disk: &Faulty, test: impl Fn(&Call) -> bool + Send + 'static) -> mpsc::Sender<()> {
    let (release, hangs) = mpsc::channel::<()>();
    disk.fail_when(Fault::Eio, move |call| {
        if test(call) {
            hangs.recv().ok();
        }
        false
    });
    release
}

#[tokio::test]
async fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let (disk, local) = (Faulty::new(), scratch());
    let store = open_on(&disk, local.path()).await;
    fill(&store, 1..=3).await;
    store.followed().await.unwrap();
    let release = hang(&disk, |call| call.path.starts_with("/data/checkpoint"));
    let since = Instant::now();
    let error = store.close_within(Duration::from_millis(400)).await.unwrap_err();
    assert!(error.to_string().contains("nothing acknowledged is lost"), "{error}");
    drop(store);
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    drop(release);
}

#[tokio::test]
async fn a_last_checkpoint_that_takes_too_long_is_given_up() {
    let (disk, local) = (Faulty::new(), scratch());
    let store = open_on(&disk, local.path()).await;
    fill(&store, 1..=3).await;
    store.followed().await.unwrap();
    let release = hang(&disk, |call| call.path.starts_with("/data/checkpoint"));
    let engine = Arc::clone(&store.engine);
    // The disk goes on once the checkpoint was given up, and before the deadline.
    let freed = std::thread::spawn(move || {
        while !engine.context.abandoned() {
            std::thread::yield_now();
        }
        drop(release);
    });
    store.close_by(PATIENCE, PATIENCE - Duration::from_millis(100)).await.unwrap();
    freed.join().unwrap();
    drop(store);
    let store = open_on(&disk, local.path()).await;
    indexed(&store, 3).await;
    fill(&store, 4..=4).await;
}

/// A store of three groups that was closed while its index was busy with the second.
async fn closed_behind(disk: &Faulty, local: &Path) {
    let store = open_on(disk, local).await;
    fill(&store, 1..=1).await;
    store.followed().await.unwrap();
    let engine = Arc::clone(&store.engine);
    let (begun, begins) = mpsc::channel();
    let busy = std::thread::spawn(move || {
        let index = engine.indexer.index().unwrap();
        let _held = index.hold();
        begun.send(()).unwrap();
        while !engine.context.abandoned() {
            std::thread::yield_now();
        }
    });
    begins.recv().unwrap();
    // So large that it is taken alone.
    let mut large = fixtures::batch(1, &[2]).records()[0].clone();
    large.reason = "x".repeat(2 << 20);
    store.commit(Batch::new(1, vec![large]).unwrap()).await.unwrap();
    fill(&store, 3..=3).await;
    store.close_within(PATIENCE).await.unwrap();
    busy.join().unwrap();
    assert_eq!(store.engine.indexer.progress().revision, 2);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_index_which_catches_up_at_the_next_start() {
    for boot in ["one", "other"] {
        let (disk, local) = (Faulty::new(), scratch());
        closed_behind(&disk, local.path()).await;
        let state = mark::read::<mark::State>(&disk, Path::new("/data")).unwrap().unwrap();
        assert_eq!((state.closed_at, state.unindexed), (Some(3), true));
        let io = Arc::new(disk.clone());
        let layout = Layout::new(io, Path::new("/data"), local.path(), Some(boot.into()));
        let report = examine_at(&layout, None).unwrap();
        assert_eq!(report.health, Health::Healthy);
        assert!(report.next_start.contains("the index catches up"), "{}", report.next_start);
        let store = Durable::open_at(layout, large()).await.unwrap();
        assert_eq!(store.load().await.unwrap().revision, 3);
        // Writes do not wait for it either.
        fill(&store, 4..=5).await;
        indexed(&store, 5).await;
        store.close().await.unwrap();
        let state = mark::read::<mark::State>(&disk, Path::new("/data")).unwrap().unwrap();
        assert_eq!((state.closed_at, state.unindexed), (Some(5), false));
    }
}

#[tokio::test]
async fn damage_of_the_last_group_is_refused_after_a_stop_that_left_the_index_behind() {
    let (disk, local) = (Faulty::new(), scratch());
    closed_behind(&disk, local.path()).await;
    let segment = segment::path(Path::new("/data/journal"), 2);
    let mut file = disk.open(&segment).unwrap();
    let bytes = files::content(&*file).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    file.write_at(last as u64, &[bytes[last] ^ 1]).unwrap();
    let refused = Durable::open_at(layout(&disk, local.path()), large()).await.unwrap_err();
    assert!(refused.to_string().contains("closed at revision 3"), "{refused}");
}

#[tokio::test]
async fn a_store_that_is_dropped_waits_for_no_disk() {
    let (disk, local) = (Faulty::new(), scratch());
    let settings = Settings { checkpoint_bytes: 1, ..large() };
    let mut store = Durable::open_at(layout(&disk, local.path()), settings).await.unwrap();
    store.at_once = Duration::from_millis(50);
    store.followed().await.unwrap();
    let release = hang(&disk, |call| call.path.starts_with("/data/checkpoint"));
    fill(&store, 1..=1).await;
    store.followed().await.unwrap();
    let since = Instant::now();
    drop(store);
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    drop(release);
}
