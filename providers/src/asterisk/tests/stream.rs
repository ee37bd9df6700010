//! The connection for events: how it begins, stays and ends.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message as Frame},
};

use super::*;
use crate::ErrorKind;

async fn listening() -> (Pbx, Server) {
    let pbx = Pbx::start().await;
    let server = Server::start(&pbx).await;
    (pbx, server)
}

/// How a connection fails to begin.
async fn refused(answer: &'static str) -> Error {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ari", socket.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let error = bare(&url).events(&cx()).await.err().expect("refused");
    server.abort();
    assert!(!format!("{error}").contains(SECRET));
    error
}

#[tokio::test]
async fn a_handshake_that_is_refused_says_why() {
    let body = "content-type: application/json\r\ncontent-length: 37\r\n\r\n\
                {\"message\":\"Authentication required\"}";
    let unknown = format!("HTTP/1.1 401 Unauthorized\r\n{body}");
    let cases: [(&'static str, ErrorKind); 5] = [
        (unknown.leak(), ErrorKind::Unauthenticated),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", ErrorKind::PermissionDenied),
        ("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", ErrorKind::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ErrorKind::Protocol),
        ("no HTTP at all\r\n\r\n", ErrorKind::Protocol),
    ];
    for (answer, kind) in cases {
        let error = refused(answer).await;
        assert_eq!((error.kind(), error.effect()), (kind, crate::Effect::None), "{answer}");
    }
}

#[tokio::test]
async fn an_asterisk_that_is_not_there_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let provider = bare(&format!("http://{closed}/ari"));
    let error = provider.events(&cx()).await.err().expect("refused");
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, crate::Effect::None));
}

#[tokio::test]
async fn a_frame_that_is_no_event_ends_the_stream() {
    let huge = "x".repeat((1 << 20) + 1);
    let cases = [
        (Frame::text("not JSON"), ErrorKind::Protocol),
        (Frame::text("[1, 2]x"), ErrorKind::Protocol),
        (Frame::text("{\"type\": 5}"), ErrorKind::Protocol),
        (Frame::binary(vec![1, 2]), ErrorKind::Protocol),
        (Frame::text(huge), ErrorKind::Protocol),
        (Frame::text("{\"type\": \"ApplicationReplaced\"}"), ErrorKind::Conflict),
    ];
    for (frame, kind) in cases {
        let (pbx, mut server) = listening().await;
        pbx.send(frame);
        let error = server.next().await.expect("an error").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(server.next().await.is_none(), "the stream is over");
    }
}

#[tokio::test]
async fn events_that_say_nothing_of_calls_are_passed_over() {
    let (pbx, mut server) = listening().await;
    for text in [
        r#"{"type": "DeviceStateChanged", "device_state": {"name": "PJSIP/anna"}}"#,
        r#"{"type": "SomethingNew", "channel": {"id": "dp-x-a"}}"#,
        r#"{"type": "ChannelDestroyed"}"#,
        r#"{"type": "StasisStart", "args": [], "channel": {"id": "17.1;2", "state": "Up"}}"#,
        r#"{"message": "no type"}"#,
    ] {
        pbx.send(Frame::text(text));
    }
    pbx.send(Frame::Close(None));
    assert!(server.next().await.is_none(), "no event, and the end is no error");
}

#[tokio::test]
async fn pings_are_answered() {
    let (pbx, _server) = listening().await;
    pbx.send(Frame::Ping(Bytes::from_static(b"still there?")));
    pbx.until("a pong", |s| s.requests.iter().any(|asked| asked == "PONG")).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let (pbx, mut server) = listening().await;
    pbx.drop_listener();
    let error = server.next().await.expect("an error").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(server.next().await.is_none());
    let mut server = Server::listen(Arc::clone(&server.provider)).await;
    pbx.call_in("17.1", "agent=anna");
    let event = server.next().await.unwrap().unwrap();
    assert_eq!(event.provider_call_id, "17.1");
}

#[tokio::test]
async fn what_cannot_be_cleared_up_ends_the_stream_and_is_tried_by_the_next() {
    let (pbx, mut server) = listening().await;
    pbx.phone("PJSIP/anna", super::pbx::Phone::Answers);
    pbx.phone("PJSIP/+14155550100@trunk", super::pbx::Phone::Busy);
    let agent = format!("DELETE /channels/dp-{}-a", Uuid::from_u128(1));
    pbx.state().refuse.insert(agent.clone(), 403);
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    let (states, _) = server.states(4).await;
    assert_eq!(states.last(), Some(&CallState::Ended));
    let error = server.next().await.expect("an error").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(server.next().await.is_none());
    pbx.state().refuse.clear();
    let _server = Server::listen(Arc::clone(&server.provider)).await;
    pbx.until_empty().await;
}

/// A connection for events, and its other end.
async fn pair() -> (EventStream, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ari", listener.local_addr().unwrap());
    let config = config(&url, "deskplane", "desk");
    let client = client(&config);
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    };
    let open = super::super::socket::open(&client, "deskplane");
    let (socket, peer) = tokio::join!(open, accept);
    let application = Arc::new(AriApplication::new(config, client.clone(), clock()));
    (application.run_session(socket.unwrap(), Default::default()), peer)
}

#[tokio::test]
async fn a_frame_that_is_cut_off_ends_the_stream() {
    let (mut events, mut peer) = pair().await;
    // A text of 4096 bytes, of which one comes.
    peer.get_mut().write_all(&[0x81, 0x7e, 0x10, 0x00, b'{']).await.unwrap();
    drop(peer);
    let error = events.next().await.expect("an error").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(events.next().await.is_none());
}

/// Paused time advances by itself while all tasks wait, so a minute of silence takes none.
#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let (mut events, _peer) = pair().await;
    tokio::time::pause();
    let error = events.next().await.expect("an error").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("silent"), "{error}");
    assert!(events.next().await.is_none());
}
