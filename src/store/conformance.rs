//! What every engine promises, by number, and a model test of them together.
//!
//! A [`Place`] is somewhere to keep a store; opening it again finds what was committed there.

pub(crate) mod fixtures;
mod model;

use std::future::Future;

use futures_util::{FutureExt, StreamExt};

use self::fixtures::{asked, batch, delete_user, put_user, record, user_key};
use super::{
    Batch, ChangeStream, Commit, Durable, Error, HistoryQuery, MAX_BATCH_BYTES, Memory, Page,
    Record, RequestKey, Revision, Store, durable::Settings,
};

/// Somewhere to keep a store.
trait Place: Default {
    /// Opens the store; nobody else has it open.
    fn open(&self) -> impl Future<Output = Box<dyn Store>>;
}

#[derive(Default)]
struct InMemory(Memory);

impl Place for InMemory {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }
}

struct OnDisk(tempfile::TempDir);

impl Default for OnDisk {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for OnDisk {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(Durable::open(self.0.path(), settings()).await.unwrap())
    }
}

/// Small enough that segments, checkpoints and their removal are met by the way.
fn settings() -> Settings {
    let (segment_bytes, checkpoint_bytes) = (8 << 10, 16 << 10);
    Settings { segment_bytes, checkpoint_bytes, min_free_bytes: 0, ..Settings::default() }
}

macro_rules! conformance {
    ($engine:ident, $place:ty: $($promise:ident),* $(,)?) => {
        mod $engine {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&<$place>::default()).await;
            })*
        }
    };
}

macro_rules! engines {
    ($($engine:ident = $place:ty),*) => {
        $(conformance!($engine, $place:
            p1_a_batch_of_100_000_changes_is_whole,
            p1_a_batch_above_the_limit_leaves_nothing,
            p1_a_group_may_change_an_object_twice,
            p2_changes_come_when_they_are_durable,
            p3_what_was_acknowledged_is_there_after_reopening,
            p3_a_request_is_remembered_with_its_answer,
            p3_a_request_is_found_by_its_key_and_leads_to_its_record,
            p3_a_commit_that_nobody_awaits_is_whole,
            p4_a_batch_planned_on_another_head_is_a_conflict,
            p4_revisions_grow_with_gaps,
            p4_of_two_writers_on_one_head_one_wins,
            p5_changes_catch_up_and_go_on_live,
            p5_a_stream_ends_with_its_store,
            p6_every_record_comes_back_as_it_was,
            p6_history_pages_go_back_to_the_first,
            p7_an_incarnation_stays_and_is_unique,
        );)*
    };
}

engines!(memory = super::InMemory, durable = super::OnDisk);

async fn commit(store: &dyn Store, batch: Batch) -> Commit {
    store.commit(batch).await.unwrap()
}

async fn next(stream: &mut ChangeStream) -> Record {
    stream.next().await.unwrap().unwrap()
}

async fn history(store: &dyn Store, key: Option<&str>, limit: usize) -> Page<Record> {
    let query = HistoryQuery { key: key.map(user_key), before: None, limit };
    store.history(query).await.unwrap()
}

fn revisions(records: &[Record]) -> Vec<Revision> {
    records.iter().map(|record| record.revision).collect()
}

async fn p1_a_batch_of_100_000_changes_is_whole(place: &impl Place) {
    let store = place.open().await;
    let changes = (0..100_000).map(|n| put_user(&format!("user{n}"), 1)).collect();
    let large = Batch::new(0, vec![asked(record(1, changes), 1)]).unwrap();
    assert_eq!(commit(&*store, large.clone()).await, Commit::Committed(1));
    drop(store);
    let store = place.open().await;
    let loaded = store.load().await.unwrap();
    assert_eq!((loaded.revision, loaded.len(), loaded.requests.len()), (1, 100_000, 1));
    assert_eq!(history(&*store, Some("user99999"), 2).await.items, large.records());
}

async fn p1_a_batch_above_the_limit_leaves_nothing(place: &impl Place) {
    let store = place.open().await;
    commit(&*store, batch(0, &[1])).await;
    let before = store.load().await.unwrap();
    let mut large = record(3, vec![put_user("jane", 3)]);
    large.reason = "x".repeat(MAX_BATCH_BYTES);
    let large = Batch::new(1, vec![asked(record(2, vec![]), 1), large]).unwrap();
    assert!(matches!(commit(&*store, large).await, Commit::Refused(_)));
    assert_eq!(store.load().await.unwrap(), before);
    assert_eq!(revisions(&history(&*store, None, 9).await.items), [1]);
    assert_eq!(commit(&*store, batch(1, &[2])).await, Commit::Committed(2));
}

async fn p1_a_group_may_change_an_object_twice(place: &impl Place) {
    let store = place.open().await;
    let records = vec![
        record(1, vec![put_user("jane", 1), put_user("john", 1)]),
        record(2, vec![delete_user("jane"), put_user("John", 2)]),
    ];
    commit(&*store, Batch::new(0, records).unwrap()).await;
    let objects: Vec<_> = store.load().await.unwrap().all().collect();
    assert_eq!(objects.len(), 1);
    assert_eq!((objects[0].name(), objects[0].stamp().revision), ("John", 2));
}

async fn p2_changes_come_when_they_are_durable(place: &impl Place) {
    let store = place.open().await;
    let mut changes = store.changes(0).await.unwrap();
    assert!(changes.next().now_or_never().is_none());
    let (seen, committed) = tokio::join!(next(&mut changes), store.commit(batch(0, &[5])));
    assert_eq!((seen.revision, committed.unwrap()), (5, Commit::Committed(5)));
    assert_eq!(store.linearize().await.unwrap(), 5);
}

async fn p3_what_was_acknowledged_is_there_after_reopening(place: &impl Place) {
    for round in 0..4 {
        let store = place.open().await;
        assert_eq!(store.linearize().await.unwrap(), round);
        assert_eq!(commit(&*store, batch(round, &[round + 1])).await, Commit::Committed(round + 1));
    }
    let loaded = place.open().await.load().await.unwrap();
    assert_eq!((loaded.revision, loaded.time.micros(), loaded.len()), (4, 4, 5));
}

async fn p3_a_request_is_remembered_with_its_answer(place: &impl Place) {
    let store = place.open().await;
    let (old, mut young) = (asked(record(1, vec![]), 1), asked(record(2, vec![]), 2));
    young.time = crate::domain::Time::from_micros(1 + super::REQUEST_AGE);
    let mut late = record(3, vec![]);
    commit(&*store, Batch::new(0, vec![old.clone(), young.clone()]).unwrap()).await;
    drop(store);
    let store = place.open().await;
    let both = vec![old.header().unwrap(), young.header().unwrap()];
    assert_eq!(store.load().await.unwrap().requests, both);
    late.time = crate::domain::Time::from_micros(2 + super::REQUEST_AGE);
    commit(&*store, Batch::new(2, vec![late]).unwrap()).await;
    assert_eq!(store.load().await.unwrap().requests, both[1..]);
}

async fn p3_a_request_is_found_by_its_key_and_leads_to_its_record(place: &impl Place) {
    let store = place.open().await;
    let records = [asked(record(1, vec![put_user("jane", 1)]), 1), asked(record(4, vec![]), 2)];
    let mut other = asked(record(5, vec![]), 1);
    other.actor.subject = "somebody else".to_owned();
    let [first, second] = records.clone();
    commit(&*store, Batch::new(0, records.to_vec()).unwrap()).await;
    commit(&*store, Batch::new(4, vec![other.clone(), record(6, vec![])]).unwrap()).await;
    drop(store);
    let store = place.open().await;
    for asked in [first, second, other] {
        let header = asked.header().unwrap();
        assert_eq!(store.request(header.key, 6).await.unwrap(), Some(header));
        assert_eq!(store.request(header.key, header.revision - 1).await.unwrap(), None);
        assert_eq!(store.record(header.revision).await.unwrap(), Some(asked));
    }
    let unknown = RequestKey::new("system", uuid::Uuid::from_u128(3));
    assert_eq!(store.request(unknown, 6).await.unwrap(), None);
    for none in [2, 7] {
        assert_eq!(store.record(none).await.unwrap(), None);
    }
}

async fn p3_a_commit_that_nobody_awaits_is_whole(place: &impl Place) {
    let store = place.open().await;
    drop(store.commit(batch(0, &[1, 2])).now_or_never());
    let mut changes = store.changes(0).await.unwrap();
    assert_eq!((next(&mut changes).await.revision, next(&mut changes).await.revision), (1, 2));
    assert_eq!(store.load().await.unwrap().revision, 2);
}

async fn p4_a_batch_planned_on_another_head_is_a_conflict(place: &impl Place) {
    let store = place.open().await;
    commit(&*store, batch(0, &[1, 3])).await;
    let before = store.load().await.unwrap();
    for (after, first) in [(0, 1), (2, 3), (1, 9), (4, 5)] {
        assert_eq!(commit(&*store, batch(after, &[first])).await, Commit::Conflict(3));
    }
    assert_eq!(store.load().await.unwrap(), before);
}

async fn p4_revisions_grow_with_gaps(place: &impl Place) {
    for (after, bad) in [(0, &[][..]), (0, &[0]), (3, &[3]), (0, &[2, 2]), (0, &[2, 1]), (-1, &[0])]
    {
        let records = bad.iter().map(|&at| record(at, vec![])).collect();
        assert!(matches!(Batch::new(after, records), Err(Error::Malformed(_))), "{after} {bad:?}");
    }
    let store = place.open().await;
    assert_eq!(commit(&*store, batch(0, &[10, 300])).await, Commit::Committed(300));
    assert_eq!(commit(&*store, batch(300, &[70_000])).await, Commit::Committed(70_000));
    assert_eq!(revisions(&history(&*store, None, 9).await.items), [70_000, 300, 10]);
}

async fn p4_of_two_writers_on_one_head_one_wins(place: &impl Place) {
    let store = place.open().await;
    let (a, b) = tokio::join!(store.commit(batch(0, &[1])), store.commit(batch(0, &[2])));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(
        (a == Commit::Committed(1) && b == Commit::Conflict(1))
            || (b == Commit::Committed(2) && a == Commit::Conflict(2)),
        "{a:?} {b:?}"
    );
}

async fn p5_changes_catch_up_and_go_on_live(place: &impl Place) {
    let store = place.open().await;
    commit(&*store, batch(0, &[1, 4])).await;
    commit(&*store, batch(4, &[5])).await;
    let (mut all, mut some) = (store.changes(0).await.unwrap(), store.changes(2).await.unwrap());
    let mut future = store.changes(6).await.unwrap();
    commit(&*store, batch(5, &[6, 9])).await;
    for expected in [1, 4, 5, 6, 9] {
        assert_eq!(next(&mut all).await.revision, expected);
    }
    for expected in [4, 5, 6, 9] {
        assert_eq!(next(&mut some).await.revision, expected);
    }
    assert_eq!(next(&mut future).await.revision, 9);
    assert!(all.next().now_or_never().is_none());
}

async fn p5_a_stream_ends_with_its_store<P: Place>(_: &P) {
    // Whoever holds the place of the memory model holds its store, so the place goes too.
    let place = P::default();
    let store = place.open().await;
    let mut changes = store.changes(0).await.unwrap();
    drop((store, place));
    assert!(changes.next().await.is_none());
}

async fn p6_every_record_comes_back_as_it_was(place: &impl Place) {
    let store = place.open().await;
    let mut long = asked(record(2, vec![put_user("jane", 2), delete_user("john")]), 4);
    long.reason = "\u{fc}\0\"".repeat(50_000);
    let records = vec![record(1, vec![]), long, record(3, vec![put_user("jane", 3)])];
    commit(&*store, Batch::new(0, records.clone()).unwrap()).await;
    drop(store);
    let store = place.open().await;
    let mut changes = store.changes(0).await.unwrap();
    for expected in &records {
        assert_eq!(next(&mut changes).await, *expected);
    }
    assert_eq!(
        history(&*store, Some("JANE"), 9).await.items,
        [records[2].clone(), records[1].clone()]
    );
    assert_eq!(history(&*store, Some("john"), 9).await.items, records[1..2]);
    assert_eq!(history(&*store, Some("j"), 9).await.items, []);
}

async fn p6_history_pages_go_back_to_the_first(place: &impl Place) {
    let store = place.open().await;
    let all: Vec<Revision> = (1..=7).collect();
    commit(&*store, batch(0, &all)).await;
    for key in [None, Some(user_key("kendall"))] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let query = HistoryQuery { key: key.clone(), before, limit: 3 };
            let page = store.history(query).await.unwrap();
            assert!(page.items.len() <= 3);
            seen.extend(revisions(&page.items));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    }
    assert_eq!(history(&*store, Some("user4"), 1).await.next, None);
    let none = HistoryQuery { before: Some(1), ..HistoryQuery::default() };
    assert_eq!(store.history(none).await.unwrap(), Page { items: vec![], next: None });
}

async fn p7_an_incarnation_stays_and_is_unique<P: Place>(place: &P) {
    let first = place.open().await.identity();
    assert_eq!(place.open().await.identity(), first);
    let other = P::default();
    let other = other.open().await.identity();
    assert!(other.store != first.store && other.incarnation != first.incarnation);
}
