//! What the ledger promises, over the memory model.

pub(crate) mod cascades;
mod groups;
mod packing;
mod queue;
mod repetitions;
mod scripted;
mod threads;

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::{job::Judged, *};
use crate::{
    command::{Command, CreateProfile, ProfilePatch, SetDefault},
    domain::{Actor, Provenance, UniqueName, UserId, profile::InboxView},
    store::{Durable, Memory, durable},
};

fn adapters() -> Arc<Registry> {
    Arc::new(Registry::builtin())
}

async fn open(store: &Arc<Memory>) -> (Ledger, Arc<Mutex<Vec<i64>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let publish = move |p: &Committed| sink.lock().unwrap().push(p.after.revision);
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    (Ledger::open_here(store, Clock::system(), adapters(), publish).await.unwrap(), seen)
}

fn key(id: Uuid, payload: u8) -> Idempotency {
    Idempotency { id, payload: [payload; 32], former: Vec::new() }
}

fn create(name: &str) -> Submission {
    let patch = ProfilePatch { display_name: Some("P".into()), ..ProfilePatch::default() };
    submission(Box::new(CreateProfile { unique_name: name.into(), patch }))
}

pub(crate) fn submission(command: Box<dyn Command>) -> Submission {
    let actor = Actor::system();
    let (provenance, reason) = (Provenance::default(), String::new());
    Submission { command, actor, provenance, request: None, validate_only: false, reason }
}

#[tokio::test]
async fn an_empty_store_is_seeded_once() {
    let store = Arc::new(Memory::new());
    let (ledger, _) = open(&store).await;
    assert_eq!(ledger.catalog().revision, 1);
    assert_eq!(ledger.catalog().tables.profiles.len(), 3);
    let (again, _) = open(&store).await;
    assert_eq!(again.catalog().revision, 1);
}

#[tokio::test]
async fn a_write_is_published_before_it_is_answered_and_survives() {
    let store = Arc::new(Memory::new());
    let (ledger, seen) = open(&store).await;
    let outcome = ledger.submit(create("contoso_rep")).await.unwrap();
    assert_eq!((outcome.revision, outcome.changed), (2, true));
    assert_eq!(*seen.lock().unwrap(), [2]);
    assert!(ledger.catalog().tables.profiles.find("CONTOSO_REP").is_some());
    let (again, _) = open(&store).await;
    assert!(again.catalog().tables.profiles.find("contoso_rep").is_some());
}

#[tokio::test]
async fn refused_unchanged_and_validated_writes_take_no_revision() {
    let store = Arc::new(Memory::new());
    let (ledger, seen) = open(&store).await;
    let refused = ledger.submit(create("bad name")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::UniqueNameInvalid);
    let dry =
        ledger.submit(Submission { validate_only: true, ..create("contoso_rep") }).await.unwrap();
    assert_eq!((dry.revision, dry.changed), (1, true));
    assert!(
        dry.objects.len() == 1 && ledger.catalog().tables.profiles.find("contoso_rep").is_none()
    );
    ledger.submit(create("contoso_rep")).await.unwrap();
    let default = || {
        let profile = UniqueName::known("contoso_rep");
        let (replace_current, drop_rank_and_roles) = (false, false);
        submission(Box::new(SetDefault {
            profile,
            etag: None,
            replace_current,
            drop_rank_and_roles,
        }))
    };
    assert!(ledger.submit(default()).await.unwrap().changed);
    let again = ledger.submit(default()).await.unwrap();
    assert_eq!((again.revision, again.changed), (3, false));
    assert_eq!(*seen.lock().unwrap(), [2, 3]);
}

#[tokio::test]
async fn a_repetition_is_recognised_by_a_hash_under_a_former_key() {
    let (ledger, _) = open(&Arc::new(Memory::new())).await;
    let id = Uuid::from_u128(7);
    let asked = |request| Submission { request: Some(request), ..create("contoso_rep") };
    let first = ledger.submit(asked(key(id, 1))).await.unwrap();
    let former = Idempotency { former: vec![[3; 32], [1; 32]], ..key(id, 2) };
    assert_eq!(ledger.submit(asked(former)).await.unwrap(), first);
    let other = Idempotency { former: vec![[3; 32]], ..key(id, 2) };
    let reused = ledger.submit(asked(other)).await.unwrap_err();
    assert_eq!(reused.reason, Reason::RequestIdReused);
}

#[tokio::test]
async fn a_repeated_request_has_one_effect_and_one_answer_even_after_a_restart() {
    let store = Arc::new(Memory::new());
    let (ledger, _) = open(&store).await;
    let id = Uuid::from_u128(7);
    let asked = |payload| Submission { request: Some(key(id, payload)), ..create("contoso_rep") };
    let (first, second) = tokio::join!(ledger.submit(asked(1)), ledger.submit(asked(1)));
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    let reused = ledger.submit(asked(2)).await.unwrap_err();
    assert_eq!(reused.reason, Reason::RequestIdReused);
    let (again, _) = open(&store).await;
    assert_eq!(again.submit(asked(1)).await.unwrap(), first);
    assert_eq!(again.catalog().revision, 2);
}

#[tokio::test]
async fn sizes_are_judged_for_dry_runs_and_commits_alike() {
    let store = Arc::new(Memory::new());
    let (ledger, _) = open(&store).await;
    let filter = format!("{{\"f\":\"{}\"}}", "x".repeat(60_000));
    let view = |at| InboxView {
        name: format!("View {at}"),
        record_types: vec!["case".into()],
        advanced_filter: filter.clone(),
        ..InboxView::default()
    };
    for validate_only in [true, false] {
        let patch = ProfilePatch {
            display_name: Some("P".into()),
            inbox_views: Some((0..3).map(view).collect()),
            ..ProfilePatch::default()
        };
        let create = CreateProfile { unique_name: "contoso_rep".into(), patch };
        let write = Submission { validate_only, ..submission(Box::new(create)) };
        assert_eq!(ledger.submit(write).await.unwrap_err().reason, Reason::ResourceTooLarge);
    }
    assert_eq!(ledger.catalog().revision, 1);
}

#[tokio::test]
async fn a_disk_that_is_almost_full_refuses_writes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let open = |min_free_bytes| {
        let settings = durable::Settings { min_free_bytes, ..durable::Settings::default() };
        Durable::open(folder.path(), settings)
    };
    let store = Arc::new(open(0).await.unwrap());
    let ledger = Ledger::open_here(Arc::clone(&store) as _, Clock::system(), adapters(), |_| {})
        .await
        .unwrap();
    ledger.submit(create("contoso_rep")).await.unwrap();
    store.close().await.unwrap();
    drop((ledger, store));
    tokio::task::yield_now().await;

    let store = Arc::new(open(u64::MAX).await.unwrap());
    let ledger = Ledger::open_here(store as _, Clock::system(), adapters(), |_| {}).await.unwrap();
    for name in ["contoso_lead", "contoso_lead"] {
        let refused = ledger.submit(create(name)).await.unwrap_err();
        assert_eq!(refused.reason, Reason::StoreUnavailable);
        assert!(refused.message.contains("read-only: disk almost full"), "{}", refused.message);
    }
    assert!(ledger.catalog().tables.profiles.find("contoso_rep").is_some());
}
