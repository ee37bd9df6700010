use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

const GREETING: Duration = Duration::from_secs(10);

/// Admission to a free port with a cap.
async fn listen(cap: usize) -> (SocketAddr, Admission) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections: cap, greeting: GREETING, ..Limits::default() };
    let admission = Admission::new(listener.into(), None, &limits, ConnectionMeters::default());
    (address, admission)
}

/// The next admitted connection.
async fn next(admission: &mut Admission) -> Connection {
    admission.next().await.open().await.unwrap()
}

/// The next admitted connection, read until it ends; what was read, and how it ended.
async fn read(admission: &mut Admission) -> JoinHandle<(Vec<u8>, io::Result<()>)> {
    let mut connection = next(admission).await;
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        let ended = connection.read_to_end(&mut bytes).await;
        (bytes, ended.map(drop))
    })
}

#[tokio::test]
async fn the_oldest_silent_connection_gives_way() {
    let (address, mut admission) = listen(3).await;
    let connect = async || TcpStream::connect(address).await.unwrap();
    let mut speaks = connect().await;
    let mut spoken = next(&mut admission).await;
    speaks.write_all(b"GET").await.unwrap();
    spoken.read_exact(&mut [0; 3]).await.unwrap();
    let _silent = (connect().await, connect().await);
    let oldest = read(&mut admission).await;
    let youngest = read(&mut admission).await;
    let _new = connect().await;
    let admitted = read(&mut admission).await;
    let (bytes, ended) = oldest.await.unwrap();
    assert!(bytes.is_empty());
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    assert!(!youngest.is_finished() && !admitted.is_finished());
    speaks.write_all(b"more").await.unwrap();
    spoken.read_exact(&mut [0; 4]).await.unwrap();
}

#[tokio::test]
async fn at_the_cap_of_an_address_its_own_silent_connection_gives_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let mut admission = Admission::new(listener.into(), None, &limits, ConnectionMeters::default());
    let connect = async || TcpStream::connect(address).await.unwrap();
    let (mut speaks, _silent) = (connect().await, connect().await);
    let mut spoken = next(&mut admission).await;
    speaks.write_all(b"GET").await.unwrap();
    spoken.read_exact(&mut [0; 3]).await.unwrap();
    let silent = read(&mut admission).await;
    let mut third = connect().await;
    let mut admitted = next(&mut admission).await;
    let (_, ended) = silent.await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    third.write_all(b"GET").await.unwrap();
    admitted.read_exact(&mut [0; 3]).await.unwrap();
    // Both speak now, so the address has no further place.
    let waiting = tokio::spawn(async move { next(&mut admission).await });
    assert_eq!(connect().await.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(!waiting.is_finished());
    drop(spoken);
}

#[tokio::test]
async fn at_the_cap_a_connection_is_closed_and_the_others_stay() {
    let (address, mut admission) = listen(1).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET").await.unwrap();
    let mut connection = next(&mut admission).await;
    let mut bytes = [0; 3];
    connection.read_exact(&mut bytes).await.unwrap();
    let waiting = tokio::spawn(async move { next(&mut admission).await });
    let mut second = TcpStream::connect(address).await.unwrap();
    // Closed without a word.
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0);
    drop(connection);
    let _third = TcpStream::connect(address).await.unwrap();
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_must_greet_in_time() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (sent, greeted) in [
        (&b""[..], false),
        (b"P", false),
        (b"PRI", false),
        (&preface[..23], false),
        (preface, true),
        (b"G", true),
        (b"PRJ", true),
        (b"\0", true),
    ] {
        let (address, mut admission) = listen(1).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let since = time::Instant::now();
        let mut connection = next(&mut admission).await;
        client.write_all(sent).await.unwrap();
        let mut bytes = vec![0; sent.len()];
        connection.read_exact(&mut bytes).await.unwrap();
        let rest = time::timeout(2 * GREETING, connection.read(&mut [0])).await;
        match (greeted, rest) {
            (true, Err(_)) => {}
            (false, Ok(Err(error))) => {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                assert!(since.elapsed() >= GREETING && since.elapsed() < 2 * GREETING);
            }
            (_, other) => panic!("{sent:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_preface_in_pieces_is_one_greeting() {
    let (address, mut admission) = listen(1).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut connection = next(&mut admission).await;
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        client.write_all(&[*byte]).await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), *byte);
    }
    assert!(!connection.is_silent());
}
