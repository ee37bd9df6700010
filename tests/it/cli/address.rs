//! What a client cannot honour is refused before a byte is sent.

use std::{io::ErrorKind, net::TcpListener, process::Command};

use super::run;

/// A port that knows whether anybody came.
struct Port(TcpListener);

impl Port {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// A form of the address of this port.
    fn fill(&self, form: &str) -> String {
        form.replace("PORT", &self.0.local_addr().unwrap().port().to_string())
    }

    fn assert_untouched(&self, what: &str) {
        let error = self.0.accept().expect_err(what);
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{what}");
    }
}

const REFUSED: &[&str] = &[
    "grpcs://127.0.0.1:PORT",
    "grpc://127.0.0.1:PORT",
    "ftp://127.0.0.1:PORT",
    "h2c://127.0.0.1:PORT",
    "unix:127.0.0.1:PORT",
    "unix://127.0.0.1:PORT",
    "http://kim:hunter2@127.0.0.1:PORT",
    "http://hunter2@127.0.0.1:PORT",
    "kim:hunter2@127.0.0.1:PORT",
    "https://kim:hunter2@127.0.0.1:PORT",
    "http://127.0.0.1:PORT/hunter2",
    "http://127.0.0.1:PORT?token=hunter2",
    "http://127.0.0.1:PORT#hunter2",
    "http:/127.0.0.1:PORT",
    "http:127.0.0.1:PORT",
    ":PORT",
    "http://:PORT",
    "http://127.1:PORT",
    " http://127.0.0.1:PORT",
    "http://127.0.0.1:PORT ",
    "http://127.0.0.1:0",
    "http://127.0.0.1:99999",
];

#[tokio::test]
async fn no_command_connects_where_it_could_not_keep_the_promise() {
    let port = Port::new();
    for form in REFUSED {
        let server = port.fill(form);
        let commands: [&[&str]; 6] = [
            &["get", "user", "n1"],
            &["list", "users"],
            &["watch", "n1"],
            &["calls", "watch", "n1"],
            &["providers", "adapters"],
            &["secrets", "rotate"],
        ];
        for command in commands {
            let args = [&["--user", "x"], command].concat();
            let (code, err) = run(&mut Vec::new(), &server, &args).await;
            assert_eq!(code, 2, "{server} {command:?}: {err}");
            assert!(err.starts_with("--server: "), "{server}: {err}");
            assert!(!err.contains("hunter2"), "{server}: {err}");
        }
        port.assert_untouched(&server);
    }
}

#[cfg(feature = "external")]
#[tokio::test]
async fn a_plugin_is_not_connected_to_either() {
    let port = Port::new();
    for form in REFUSED {
        if form.starts_with("unix:") || form.starts_with("http://127.0.0.1:0") {
            continue;
        }
        let endpoint = port.fill(form);
        let args = ["conformance", "--endpoint", endpoint.as_str()];
        let (code, err) = run(&mut Vec::new(), "http://unused:1", &args).await;
        assert_eq!(code, 2, "{endpoint}: {err}");
        assert!(err.starts_with("--endpoint: ") && !err.contains("hunter2"), "{endpoint}: {err}");
        port.assert_untouched(&endpoint);
    }
}

/// The program itself, with the address in the environment.
fn program(server: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskplane"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DESKPLANE_") {
            command.env_remove(name);
        }
    }
    let ended = command.env("DESKPLANE_SERVER", server).args(args).output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn an_address_in_the_environment_is_no_different_and_never_shown() {
    let port = Port::new();
    for form in ["https://kim:hunter2@127.0.0.1:PORT", "grpcs://127.0.0.1:PORT", "hunter2@:PORT"] {
        let server = port.fill(form);
        for log in ["warn", "trace"] {
            let (code, said) = program(&server, &["--log", log, "get", "user", "n1"]);
            assert_eq!(code, Some(2), "{said}");
            assert!(!said.contains("hunter2") && !said.contains("kim"), "{said}");
        }
        port.assert_untouched(&server);
        for args in
            [&["--help"][..], &["get", "--help"], &["watch", "-h"], &["get"], &["--nothing"]]
        {
            let (_, said) = program(&server, args);
            assert!(!said.contains("hunter2") && !said.contains(&server), "{args:?}: {said}");
        }
        let (code, said) = program(&server, &["serve", "--print-config"]);
        assert!(code == Some(0) && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_more() {
    let port = Port::new();
    let server = port.fill("LOCALHOST:PORT");
    let canonical = port.fill("http://localhost:PORT");
    drop(port);
    let (code, err) = run(&mut Vec::new(), &server, &["list", "users"]).await;
    assert_eq!(code, 1);
    assert!(err.starts_with(&format!("cannot reach {canonical}: ")), "{err}");
}

/// On a Linux machine `0.0.0.0` leads to itself, and is no loopback address.
#[tokio::test]
async fn clear_text_beyond_this_machine_is_said_once() {
    let world = super::World::new().await;
    let warning = |err: &str| err.lines().filter(|line| line.starts_with("warning: ")).count();
    let server = format!("http://0.0.0.0:{}", world.server.address.port());
    let (_, err) = run(&mut Vec::new(), &server, &["list", "users"]).await;
    let expected = format!("warning: the connection to {server} is not encrypted\n");
    assert!(err.starts_with(&expected) && warning(&err) == 1, "{err}");
    assert_eq!(world.run(&["list", "users"]).await.err, "");
}
