//! Writes that share a batch of the store share nothing else: what becomes of one is never the answer
//! to another.

use std::sync::{Mutex, atomic::Ordering};

use futures_util::future::join_all;

use super::{scripted::Scripted, *};
use crate::{
    command::{Context, Plan, UpdateProfile},
    domain::Time,
    store::{Batch, Commit, Lack, conformance::fixtures},
};

/// A ledger, and the revisions of each group that it published.
async fn open(store: &Arc<Scripted>) -> (Ledger, Arc<Mutex<Vec<Vec<i64>>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let publish = move |p: &Committed| {
        sink.lock().unwrap().push(p.records.iter().map(|record| record.revision).collect());
    };
    let ledger =
        Ledger::open_here(Arc::clone(store) as _, Clock::system(), adapters(), publish).await;
    (ledger.unwrap(), seen)
}

/// Hands in writes so that they wait together; their answers in the same order.
async fn together(ledger: &Ledger, writes: Vec<Submission>) -> Vec<Judged> {
    join_all(writes.into_iter().map(|write| ledger.submit(write))).await
}

/// A write of about so many bytes: the reason is part of the record, and of nothing else.
fn wide(name: &str, bytes: usize) -> Submission {
    Submission { reason: "x".repeat(bytes), ..create(name) }
}

fn dry(write: Submission) -> Submission {
    Submission { validate_only: true, ..write }
}

fn asked(write: Submission, id: u128) -> Submission {
    Submission { request: Some(key(Uuid::from_u128(id), 1)), ..write }
}

fn reason(judged: &Judged) -> Option<Reason> {
    judged.as_ref().err().map(|refusal| refusal.reason)
}

#[tokio::test]
async fn a_write_that_is_too_large_is_refused_and_nobody_else() {
    let store = Arc::new(Scripted::with_limits(20_000, 40_000));
    // Built-in content is larger than that.
    seed_by_hand(&store).await;
    let (ledger, seen) = open(&store).await;
    let writes = vec![
        create("contoso_one"),
        wide("contoso_two", 30_000),
        dry(wide("contoso_two", 30_000)),
        create("contoso_three"),
    ];
    let judged = together(&ledger, writes).await;
    assert!(judged[0].is_ok() && judged[3].is_ok(), "{judged:?}");
    for refused in &judged[1..3] {
        let refusal = refused.as_ref().unwrap_err();
        assert_eq!(refusal.reason, Reason::ResourceTooLarge);
        assert_eq!(refusal.metadata["limit"], "20000");
        let size: usize = refusal.metadata["size"].parse().unwrap();
        assert!((30_000..32_000).contains(&size), "{size}");
        assert!(refusal.message.contains("20000"), "{}", refusal.message);
    }
    assert_eq!(judged[1], judged[2], "a dry run says what the write says");
    assert_eq!(*seen.lock().unwrap(), [[2, 3]]);
    assert!(ledger.catalog().tables.profiles.find("contoso_two").is_none());
}

#[tokio::test]
async fn a_dry_run_counts_the_answer_that_a_request_id_keeps() {
    let store = Arc::new(Scripted::with_limits(3_000, 40_000));
    seed_by_hand(&store).await;
    let (ledger, _) = open(&store).await;
    // The answer is kept with the record, so the id alone makes it too large.
    let sized = |bytes| asked(wide("contoso_rep", bytes), 1);
    let most = (0..3_000).rev().step_by(10);
    let mut fits = None;
    for bytes in most {
        if ledger.submit(dry(sized(bytes))).await.is_ok() {
            fits = Some(bytes);
            break;
        }
    }
    let fits = fits.unwrap();
    assert!(ledger.submit(dry(wide("contoso_rep", fits + 10))).await.is_ok(), "without the id");
    let refused = ledger.submit(sized(fits + 10)).await;
    assert_eq!(reason(&refused), Some(Reason::ResourceTooLarge));
    assert!(ledger.submit(sized(fits)).await.is_ok());
}

#[tokio::test]
async fn a_group_is_closed_before_it_is_too_large() {
    let store = Arc::new(Scripted::with_limits(20_000, 20_000));
    seed_by_hand(&store).await;
    let (ledger, seen) = open(&store).await;
    let names = ["contoso_one", "contoso_two", "contoso_three", "contoso_four", "contoso_five"];
    let judged = together(&ledger, names.iter().map(|name| wide(name, 8_000)).collect()).await;
    assert!(judged.iter().all(Result::is_ok), "{judged:?}");
    assert_eq!(*seen.lock().unwrap(), [vec![2, 3], vec![4, 5], vec![6]]);
    let revisions: Vec<_> = judged.iter().map(|judged| judged.as_ref().unwrap().revision).collect();
    assert_eq!(revisions, [2, 3, 4, 5, 6], "the order is that in which they came");
}

#[tokio::test]
async fn a_store_that_refuses_a_batch_is_asked_write_by_write() {
    let store = Arc::new(Scripted::new());
    let (ledger, seen) = open(&store).await;
    // The engine takes less than it says.
    store.answer(|batch| {
        let large = batch.records().iter().any(|record| record.reason.len() > 100);
        (large || batch.records().len() > 2).then(|| Ok(Commit::Refused("no".to_owned())))
    });
    let writes = vec![
        create("contoso_one"),
        wide("contoso_two", 200),
        create("contoso_three"),
        create("contoso_one"),
    ];
    let judged = together(&ledger, writes).await;
    assert!(judged[0].is_ok() && judged[2].is_ok(), "{judged:?}");
    assert_eq!(reason(&judged[1]), Some(Reason::ResourceTooLarge));
    assert_eq!(reason(&judged[3]), Some(Reason::UniqueNameTaken));
    assert_eq!(*seen.lock().unwrap(), [[2], [3]]);
}

#[tokio::test]
async fn who_does_not_need_a_read_only_store_gets_the_right_answer() {
    let store = Arc::new(Scripted::new());
    let (ledger, seen) = open(&store).await;
    let first = ledger.submit(asked(create("contoso_rep"), 7)).await.unwrap();
    store.read_only();
    let writes = vec![
        dry(create("contoso_lead")),
        create("contoso_lead"),
        // What follows comes after a write that was planned and never came to be.
        dry(create("contoso_lead")),
        create("contoso_lead"),
        create("bad name"),
        create("contoso_rep"),
        asked(create("contoso_rep"), 7),
        unchanged("contoso_rep"),
        renamed("contoso_lead"),
        asked(create("contoso_new"), 8),
        asked(create("contoso_new"), 8),
    ];
    let judged = together(&ledger, writes).await;
    let dry_run = judged[0].as_ref().unwrap();
    assert_eq!((dry_run.revision, dry_run.changed), (2, true));
    assert_eq!(judged[2].as_ref().unwrap().revision, 2);
    assert!(judged[2].as_ref().unwrap().changed);
    assert_eq!(reason(&judged[4]), Some(Reason::UniqueNameInvalid));
    assert_eq!(reason(&judged[5]), Some(Reason::UniqueNameTaken));
    assert_eq!(judged[6].as_ref().unwrap(), &first);
    let no_op = judged[7].as_ref().unwrap();
    assert_eq!((no_op.revision, no_op.changed), (2, false));
    assert_eq!(reason(&judged[8]), Some(Reason::ProfileNotFound), "it was never created");
    for at in [1, 3, 9, 10] {
        let refusal = judged[at].as_ref().unwrap_err();
        assert_eq!(refusal.reason, Reason::StoreUnavailable);
        assert!(refusal.retry_after_ms.is_some());
        assert!(refusal.message.contains("read-only: disk or quota full"), "{}", refusal.message);
    }
    assert_eq!(*seen.lock().unwrap(), [[2]]);
    store.writable();
    assert_eq!(ledger.submit(asked(create("contoso_new"), 8)).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_write_that_finds_no_place_leaves_others_theirs() {
    let store = Arc::new(Scripted::new());
    let (ledger, _) = open(&store).await;
    store.answer(|batch| {
        let large = batch.records().iter().map(|record| record.reason.len()).sum::<usize>() > 100;
        large.then_some(Err(Error::ReadOnly(Lack::Full)))
    });
    let judged = together(
        &ledger,
        vec![create("contoso_one"), wide("contoso_two", 200), create("contoso_three")],
    )
    .await;
    assert!(judged[0].is_ok() && judged[2].is_ok(), "{judged:?}");
    assert_eq!(reason(&judged[1]), Some(Reason::StoreUnavailable));
}

#[tokio::test]
async fn after_an_unknown_end_answers_that_need_no_store_stay_true() {
    let store = Arc::new(Scripted::new());
    let (ledger, _) = open(&store).await;
    ledger.submit(asked(create("contoso_rep"), 7)).await.unwrap();
    store.answer(|_| Some(Ok(Commit::Unknown)));
    let writes = vec![
        create("bad name"),
        create("contoso_lead"),
        create("contoso_lead"),
        dry(create("contoso_other")),
        unchanged("contoso_rep"),
        asked(create("contoso_rep"), 7),
    ];
    let judged = together(&ledger, writes).await;
    assert_eq!(reason(&judged[0]), Some(Reason::UniqueNameInvalid));
    let unknown = judged[1].as_ref().unwrap_err();
    assert_eq!(unknown.reason, Reason::StoreUnavailable);
    assert!(unknown.message.contains("is not known"), "{}", unknown.message);
    let certain = judged[2].as_ref().unwrap_err();
    assert!(certain.message.contains("nothing was written"), "{}", certain.message);
    assert!(judged[3].as_ref().unwrap().changed);
    assert!(!judged[4].as_ref().unwrap().changed);
    assert_eq!(judged[5].as_ref().unwrap().revision, 2);
    // The store may hold the write by now, so nothing is written on top of what is published.
    store.answer(|_| None);
    let later = together(&ledger, vec![create("contoso_other"), create("bad name")]).await;
    assert!(later[0].as_ref().unwrap_err().message.contains("nothing was written"));
    assert_eq!(reason(&later[1]), Some(Reason::UniqueNameInvalid));
    ledger.close().await;
}

/// A command whose rules have a mistake.
#[derive(Debug)]
struct Panics;

impl Command for Panics {
    fn operation(&self) -> &'static str {
        "Panics"
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, _: &Catalog, _: &Context) -> Result<Plan, Refusal> {
        panic!("a mistake in the rules of a write")
    }
}

#[tokio::test]
async fn a_write_whose_rules_panic_is_refused_alone() {
    let store = Arc::new(Scripted::new());
    let (ledger, _) = open(&store).await;
    let writes = vec![create("contoso_one"), submission(Box::new(Panics)), create("contoso_two")];
    let judged = together(&ledger, writes).await;
    assert!(judged[0].is_ok() && judged[2].is_ok(), "{judged:?}");
    assert_eq!(reason(&judged[1]), Some(Reason::Internal));
    assert!(ledger.submit(create("contoso_three")).await.is_ok());
}

#[tokio::test]
async fn built_in_content_that_found_no_room_is_written_when_there_is_some() {
    let store = Arc::new(Scripted::new());
    // A store of a program that had none of it.
    let record = fixtures::record(1, vec![fixtures::put_user("jane", 1)]);
    store.inner.commit(Batch::new(0, vec![record]).unwrap()).await.unwrap();
    store.read_only();
    let (ledger, seen) = open(&store).await;
    assert_eq!(ledger.catalog().revision, 1);
    let refused = ledger.submit(create("contoso_rep")).await;
    assert_eq!(reason(&refused), Some(Reason::StoreUnavailable));
    store.writable();
    while seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*seen.lock().unwrap(), [[2]]);
    assert_eq!(ledger.catalog().tables.profiles.len(), 3);
    assert_eq!(ledger.submit(create("contoso_rep")).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_first_start_without_room_is_an_error() {
    let store = Arc::new(Scripted::new());
    store.read_only();
    let opened = Ledger::open_here(store as _, Clock::system(), adapters(), |_| {}).await;
    assert!(matches!(opened, Err(Error::ReadOnly(Lack::Full))), "{opened:?}");
}

#[tokio::test(start_paused = true)]
async fn closing_has_a_deadline() {
    let store = Arc::new(Scripted::new());
    let (ledger, _) = open(&store).await;
    assert!(ledger.submit(create("contoso_rep")).await.is_ok());
    store.hangs.store(true, Ordering::SeqCst);
    let (second, time) = (ledger.clone(), Duration::from_secs(5));
    let (judged, closed) =
        tokio::join!(ledger.submit(create("contoso_lead")), second.close_within(time));
    assert!(!closed);
    let refusal = judged.unwrap_err();
    assert_eq!(refusal.reason, Reason::StoreUnavailable);
    assert!(refusal.message.contains("is not known"), "{}", refusal.message);
    let later = ledger.submit(create("contoso_other")).await;
    assert_eq!(reason(&later), Some(Reason::StoreUnavailable));
}

/// Writes the built-in content past the limits of a test.
async fn seed_by_hand(store: &Scripted) {
    let catalog = Catalog::from_objects(Vec::new(), 0, Time::default());
    seed::seed(&store.inner, catalog, &Clock::system()).await.unwrap();
}

/// A write that changes nothing.
fn unchanged(name: &'static str) -> Submission {
    title(name, "P")
}

fn renamed(name: &'static str) -> Submission {
    title(name, "Q")
}

fn title(name: &'static str, title: &str) -> Submission {
    let patch = ProfilePatch { display_name: Some(title.into()), ..ProfilePatch::default() };
    submission(Box::new(UpdateProfile::new(UniqueName::known(name), patch)))
}

/// A caller whose deadline passes while the write waits in the queue.
#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_judged() {
    let store = Arc::new(Scripted::new());
    let (ledger, seen) = open(&store).await;
    let mut abandoned = Box::pin(ledger.submit(create("contoso_gone")));
    // One poll hands it in; the commit task has not run since.
    assert!(futures_util::poll!(&mut abandoned).is_pending());
    drop(abandoned);
    let outcome = ledger.submit(create("contoso_rep")).await.unwrap();
    assert_eq!(outcome.revision, 2);
    assert_eq!(*seen.lock().unwrap(), [[2]]);
    let catalog = ledger.catalog();
    assert!(catalog.tables.profiles.find("contoso_gone").is_none());
}
