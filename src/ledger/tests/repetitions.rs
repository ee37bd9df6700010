//! Repetitions of a request (SPEC §7.1 rule 6): what they are answered, and what is kept for it.

use std::sync::atomic::Ordering;

use super::{scripted::Scripted, *};
use crate::{
    command::{BatchUpsertUsers, UserPatch, UserRow},
    store::{HistoryQuery, Record},
};

async fn open(store: Arc<dyn Store>) -> Ledger {
    Ledger::open(&crate::tasks::Tasks::default(), store, Clock::system(), adapters(), |_| {})
        .await
        .unwrap()
}

fn asked(write: Submission, id: u128, payload: u8) -> Submission {
    Submission { request: Some(key(Uuid::from_u128(id), payload)), ..write }
}

/// A write of users, each with a display name.
fn users(all: &[(String, &str)]) -> Submission {
    let row = |(id, name): &(String, &str)| UserRow {
        id: UserId::parse(id).unwrap(),
        etag: None,
        patch: UserPatch { display_name: Some((*name).to_owned()), ..UserPatch::default() },
        profile: None,
    };
    submission(Box::new(BatchUpsertUsers { rows: all.iter().map(row).collect() }))
}

async fn newest(store: &dyn Store) -> Record {
    let query = HistoryQuery { limit: 1, ..HistoryQuery::default() };
    store.history(query).await.unwrap().items.remove(0)
}

#[tokio::test]
async fn what_is_kept_of_an_answer_does_not_grow_with_the_write() {
    let (store, plain) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let rows: Vec<_> = (0..1_000).map(|n| (format!("user{n}"), "Somebody")).collect();
    let ledger = open(Arc::clone(&store) as _).await;
    let first = ledger.submit(asked(users(&rows), 1, 1)).await.unwrap();
    open(Arc::clone(&plain) as _).await.submit(users(&rows)).await.unwrap();
    assert_eq!(first.objects.len(), 1_000);
    let size = async |store: &Memory| newest(store).await.encode().unwrap().len();
    let (with, without) = (size(&store).await, size(&plain).await);
    assert!(with < without + 500, "{with} bytes with the request id, {without} without");
    assert_eq!(ledger.submit(asked(users(&rows), 1, 1)).await.unwrap(), first);
}

#[tokio::test]
async fn a_repetition_shows_what_the_write_left_alone_as_it_was() {
    let store = Arc::new(Memory::new());
    let ledger = open(Arc::clone(&store) as _).await;
    let rows = |names: [&'static str; 3]| {
        let ids = ["jane", "john", "kim"];
        ids.into_iter().zip(names).map(|(id, name)| (id.to_owned(), name)).collect::<Vec<_>>()
    };
    ledger.submit(users(&rows(["Jane", "John", "Kim"]))).await.unwrap();
    // Only the second row changes something; the answer shows all three.
    let write = || asked(users(&rows(["Jane", "Johnny", "Kim"])), 1, 1);
    let first = ledger.submit(write()).await.unwrap();
    assert_eq!((first.objects.len(), newest(&*store).await.changes.len()), (3, 1));
    ledger.submit(users(&rows(["J", "J", "K"]))).await.unwrap();
    assert_eq!(ledger.submit(write()).await.unwrap(), first);
    assert_eq!(open(store as _).await.submit(write()).await.unwrap(), first);
}

#[tokio::test]
async fn a_request_that_only_the_store_knows_is_repeated_refused_and_expires_like_others() {
    let store = Arc::new(Scripted::new());
    let ledger = open(Arc::clone(&store) as _).await;
    let first = ledger.submit(asked(create("contoso_rep"), 7, 1)).await.unwrap();
    drop(ledger);
    store.forgets.store(true, Ordering::SeqCst);
    let ledger = open(Arc::clone(&store) as _).await;
    assert_eq!(ledger.older.revision(), 2);
    assert_eq!(ledger.submit(asked(create("contoso_rep"), 7, 1)).await.unwrap(), first);
    let reused = ledger.submit(asked(create("contoso_lead"), 7, 2)).await.unwrap_err();
    assert_eq!(reused.reason, Reason::RequestIdReused);
    let bad = ledger.submit(asked(create("bad name"), 7, 2)).await.unwrap_err();
    assert_eq!(bad.reason, Reason::UniqueNameInvalid);
    // Another id is new, and known from then on.
    let other = ledger.submit(asked(create("contoso_lead"), 8, 1)).await.unwrap();
    assert_eq!(ledger.submit(asked(create("contoso_lead"), 8, 1)).await.unwrap(), other);
    drop(ledger);

    // A day later the store may still have it, and nobody asks.
    let tomorrow = Clock::new(
        || {
            let now = Clock::system().now();
            crate::domain::Time::from_micros(now.micros() + store::REQUEST_AGE + 60_000_000)
        },
        Uuid::new_v4,
    );
    let ledger = Ledger::open(
        &crate::tasks::Tasks::default(),
        Arc::clone(&store) as _,
        tomorrow,
        adapters(),
        |_| {},
    )
    .await
    .unwrap();
    let taken = ledger.submit(asked(create("contoso_rep"), 7, 1)).await.unwrap_err();
    assert_eq!(taken.reason, Reason::UniqueNameTaken, "it is judged anew");
    assert_eq!(ledger.older.revision(), 0);
}

#[tokio::test]
async fn a_repetition_is_answered_after_history_has_forgotten_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let open_store = async || {
        let retention = durable::Retention { records: 3, ..durable::Retention::default() };
        let settings =
            durable::Settings { min_free_bytes: 0, retention, ..durable::Settings::default() };
        Arc::new(Durable::open(folder.path(), settings).await.unwrap())
    };
    let mut first = None;
    for _ in 0..2 {
        let store = open_store().await;
        let ledger = open(Arc::clone(&store) as _).await;
        let repeated = ledger.submit(asked(create("contoso_rep"), 1, 1)).await.unwrap();
        assert_eq!(*first.get_or_insert(repeated.clone()), repeated);
        for n in 0..6 {
            let name = format!("contoso_{n}");
            ledger.submit(asked(create(&name), 10 + n, 1)).await.unwrap();
            // The index trims what it had before each group that it applies; here a group is a write.
            newest(&*store).await;
        }
        let query = HistoryQuery { limit: 9, ..HistoryQuery::default() };
        assert_eq!(store.history(query).await.unwrap().items.len(), 3);
        assert_eq!(ledger.submit(asked(create("contoso_rep"), 1, 1)).await.as_ref(), Ok(&repeated));
        ledger.close().await;
        store.close().await.unwrap();
        drop((ledger, store));
    }
}
