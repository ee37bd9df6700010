//! Variables of the environment that are set to nothing, or that nobody of ours set.

use crate::{
    process::{Process, command},
    server::Running,
};

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_flags_that_are_set_to_nothing_are_not_set() {
    let server = Running::with(Vec::new()).await;
    let mut client = command(&["--server", &server.uri(), "list", "users"]);
    for name in ["LOG", "SERVER", "USER", "SCOPES", "CONFIG"] {
        client.env(format!("DESKPLANE_{name}"), "");
    }
    let done = client.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    // Without the flag it is the usual server that is asked, not one without a name.
    let done = command(&["list", "users"]).env("DESKPLANE_SERVER", "").output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() || said.contains("http://127.0.0.1:7700"), "{said}");
    server.end().await;
}

#[test]
fn a_variable_of_a_flag_still_counts() {
    let done = command(&["list", "users"]).env("DESKPLANE_LOG", "=").output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    let help = command(&["list", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("[env: DESKPLANE_SERVER]"), "{help}");
}

#[test]
fn a_server_starts_whatever_is_set_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "LOG",
        "CONFIG",
        "KEY_RING",
        "METRICS_LISTEN",
        "LISTEN",
        "DATA_DIR",
        "WATCH__QUIET_MS",
        "VOICE__FAKE_ADAPTER",
        "VOICE__PUBLIC_URL",
        "SECRET_NONE",
    ];
    let settings: Vec<_> = names.into_iter().map(|name| (name, "")).collect();
    let process = Process::spawn(folder.path(), &settings);
    process.address();
    assert!(process.end().success());
}

#[test]
fn a_demo_takes_the_usual_folder_when_none_is_named() {
    let here = tempfile::tempdir().unwrap();
    let mut demo = command(&["demo", "--once", "--listen", "127.0.0.1:0"]);
    let done = demo.env("TMPDIR", "").current_dir(here.path()).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("its store in /tmp/deskplane-demo-"), "{said}");
}

#[test]
fn names_that_a_cluster_injects_do_not_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("METRICS_PORT", "tcp://10.0.0.7:9700"),
        ("METRICS_SERVICE_HOST", "10.0.0.7"),
        ("METRICS_SERVICE_PORT", "9700"),
        ("METRICS_PORT_9700_TCP", "tcp://10.0.0.7:9700"),
        ("METRICS_PORT_9700_TCP_ADDR", "10.0.0.7"),
        ("VOICE_PORT", "tcp://10.0.0.8:7700"),
        ("PORT", "tcp://10.0.0.9:7700"),
    ];
    let process = Process::spawn(folder.path(), &settings);
    process.address();
    assert!(process.end().success());
}
