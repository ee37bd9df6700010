//! What a store lacks for the moment, handles above all, and takes up again: nothing ends because
//! of it.

use rustix::io::Errno;

use super::{machine::scratch, *};
use crate::store::io::fault::Call;

/// A store on a disk of the test's own.
struct Home {
    disk: Faulty,
    local: tempfile::TempDir,
    store: Durable,
}

impl Home {
    async fn new(settings: Settings) -> Self {
        let (disk, local) = (Faulty::new(), scratch());
        let store = open_on(&disk, local.path(), settings).await.unwrap();
        // The index is built in the background, and wants handles as well.
        store.followed().await.unwrap();
        Self { disk, local, store }
    }

    fn writes(&self) -> Writes {
        self.store.condition().borrow().writes.clone()
    }

    /// Holds what was acknowledged, after a clean stop, a kill and a power cut alike.
    async fn holds(self, settings: &Settings, revisions: Revision, what: &str) {
        let all: Vec<_> = (1..=revisions).collect();
        assert_eq!(history(&self.store).await, all, "{what}");
        let killed = self.disk.power_cut(&mut fastrand::Rng::with_seed(1), 0.0);
        let local = scratch();
        let store = open_on(&killed, local.path(), settings.clone()).await.unwrap();
        assert_eq!(history(&store).await, all, "{what}, after a power cut");
        self.store.close().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        drop(self.store);
        let store = open_on(&self.disk, self.local.path(), settings.clone()).await.unwrap();
        assert_eq!(history(&store).await, all, "{what}, after a clean stop");
        fill(&store, revisions + 1..=revisions + 1).await;
    }
}

async fn open_on(disk: &Faulty, local: &Path, settings: Settings) -> Result<Durable> {
    let layout = Layout::new(Arc::new(disk.clone()), Path::new("/data"), local, Some("one".into()));
    Durable::open_at(layout, settings).await
}

/// A group of about so many bytes.
fn wide(at: Revision, bytes: usize) -> Batch {
    let mut record = fixtures::record(at, vec![fixtures::put_user("jane", at)]);
    record.reason = "x".repeat(bytes);
    Batch::new(at - 1, vec![record]).unwrap()
}

async fn lacks(store: &Durable, batch: Batch) -> Lack {
    match store.commit(batch).await {
        Err(Error::ReadOnly(lack)) => lack,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_handle_the_write_that_wants_one_is_refused_and_nothing_ends() {
    let home = Home::new(large()).await;
    fill(&home.store, 1..=2).await;
    home.disk.starve(true);
    // It fits into the segment that is open.
    fill(&home.store, 3..=3).await;
    let huge = wide(4, 100_000);
    for _ in 0..3 {
        assert_eq!(lacks(&home.store, huge.clone()).await, Lack::Handles);
        assert_eq!(home.writes(), Writes::ReadOnly(Lack::Handles));
    }
    home.store.engine.scrubber.check_space();
    assert_eq!(home.writes(), Writes::ReadOnly(Lack::Handles), "there is none yet");
    home.disk.starve(false);
    home.store.engine.scrubber.check_space();
    assert_eq!(home.writes(), Writes::Taken);
    assert_eq!(home.store.commit(huge).await.unwrap(), Commit::Committed(4));
    home.holds(&large(), 4, "handles").await;
}

#[tokio::test]
async fn whatever_a_new_segment_lacks_its_group_is_written_later() {
    let lacks_of = [
        (Errno::MFILE, Lack::Handles),
        (Errno::NFILE, Lack::Handles),
        (Errno::NOSPC, Lack::Full),
        (Errno::DQUOT, Lack::Full),
        (Errno::NOMEM, Lack::Memory),
    ];
    let in_journal = |call: &Call| call.path.to_str().unwrap().contains("journal");
    for (errno, lack) in lacks_of {
        for op in [Op::Create, Op::Reserve, Op::Write, Op::Sync, Op::Rename, Op::SyncDir] {
            // Only handles are certainly lacking before the folder is synced.
            let fatal = op == Op::SyncDir && lack != Lack::Handles;
            let what = format!("{op:?}, {errno:?}");
            let home = Home::new(small()).await;
            home.store.commit(wide(1, 100)).await.unwrap();
            let huge = wide(2, 10_000);
            home.disk.fail_when(Fault::Of(errno), move |call| call.op == op && in_journal(call));
            if fatal {
                assert!(home.store.commit(huge).await.is_err(), "{what}");
                assert!(matches!(home.writes(), Writes::Failed(_)), "{what}");
                continue;
            }
            assert_eq!(lacks(&home.store, huge.clone()).await, lack, "{what}");
            assert_eq!(home.writes(), Writes::ReadOnly(lack), "{what}");
            // A smaller one does not go behind a segment that may have its name already.
            home.store.commit(wide(2, 100)).await.unwrap();
            home.store.commit(wide(3, 10_000)).await.unwrap();
            assert_eq!(home.writes(), Writes::Taken, "{what}");
            home.holds(&small(), 3, &what).await;
        }
    }
}

#[tokio::test]
async fn a_quota_that_the_free_space_does_not_show_is_asked_again() {
    let home = Home::new(large()).await;
    fill(&home.store, 1..=1).await;
    let huge = wide(2, 100_000);
    let created = |call: &Call| {
        call.op == Op::Create && call.path.ends_with("journal/00000000000000000002.tmp")
    };
    for _ in 0..2 {
        home.disk.fail_when(Fault::Of(Errno::DQUOT), created);
        assert_eq!(lacks(&home.store, huge.clone()).await, Lack::Full);
        home.disk.fail_when(Fault::Of(Errno::DQUOT), created);
        home.store.engine.scrubber.check_space();
        assert_eq!(
            home.writes(),
            Writes::ReadOnly(Lack::Full),
            "the free space alone says nothing"
        );
    }
    home.store.engine.scrubber.check_space();
    assert_eq!(home.writes(), Writes::Taken);
    home.store.commit(huge).await.unwrap();
    home.holds(&large(), 2, "quota").await;
}

#[tokio::test]
async fn what_finds_no_handle_is_not_damaged() {
    let home = Home::new(small()).await;
    let mut head = 0;
    while home.store.engine.checkpoints.kept().len() < checkpoint::KEPT {
        head += 1;
        fill(&home.store, head..=head).await;
        home.store.rested().await;
    }
    home.disk.starve(true);
    assert_eq!(home.store.verify_once().await.unwrap(), [""; 0]);
    assert_eq!(home.store.condition().borrow().damaged, None);
    home.disk.starve(false);
    home.holds(&small(), head, "verification").await;
}

#[tokio::test]
async fn a_checkpoint_that_finds_no_handle_is_written_later() {
    let home = Home::new(Settings { segment_bytes: 1 << 20, ..small() }).await;
    home.store.attach_filled();
    fill(&home.store, 1..=1).await;
    home.disk.starve(true);
    let mut head = 1;
    let before = home.disk.calls();
    let tried = |call: &Call| call.path.starts_with("/data/checkpoint");
    while !home.disk.log()[before..].iter().any(tried) {
        head += 1;
        fill(&home.store, head..=head).await;
        home.store.rested().await;
    }
    assert_eq!(*home.store.engine.checkpoints.kept(), [0; 0]);
    home.disk.starve(false);
    // Long before as much has come once more.
    let soon = head + head / 2;
    while home.store.engine.checkpoints.kept().is_empty() {
        head += 1;
        assert!(head < soon, "no checkpoint was tried again");
        fill(&home.store, head..=head).await;
        home.store.rested().await;
    }
    home.holds(&small(), head, "checkpoint").await;
}

#[tokio::test]
async fn a_segment_whose_name_may_not_last_is_not_trusted_after_a_clean_stop() {
    // The folder cannot be opened to sync the name of the segment, which is there by then.
    let no_handle = |disk: &Faulty| {
        disk.fail_when(Fault::Of(Errno::MFILE), |call| {
            call.op == Op::SyncDir && call.path.ends_with("journal")
        });
    };
    for again in [false, true] {
        let home = Home::new(small()).await;
        fill(&home.store, 1..=1).await;
        no_handle(&home.disk);
        assert_eq!(lacks(&home.store, wide(2, 10_000)).await, Lack::Handles);
        if again {
            no_handle(&home.disk);
        }
        home.store.close().await.unwrap();
        drop(home.store);
        let store = open_on(&home.disk, home.local.path(), small()).await.unwrap();
        fill(&store, 2..=3).await;
        let cut = home.disk.power_cut(&mut fastrand::Rng::with_seed(1), 0.0);
        let local = scratch();
        let store = open_on(&cut, local.path(), small()).await.unwrap();
        assert_eq!(history(&store).await, [1, 2, 3], "again: {again}");
    }
}
