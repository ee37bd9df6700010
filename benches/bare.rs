//! A server that is the transport and nothing else: each request has the same framed answer, and no
//! caller is identified, nothing is read and nothing counted. What ResolveProfile costs beyond it is
//! the service's own.
//!
//! `bare ADDRESS BYTES` serves until it is killed; `benches/front.py --bare` measures it.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

use std::{
    convert::Infallible,
    env,
    future::{Ready, pending, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use deskplane::{
    tasks::Tasks,
    transport::{self, ConnectionMeters, Limits, Port},
};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;
use tokio::net::TcpListener;
use tonic::{Status, body::Body};
use tower::service_fn;

// As in the packaged server.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = env::args().skip(1);
    let (Some(address), Some(bytes)) = (args.next(), args.next()) else {
        // Cargo asks every target for its tests; this one has none.
        return;
    };
    let Ok(bytes) = bytes.parse() else { return };
    let message = framed(bytes);
    let service = service_fn(move |_: Request<Body>| answer(message.clone()));
    let port = Port {
        listeners: TcpListener::bind(address).await.unwrap().into(),
        tls: None,
        limits: Limits::default(),
        meters: ConnectionMeters::default(),
        refuse: |fault| Status::resource_exhausted(format!("{fault:?}")),
    };
    transport::serve(&Tasks::default(), port, service, pending()).await.unwrap();
}

/// A message of gRPC: uncompressed, its length, and so many bytes of one field.
fn framed(bytes: u32) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(bytes);
    message.put_bytes(0, bytes as usize);
    message.freeze()
}

fn answer(message: Bytes) -> Ready<Result<Response<Body>, Infallible>> {
    let mut answer = Response::new(Body::new(Message(Some(message), false)));
    let media_type = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    ready(Ok(answer))
}

/// The message, and then the status OK.
struct Message(Option<Bytes>, bool);

impl http_body::Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.0.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let ended = std::mem::replace(&mut self.1, true);
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Poll::Ready((!ended).then_some(Ok(Frame::trailers(trailers))))
    }
}
