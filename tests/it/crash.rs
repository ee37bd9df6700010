//! A server process that is killed at any moment: nothing acknowledged is lost, nothing is half
//! there, and it starts again by itself.

mod bundles;
mod reads;
mod rollbacks;
mod work;

use std::{
    fmt, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use deskplane_proto::v1::directory_service_client::DirectoryServiceClient;
use tokio::time::timeout;
use tonic::transport::Channel;

use self::{
    bundles::Bundles,
    reads::{Reading, Reads},
    rollbacks::{Rollbacks, Writing},
    work::{BATCH, Imports, Writes},
};
use crate::{
    api::Api,
    process::{PATIENCE, Process},
    server::As,
};

/// When a kill comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While small writes come in.
    Load,
    /// Between the start of the process and its readiness.
    Start,
    /// While the index is built anew, behind a server that may be at work already.
    Build,
    /// While a checkpoint is being written.
    Checkpoint,
    /// While users come in by the thousand.
    Import,
    /// While a bundle comes in.
    Bundle,
}

/// How often a season kills the process of one folder, by moment: a hundred times.
const SEASON: [(Moment, usize); 6] = [
    (Moment::Load, 69),
    (Moment::Start, 5),
    (Moment::Build, 4),
    (Moment::Checkpoint, 8),
    (Moment::Import, 8),
    (Moment::Bundle, 6),
];
/// Seasons of the release set.
const SEASONS: u64 = 20;
/// Attempts at one kill: a moment may be over before the signal is there.
const ATTEMPTS: usize = 100;
/// Small files, so that there are checkpoints, new segments and removed ones all the time. Each
/// content of a watched profile goes out by itself.
const SETTINGS: [(&str, &str); 6] = [
    ("LOG", "info"),
    ("STORE__SEGMENT_MIB", "1"),
    ("STORE__CHECKPOINT_MIB", "1"),
    ("STORE__KEEP_RECORDS", "20"),
    ("WATCH__QUIET_MS", "0"),
    ("WATCH__LONGEST_MS", "0"),
];

/// A folder whose server is killed again and again, and what its clients know.
struct Season {
    folder: tempfile::TempDir,
    random: fastrand::Rng,
    writes: Writes,
    imports: Imports,
    bundles: Bundles,
    rollbacks: Rollbacks,
    reads: Reads,
    /// Whether the objects of the rollbacks and reads were created.
    created: bool,
    /// How long the last whole start took.
    start: Duration,
}

/// What the seasons came to.
#[derive(Debug, Default)]
struct Tally {
    kills: [usize; SEASON.len()],
    missed: usize,
    writes: usize,
    imports: u32,
    bundles: u32,
    rollbacks: usize,
    audited: usize,
    delivered: usize,
    lost: usize,
}

impl Season {
    fn new(seed: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            random: fastrand::Rng::with_seed(seed),
            writes: Writes::default(),
            imports: Imports::default(),
            bundles: Bundles::default(),
            rollbacks: Rollbacks::default(),
            reads: Reads::default(),
            created: false,
            start: Duration::from_millis(50),
        }
    }

    /// Kills as often as it must, then looks at everything.
    async fn run(mut self, tally: &mut Tally) {
        let all = SEASON.iter().flat_map(|(moment, count)| std::iter::repeat_n(*moment, *count));
        let mut moments: Vec<_> = all.collect();
        self.random.shuffle(&mut moments);
        // The start that makes the store is killed, too.
        let start = moments.iter().position(|moment| *moment == Moment::Start).unwrap();
        moments.swap(0, start);
        for moment in moments {
            let mut attempts = 0;
            while !timeout(PATIENCE, self.kill(moment)).await.expect("a kill in time") {
                attempts += 1;
                assert!(attempts < ATTEMPTS, "no kill hit a {moment:?}");
            }
            tally.missed += attempts;
            tally.kills[SEASON.iter().position(|(kind, _)| *kind == moment).unwrap()] += 1;
        }
        let (process, client) = self.open().await;
        self.writes.check_all(client).await;
        self.reads.check_all(&api(&process).await).await;
        assert!(self.rollbacks.in_feed > 0, "no rollback was in the feed after a kill");
        tally.rollbacks += self.rollbacks.count();
        tally.audited += self.reads.audited();
        tally.delivered += self.reads.delivered();
        tally.lost += self.reads.lost;
        tally.writes += self.writes.acknowledged();
        tally.imports += self.imports.acknowledged;
        tally.bundles += self.bundles.acknowledged;
        assert!(process.end().success(), "no clean end after the kills");
    }

    /// Kills the process once; whether that hit the moment.
    async fn kill(&mut self, moment: Moment) -> bool {
        match moment {
            Moment::Load => self.kill_under_load().await,
            Moment::Start => self.kill_in_start(),
            Moment::Build => self.kill_in_build().await,
            Moment::Checkpoint => self.kill_in_checkpoint().await,
            Moment::Import => self.kill_in_import().await,
            Moment::Bundle => self.kill_in_bundle().await,
        }
    }

    fn spawn(&self) -> Process {
        Process::spawn(self.folder.path(), &SETTINGS)
    }

    /// Starts the server; what the rounds before acknowledged is there, whole.
    async fn open(&mut self) -> (Process, DirectoryServiceClient<Channel>) {
        let since = Instant::now();
        let process = self.spawn();
        process.address();
        self.start = since.elapsed();
        let channel = process.connect().await;
        self.bundles.check(channel.clone()).await;
        let api = Api::over(channel.clone(), As::default());
        match self.created {
            true => {
                self.rollbacks.check(&api).await;
                self.reads.check(&api).await;
            }
            false => {
                self.rollbacks.create(&api).await;
                self.reads.create(&api).await;
                self.created = true;
            }
        }
        let client = DirectoryServiceClient::new(channel);
        self.writes.check_newest(client.clone()).await;
        self.imports.check(client.clone()).await;
        (process, client)
    }

    async fn kill_under_load(&mut self) -> bool {
        let (process, client) = self.open().await;
        let mut round = self.writes.begin(&client);
        let beside = self.begin_beside(&process).await;
        round.first().await;
        // Not a wait for something: the moment of the kill is what varies. Some live long enough for what
        // is logged in the background to be there after the kill.
        let lives = match self.random.u8(..32) {
            0 => 1_200_000..1_600_000,
            _ => 500..40_000,
        };
        tokio::time::sleep(Duration::from_micros(self.random.u64(lives))).await;
        process.kill();
        self.writes.end(round).await;
        self.end_beside(beside).await;
        true
    }

    /// Rolls back, reads and watches until the server is gone.
    async fn begin_beside(&mut self, process: &Process) -> (Writing, Reading) {
        let writing = self.rollbacks.begin(api(process).await, self.random.u64(..));
        (writing, self.reads.begin(api(process).await, process.connect().await))
    }

    async fn end_beside(&mut self, (writing, reading): (Writing, Reading)) {
        self.reads.end(reading).await;
        self.rollbacks.end(writing).await;
    }

    /// Hit when the process had not yet said where it listens.
    fn kill_in_start(&mut self) -> bool {
        if self.random.bool() {
            self.forget_boot();
        }
        let process = self.spawn();
        let early = !process.listens_within(self.start.mul_f64(self.random.f64()));
        process.kill();
        early
    }

    /// As if the machine had lost its power: the next start builds the index anew.
    fn forget_boot(&self) {
        let _ = fs::remove_file(self.folder.path().join("boot.mark"));
    }

    /// Hit when the unfinished index is still there.
    async fn kill_in_build(&mut self) -> bool {
        self.forget_boot();
        let (fresh, random) = (self.folder.path().join("index.fresh"), self.random.u64(..20_000));
        let process = self.spawn();
        while !fresh.exists() && !process.listens_within(Duration::from_millis(1)) {}
        tokio::time::sleep(Duration::from_micros(random)).await;
        process.kill();
        fresh.exists()
    }

    /// Hit when the unfinished file is still there.
    async fn kill_in_checkpoint(&mut self) -> bool {
        let before = self.unfinished();
        let (process, client) = self.open().await;
        let import = self.imports.begin(client);
        let begun = |all: Vec<PathBuf>| all.iter().any(|path| !before.contains(path));
        while !begun(self.unfinished()) {
            assert!(!import.is_finished(), "the imports ended before a checkpoint began");
            // No event tells when another process makes a file.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(self.random.u64(..10_000))).await;
        process.kill();
        self.imports.end(import).await;
        begun(self.unfinished())
    }

    /// Hit when an import was not yet answered.
    async fn kill_in_import(&mut self) -> bool {
        let (process, client) = self.open().await;
        let (since, acknowledged) = (Instant::now(), self.imports.acknowledged);
        let import = self.imports.begin(client);
        let beside = self.begin_beside(&process).await;
        import.first().await;
        let share = self.random.f64();
        tokio::time::sleep(since.elapsed().mul_f64(share)).await;
        process.kill();
        self.imports.end(import).await;
        self.end_beside(beside).await;
        assert!(self.imports.acknowledged > acknowledged);
        self.imports.sent > self.imports.acknowledged
    }

    /// Hit when a bundle was not yet answered.
    async fn kill_in_bundle(&mut self) -> bool {
        let (process, _) = self.open().await;
        let (since, acknowledged) = (Instant::now(), self.bundles.acknowledged);
        let importing = self.bundles.begin(process.connect().await);
        importing.first().await;
        let share = self.random.f64();
        tokio::time::sleep(since.elapsed().mul_f64(share)).await;
        process.kill();
        self.bundles.end(importing).await;
        assert!(self.bundles.acknowledged > acknowledged);
        self.bundles.sent > self.bundles.acknowledged
    }

    /// Checkpoints and history files that are being written, or were when a process was killed.
    fn unfinished(&self) -> Vec<PathBuf> {
        let folders = ["checkpoint", "history"].map(|part| self.folder.path().join(part));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "tmp")).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [load, start, build, checkpoint, import, bundle] = self.kills;
        write!(
            f,
            "{} kills: {load} under load, {start} in a start, {build} while the index was built, \
             {checkpoint} in a checkpoint, {import} in an import, {bundle} in a bundle ({} signals came too \
             late and are not counted); {} writes of {BATCH} users, {} imports, {} bundles and {} \
             rollbacks acknowledged, 0 lost, 0 partial, 0 manual steps; {} audited reads and {} \
             deliveries logged, the newest {} lost",
            self.kills.iter().sum::<usize>(),
            self.missed,
            self.writes,
            self.imports,
            self.bundles,
            self.rollbacks,
            self.audited,
            self.delivered,
            self.lost,
        )
    }
}

/// The API of a process.
async fn api(process: &Process) -> Api {
    Api::over(process.connect().await, As::default())
}

async fn seasons(seeds: impl Iterator<Item = u64>) {
    let mut tally = Tally::default();
    for seed in seeds {
        Season::new(seed).run(&mut tally).await;
    }
    println!("{tally}");
    assert!(tally.audited > 0 && tally.delivered > 0, "nothing was logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_acknowledged_write_and_starts_by_itself() {
    seasons(7..8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the release set, 2 000 kills; its command is in docs/operations.md"]
async fn release_set_of_kills() {
    seasons(100..100 + SEASONS).await;
}
