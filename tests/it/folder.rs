//! One server to a folder, whatever becomes of the files in it; and what lies outside of it.

use std::{
    fs,
    os::fd::OwnedFd,
    path::Path,
    process::{Output, Stdio},
};

use deskplane_proto::v1::{
    UpsertUserRequest, User, directory_service_client::DirectoryServiceClient,
};
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use tonic::transport::Channel;

use crate::process::{PATIENCE, Process, command};

/// Runs the program to its end.
fn run(args: &[&str], data: &Path) -> (bool, String) {
    ended(command(args).arg("--data-dir").arg(data).output().unwrap())
}

fn ended(output: Output) -> (bool, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

/// Makes a store in a folder.
fn store(data: &Path) {
    let server = Process::spawn(data, &[]);
    server.address();
    server.kill();
}

async fn write(client: &mut DirectoryServiceClient<Channel>, id: &str) -> bool {
    let user = Some(User { id: id.to_owned(), ..User::default() });
    client.upsert_user(UpsertUserRequest { user, ..Default::default() }).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_when_the_lock_file_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let first = Process::spawn(&data, &[]);
    let mut client = DirectoryServiceClient::new(first.connect().await);
    assert!(write(&mut client, "one").await);
    let backup = home.path().join("backup");
    assert!(run(&["backup", "--to", backup.to_str().unwrap()], &data).0);
    for _ in 0..2 {
        fs::remove_file(data.join("lock")).unwrap();
        let commands: [&[&str]; 4] = [
            &["serve", "--listen", "127.0.0.1:0"],
            &["doctor"],
            &["doctor", "--repair"],
            &["restore", "--from", backup.to_str().unwrap()],
        ];
        for args in commands {
            let (success, said) = run(args, &data);
            assert!(!success, "{args:?}: {said}");
            assert!(said.contains("in use") || said.contains("not empty"), "{args:?}: {said}");
        }
        assert!(write(&mut client, "two").await);
        // The next round replaces the file.
        fs::write(data.join("lock"), b"").unwrap();
    }
    assert!(first.end().success());
    assert!(run(&["doctor"], &data).0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_folder_was_replaced_stops_writing() {
    let home = tempfile::tempdir().unwrap();
    let (data, moved) = (home.path().join("data"), home.path().join("moved"));
    let mut first = Process::spawn(&data, &[]);
    let mut client = DirectoryServiceClient::new(first.connect().await);
    assert!(write(&mut client, "one").await);
    fs::rename(&data, &moved).unwrap();
    let second = Process::spawn(&data, &[]);
    let mut other = DirectoryServiceClient::new(second.connect().await);
    assert!(write(&mut other, "other").await);
    assert!(!write(&mut client, "two").await, "it writes to the folder of another server");
    // It ends by itself, and with a status that says so.
    assert_eq!(first.ends_within(PATIENCE).0.and_then(|status| status.code()), Some(1));
    assert!(write(&mut other, "another").await);
    assert!(second.end().success());
    for folder in [&data, &moved] {
        let (success, said) = run(&["doctor"], folder);
        assert!(success || said.is_empty(), "{said}");
    }
}

#[test]
fn a_backup_into_the_data_folder_is_refused_by_every_name() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    store(&data);
    std::os::unix::fs::symlink(&data, home.path().join("link")).unwrap();
    let names = |folder: &Path| -> Vec<_> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (names(home.path()), names(&data));
    for to in [
        "data",
        "data/",
        "data/new",
        "link/new",
        "new/../data/new",
        "data/calls",
        "data/calls/b",
        ".",
    ] {
        // As a relative path, too.
        for to in [home.path().join(to).to_str().unwrap(), to] {
            let mut command = command(&["backup", "--data-dir", "data", "--to", to]);
            let (success, said) = ended(command.current_dir(home.path()).output().unwrap());
            assert!(!success && said.contains("the data folder"), "{to}: {said}");
            assert!(said.contains("choose a folder elsewhere"), "{to}: {said}");
        }
    }
    assert_eq!((names(home.path()), names(&data)), before, "something was made");
    let backup = home.path().join("backup");
    assert!(run(&["backup", "--to", backup.to_str().unwrap()], &data).0);
    let inside = backup.join("data");
    let (success, said) = run(&["restore", "--from", backup.to_str().unwrap()], &inside);
    assert!(!success && said.contains("in, the backup"), "{said}");
    assert!(!inside.exists());
}

/// A terminal of its own: the side of the program, and the side of who sits there.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let sits = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&sits).unwrap();
    unlockpt(&sits).unwrap();
    let name = ptsname(&sits, Vec::new()).unwrap();
    let program = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (program, sits)
}

#[test]
fn a_stream_is_for_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    let (data, other) = (home.path().join("data"), home.path().join("other"));
    store(&data);
    let mut backup = command(&["backup", "--to", "-", "--data-dir"]);
    backup.arg(&data);
    let mut restore = command(&["restore", "--from", "-", "--data-dir"]);
    restore.arg(&other);
    let (program, _sits) = terminal();
    let cases = [
        (backup.stdout(program.try_clone().unwrap()).stdin(Stdio::null()), "standard output"),
        (restore.stdin(program).stdout(Stdio::piped()), "standard input"),
    ];
    for (command, which) in cases {
        let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = ended(output).1;
        assert!(said.contains(which) && said.contains("is a terminal"), "{said}");
        assert!(said.contains("deskplane "), "it says what to do: {said}");
    }
    assert!(!other.exists());
    let output = backup.stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"DPBKUP"));
}
