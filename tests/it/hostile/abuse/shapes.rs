//! Requests of HTTP/1.1 that two readers may cut differently (request smuggling): each is refused,
//! or read as RFC 9112 says, and what is hidden in it is never run as a request of its own.

use std::time::Duration;

use deskplane::transport::Limits;
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::server::Running;

/// Longest that anything is waited for.
const LONG: Duration = Duration::from_secs(60);

/// What is hidden behind each request. Its answer would be 200.
const HIDDEN: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Statuses of all answers to these bytes until the server closes.
async fn answers(running: &Running, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("it is not closed");
    let answer = String::from_utf8_lossy(&answer);
    let heads = answer.split("HTTP/1.1 ").skip(1);
    heads.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /webhooks/contoso HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n{body}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_in_a_request_is_not_run() {
    let head_time = Duration::from_secs(1);
    let running = Running::limited(Limits { head_time, ..Limits::default() }).await;
    let whole = format!("content-length: {}\r\n", HIDDEN.len());
    let cases = [
        // A length and chunks: the chunks count, and the connection ends.
        (
            "a length and chunks",
            post("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            &[403][..],
        ),
        (
            "chunks and a length",
            post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
            &[403],
        ),
        ("two lengths", post(&format!("content-length: 0\r\n{whole}"), ""), &[400]),
        ("two lengths in one field", post("content-length: 0, 5\r\n", ""), &[400]),
        ("a length with a sign", post("content-length: +0\r\n", ""), &[400]),
        ("a length below zero", post("content-length: -1\r\n", ""), &[400]),
        ("a length in another base", post("content-length: 0x0\r\n", ""), &[400]),
        ("a length beyond any", post("content-length: 99999999999999999999\r\n", ""), &[400]),
        ("an encoding that none is", post("transfer-encoding: xchunked\r\n", "0\r\n\r\n"), &[400]),
        (
            "chunks within another encoding",
            post("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
            &[400],
        ),
        (
            "two encodings",
            post("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n"),
            &[400],
        ),
        (
            "an encoding behind a tab",
            post("transfer-encoding:\x0bchunked\r\n", "0\r\n\r\n"),
            &[400],
        ),
        (
            "an encoding that is named with a blank",
            post("transfer-encoding : chunked\r\n", "0\r\n\r\n"),
            &[400],
        ),
        ("a folded field", post("x: y\r\n content-length: 5\r\n", ""), &[400]),
        ("a folded encoding", post("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"), &[400]),
        (
            "a field that begins with a blank",
            "POST /webhooks/contoso HTTP/1.1\r\n host: localhost\r\n\r\n".to_owned(),
            &[400],
        ),
        ("a zero in a field", post("x: \0y\r\n", ""), &[400]),
        ("a carriage return in a field", post("x: y\rz: a\r\n", ""), &[400]),
        (
            "a size of a chunk beyond any",
            post("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n"),
            &[403],
        ),
        (
            "a size of a chunk with a sign",
            post("transfer-encoding: chunked\r\n", "+0\r\n\r\n"),
            &[403],
        ),
        (
            "a chunk that is longer than it says",
            post("transfer-encoding: chunked\r\n", "1\r\nxx\r\n0\r\n\r\n"),
            &[403],
        ),
        (
            "a chunk with an endless remark",
            post("transfer-encoding: chunked\r\n", &format!("0;{}\r\n\r\n", "x".repeat(20_000))),
            &[403],
        ),
        ("another protocol", "GET /livez HTTP/3.0\r\nhost: localhost\r\n\r\n".to_owned(), &[400]),
        (
            "a whole address elsewhere",
            "GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            &[421, 200],
        ),
        (
            "a remark at a chunk",
            post("transfer-encoding: chunked\r\n", "0;a=b\r\n\r\n"),
            &[403, 200],
        ),
        ("lines that end by a line feed", post("", "").replace("\r\n", "\n"), &[403, 200]),
    ];
    let all = join_all(cases.iter().map(async |(what, sent, expected)| {
        let found = answers(&running, format!("{sent}{HIDDEN}").as_bytes()).await;
        (found != *expected).then(|| format!("{what}: {found:?} instead of {expected:?}"))
    }));
    let wrong: Vec<_> = all.await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    running.end().await;
}
