//! What big writes cost others: a part of the release set. The lines that it prints are the figures
//! to publish.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deskplane_providers::Registry;
use fastrand::Rng;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    clock::Clock,
    command::{BatchUpsertUsers, Command, RolePatch, UpsertRole, UserPatch, UserRow},
    domain::{App, UniqueName, role::Persona},
    ledger::{
        Committed, Ledger, Submission,
        tests::cascades::{
            BY_LINK, COPY, ROOT, delete_profile, delete_role, fill, name, submission, upsert_role,
            user,
        },
    },
    read::{Contents, resolved},
    store::{Durable, durable},
};

/// How many users there are, how many of them have a direct link, and by how much longer than its
/// limit anything may take.
#[derive(Debug, Clone, Copy)]
struct Size {
    users: usize,
    linked: usize,
    factor: u32,
}

/// Longest that a big write may take, and most bytes of its record.
const BIG: Duration = Duration::from_millis(250);
const RECORD: usize = 1024 * 1024;
/// What reads and other writes may take meanwhile.
const READ_P99: Duration = Duration::from_millis(5);
const READ_MAX: Duration = Duration::from_millis(50);
const WRITE_P99: Duration = Duration::from_millis(300);
/// Most that resident memory may grow by, in tenths of what it was.
const GROWTH: u64 = 12;

/// Calls of one kind while big writes go on: each is due at a fixed time, and what it waits for its
/// turn counts as part of it.
#[derive(Default)]
struct Timed(Mutex<Vec<Duration>>);

impl Timed {
    fn note(&self, due: Instant) {
        self.0.lock().unwrap().push(due.elapsed());
    }

    /// Number, 99th percentile and longest of all so far, which are forgotten then.
    fn take(&self) -> (usize, Duration, Duration) {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap());
        all.sort();
        let at = |share: usize| all.get(all.len().saturating_sub(1) * share / 100).copied();
        (all.len(), at(99).unwrap_or_default(), at(100).unwrap_or_default())
    }
}

/// Bytes that the process has in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn write(command: impl Command + 'static) -> Submission {
    submission(Box::new(command))
}

/// Resolves the profile of anybody, over and over.
async fn read(
    users: usize,
    ledger: Ledger,
    contents: Arc<Contents>,
    times: Arc<Timed>,
    end: Arc<AtomicBool>,
) {
    let mut random = Rng::with_seed(1);
    let mut turns = interval(Duration::from_millis(1));
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !end.load(Ordering::Relaxed) {
        let due = turns.tick().await;
        let user = user(random.usize(..users));
        let found = resolved(&ledger.catalog(), &contents, &user, App::Unspecified);
        assert!(found.unwrap().is_some());
        times.note(due);
    }
}

/// Changes the name of anybody, over and over.
async fn rename(users: usize, ledger: Ledger, times: Arc<Timed>, end: Arc<AtomicBool>) {
    let mut random = Rng::with_seed(2);
    let mut turns = interval(Duration::from_millis(10));
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !end.load(Ordering::Relaxed) {
        let due = turns.tick().await;
        let display_name = Some(format!("Name {}", random.u64(..)));
        let patch = UserPatch { display_name, ..UserPatch::default() };
        let row = UserRow { id: user(random.usize(..users)), etag: None, patch, profile: None };
        ledger.submit(write(BatchUpsertUsers { rows: vec![row] })).await.unwrap();
        times.note(due);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: part of the release set"]
async fn release_big_writes_hold_up_nobody() {
    big_writes(Size { users: 200_000, linked: 110_000, factor: 1 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: part of the release set"]
async fn release_big_writes_hold_up_nobody_among_a_million() {
    big_writes(Size { users: 1_000_000, linked: 550_000, factor: 3 }).await;
}

async fn big_writes(Size { users, linked, factor }: Size) {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(folder.path(), durable::Settings::default()).await.unwrap();
    let store = Arc::new(store);
    let contents = Arc::new(Contents::new());
    let (cached, sizes) = (Arc::clone(&contents), Arc::new(Mutex::new(Vec::new())));
    let sink = Arc::clone(&sizes);
    let publish = move |committed: &Committed| {
        for impact in committed.impacts.iter() {
            cached.drop_obsolete(&impact.touched.contents, &committed.after);
        }
        let size = |record: &crate::store::Record| {
            let size = record.encode().unwrap().len();
            (record.operation.clone(), size)
        };
        sink.lock().unwrap().extend(committed.records.iter().map(size));
    };
    let adapters = Arc::new(Registry::builtin());
    let ledger = Ledger::open(
        &crate::tasks::Tasks::default(),
        Arc::clone(&store) as _,
        Clock::system(),
        adapters,
        publish,
    )
    .await
    .unwrap();
    println!("{users} users, {linked} of them linked");
    fill(&ledger, users, linked).await;

    let end = Arc::new(AtomicBool::new(false));
    let (reads, writes) = (Arc::new(Timed::default()), Arc::new(Timed::default()));
    let mut tasks = vec![tokio::spawn(rename(users, ledger.clone(), writes.clone(), end.clone()))];
    let reader = || read(users, ledger.clone(), contents.clone(), reads.clone(), end.clone());
    tasks.extend([(); 4].map(|()| tokio::spawn(reader())));
    // Caches warm, and something to compare with.
    for at in 0..200 {
        let other = upsert_role("contoso_other", &format!("Other {at}"));
        ledger.submit(submission(other)).await.unwrap();
    }
    report("before", &reads, &writes);
    let before = resident();

    let persona = RolePatch { persona: Some(Persona::Agent), ..RolePatch::default() };
    let persona = UpsertRole { name: ROOT.into(), etag: None, patch: persona };
    let steps: [(&str, Box<dyn Command>, u64); 5] = [
        ("a role's display name", upsert_role(COPY, "Another"), 0),
        ("a root role's display name", upsert_role(ROOT, "Another"), 0),
        ("a root role's persona", Box::new(persona), 0),
        ("a profile with direct users", delete_profile(BY_LINK), linked as u64),
        ("a role that all hold", delete_role(COPY), users as u64),
    ];
    for (what, command, affected) in steps {
        let operation = command.operation();
        sizes.lock().unwrap().clear();
        let start = Instant::now();
        let outcome = ledger.submit(submission(command)).await.unwrap();
        let took = start.elapsed();
        assert_eq!(outcome.affected.total_count, affected, "{what}");
        let all = std::mem::take(&mut *sizes.lock().unwrap());
        let mine = all.into_iter().filter(|(name, _)| name == operation);
        let written: Vec<_> = mine.map(|(_, size)| size).collect();
        assert_eq!(written.len(), 1, "{what}: one revision");
        println!("{what}: {took:?}, {} bytes", written[0]);
        assert!(took <= BIG * factor, "{what} took {took:?}");
        assert!(written[0] <= RECORD, "{what} took {} bytes", written[0]);
        // What follows the write is part of what it costs others.
        for at in 0..100 {
            let other = upsert_role("contoso_other", &format!("{what} {at}"));
            ledger.submit(submission(other)).await.unwrap();
        }
        let ([read_99, read_max], write_99) = report(what, &reads, &writes);
        assert!(read_99 <= READ_P99 * factor, "reads beside {what}: p99 {read_99:?}");
        assert!(read_max <= READ_MAX * factor, "reads beside {what}: longest {read_max:?}");
        assert!(write_99 <= WRITE_P99 * factor, "writes beside {what}: p99 {write_99:?}");
    }
    let after = resident();
    println!("resident: {} MB before, {} MB after", before / 1_000_000, after / 1_000_000);
    assert!(after * 10 <= before * GROWTH, "{before} bytes before, {after} after");

    end.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let roles: BTreeSet<_> =
        ledger.catalog().users().flat_map(|s| s.user().roles.clone()).collect();
    assert_eq!(roles, BTreeSet::<UniqueName>::new());
    assert!(ledger.catalog().tables.roles.get(&name(COPY)).is_none());
    ledger.close().await;
    store.close().await.unwrap();
}

/// Prints what the calls took since the last report: reads by share, writes by the 99th percentile.
fn report(what: &str, reads: &Timed, writes: &Timed) -> ([Duration; 2], Duration) {
    let (count, read_99, read_max) = reads.take();
    let (others, write_99, write_max) = writes.take();
    println!(
        "beside {what}: {count} reads p99 {read_99:?} max {read_max:?}, \
         {others} writes p99 {write_99:?} max {write_max:?}"
    );
    ([read_99, read_max], write_99)
}
