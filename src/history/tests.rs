//! The past of a store that keeps little of it.

use super::*;
use crate::{
    domain::Stamp,
    store::{
        Batch, Commit, Durable,
        conformance::fixtures,
        durable::{Retention, Settings},
    },
};

/// A store with ten transactions on one user, which keeps three of them, and the folder of it.
async fn store() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { records: 3, revisions: 4, directory_revisions: 2 };
    let settings = Settings { retention, min_free_bytes: 0, ..Settings::default() };
    let store = Durable::open(folder.path(), settings).await.unwrap();
    for revision in 1..=10 {
        let record = fixtures::record(revision, vec![fixtures::put_user("Kendall", revision)]);
        let batch = Batch::new(revision - 1, vec![record]).unwrap();
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Committed(revision));
        // What is kept is counted as the index follows, which may take several commits at once.
        store.history(HistoryQuery::default()).await.unwrap();
    }
    (Arc::new(store), folder)
}

async fn revisions(history: &History, after: i64, until: i64) -> Result<Vec<i64>, Refusal> {
    let mut found = Vec::new();
    let take = |transaction: Transaction| {
        found.push(transaction.revision);
        ControlFlow::Continue(())
    };
    history.each_change(after, until, take).await.map(|()| found)
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_changes_older_than_kept_are_compacted_and_the_oldest_is_named() {
    let (store, _folder) = store().await;
    let history = History::new(&store);
    assert_eq!(history.newest().await, Ok(10));
    assert_eq!(history.before(0).await, Ok(7), "from the oldest on");
    assert_eq!(revisions(&history, 7, 10).await, Ok(vec![8, 9, 10]));
    assert_eq!(revisions(&history, 7, 9).await, Ok(vec![8, 9]));
    assert_eq!(revisions(&history, 10, 10).await, Ok(vec![]));
    for from in [1, 7] {
        let asked = history.before(from).await.unwrap_err();
        let read = revisions(&history, from - 1, 10).await.unwrap_err();
        for refusal in [asked, read] {
            assert_eq!(refusal.reason, Reason::RevisionCompacted, "{from}");
            assert_eq!(refusal.metadata["oldest_available"], "8");
        }
    }
    assert_eq!((history.before(8).await, history.before(11).await), (Ok(7), Ok(10)));
    let ahead = history.before(12).await.unwrap_err();
    assert_eq!(ahead.reason, Reason::RevisionNotFound);
    assert_eq!(ahead.metadata["oldest_available"], "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_an_unknown_or_expired_revision_names_the_oldest_that_is_there() {
    let (store, _folder) = store().await;
    let history = History::new(&store);
    let key = fixtures::user_key("KENDALL");
    for revision in 8..=10 {
        let found = history.object_at(&key, revision, true).await.unwrap();
        assert_eq!(found.transaction.revision, revision);
        assert_eq!(found.object.unwrap().stamp().revision, revision);
    }
    for revision in [1, 7, 11] {
        let refusal = history.object_at(&key, revision, true).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::RevisionNotFound, "{revision}");
        assert_eq!(refusal.metadata["oldest_available"], "8");
    }
    let nobody = fixtures::user_key("nobody");
    let refusal = history.object_at(&nobody, 9, false).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UserNotFound);
    // An object of which no revision is kept exists all the same.
    let refusal = history.object_at(&nobody, 9, true).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::RevisionNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_ends_with_its_store() {
    let (store, _folder) = store().await;
    let history = History::new(&store);
    drop(store);
    assert_eq!(history.newest().await.unwrap_err().reason, Reason::StoreUnavailable);
}

#[test]
fn what_a_transaction_did_follows_from_the_times_of_the_object() {
    let change = fixtures::put_user("Kendall", 3);
    let of = |change: &Change, time| ChangeKind::of(change, Time::from_micros(time));
    assert_eq!(of(&change, 3), ChangeKind::Created);
    let Change::Put(object) = change else { panic!("no object") };
    let stamp = Stamp { update_time: Time::from_micros(4), revision: 4, ..object.stamp().clone() };
    assert_eq!(of(&Change::Put(object.with_stamp(stamp)), 4), ChangeKind::Updated);
    assert_eq!(of(&fixtures::delete_user("Kendall"), 5), ChangeKind::Deleted);
}

#[test]
fn s11_2_a_transaction_is_shown_with_its_first_objects_and_the_count_of_all() {
    let users = (0..MAX_SHOWN + 7).map(|at| fixtures::put_user(&format!("user{at}"), 3));
    let shown = Transaction::of(fixtures::record(3, users.collect()));
    assert_eq!((shown.changed.len(), shown.count), (MAX_SHOWN, MAX_SHOWN + 7));
    let first =
        ChangedObject { kind: Kind::User, name: "user0".to_owned(), change: ChangeKind::Created };
    assert_eq!(shown.changed[0], first);
}
