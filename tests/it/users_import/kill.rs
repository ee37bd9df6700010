//! `users import` as a process that is killed in its middle again and again, and resumed.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::*;
use crate::process::{PATIENCE, command};

/// Rows of the file, behind its first line.
const ROWS: usize = 9_000;
/// Every so many rows one is refused.
const BAD: usize = 700;
/// How often the import is killed.
const KILLS: usize = 3;

/// One process of the import.
struct Run {
    child: Child,
    said: PathBuf,
    out: PathBuf,
    /// The line up to which everything was done when it began.
    done: u64,
}

impl Run {
    fn start(world: &World, file: &Path, number: usize) -> Self {
        let done = done_line(file).unwrap_or(0);
        let path = |part: &str| world.folder.path().join(format!("{number}.{part}"));
        let (said, out) = (path("said"), path("out"));
        let url = world.server.uri();
        let mut command = command(&["--server", &url, "users", "import", "--parallel", "2"]);
        command.arg(file);
        if done_line(file).is_some() {
            command.arg("--resume");
        }
        let (stderr, stdout) = (File::create(&said).unwrap(), File::create(&out).unwrap());
        let child = command.stdin(Stdio::null()).stderr(stderr).stdout(stdout).spawn().unwrap();
        Self { child, said, out, done }
    }

    /// Waits until it has noted something as done, and kills it a little later.
    fn kill(&mut self, file: &Path, later: Duration) {
        let begun = Instant::now();
        while done_line(file).is_none_or(|done| done <= self.done) {
            assert!(begun.elapsed() < PATIENCE && self.child.try_wait().unwrap().is_none());
            // No event reports that another process writes a file.
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(later);
        assert!(self.child.try_wait().unwrap().is_none(), "it ended before it was killed");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The lines that it named as refused, each once and none that was done before.
    fn refused(&self) -> BTreeSet<u64> {
        let said = fs::read_to_string(&self.said).unwrap();
        let line = |text: &str| text.strip_prefix("line ")?.split(':').next()?.parse().ok();
        let named: Vec<u64> = said.lines().filter_map(line).collect();
        let once: BTreeSet<_> = named.iter().copied().collect();
        assert_eq!(once.len(), named.len(), "named twice: {said}");
        assert!(named.iter().all(|line| *line > self.done), "done up to {}: {said}", self.done);
        once
    }
}

impl Drop for Run {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line up to which an unfinished import says that everything is done.
fn done_line(file: &Path) -> Option<u64> {
    let mut path = file.as_os_str().to_owned();
    path.push(".import");
    let state: Value = serde_json::from_slice(&fs::read(PathBuf::from(path)).ok()?).unwrap();
    state["done_line"].as_u64()
}

/// The ids of all users, each as often as it is listed.
async fn users(api: &Api) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), json!(""));
    loop {
        let page = api.ok("ListUsers", json!({"page_size": 1_000, "page_token": token})).await;
        let rows = page["users"].as_array().unwrap().iter();
        ids.extend(rows.map(|user| user["id"].as_str().unwrap().to_owned()));
        token = page["next_page_token"].clone();
        if token == "" {
            return ids;
        }
    }
}

/// How many users all imports wrote.
async fn written(api: &Api) -> i64 {
    let (mut count, mut token) = (0, json!(""));
    loop {
        let page = api.ok("ListChanges", json!({"page_size": 1_000, "page_token": token})).await;
        let changes = page["changes"].as_array().unwrap().iter();
        let imports = changes.filter(|change| change["operation"] == "BatchUpsertUsers");
        count += imports.map(|change| change["resource_count"].as_i64().unwrap()).sum::<i64>();
        token = page["next_page_token"].clone();
        if token == "" {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_import_is_resumed_and_loses_no_row_and_writes_none_twice() {
    let world = World::new().await;
    let mut text = "id,display_name,email,roles\n".to_owned();
    let (mut good, mut bad) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..ROWS {
        let email = if n % BAD == 5 { "not an address\u{7}" } else { "a@contoso.example" };
        writeln!(text, "user{n:05},User {n},{email},contoso_agents").unwrap();
        match n % BAD {
            5 => drop(bad.insert(n as u64 + 2)),
            _ => drop(good.insert(format!("user{n:05}"))),
        }
    }
    let file = world.file("users.csv", text);
    let mut random = fastrand::Rng::with_seed(5);
    let mut named = BTreeSet::new();
    for number in 0..KILLS {
        let mut run = Run::start(&world, &file, number);
        run.kill(&file, Duration::from_micros(random.u64(..30_000)));
        named.extend(run.refused());
    }
    let done = done_line(&file).unwrap();
    assert!(done >= KILLS as u64 * 1_000 && done < ROWS as u64, "{done} lines are done");

    let mut last = Run::start(&world, &file, KILLS);
    let status = last.child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{}", fs::read_to_string(&last.said).unwrap());
    let expected = format!("{} users imported, {} rows refused\n", good.len(), bad.len());
    assert_eq!(fs::read_to_string(&last.out).unwrap(), expected);
    named.extend(last.refused());
    assert_eq!(named, bad);
    assert_eq!(done_line(&file), None, "nothing is left to be resumed");

    let api = Api::admin(&world.server);
    let found = users(&api).await;
    assert_eq!(found.len(), good.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), good);
    assert_eq!(written(&api).await, good.len() as i64, "each user is written once");
}
