//! Probes are answered under any number of other connections, and whatever else the server does.

use std::{
    io::{ErrorKind, Read as _, Write as _},
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
/// How many times as long as one beside nothing a probe may take where the machine is slow.
const SLOWER: u32 = 4;
/// Rounds in which probes may be late. A machine that is loaded delays some of them; a server that
/// has probes wait for others delays all.
const ROUNDS: usize = 10;
/// Connections of each kind.
const MANY: usize = 200;
/// The newest connections, which the server has no reason to cut for others yet.
const NEWEST: usize = 32;

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

/// Time until a probe is answered.
fn probe(address: SocketAddr, path: &str) -> Duration {
    let begun = Instant::now();
    let (status, _) = get(address, "GET", path);
    assert!(status == 200 || path == "/readyz" && status == 503, "{path}: {status}");
    begun.elapsed()
}

/// Probes that are answered at once beside others, which are made for each round; `while_they`
/// checks of them what must still be so when the last probe is answered.
fn probe_beside<T>(
    address: SocketAddr,
    paths: &[&str],
    beside: &str,
    others: impl Fn() -> T,
    while_they: impl Fn(&T) -> bool,
) -> T {
    let mut late = Vec::new();
    while late.len() < ROUNDS {
        let alone = probe(address, paths[0]);
        let others = others();
        let slowest = paths.iter().map(|path| probe(address, path)).max().unwrap();
        if slowest < AT_ONCE.max(alone * SLOWER) && while_they(&others) {
            return others;
        }
        late.push(slowest);
    }
    panic!("beside {beside}: {late:?}");
}

/// Whether the server still waits for what a connection says.
fn hangs(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = (&*stream).read(&mut [0]);
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_beside_any_others() {
    let (monitor, address) = monitor().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    let half_body = "POST /livez HTTP/1.1\r\nhost: here\r\ncontent-length: 1000\r\n\r\nhalf of it";
    let endless = "GET /livez HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe";
    let mut held = Vec::new();
    for (kind, says, hang) in [
        ("idle connections", String::new(), true),
        ("half heads", "GET /livez HTTP/1.1\r\nhost: he".to_owned(), true),
        ("half bodies", half_body.to_owned(), false),
        ("bodies without an end", endless.to_owned(), false),
        ("clients that ask and do not read", request("/metrics").repeat(50), false),
        ("answered clients that stay", request("/livez"), false),
        ("clients that speak HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), false),
        ("clients that speak TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{1f}".to_owned(), false),
    ] {
        let paths = ["/livez", "/readyz", "/metrics", "/livez"];
        // The answers came while the newest of them hung, so they waited for none of these.
        let newest_hang = |others: &Vec<_>| !hang || others.iter().rev().take(NEWEST).all(hangs);
        held.push(probe_beside(address, &paths, kind, || crowd(address, &says), newest_hang));
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
    let still_busy = |(): &()| !task.is_finished();
    probe_beside(address, &["/livez", "/readyz", "/metrics"], "a busy runtime", || (), still_busy);
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
    let crowds = || (crowd(monitor, ""), crowd(main, ""));
    let paths = ["/livez", "/readyz", "/livez"];
    let held = probe_beside(monitor, &paths, "no handles", crowds, |_| true);
    drop(held);
    assert!(process.end().success());
}
