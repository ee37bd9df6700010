//! Clients that take their time: connections that say nothing, heads and bodies of a byte a second.

use std::time::Duration;

use futures_util::{StreamExt as _, future::join_all, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{interval, timeout},
};

use super::{
    siege::Siege,
    sizes,
    wire::{PREFACE, Wire, begin, flag, frame, kind},
};

/// Heads that are too large at a time.
const AT_A_TIME: usize = 64;

const RESOLVE: &str = "/deskplane.v1.AgentService/ResolveProfile";
/// Longest that anything is waited for.
const LONG: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy)]
struct Size {
    connections: usize,
    /// Time between two bytes.
    pace: Duration,
    /// Seconds that a head or a body may take, if not as many as by default.
    patience: Option<&'static str>,
}

const SMALL: Size =
    Size { connections: 100, pace: Duration::from_millis(100), patience: Some("1") };
const FULL: Size = Size { connections: 1_000, pace: Duration::from_secs(1), patience: None };

async fn siege(size: Size) -> Siege {
    let settings = size
        .patience
        .map(|patience| [("LIMITS__HEAD_S", patience), ("LIMITS__BODY_STALL_S", patience)]);
    Siege::lay(settings.as_ref().map_or(&[], |settings| &settings[..])).await
}

/// Sends a byte at each tick until the server closes.
async fn drip(mut stream: TcpStream, byte: u8, pace: Duration) {
    let (mut ticks, mut answer) = (interval(pace), [0; 1_024]);
    let closed = async {
        loop {
            tokio::select! {
                read = stream.read(&mut answer) => if read.unwrap_or(0) == 0 { return },
                _ = ticks.tick() => if stream.write_all(&[byte]).await.is_err() { return },
            }
        }
    };
    timeout(LONG, closed).await.expect("it may go on for ever");
}

/// Connections that begin a head and go on by single bytes.
async fn dripped(size: Size, what: &str, first: &[u8]) {
    let siege = siege(size).await;
    let name = format!("{} {what}", size.connections);
    let abuse = async {
        let mut drips = Vec::new();
        for _ in 0..size.connections {
            // One after another: the machine drops some of those that come all at once.
            let mut stream = TcpStream::connect(siege.address()).await.unwrap();
            stream.write_all(first).await.unwrap();
            drips.push(drip(stream, b'x', size.pace));
        }
        join_all(drips).await;
    };
    siege.during(&name, abuse).await;
    assert_eq!(siege.closed("slow_head").await, size.connections as f64);
    siege.lift().await;
}

async fn dripped_heads(size: Size) {
    let first = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-long: ";
    dripped(size, "heads of HTTP/1.1 by single bytes", first).await;
}

async fn dripped_headers(size: Size) {
    let mut first = PREFACE.to_vec();
    first.extend(frame(kind::SETTINGS, 0, 0, &[]));
    // More is announced than ever comes.
    first.extend(&frame(kind::HEADERS, flag::END_HEADERS, 1, &[0; 16_000])[..9]);
    dripped(size, "HEADERS frames by single bytes", &first).await;
}

/// Connections that begin a frame and say nothing more: no answer can stand in the middle of it.
async fn halves(size: Size) {
    let settings = size.patience.map(|patience| {
        [("LIMITS__KEEPALIVE_INTERVAL_S", patience), ("LIMITS__KEEPALIVE_TIMEOUT_S", patience)]
    });
    let siege = Siege::lay(settings.as_ref().map_or(&[], |settings| &settings[..])).await;
    let name = format!("{} halves of a frame", size.connections);
    let abuse = async {
        let mut streams = Vec::new();
        for _ in 0..size.connections {
            let mut stream = TcpStream::connect(siege.address()).await.unwrap();
            let half = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[]), &[0, 0, 8]].concat();
            stream.write_all(&half).await.unwrap();
            streams.push(stream);
        }
        let closed = streams.iter_mut().map(async |s| s.read_to_end(&mut Vec::new()).await);
        timeout(LONG, join_all(closed)).await.expect("they are not closed");
    };
    siege.during(&name, abuse).await;
    assert_eq!(siege.closed("keepalive").await, size.connections as f64);
    siege.lift().await;
}

/// Messages that begin and go on by single bytes, on the streams of one connection.
async fn dripped_bodies(size: Size) {
    let siege = siege(size).await;
    let name = format!("{} bodies by single bytes", size.connections);
    let stalled = "deskplane_bodies_refused_total{limit=\"stall\"}";
    siege
        .during(&name, async {
            let mut wire = Wire::connect(siege.address(), &[]).await.unwrap();
            let stream = |at: usize| 2 * at as u32 + 1;
            for at in 0..size.connections {
                let headers = begin(stream(at), RESOLVE);
                // A message of a megabyte.
                let message = frame(kind::DATA, 0, stream(at), &[0, 0, 0x10, 0, 0]);
                wire.say(&[headers, message].concat()).await.unwrap();
            }
            let mut ticks = interval(size.pace);
            let drip = async {
                loop {
                    ticks.tick().await;
                    for at in 0..size.connections {
                        // What is answered already is no longer read.
                        let _ = wire.say(&frame(kind::DATA, 0, stream(at), b"x")).await;
                    }
                }
            };
            let all = siege.until(stalled, |refused| refused >= size.connections as f64);
            tokio::select! {
                () = drip => {}
                () = all => {}
            }
        })
        .await;
    siege.lift().await;
}

/// Connections that say nothing. In small they are more than there may be: the oldest give way.
async fn silent(size: Size) {
    let cap = size
        .patience
        .map(|_| [("LIMITS__CONNECTIONS", "40"), ("LIMITS__CONNECTIONS_PER_ADDRESS", "1000")]);
    let siege = Siege::lay(cap.as_ref().map_or(&[], |cap| &cap[..])).await;
    let count = size.connections * 4;
    let name = format!("{count} connections that say nothing");
    siege
        .during(&name, async {
            let mut streams = Vec::new();
            for _ in 0..count {
                streams.push(TcpStream::connect(siege.address()).await.unwrap());
            }
            if cap.is_some() {
                let displaced = "deskplane_connections_closed_total{limit=\"displaced\"}";
                return siege.until(displaced, |closed| closed >= (count - 40) as f64).await;
            }
            let closed = streams.iter_mut().map(async |stream| stream.read(&mut [0]).await);
            timeout(LONG, join_all(closed)).await.expect("they are not closed");
            assert_eq!(siege.closed("greeting").await, count as f64);
        })
        .await;
    siege.lift().await;
}

/// Heads of HTTP/1.1 that are too large, by bytes and by fields.
async fn large_heads(size: Size) {
    let siege = Siege::lay(&[]).await;
    let bytes = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}", "x".repeat(1 << 20));
    let fields = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
    let one = async |at: usize| {
        let mut stream = TcpStream::connect(siege.address()).await.unwrap();
        // The server does not read all of it.
        let _ = stream
            .write_all(if at.is_multiple_of(2) { bytes.as_bytes() } else { fields.as_bytes() })
            .await;
        let _ = timeout(LONG, stream.read_to_end(&mut Vec::new())).await.expect("it goes on");
    };
    let name = format!("{} heads of HTTP/1.1 that are too large", size.connections);
    let all = stream::iter(0..size.connections).for_each_concurrent(AT_A_TIME, one);
    siege.during(&name, all).await;
    assert_eq!(siege.closed("large_head").await, size.connections as f64);
    siege.lift().await;
}

sizes! {
    dripped_heads: super::SMALL, super::FULL;
    dripped_headers: super::SMALL, super::FULL;
    halves: super::SMALL, super::FULL;
    dripped_bodies: super::SMALL, super::FULL;
    silent: super::SMALL, super::FULL;
    large_heads: super::SMALL, super::FULL;
}
