//! `apply` at a terminal: it shows what would happen and asks before it writes.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Stdio},
};

use tokio::task::spawn_blocking;

use super::World;
use crate::{api::Api, folder::terminal, process::command};

const TEAM: &str = "kind: Team\nid: billing\ndisplayName: Billing\n---\nkind: Profile\nuniqueName: contoso_rep\ndisplayName: Rep\n";
const QUESTION: &str = "apply this? [y/N] ";

/// The program at a terminal, and what it showed there.
struct Session {
    child: Child,
    screen: File,
    shown: String,
}

impl Session {
    /// Starts the program; `keyboard` is whether its standard input is the terminal, too.
    fn start(world: &World, text: &str, flags: &[&str], keyboard: bool) -> Self {
        let file = world.file(text);
        let url = world.url();
        let (program, screen) = terminal();
        let mut command = command(&["--server", &url, "apply", "-f", file.to_str().unwrap()]);
        let stdin = if keyboard { program.try_clone().unwrap().into() } else { Stdio::null() };
        let stdout = program.try_clone().unwrap();
        let child = command.args(flags).stdin(stdin).stdout(stdout).stderr(program).spawn();
        Self { child: child.unwrap(), screen: screen.into(), shown: String::new() }
    }

    /// Reads until the question stands there; false when the program ended without one.
    async fn asked(mut self) -> (Self, bool) {
        let read = move || {
            let mut buffer = [0; 4096];
            while !self.shown.contains(QUESTION) {
                // A terminal that no program has open any more gives an error.
                let Ok(read @ 1..) = self.screen.read(&mut buffer) else { return (self, false) };
                self.shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            (self, true)
        };
        spawn_blocking(read).await.unwrap()
    }

    /// Types an answer, and waits for the end; the exit code, and everything that was shown.
    async fn answer(mut self, keys: &'static str) -> (Option<i32>, String) {
        let rest = move || {
            self.screen.write_all(keys.as_bytes()).unwrap();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = self.screen.read(&mut buffer) {
                self.shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            (self.child.wait().unwrap().code(), self.shown.clone())
        };
        spawn_blocking(rest).await.unwrap()
    }
}

impl Drop for Session {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_1_apply_at_a_terminal_writes_after_a_yes_alone() {
    for (keys, yes) in [
        ("n\n", false),
        ("\n", false),
        ("\u{4}", false),
        ("yess\n", false),
        ("y\n", true),
        ("YES\n", true),
    ] {
        let world = World::new().await;
        let api = Api::admin(&world.server);
        let before = api.revision().await;
        let (session, asked) = Session::start(&world, TEAM, &[], true).asked().await;
        assert!(asked, "{}", session.shown);
        for line in ["team/billing would be created", "profile/contoso_rep would be created"] {
            assert!(session.shown.contains(line), "{line} is not in {}", session.shown);
        }
        assert_eq!(api.revision().await, before, "it asks first");
        let (code, shown) = session.answer(keys).await;
        assert_eq!(code, Some(0), "{keys:?}: {shown}");
        assert_eq!(shown.contains("nothing was applied"), !yes, "{keys:?}: {shown}");
        assert_eq!(shown.contains("team/billing created"), yes, "{keys:?}: {shown}");
        assert_eq!(api.revision().await, before + i64::from(yes), "{keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_1_what_was_agreed_to_happens_or_nothing() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    let (session, asked) = Session::start(&world, TEAM, &[], true).asked().await;
    assert!(asked, "{}", session.shown);
    // Another write while the question stands there.
    api.ok("UpsertUser", serde_json::json!({"user": {"id": "ann"}})).await;
    let between = api.revision().await;
    let (code, shown) = session.answer("y\n").await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("CONFLICT (ABORTED)"), "{shown}");
    assert_eq!(api.revision().await, between);

    // What cannot go together is asked about, too.
    let many: String = (0..51).map(|at| format!("---\nkind: User\nid: user{at}\n")).collect();
    for (keys, yes) in [("n\n", false), ("y\n", true)] {
        let (session, asked) = Session::start(&world, &many, &[], true).asked().await;
        assert!(asked, "{}", session.shown);
        assert!(session.shown.contains("documents are sent one after the other"));
        let (code, shown) = session.answer(keys).await;
        assert_eq!(code, Some(0), "{shown}");
        assert_eq!(api.revision().await > between, yes, "{keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_1_only_a_person_at_a_terminal_is_asked() {
    for (flags, keyboard, writes) in [
        (&["--yes"][..], true, true),
        (&["-y", "--atomic"], true, true),
        (&[], false, true),
        (&["--validate-only"], true, false),
    ] {
        let world = World::new().await;
        let api = Api::admin(&world.server);
        let before = api.revision().await;
        let (session, asked) = Session::start(&world, TEAM, flags, keyboard).asked().await;
        assert!(!asked, "{flags:?}: {}", session.shown);
        let (code, shown) = session.answer("").await;
        assert_eq!(code, Some(0), "{flags:?}: {shown}");
        assert_eq!(api.revision().await > before, writes, "{flags:?}: {shown}");
    }
}
