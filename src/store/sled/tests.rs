use std::time::Instant;

use super::{folder::LOCK_WAIT, *};
use crate::store::conformance::fixtures;

/// Every file of the folder with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![(path.clone(), std::fs::read(path).unwrap())],
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_second_opener_is_told_the_folder_at_once_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sled::open(folder.path()).await.unwrap();
    first.commit(fixtures::batch(0, &[1, 2])).await.unwrap();
    // What a live server is writing looks just like what a dead one left.
    std::fs::write(folder.path().join("snap.00000000FFFFFFFF.generating"), b"being written")
        .unwrap();
    let before = files(folder.path());
    let since = Instant::now();
    let error = Sled::open(folder.path()).await.unwrap_err();
    assert!(since.elapsed() < LOCK_WAIT / 2, "it did not wait");
    assert!(matches!(error, Error::InUse(_)) && error.retryable());
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    assert_eq!(files(folder.path()), before);
    let committed = first.commit(fixtures::batch(2, &[3])).await.unwrap();
    assert_eq!(committed, Commit::Committed(3));
}

#[tokio::test]
async fn a_program_that_knows_only_the_lock_of_sled_is_respected() {
    let folder = tempfile::tempdir().unwrap();
    let _db = ::sled::open(folder.path()).unwrap();
    let leftover = folder.path().join("snap.00000000FFFFFFFF.generating");
    std::fs::write(&leftover, b"half").unwrap();
    assert!(matches!(Sled::open(folder.path()).await, Err(Error::InUse(_))));
    assert!(leftover.exists());
}

#[tokio::test]
async fn a_newer_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Sled::open(folder.path()).await.unwrap());
    let (db, lock) = open_db(folder.path()).unwrap();
    db.insert(b"m/format", &(LAYOUT + 1).to_be_bytes()).unwrap();
    drop((db, lock));
    let error = Sled::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_foreign_sled_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (db, lock) = open_db(folder.path()).unwrap();
    db.insert(b"other", b"data").unwrap();
    drop((db, lock));
    assert!(matches!(Sled::open(folder.path()).await, Err(Error::Damaged(_))));
}

#[tokio::test]
async fn a_half_written_snapshot_does_not_block_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sled::open(folder.path()).await.unwrap();
    store.commit(fixtures::batch(0, &[1, 2])).await.unwrap();
    let before = store.load().await.unwrap();
    drop(store);
    for name in ["snap.00000000FFFFFFFF.generating", "blobs/x.generating"] {
        std::fs::write(folder.path().join(name), b"half").unwrap();
    }
    let store = Sled::open(folder.path()).await.unwrap();
    assert_eq!(store.load().await.unwrap(), before);
    for (path, _) in files(folder.path()) {
        assert!(path.extension().is_none_or(|end| end != "generating"), "{}", path.display());
    }
}

#[tokio::test]
async fn leftovers_go_before_the_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join("x.generating");
    std::fs::write(&leftover, b"half").unwrap();
    // sled cannot open this at all, which is how the order shows.
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    assert!(matches!(Sled::open(folder.path()).await, Err(Error::Damaged(_))));
    assert!(!leftover.exists());
}

#[tokio::test]
async fn requests_past_their_age_leave_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sled::open(folder.path()).await.unwrap();
    let old = fixtures::asked(fixtures::record(1, vec![]), 1);
    let mut late = fixtures::record(2, vec![]);
    late.time = Time::from_micros(old.time.micros() + REQUEST_AGE + 1);
    let mut later = late.clone();
    later.revision = 3;
    for record in [old, late, later] {
        let batch = Batch::new(record.revision - 1, vec![record]).unwrap();
        store.commit(batch).await.unwrap();
    }
    assert_eq!(store.disk.db.scan_prefix(b"q/").count(), 0);
}
