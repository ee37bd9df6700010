//! Pages of two lists, the rate limits of refusals, and what the recorder keeps and loses.

mod limits;
mod pages;

use std::{sync::Mutex, time::Duration};

use super::{
    recorder::GATHER,
    refusals::{LIMIT, WINDOW},
    *,
};
use crate::{
    domain::{
        App, Delivery, DeliveryLog as _, Method, Provenance, Scope, Time, UniqueName, UserId,
    },
    store::{
        Commit, Error, Log, LogEntry, LogKind, LogQuery, Logged, Memory, MemoryLog, Record, Result,
        Visit, conformance::fixtures,
    },
    tasks::Tasks,
};

fn entry(actor: &str, time: i64) -> Entry {
    Entry {
        time: Time::from_micros(time),
        revision: 3,
        actor: actor.to_owned(),
        provenance: Provenance { scope: Some(Scope::Reader), address: "127.0.0.1:1".to_owned() },
        operation: "Explain".to_owned(),
        resources: vec!["users/kendall".to_owned()],
        resource_count: 1,
        flags: Vec::new(),
        request_id: String::new(),
        reason: String::new(),
        outcome: Outcome::Answered,
        repeats: 0,
    }
}

fn denied(actor: &str, time: i64) -> Entry {
    Entry { outcome: Outcome::Denied("SCOPE_REQUIRED".to_owned()), ..entry(actor, time) }
}

fn delivery(user: &str, client: &str, time: i64) -> Delivery {
    Delivery {
        user: UserId::parse(user).unwrap(),
        app: App::Workspace,
        client_id: client.to_owned(),
        time: Time::from_micros(time),
        revision: time,
        digest: format!("digest-{time}"),
        profile: UniqueName::parse("contoso_rep").unwrap(),
        method: Method::RoleBased,
    }
}

/// A clock that stands at a time.
fn clock_at(micros: i64) -> Clock {
    Clock::new(move || Time::from_micros(micros), uuid::Uuid::new_v4)
}

fn audit(store: &Arc<Memory>, settings: Settings) -> Audit {
    Audit::new(Arc::<Memory>::clone(store), clock_at(1_000), settings)
}

/// Every page of the audit, each of at most so many entries.
async fn pages(reader: &Reader, query: &AuditQuery, size: usize) -> Vec<Entry> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = reader.audit(query.clone(), from, size).await.unwrap();
        assert!(page.items.len() <= size);
        all.extend(page.items);
        match page.next {
            Some(next) => from = Some(next),
            None => return all,
        }
    }
}

async fn commit(store: &Memory, at: i64) {
    let store: &dyn Store = store;
    let head = store.linearize().await.unwrap();
    let batch = fixtures::batch(head, &[at]);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Committed(at));
}

#[test]
fn an_entry_survives_its_stored_form() {
    let plain = entry("jane", 7);
    let full = Entry {
        flags: vec!["move".to_owned()],
        request_id: "id".to_owned(),
        reason: "why".to_owned(),
        repeats: 4,
        ..denied("jane", 7)
    };
    for entry in [plain, full] {
        let bytes = entry.encode().unwrap();
        let logged = crate::store::Logged { sequence: 1, time: entry.time, bytes: &bytes };
        assert_eq!(Entry::decode(&logged).unwrap(), entry);
        let newer = [&[entry::FORMAT + 1][..], &bytes[1..]].concat();
        let newer = crate::store::Logged { bytes: &newer, ..logged };
        assert!(matches!(Entry::decode(&newer), Err(Error::NewerFormat { .. })));
    }
}

#[test]
fn s11_3_the_entry_of_a_write_is_its_record() {
    let record = Record {
        reason: "moved".to_owned(),
        provenance: Provenance { scope: Some(Scope::Admin), address: "192.0.2.7:1".to_owned() },
        ..fixtures::asked(fixtures::record(3, vec![fixtures::put_user("Kendall", 3)]), 9)
    };
    let entry = Entry::of(&record);
    assert_eq!((entry.time, entry.revision), (record.time, 3));
    assert_eq!((entry.actor.as_str(), entry.operation.as_str()), ("system", "UpdateUser"));
    assert_eq!(entry.provenance, record.provenance);
    assert_eq!((entry.flags, entry.reason.as_str()), (vec!["move".to_owned()], "moved"));
    assert_eq!(entry.request_id, uuid::Uuid::from_u128(9).to_string());
    assert_eq!(entry.resources, ["users/Kendall"]);
    assert_eq!(entry.outcome, Outcome::Committed);
}

#[test]
fn an_entry_names_the_first_resources_and_counts_them_all() {
    let changes = (0..1_000).map(|n| fixtures::put_user(&format!("user{n}"), 3)).collect();
    let entry = Entry::of(&fixtures::record(3, changes));
    assert_eq!((entry.resources.len(), entry.resource_count), (RESOURCES, 1_000));
}

#[tokio::test]
async fn s11_3_reads_refusals_and_deliveries_are_found_again() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    recorder.read(|| entry("jane", 1)).unwrap().end(Outcome::Answered);
    recorder.read(|| entry("jane", 2)).unwrap().end(Outcome::Failed("USER_NOT_FOUND".to_owned()));
    drop(recorder.read(|| entry("jane", 3)));
    recorder.denied(|| denied("john", 4));
    recorder.delivered(delivery("kendall", "desk-1", 5).borrowed());
    assert!(reader.audit(AuditQuery::default(), None, 10).await.unwrap().items.is_empty());
    recorder.write().await;
    let outcomes = pages(&reader, &AuditQuery::default(), 10).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|entry| entry.outcome).collect();
    let failed = |reason: &str| Outcome::Failed(reason.to_owned());
    let denied = Outcome::Denied("SCOPE_REQUIRED".to_owned());
    let expected = [denied, failed("CANCELLED"), failed("USER_NOT_FOUND"), Outcome::Answered];
    assert_eq!(outcomes, expected);
    let sent = reader.deliveries(DeliveryQuery::default(), None, 10).await.unwrap();
    assert_eq!(sent.items, [delivery("kendall", "desk-1", 5)]);
    let figures = recorder.figures();
    assert_eq!((figures.audited, figures.delivered, figures.dropped), (4, 1, [0, 0]));
}

#[tokio::test]
async fn what_is_switched_off_is_not_kept() {
    let store = Arc::new(Memory::new());
    let mut settings = Settings::default();
    settings.reads.enabled = false;
    settings.deliveries.enabled = false;
    let Audit { recorder, reader } = audit(&store, settings);
    assert!(recorder.read(|| entry("jane", 1)).is_none());
    recorder.denied(|| denied("john", 4));
    recorder.delivered(delivery("kendall", "", 5).borrowed());
    recorder.close().await;
    assert!(pages(&reader, &AuditQuery::default(), 10).await.is_empty());
    assert_eq!(recorder.figures(), Figures::default());
}

#[tokio::test]
async fn the_same_read_again_and_again_is_one_entry_with_a_count() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    for at in 0..50 {
        recorder.read(|| entry("jane", at)).unwrap().end(Outcome::Answered);
    }
    recorder.write().await;
    let found = pages(&reader, &AuditQuery::default(), 10).await;
    assert_eq!(found.iter().map(|entry| entry.repeats).collect::<Vec<_>>(), [49]);
}

#[tokio::test(start_paused = true)]
async fn s11_3_nothing_waits_longer_than_a_second() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, .. } = audit(&store, Settings::default());
    let tasks = Tasks::default();
    recorder.start(&tasks);
    for round in 1..=3 {
        recorder.delivered(delivery("kendall", "", round).borrowed());
        recorder.read(|| entry("jane", round)).unwrap().end(Outcome::Answered);
        let begun = tokio::time::Instant::now();
        while recorder.figures().audited < round as u64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(begun.elapsed() <= 2 * GATHER, "{:?}", begun.elapsed());
        assert_eq!(recorder.figures().delivered, round as u64);
    }
    tasks.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn suppressed_refusals_are_written_when_their_window_ends() {
    let store = Arc::new(Memory::new());
    let now = Arc::new(Mutex::new(0));
    let shown = Arc::clone(&now);
    let clock = Clock::new(move || Time::from_micros(*shown.lock().unwrap()), uuid::Uuid::new_v4);
    let Audit { recorder, reader } =
        Audit::new(Arc::<Memory>::clone(&store), clock, Settings::default());
    let tasks = Tasks::default();
    recorder.start(&tasks);
    for _ in 0..LIMIT + 7 {
        recorder.denied(|| denied("jane", 0));
    }
    *now.lock().unwrap() = WINDOW;
    loop {
        let found = pages(&reader, &AuditQuery::default(), 10).await;
        // Those that were written, and the one that counts the rest, which may repeat the last.
        if found.iter().map(|entry| 1 + entry.repeats).sum::<u32>() == LIMIT + 7 {
            break;
        }
        tokio::time::sleep(GATHER).await;
    }
    assert_eq!(recorder.figures().suppressed, 7);
    tasks.shutdown(Duration::from_secs(1)).await;
}

/// A log that cannot be written.
#[derive(Debug, Default)]
struct Failing(MemoryLog);

impl Log for Failing {
    fn append(&self, _: LogKind, _: &[LogEntry]) -> Result<()> {
        Err(Error::Engine("no room".to_owned()))
    }

    fn next(&self, kind: LogKind) -> Result<u64> {
        self.0.next(kind)
    }

    fn visit(&self, kind: LogKind, query: &LogQuery, visit: Visit<'_>) -> Result<Option<u64>> {
        self.0.visit(kind, query, visit)
    }

    fn retain(&self, _: LogKind, _: Time, _: u64) -> Result<()> {
        Err(Error::Engine("no room".to_owned()))
    }
}

#[tokio::test]
async fn s11_3_what_cannot_be_written_is_lost_and_counted() {
    let recorder = Recorder::over(Arc::new(Failing::default()), clock_at(9), Settings::default());
    recorder.read(|| entry("jane", 1)).unwrap().end(Outcome::Answered);
    recorder.delivered(delivery("kendall", "", 2).borrowed());
    recorder.delivered(delivery("kendall", "", 3).borrowed());
    recorder.close().await;
    let figures = recorder.figures();
    assert_eq!((figures.audited, figures.delivered, figures.dropped), (0, 0, [1, 2]));
    assert_eq!(figures.lag_micros, 8);
}

#[tokio::test]
async fn filters_narrow_the_audit() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    commit(&store, 1).await;
    recorder.read(|| entry("jane", 2)).unwrap().end(Outcome::Answered);
    recorder.denied(|| denied("john", 3));
    recorder.write().await;
    commit(&store, 4).await;
    let found = async |query: AuditQuery| {
        pages(&reader, &query, 10).await.iter().map(|e| e.time.micros()).collect::<Vec<_>>()
    };
    let all = AuditQuery::default();
    assert_eq!(found(all.clone()).await, [4, 3, 2, 1]);
    let (since, until) = (Some(Time::from_micros(2)), Some(Time::from_micros(4)));
    assert_eq!(found(AuditQuery { since, ..all.clone() }).await, [4, 3, 2]);
    assert_eq!(found(AuditQuery { until, ..all.clone() }).await, [3, 2, 1]);
    assert_eq!(found(AuditQuery { actor: "JANE".to_owned(), ..all.clone() }).await, [2]);
    assert_eq!(
        found(AuditQuery { operation: "updateuser".to_owned(), ..all.clone() }).await,
        [4, 1]
    );
    for (outcome, times) in [
        (OutcomeKind::Committed, &[4, 1][..]),
        (OutcomeKind::Answered, &[2]),
        (OutcomeKind::Denied, &[3]),
        (OutcomeKind::Failed, &[]),
    ] {
        assert_eq!(found(AuditQuery { outcome: Some(outcome), ..all.clone() }).await, times);
    }
    let about = |key, name: &str| Some((key, name.to_owned()));
    let resource = about(fixtures::user_key("user4"), "users/user4");
    assert_eq!(found(AuditQuery { resource, ..all.clone() }).await, [4]);
    let resource = about(fixtures::user_key("kendall"), "users/kendall");
    assert_eq!(found(AuditQuery { resource, ..all }).await, [4, 3, 2, 1]);
}

#[tokio::test]
async fn s11_3_the_resolution_log_says_what_was_seen_at_a_time() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    for (user, client, time) in
        [("kendall", "a", 1), ("kendall", "b", 2), ("jane", "a", 3), ("kendall", "a", 5)]
    {
        recorder.delivered(delivery(user, client, time).borrowed());
    }
    recorder.write().await;
    let seen = async |user: &str, client: Option<&str>, at: i64| {
        let query = DeliveryQuery {
            until: Some(Time::from_micros(at + 1)),
            user: UserId::parse(user).ok(),
            client_id: client.map(str::to_owned),
            ..DeliveryQuery::default()
        };
        let page = reader.deliveries(query, None, 1).await.unwrap();
        page.items.first().map(|sent| sent.time.micros())
    };
    assert_eq!(seen("Kendall", None, 4).await, Some(2));
    assert_eq!(seen("kendall", Some("a"), 4).await, Some(1));
    assert_eq!(seen("kendall", Some("a"), 5).await, Some(5));
    assert_eq!(seen("jane", None, 2).await, None);
}

#[tokio::test(start_paused = true)]
async fn s11_3_what_is_too_old_goes_at_the_start() {
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    let store = Arc::new(Memory::new());
    let at = |day: i64| delivery("kendall", "", day * DAY);
    let writer = audit(&store, Settings::default()).recorder;
    for day in [1, 69, 71, 100] {
        writer.delivered(at(day).borrowed());
    }
    writer.write().await;
    let settings = Settings::default();
    assert_eq!(settings.deliveries.age, Duration::from_secs(30 * 24 * 3_600), "30 days");
    let Audit { recorder, reader } =
        Audit::new(Arc::<Memory>::clone(&store), clock_at(100 * DAY), settings);
    let tasks = Tasks::default();
    recorder.start(&tasks);
    loop {
        let left = reader.deliveries(DeliveryQuery::default(), None, 10).await.unwrap().items;
        if left.len() < 4 {
            assert_eq!(left, [at(100), at(71)]);
            break;
        }
        tokio::time::sleep(GATHER).await;
    }
    tasks.shutdown(Duration::from_secs(1)).await;
}

#[test]
fn a_batch_of_deliveries_holds_each_of_them_as_it_was() {
    let name = |text| UniqueName::parse(text).unwrap();
    let first = delivery("kendall", "desk", 5);
    let deliveries = [
        first.clone(),
        Delivery { user: UserId::parse("john.doe@contoso").unwrap(), ..first.clone() },
        Delivery { client_id: String::new(), time: Time::from_micros(6), ..first.clone() },
        Delivery { revision: 6, ..first.clone() },
        Delivery { revision: 6, digest: "digest-\"6".to_owned(), ..first.clone() },
        Delivery { profile: name("contoso_lead"), ..first.clone() },
        Delivery { profile: name("Contoso_Lead"), ..first.clone() },
        Delivery { method: Method::Direct, app: App::Unspecified, ..first.clone() },
        first,
    ];
    let mut batch = super::delivery::Batch::default();
    for delivery in &deliveries {
        batch.push(delivery.borrowed()).unwrap();
    }
    assert_eq!((batch.len(), batch.oldest()), (9, Some(Time::from_micros(5))));
    for (entry, delivery) in batch.entries().iter().zip(&deliveries) {
        let logged = Logged { sequence: 1, time: entry.time, bytes: &entry.bytes };
        let read = super::delivery::read(&logged, |_, _, _| true).unwrap().unwrap();
        assert_eq!(read, *delivery);
        // Names are equal in either spelling; the one that was delivered is kept.
        assert_eq!(read.profile.as_str(), delivery.profile.as_str());
        let other = super::delivery::read(&logged, |_, _, _| false).unwrap();
        assert_eq!(other, None);
    }
}
