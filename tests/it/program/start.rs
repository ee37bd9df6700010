//! A server that is asked to end before it serves, and what it asks of the machine at its start.

use std::{fs, process::Command, time::Duration};

use super::signals::is_closed;
use crate::{
    process::{PATIENCE, Process, command},
    secret_file,
};

/// A key ring with one key.
const RING: &str = "one:bsh/yz0b6ZYkJ4WJYz8cSmHqhaZPwsmBBKwHl9Na1wU=\n";

/// A server whose start waits for its key ring, as it waits for a disk that does not answer.
struct HeldUp {
    process: Process,
    folder: tempfile::TempDir,
}

impl HeldUp {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ring = folder.path().join("ring");
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&ring).status().unwrap().success());
        let settings = [("LOG", "info"), ("VOICE__KEY_RING", ring.to_str().unwrap())];
        let process = Process::spawn(&folder.path().join("data"), &settings);
        process.says("file handles");
        Self { process, folder }
    }

    fn go_on(&self) {
        secret_file::write(self.folder.path().join("ring"), RING);
    }
}

#[test]
fn a_start_that_is_told_to_end_closes_what_it_opened() {
    for signal in ["TERM", "INT"] {
        let mut start = HeldUp::new();
        start.process.signal(signal);
        start.process.says("ending");
        assert_eq!(start.process.ends_within(Duration::ZERO).0, None, "it is held up");
        start.go_on();
        let (status, _) = start.process.ends_within(PATIENCE);
        assert_eq!(status.unwrap().code(), Some(0), "SIG{signal}");
        assert!(!start.process.log().iter().any(|line| line.contains("serving")), "SIG{signal}");
        assert!(is_closed(&start.folder.path().join("data")), "SIG{signal}");
    }
}

#[test]
fn a_start_that_hangs_is_given_up_when_told_again() {
    let mut start = HeldUp::new();
    start.process.signal("TERM");
    start.process.says("ending");
    start.process.signal("TERM");
    let (status, took) = start.process.ends_within(Duration::from_secs(4));
    assert_eq!(status.and_then(|status| status.code()), Some(1), "after {took:?}");
}

#[test]
fn a_start_that_hangs_is_given_up_at_its_deadline() {
    let mut start = HeldUp::new();
    start.process.signal("TERM");
    let (status, took) = start.process.ends_within(PATIENCE);
    assert_eq!(status.unwrap().code(), Some(1));
    assert!(took < Duration::from_secs(20), "{took:?}");
    start.process.says("the end took longer than its deadline");
}

#[test]
fn a_reload_during_a_start_ends_nothing() {
    let start = HeldUp::new();
    start.process.signal("HUP");
    start.process.says("reloaded");
    start.go_on();
    start.process.address();
    assert!(start.process.end().success());
}

#[test]
fn the_soft_limit_of_file_handles_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    // The shell lowers the soft limit and becomes the program.
    let program = command(&[]).get_program().to_owned();
    let script = "ulimit -S -n 256 && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program).arg(folder.path()).env("DESKPLANE_LOG", "info");
    let process = Process::of(shell);
    process.address();
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{files}");
    let said = process.says("file handles");
    assert!(said.contains(&format!("soft={} hard={}", numbers[0], numbers[1])), "{said}");
    assert!(process.end().success());
}
