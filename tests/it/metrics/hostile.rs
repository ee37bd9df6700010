//! Probes are answered under any number of other connections, and whatever else the server does.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{get, monitor};
use crate::process::{Process, command};

/// Time in which a probe must have its answer. Probes of clusters usually wait 1 s.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Connections of each kind.
const MANY: usize = 200;

/// Connections that are opened, and what each says first.
fn crowd(address: SocketAddr, says: &str) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        // The server may have cut it already.
        let _ = stream.write_all(says.as_bytes());
        stream
    };
    (0..MANY).map(connect).collect()
}

/// A probe that is answered at once.
fn probe(address: SocketAddr, path: &str, beside: &str) {
    let begun = Instant::now();
    let (status, _) = get(address, "GET", path);
    let took = begun.elapsed();
    assert!(status == 200 || path == "/readyz" && status == 503, "{path}: {status}");
    assert!(took < AT_ONCE, "{path} beside {beside}: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_beside_any_others() {
    let (monitor, address) = monitor().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    let half_body = "POST /livez HTTP/1.1\r\nhost: here\r\ncontent-length: 1000\r\n\r\nhalf of it";
    let endless = "GET /livez HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe";
    let mut held = Vec::new();
    for (kind, says) in [
        ("idle connections", String::new()),
        ("half heads", "GET /livez HTTP/1.1\r\nhost: he".to_owned()),
        ("half bodies", half_body.to_owned()),
        ("bodies without an end", endless.to_owned()),
        ("clients that ask and do not read", request("/metrics").repeat(50)),
        ("answered clients that stay", request("/livez")),
        ("clients that speak HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("clients that speak TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{1f}".to_owned()),
    ] {
        held.push(crowd(address, &says));
        for path in ["/livez", "/readyz", "/metrics", "/livez"] {
            probe(address, path, kind);
        }
    }
    drop((held, monitor));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_good_for_one_request_and_some_seconds() {
    let (_monitor, address) = monitor().await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(address).unwrap();
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\nhost").unwrap();
    let mut two = TcpStream::connect(address).unwrap();
    two.write_all(&b"GET /livez HTTP/1.1\r\nhost: here\r\n\r\n".repeat(2)).unwrap();
    let mut answers = String::new();
    two.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    assert!(answers.contains("connection: close"), "{answers}");
    for stream in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_a_page_learns_nothing() {
    let (_monitor, address) = monitor().await;
    for path in ["/livez", "/readyz", "/metrics", "/"] {
        for (field, refused) in [
            ("origin: http://evil.example", true),
            ("origin: null", true),
            ("sec-fetch-site: cross-site", true),
            ("sec-fetch-site: same-site", true),
            // A name that points to this machine makes the page one of its own.
            ("sec-fetch-site: same-origin", true),
            ("sec-fetch-site: none", false),
        ] {
            let sent = format!("{path} HTTP/1.1\r\n{field}\r\nx: ");
            let (status, body) = get(address, "GET", &sent);
            assert_eq!(status == 403 && body.is_empty(), refused, "{path} {field}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn probes_do_not_wait_for_what_the_server_does() {
    let (_monitor, address) = monitor().await;
    // The only thread of the runtime is busy.
    let (let_go, wait) = mpsc::channel::<()>();
    let (busy, is_busy) = oneshot::channel();
    let task = tokio::spawn(async move {
        busy.send(()).unwrap();
        wait.recv().ok();
    });
    is_busy.await.unwrap();
    for path in ["/livez", "/readyz", "/metrics"] {
        probe(address, path, "a busy runtime");
    }
    drop(let_go);
    task.await.unwrap();
}

#[test]
fn probes_are_answered_when_connections_have_taken_the_handles() {
    let folder = tempfile::tempdir().unwrap();
    // So few handles that the connections of clients take them all.
    let program = command(&[]).get_program().to_owned();
    let script = "ulimit -n 160 && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program).arg(folder.path());
    shell.env("DESKPLANE_LOG", "info").env("DESKPLANE_METRICS_LISTEN", "127.0.0.1:0");
    shell.env("DESKPLANE_STORE__MIN_FREE_MIB", "0");
    let process = Process::of(shell);
    let main = process.address();
    let line = process.says("monitor=");
    let monitor = line.split("monitor=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let monitor: SocketAddr = monitor.parse().unwrap();
    let held = (crowd(monitor, ""), crowd(main, ""));
    for path in ["/livez", "/readyz", "/livez"] {
        probe(monitor, path, "no handles");
    }
    drop(held);
    assert!(process.end().success());
}
