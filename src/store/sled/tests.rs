use super::*;
use crate::store::conformance::fixtures;

#[tokio::test]
async fn a_second_opener_is_told_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Sled::open(folder.path()).await.unwrap();
    let error = Sled::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::InUse(_)) && error.retryable());
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_newer_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Sled::open(folder.path()).await.unwrap());
    let db = open_db(folder.path()).unwrap();
    db.insert(b"m/format", &(LAYOUT + 1).to_be_bytes()).unwrap();
    drop(db);
    let error = Sled::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_foreign_sled_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_db(folder.path()).unwrap();
    db.insert(b"other", b"data").unwrap();
    drop(db);
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
    assert!(!folder.path().join("snap.00000000FFFFFFFF.generating").exists());
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
