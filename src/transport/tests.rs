use std::{
    net::SocketAddr,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::auth::ClientCertificates;

mod tls;

/// Longest that a test waits for anything.
const LONG: Duration = Duration::from_secs(60);

/// What the service of these tests shares with them.
#[derive(Debug, Default)]
struct Shared {
    /// Answers of endless bodies that were dropped.
    dropped: AtomicUsize,
    changed: Notify,
    /// Calls of `/wait` that have begun.
    begun: Notify,
    /// Lets one call of `/wait` answer.
    answer: Notify,
}

impl Shared {
    async fn answer(
        self: Arc<Self>,
        path: String,
        certificates: usize,
    ) -> Result<Response<Body>, Infallible> {
        let body = match &*path {
            "/thread" => Body::new(Full::from(format!("{:?}", thread::current().id()))),
            "/certificates" => Body::new(Full::from(certificates.to_string())),
            "/wait" => {
                self.begun.notify_one();
                self.answer.notified().await;
                Body::new(Full::from("answered"))
            }
            _ => Body::new(Endless(self)),
        };
        Ok(Response::new(body))
    }

    /// Waits until so many endless bodies were dropped.
    async fn dropped(&self, count: usize) {
        let all = async {
            while self.dropped.load(Ordering::SeqCst) < count {
                self.changed.notified().await;
            }
        };
        timeout(LONG, all).await.expect("an endless answer is not dropped");
    }
}

/// A body that always has something more.
struct Endless(Arc<Shared>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'.'; 4_096])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

/// A running transport.
struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn with(limits: Limits) -> Self {
        Self::secured(limits, None).await
    }

    /// The same behind TLS.
    async fn secured(limits: Limits, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listening(listener.into(), limits, tls).await
    }

    /// The same on these listeners, of which the first is one of TCP.
    async fn listening(listeners: Listeners, limits: Limits, tls: Option<Tls>) -> Self {
        let first = listeners.iter().next().unwrap().endpoint().clone();
        let Endpoint::Tcp(address) = first else { panic!("{first}") };
        let (shared, tasks) = (Arc::<Shared>::default(), Tasks::default());
        let (stop, stopped) = oneshot::channel();
        let answers = Arc::clone(&shared);
        let service = tower::service_fn(move |request: Request<Body>| {
            let shown = request.extensions().get::<ClientCertificates>();
            let certificates = shown.map_or(0, |shown| shown.chain().len());
            Arc::clone(&answers).answer(request.uri().path().to_owned(), certificates)
        });
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            let port = Port {
                listeners,
                tls,
                limits,
                meters: ConnectionMeters::default(),
                refuse: |_| tonic::Status::unknown(""),
            };
            serve(&tasks, port, service, stopped).await
        });
        Self { address, shared, stop, served }
    }

    /// A connection on which a request of HTTP/1.1 was sent.
    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn end(self) {
        drop(self.stop);
        timeout(LONG, self.served).await.expect("it does not end").unwrap().unwrap();
    }
}

/// What comes up to the end of the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = timeout(LONG, stream.read_to_string(&mut text)).await.expect("it is not closed");
    read.unwrap();
    text
}

#[tokio::test]
async fn connections_are_spread_evenly_over_the_loops() {
    let running = Running::with(Limits { loops: 3, ..Limits::default() }).await;
    let mut streams = Vec::new();
    let mut threads = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..9 {
        let mut stream = running.ask("/thread").await;
        let mut answer = vec![0; 1_024];
        let count = stream.read(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..count]).into_owned();
        *threads.entry(text.lines().last().unwrap().to_owned()).or_default() += 1;
        streams.push(stream);
    }
    assert_eq!(threads.into_values().collect::<Vec<_>>(), [3, 3, 3]);
    drop(streams);
    running.end().await;
}

#[tokio::test]
async fn a_drain_sees_calls_through_and_closes_what_is_idle() {
    let running = Running::with(Limits { loops: 2, ..Limits::default() }).await;
    let waiting = running.ask("/wait").await;
    running.shared.begun.notified().await;
    let mut idle = running.ask("/thread").await;
    assert!(idle.read(&mut [0; 1_024]).await.unwrap() > 0);
    let Running { address, shared, stop, served } = running;
    drop(stop);
    assert_eq!(rest(idle).await, "");
    assert!(!served.is_finished());
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    shared.answer.notify_one();
    assert!(rest(waiting).await.ends_with("answered"));
    timeout(LONG, served).await.expect("it does not end").unwrap().unwrap();
}

#[tokio::test]
async fn dropped_it_cuts_what_is_left() {
    let running = Running::with(Limits { loops: 2, ..Limits::default() }).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = running.ask("/endless").await;
        assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
        streams.push(stream);
    }
    running.served.abort();
    running.shared.dropped(4).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_closed_and_one_that_reads_is_not() {
    let write_stall = Duration::from_millis(200);
    let running = Running::with(Limits { loops: 1, write_stall, ..Limits::default() }).await;
    let _silent = running.ask("/endless").await;
    let mut reads = running.ask("/endless").await;
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while reads.read(&mut buffer).await.unwrap() > 0 {}
    };
    tokio::select! {
        () = running.shared.dropped(1) => {}
        () = reading => panic!("the connection that reads was closed"),
    }
    assert!(reads.read(&mut [0; 1_024]).await.unwrap() > 0);
}

#[tokio::test]
async fn a_connection_of_age_is_asked_to_end() {
    let connection_age = Duration::from_millis(50);
    let running = Running::with(Limits { loops: 1, connection_age, ..Limits::default() }).await;
    let waiting = running.ask("/wait").await;
    running.shared.begun.notified().await;
    let mut idle = running.ask("/thread").await;
    assert!(idle.read(&mut [0; 1_024]).await.unwrap() > 0);
    assert_eq!(rest(idle).await, "");
    // The call that is open is seen through.
    running.shared.answer.notify_one();
    assert!(rest(waiting).await.ends_with("answered"));
    running.end().await;
}

#[tokio::test]
async fn an_answer_beyond_every_buffer_arrives_whole() {
    let running = Running::with(Limits { loops: 1, ..Limits::default() }).await;
    let mut stream = running.ask("/endless").await;
    // Read in bites, so that the server is blocked again and again.
    let (mut left, mut bite) = (8 << 20, vec![0; 10_000]);
    while left > 0 {
        let count = timeout(LONG, stream.read(&mut bite)).await.expect("it hangs").unwrap();
        assert!(count > 0, "closed with {left} bytes to come");
        left -= count.min(left);
    }
    drop(stream);
    running.shared.dropped(1).await;
    running.end().await;
}

#[tokio::test]
async fn a_socket_of_this_machine_is_served_like_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deskplane.sock");
    let endpoints = ["127.0.0.1:0".parse().unwrap(), Endpoint::Unix(path.clone())];
    let listeners = Listeners::bind(&endpoints).await.unwrap();
    let running = Running::listening(listeners, Limits::default(), None).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /thread HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1_024];
    let count = stream.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    drop(stream);
    running.end().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn one_address_leaves_places_to_others() {
    let limits = Limits { connections: 8, connections_per_address: 2, ..Limits::default() };
    let running = Running::with(limits).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = running.ask("/thread").await;
        assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
        held.push(stream);
    }
    let refused = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(timeout(LONG, closed(refused)).await, Ok(()));
    drop(held.pop());
    // The place is free when the server has seen the end.
    let again = async {
        loop {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let asked = stream.write_all(b"GET /thread HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            if asked.is_ok() && stream.read(&mut [0; 1_024]).await.is_ok_and(|count| count > 0) {
                break;
            }
        }
    };
    timeout(LONG, again).await.expect("no place becomes free");
}

/// Waits until the other end has closed a connection.
async fn closed(mut stream: TcpStream) {
    while stream.read(&mut [0; 1_024]).await.is_ok_and(|count| count > 0) {}
}
