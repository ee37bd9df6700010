//! History files: what goes to them, what leaves them, and what happens when one is bad.

use super::*;

/// A store with several history files, closed.
async fn archived(folder: &Path, retention: Retention) -> Revision {
    let settings = Settings { retention, ..small() };
    let store = Durable::open(folder, settings).await.unwrap();
    store.attach_filled();
    let mut head = 0;
    while head < 150 || store.engine.archive.spans().len() < 3 {
        head += 1;
        fill(&store, head..=head).await;
        store.rested().await;
    }
    store.close().await.unwrap();
    head
}

fn spans(folder: &Path) -> Vec<history::Span> {
    let found = history::Files::list(&Disk, &folder.join("history")).unwrap();
    found.check(folder).unwrap();
    found.spans
}

fn records(folder: &Path) -> u64 {
    let report = examine(folder, false).unwrap();
    let files = report.files.iter().filter(|file| file.file.starts_with("history/"));
    files.map(|file| file.records.unwrap()).sum()
}

fn lose_index(folder: &Path) {
    std::fs::remove_dir_all(folder.join("index")).unwrap();
}

#[tokio::test]
async fn an_index_that_is_lost_is_rebuilt_from_history_files() {
    let folder = tempfile::tempdir().unwrap();
    let head = archived(folder.path(), Retention::default()).await;
    let first = files::number(&files_of(folder.path(), "journal", segment::ENDING)[0]);
    assert!(first > Some(head / 4), "the journal holds it all");
    lose_index(folder.path());
    let store = open(folder.path()).await.unwrap();
    assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>());
    let all: Vec<_> = store.changes(0).await.unwrap().take(head as usize).collect().await;
    assert!(all.iter().zip(1..).all(|(record, at)| record.as_ref().unwrap().revision == at));
}

#[tokio::test]
async fn neighbours_are_merged_while_they_are_small() {
    let folder = tempfile::tempdir().unwrap();
    // Each close archives what it was given.
    let settings = Settings { segment_bytes: 4 << 10, checkpoint_bytes: 2 << 10, ..small() };
    let mut head = 0;
    for _ in 0..25 {
        let store = Durable::open(folder.path(), settings.clone()).await.unwrap();
        fill(&store, head + 1..=head + 3).await;
        head += 3;
        store.close().await.unwrap();
    }
    let found = spans(folder.path());
    assert!((2..10).contains(&found.len()), "{found:?}");
    let store = Durable::open(folder.path(), settings).await.unwrap();
    let index = store.engine.indexer.index().unwrap();
    for pair in found.windows(2) {
        let bytes = index.bytes_of((pair[0].after, pair[1].last), u64::MAX).unwrap();
        assert!(bytes > 4 << 10, "{pair:?}: {bytes}");
    }
    assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_past_keeping_leaves_history_files() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { retention: feed_alone(10), ..small() };
    let store = Durable::open(folder.path(), settings).await.unwrap();
    store.attach_filled();
    for at in 1..=300 {
        fill(&store, at..=at).await;
        store.rested().await;
    }
    store.close().await.unwrap();
    drop(store);
    assert!(history::end(&spans(folder.path())) > 250);
    let left = records(folder.path());
    assert!(left < 100, "{left} records of 300, and 10 are kept");
    lose_index(folder.path());
    let settings = Settings { retention: feed_alone(10), ..small() };
    let store = Durable::open(folder.path(), settings).await.unwrap();
    assert_eq!(history(&store).await, (291..=300).collect::<Vec<_>>());
    assert!(matches!(store.changes(289).await, Err(Error::Compacted { oldest: 291 })));
}

#[tokio::test]
async fn without_an_index_a_damaged_file_costs_its_own_records() {
    let folder = tempfile::tempdir().unwrap();
    let head = archived(folder.path(), Retention::default()).await;
    let model = crate::store::Memory::new();
    for at in 1..=head {
        model.commit(fixtures::batch(at - 1, &[at])).await.unwrap();
    }
    let lost = spans(folder.path())[1];
    let path = history::path(&folder.path().join("history"), lost);
    // Behind the requests, which a start reads.
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    flip(&path, length - 200);
    lose_index(folder.path());
    let store = open(folder.path()).await.unwrap();
    let (found, expected) = (store.load().await.unwrap(), model.load().await.unwrap());
    assert_eq!((found.objects, found.users), (expected.objects, expected.users));
    let kept: Vec<_> = (1..=head).filter(|at| *at <= lost.after || *at > lost.last).collect();
    let feed: Vec<_> = (lost.last + 1..=head).collect();
    assert_eq!(history(&store).await, feed);
    let key = Some(fixtures::user_key("kendall"));
    let past = store.history(HistoryQuery { key, before: None, limit: 1_000 }).await.unwrap();
    assert!(past.items.iter().rev().all(|record| kept.contains(&record.revision)));
    let oldest = lost.last + 1;
    assert!(matches!(store.changes(0).await, Err(Error::Compacted { oldest: at }) if at == oldest));
    let condition = store.condition().borrow().clone();
    assert!(condition.writable());
    let said = condition.damaged.unwrap();
    let what = format!("the history of revisions {} to {} is lost", lost.after + 1, lost.last);
    assert!(said.contains(&what) && said.contains(path.to_str().unwrap()), "{said}");
    assert_eq!(store.verify_once().await.unwrap(), [""; 0]);
    assert_eq!(*store.condition().borrow(), Condition::default());
    store.close().await.unwrap();
    drop(store);
    assert!(path.with_extension("damaged").exists());
    lose_index(folder.path());
    assert_eq!(history(&open(folder.path()).await.unwrap()).await, feed);
}

#[tokio::test]
async fn a_start_that_needs_damaged_requests_is_refused_and_the_doctor_knows_why() {
    let folder = tempfile::tempdir().unwrap();
    let head = archived(folder.path(), Retention::default()).await;
    let span = spans(folder.path())[1];
    let path = history::path(&folder.path().join("history"), span);
    flip(&path, 90);
    // With an index it is not needed.
    let store = open(folder.path()).await.unwrap();
    assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>());
    store.close().await.unwrap();
    drop(store);
    lose_index(folder.path());
    let error = open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains(CURE), "{error}");
    let report = examine(folder.path(), false).unwrap();
    let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
    let file = report.files.iter().find(|file| file.file == name).unwrap();
    assert!(file.wrong && file.state.starts_with("damaged"), "{file:?}");
    assert_ne!(report.health, Health::Healthy);
    let report = examine(folder.path(), true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    let said = format!("the history of revisions {} to {} is lost", span.after + 1, span.last);
    assert!(report.repaired.contains(&said), "{report:#?}");
    let store = open(folder.path()).await.unwrap();
    assert_eq!(history(&store).await, (span.last + 1..=head).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_history_file_that_is_gone_is_a_gap_that_the_doctor_closes() {
    let folder = tempfile::tempdir().unwrap();
    let head = archived(folder.path(), Retention::default()).await;
    let found = spans(folder.path());
    let gone = found[found.len() / 2];
    std::fs::remove_file(history::path(&folder.path().join("history"), gone)).unwrap();
    let error = open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("are missing") && error.contains(CURE), "{error}");
    let report = examine(folder.path(), false).unwrap();
    assert_eq!(report.health, Health::RefusesToStart, "{report:#?}");
    assert!(report.files.iter().any(|file| file.state.starts_with("gap")), "{report:#?}");
    let report = examine(folder.path(), true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    let store = open(folder.path()).await.unwrap();
    assert_eq!(history(&store).await, (gone.last + 1..=head).collect::<Vec<_>>());
    fill(&store, head + 1..=head + 2).await;
}

#[tokio::test]
async fn checkpoints_and_commits_go_on_while_the_index_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), small()).await.unwrap();
    store.attach_filled();
    fill(&store, 1..=1).await;
    store.followed().await.unwrap();
    let index = store.engine.indexer.index().unwrap();
    let (release, hangs) = std::sync::mpsc::channel::<()>();
    let busy = std::thread::spawn(move || {
        let _held = index.hold();
        hangs.recv().ok();
    });
    let mut head = 1;
    while store.engine.checkpoints.kept().len() < checkpoint::KEPT {
        head += 1;
        fill(&store, head..=head).await;
        store.engine.due.rested();
    }
    // The journal keeps what the index has not archived.
    let first = files::number(&files_of(folder.path(), "journal", segment::ENDING)[0]);
    assert_eq!(first, Some(1));
    drop(release);
    busy.join().unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn one_checkpoint_alone_releases_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), small()).await.unwrap();
    store.attach_filled();
    let engine = &store.engine;
    // The first archive is due as soon as the first checkpoint, and the second checkpoint later.
    let mut alone = 0;
    for at in 1..=300 {
        fill(&store, at..=at).await;
        store.rested().await;
        let archived = !engine.archive.spans().is_empty();
        let first = files_of(folder.path(), "journal", segment::ENDING).remove(0);
        match engine.checkpoints.kept().len() {
            1 if archived => alone += 1,
            checkpoint::KEPT => break,
            _ => continue,
        }
        assert_eq!(files::number(&first), Some(1), "the journal is the other way to the state");
    }
    assert!(alone > 0);
}

#[tokio::test]
async fn segments_that_come_back_after_a_loss_of_power_refuse_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), small()).await.unwrap();
    store.attach_filled();
    let segments = || files_of(folder.path(), "journal", segment::ENDING);
    let (mut head, mut first) = (0, None);
    while head < 300 || segments()[0].file_name() == first.as_ref().map(|(name, _)| *name) {
        head += 1;
        fill(&store, head..=head).await;
        store.rested().await;
        if let [one, _, ..] = &segments()[..]
            && first.is_none()
        {
            let name: &std::ffi::OsStr = Box::leak(one.file_name().unwrap().into());
            first = Some((name, std::fs::read(one).unwrap()));
        }
    }
    store.close().await.unwrap();
    drop(store);
    let (name, bytes) = first.unwrap();
    std::fs::write(folder.path().join("journal").join(name), bytes).unwrap();
    // One of the checkpoints was damaged and put aside.
    let checkpoints = files_of(folder.path(), "checkpoint", "ckpt");
    for older in &checkpoints[..checkpoints.len() - 1] {
        std::fs::remove_file(older).unwrap();
    }
    lose_index(folder.path());
    let store = open(folder.path()).await.unwrap();
    assert_eq!(store.linearize().await.unwrap(), head);
    assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>());
}
