//! How costs grow with the number of users: memory, disk, start, stop, look-ups, reads and writes, in
//! the process, on the durable store.
//!
//! `cargo bench --bench growth --features jemalloc`. `DESKPLANE_GROWTH_USERS` is the number of users,
//! 100 000 by default. Prints one figure a line: name, unit, value. `benches/growth.sh` runs it for
//! several numbers and writes the table.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

use std::{
    collections::BTreeSet,
    fs,
    hint::black_box,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use deskplane::{
    catalog::Catalog,
    clock::Clock,
    command::{
        self, ApplyChanges, BatchUpsertUsers, Command, Context, CreateProfile, DirectoryPolicy,
        Displace, ProfilePatch, RolePatch, SetRankAndRoles, UpsertRole, UpsertUser, UserPatch,
        UserRow,
    },
    domain::{Actor, App, Change, Object, Provenance, Time, UniqueName, UserId, directory::User},
    impact::{Impact, Touched},
    ledger::{Idempotency, Ledger, Submission},
    read::{self, Contents},
    store::{Durable, Store, durable},
    tasks::Tasks,
};
use deskplane_providers::Registry;
use tokio::task::JoinSet;
use uuid::Uuid;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The environment of the processes that write an empty folder, and read it again.
const FOLDER: &str = "DESKPLANE_GROWTH_FOLDER";
/// Users of one write.
const BATCH: usize = 1_000;
/// Roles, of which each user holds one to six.
const ROLES: usize = 500;
/// Sets of roles that users hold: as many role classes.
const SETS: usize = 20_000;
/// Profiles with a rank, each for one to eight of the roles.
const RANKED: usize = 60;
/// Profiles with a rank and others, to which users are linked.
const PROFILES: usize = 600;
/// Every tenth user has a direct link.
const LINKED: usize = 10;
/// Writers at a time, each of which waits for the answer to one write before its next.
const WRITERS: usize = 64;
/// How often what takes less than a millisecond is measured.
const MANY: usize = 100_000;

fn main() {
    // Cargo asks every target for its tests; this one has none.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return;
    }
    let users = std::env::var("DESKPLANE_GROWTH_USERS");
    let users = users.map_or(100_000, |text| text.parse().expect("a number of users"));
    if let Some(folder) = std::env::var_os(FOLDER) {
        let (runtime, folder) = (tokio::runtime::Runtime::new().unwrap(), Path::new(&folder));
        return match folder.read_dir().unwrap().next() {
            None => runtime.block_on(write(folder, users)),
            Some(_) => runtime.block_on(read_again(folder, users)),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    // Each in a process of its own, which has held nothing before.
    for _ in ["writes", "reads what was written"] {
        let program = std::env::current_exe().unwrap();
        let ended = process::Command::new(program).env(FOLDER, folder.path()).status().unwrap();
        assert!(ended.success());
        // The disk is not to write while a start is measured.
        assert!(process::Command::new("sync").status().unwrap().success());
    }
}

fn figure(name: &str, unit: &str, value: f64) {
    println!("{name}\t{unit}\t{value:.4}");
}

async fn write(folder: &Path, users: usize) {
    let empty = resident();
    let (store, ledger) = open(folder).await;
    configure(&ledger).await;
    let since = Instant::now();
    import(&ledger, users).await;
    figure("import, a user", "us", micros(since.elapsed()) / users as f64);
    figure("memory after the import, a user", "B", held(empty, users).await);
    figure("folder, a user", "B", taken(folder) as f64 / users as f64);
    changes(&ledger, users).await;
    let since = Instant::now();
    if close(store, ledger).await {
        figure("clean stop", "ms", micros(since.elapsed()) / 1e3);
    }
}

/// What a server has and does after a start.
async fn read_again(folder: &Path, users: usize) {
    let empty = resident();
    let since = Instant::now();
    let (store, ledger) = open(folder).await;
    let (catalog, contents) = (ledger.catalog(), Contents::new());
    read::resolved(&catalog, &contents, &id(users / 2), App::Unspecified).unwrap().unwrap();
    figure("start", "ms", micros(since.elapsed()) / 1e3);
    figure("memory after a start, a user", "B", held(empty, users).await);
    reads(&catalog, &contents, users);
    drop((catalog, contents));
    close(store, ledger).await;
}

async fn open(folder: &Path) -> (Arc<Durable>, Ledger) {
    let store = Arc::new(Durable::open(folder, durable::Settings::default()).await.unwrap());
    let of_ledger = Arc::clone(&store) as Arc<dyn Store>;
    let registry = Arc::new(Registry::builtin());
    let opened =
        Ledger::open(&Tasks::default(), of_ledger, Clock::system(), registry, |_| {}).await;
    (store, opened.unwrap())
}

/// Closes both; whether that came to its end in time, which the next start does not need.
async fn close(store: Arc<Durable>, ledger: Ledger) -> bool {
    ledger.close().await;
    drop(ledger);
    let closed = Arc::into_inner(store).unwrap().close().await;
    if let Err(error) = &closed {
        eprintln!("no clean stop: {error}");
    }
    closed.is_ok()
}

fn name(kind: &str, number: usize) -> UniqueName {
    UniqueName::parse(&format!("contoso_{kind}_{number}")).unwrap()
}

/// Ids of 24 bytes, spread over the order in which they come.
fn id(number: usize) -> UserId {
    let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    UserId::parse(&format!("agent.{spread:018x}")).unwrap()
}

async fn submit(ledger: &Ledger, command: impl Command + 'static) {
    let payload = [7; 32];
    let request = Idempotency { id: Uuid::new_v4(), payload, former: Vec::new() };
    let submission = Submission {
        command: Box::new(command),
        actor: Actor::system(),
        provenance: Provenance::default(),
        request: Some(request),
        validate_only: false,
        reason: String::new(),
    };
    ledger.submit(submission).await.unwrap();
}

async fn configure(ledger: &Ledger) {
    for number in 0..ROLES {
        let display_name = Some(format!("Role {number}"));
        let patch = RolePatch { display_name, ..RolePatch::default() };
        let name = name("role", number).to_string();
        submit(ledger, UpsertRole { name, etag: None, patch }).await;
    }
    for number in 0..PROFILES {
        let display_name = Some(format!("Profile {number}"));
        let patch = ProfilePatch { display_name, ..ProfilePatch::default() };
        let unique_name = name("profile", number).to_string();
        submit(ledger, CreateProfile { unique_name, patch }).await;
        if number < RANKED {
            submit(ledger, rank(number, number as i64)).await;
        }
    }
}

/// Some of the roles, at most `most`, which are always the same for a number.
fn some_roles(number: usize, most: usize) -> BTreeSet<UniqueName> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let count = random.usize(1..=most);
    (0..count).map(|_| name("role", random.usize(..ROLES))).collect()
}

/// A rank of a profile that roles lead to.
fn rank(number: usize, rank: i64) -> SetRankAndRoles {
    SetRankAndRoles {
        profile: name("profile", number),
        etag: None,
        rank: Some(rank),
        roles: some_roles(SETS + number, 8).iter().map(ToString::to_string).collect(),
        displace: Displace::Reject,
        override_managed: false,
    }
}

fn row(number: usize) -> UserRow {
    let patch = UserPatch {
        display_name: Some(format!("Agent number {number}")),
        email: Some(format!("agent.{number:09}@contoso.example")),
        business_unit: Some(format!("Unit {}", number % 500)),
        roles: Some(some_roles(number % SETS, 6)),
        ..UserPatch::default()
    };
    let linked = number.is_multiple_of(LINKED);
    let profile = linked.then(|| name("profile", RANKED + number % (PROFILES - RANKED)));
    UserRow { id: id(number), etag: None, patch, profile }
}

async fn import(ledger: &Ledger, users: usize) {
    let numbers: Vec<_> = (0..users).collect();
    for part in numbers.chunks(BATCH) {
        let rows = part.iter().copied().map(row).collect();
        submit(ledger, BatchUpsertUsers { rows }).await;
    }
}

/// Writes of one object each, durable, and what they cost before the disk.
async fn changes(ledger: &Ledger, users: usize) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut one = |ledger: &Ledger| {
        let user = id(random.usize(..users));
        let display_name = Some(format!("Renamed {}", random.u32(..)));
        let patch = UserPatch { display_name, ..UserPatch::default() };
        let ledger = ledger.clone();
        async move { submit(&ledger, UpsertUser { id: user, etag: None, patch }).await }
    };
    let mut times = Vec::new();
    for _ in 0..500 {
        let since = Instant::now();
        one(ledger).await;
        times.push(since.elapsed());
    }
    figure("one user's change, durable, p50", "us", median(&mut times));
    writers(ledger, users).await;
    let catalog = ledger.catalog();
    let mut times = Vec::new();
    for number in 0..1_000 {
        let seated = catalog.user(&id(number * 7 % users)).unwrap();
        let mut user = User::clone(&seated.user());
        user.display_name = "Another".into();
        let change = [Change::Put(Object::User(Arc::new(user)))];
        times.push(commit(&catalog, &change));
    }
    figure("one user's change: catalog and impact, p50", "us", median(&mut times));
    ranks(&catalog, &mut random);
    let mut times = Vec::new();
    for round in 0..200 {
        let role = catalog.tables.roles.get(&name("role", round % ROLES)).unwrap();
        let mut changed = role.as_ref().clone();
        changed.root_role = Some(name("role", (round + 1) % ROLES));
        times.push(commit(&catalog, &[Change::Put(Object::Role(Arc::new(changed)))]));
    }
    figure("a role's root: catalog and impact, p50", "us", median(&mut times));
    let mut times = Vec::new();
    // Ranks that no other profile has.
    for round in 0..31 {
        let operation: Box<dyn Command> = Box::new(rank(0, 60 + round));
        let command = ApplyChanges { operations: vec![operation], expected_revision: None };
        let context = Context {
            actor: Actor::system(),
            revision: catalog.revision + 1,
            time: Time::from_micros(i64::MAX / 2),
            uid: Uuid::nil(),
            policy: DirectoryPolicy::default(),
        };
        let since = Instant::now();
        black_box(command::preview(&command, &catalog, &context, None, 100)).unwrap();
        times.push(since.elapsed());
    }
    figure("preview of a rank, p50", "us", median(&mut times));
}

/// Durable writes of one user each, by many writers at a time.
async fn writers(ledger: &Ledger, users: usize) {
    let since = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let ledger = ledger.clone();
        writers.spawn(async move {
            let mut random = fastrand::Rng::with_seed(writer as u64);
            for _ in 0..MANY / WRITERS {
                let id = id(random.usize(..users));
                let display_name = Some(format!("Renamed {}", random.u32(..)));
                let patch = UserPatch { display_name, ..UserPatch::default() };
                submit(&ledger, UpsertUser { id, etag: None, patch }).await;
            }
        });
    }
    writers.join_all().await;
    let seconds = since.elapsed().as_secs_f64();
    figure("64 writers, durable writes", "1/s", (MANY / WRITERS * WRITERS) as f64 / seconds);
}

/// Ranks of profiles; every other change makes one of the strongest of a profile.
fn ranks(catalog: &Catalog, random: &mut fastrand::Rng) {
    let (mut known, mut all, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..2_000 {
        let profile = name("profile", random.usize(..RANKED));
        let profile = catalog.tables.profiles.get(&profile).unwrap();
        let mut changed = profile.as_ref().clone();
        changed.rank = Some(if round % 2 == 0 { random.u8(..5) } else { random.u8(..=100) });
        let changes = [Change::Put(Object::Profile(Arc::new(changed)))];
        let since = Instant::now();
        let (next, delta) = catalog.advance(&changes, catalog.revision + 1, catalog.time);
        let touched = black_box(Touched::between(catalog, &next, &delta));
        known.push(since.elapsed());
        classes.push(touched.led.iter().count());
        all.push(commit(catalog, &changes));
    }
    classes.sort();
    figure(
        "a rank: classes that it leads elsewhere, p99",
        "",
        classes[classes.len() * 99 / 100] as f64,
    );
    figure("a rank: until the classes are known, p50", "us", median(&mut known));
    figure("a rank: until the classes are known, p99", "us", percentile(&known, 99));
    figure("a rank: catalog and impact, p50", "us", median(&mut all));
    figure("a rank: catalog and impact, p99", "us", percentile(&all, 99));
}

/// What a commit takes beside the disk: the next catalog, and who is touched.
fn commit(catalog: &Catalog, changes: &[Change]) -> Duration {
    let since = Instant::now();
    let (next, delta) = catalog.advance(changes, catalog.revision + 1, catalog.time);
    black_box(Impact::of(catalog, &next, &delta));
    since.elapsed()
}

fn reads(catalog: &Catalog, contents: &Contents, users: usize) {
    let mut random = fastrand::Rng::with_seed(2);
    let ids: Vec<_> = (0..MANY).map(|_| id(random.usize(..users))).collect();
    let each = |name: &str, read: &mut dyn FnMut(&UserId)| {
        // The first round fills what is kept; the machine's caches do not hold the users.
        let mut rounds = [Duration::ZERO; 5];
        for round in &mut rounds {
            let since = Instant::now();
            ids.iter().for_each(&mut *read);
            *round = since.elapsed();
        }
        rounds[1..].sort();
        figure(name, "ns", micros(rounds[2]) * 1e3 / ids.len() as f64);
    };
    each("look-up of a user", &mut |id| {
        black_box(catalog.user(id).unwrap().seat.class);
    });
    each("a user whole", &mut |id| {
        black_box(catalog.user(id).unwrap().user());
    });
    each("resolve", &mut |id| {
        black_box(read::resolved(catalog, contents, id, App::Unspecified)).unwrap();
    });
}

// === the machine ===

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    percentile(times, 50)
}

/// Of times that rise.
fn percentile(times: &[Duration], part: usize) -> f64 {
    micros(times[(times.len() - 1) * part / 100])
}

/// Anonymous memory of the process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

/// What a user takes once the allocator has given back what is free: the least within 15 seconds.
async fn held(empty: u64, users: usize) -> f64 {
    let mut least = u64::MAX;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        least = least.min(resident());
    }
    least.saturating_sub(empty) as f64 / users as f64
}

/// Bytes on disk of the files of a folder.
fn taken(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        file if file.is_dir() => taken(&entry.path()),
        file => file.blocks() * 512,
    };
    fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap())).sum()
}
