//! Notifications to a service manager: `Type=notify`, `WatchdogSec=` and reloads of a unit.

use std::os::unix::net::UnixDatagram;

use crate::process::{PATIENCE, Process, command};

/// The socket that a service manager would listen on.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// Starts a server under this manager.
    fn start(&self, settings: &[(&str, &str)]) -> Process {
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        serve
            .arg(self.folder.path().join("data"))
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("DESKPLANE_STORE__MIN_FREE_MIB", "0")
            .env_remove("WATCHDOG_PID")
            .env_remove("WATCHDOG_USEC")
            .envs(settings.iter().copied());
        Process::of(serve)
    }

    /// The next message, without those of the watchdog.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut buffer = [0; 4096];
        let bytes = self.socket.recv(&mut buffer).expect("no notification came");
        String::from_utf8(buffer[..bytes].to_vec()).unwrap()
    }
}

#[tokio::test]
async fn a_service_manager_learns_of_start_reload_and_end() {
    let manager = Manager::new();
    let mut process = manager.start(&[]);
    assert_eq!(manager.next(), "READY=1\nSTATUS=serving\n");
    // Who waits for READY may connect at once.
    process.connect().await;
    process.signal("HUP");
    let reloading = manager.next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(reloading.ends_with("\nSTATUS=reading the configuration again\n"), "{reloading}");
    assert_eq!(manager.next(), "READY=1\nSTATUS=serving\n");
    process.signal("TERM");
    assert_eq!(manager.next(), "STOPPING=1\nSTATUS=draining streams and calls\n");
    let (status, _) = process.ends_within(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[test]
fn a_watchdog_is_fed_while_the_server_serves() {
    let manager = Manager::new();
    let process = manager.start(&[("WATCHDOG_USEC", "20000")]);
    assert!(manager.next().starts_with("READY=1"));
    for _ in 0..5 {
        assert_eq!(manager.any(), "WATCHDOG=1\n");
    }
    assert!(process.end().success());
}

#[test]
fn a_watchdog_of_another_process_is_left_alone() {
    let manager = Manager::new();
    let process = manager.start(&[("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")]);
    assert!(manager.any().starts_with("READY=1"));
    process.signal("HUP");
    assert!(manager.any().starts_with("RELOADING=1"));
    assert!(process.end().success());
}

#[test]
fn a_manager_that_does_not_listen_stops_no_start() {
    let manager = Manager::new();
    let nowhere = manager.folder.path().join("nowhere");
    let process = manager.start(&[("NOTIFY_SOCKET", nowhere.to_str().unwrap())]);
    process.says("the service manager cannot be notified");
    assert!(process.end().success());
}
