//! The log on standard error, when nobody reads it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use super::signals::is_closed;
use crate::process::{PATIENCE, command, ends_within, send};

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = command(&["--log", "trace", "serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    let mut server = server.arg(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let address = log.find_map(|line| {
        let line = line.unwrap();
        Some(line.split("address=").nth(1)?.split(' ').next()?.to_owned())
    });
    // From here on every write to the log fails.
    drop(log);
    let url = format!("http://{}", address.unwrap());
    let done = command(&["--server", &url, "list", "users"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    send(server.id(), "HUP");
    send(server.id(), "USR1");
    let done = command(&["--server", &url, "list", "users"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    send(server.id(), "TERM");
    let (status, _) = ends_within(&mut server, PATIENCE);
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(is_closed(folder.path()));
}

#[test]
fn a_log_on_a_full_disk_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut server = command(&["--log", "trace", "serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    let mut server = server.arg(folder.path()).stderr(full).spawn().unwrap();
    // The store is there once it is open.
    let begun = std::time::Instant::now();
    while !folder.path().join("boot.mark").exists() && begun.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    send(server.id(), "TERM");
    let (status, _) = ends_within(&mut server, PATIENCE);
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(is_closed(folder.path()));
}
