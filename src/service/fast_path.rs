//! The fast path: ResolveProfile and WatchProfile, answered in front of the methods.
//!
//! These two are most of all calls, and the router, the boxed futures and the codec that all methods
//! share cost several times what they do themselves. So a request of theirs that is what clients send
//! as a rule, one message that is not compressed and comes in one piece, goes straight from the bytes
//! of the message to the framed bytes of the answer. Any other is handed on to
//! [`Methods`](super::methods::Methods) with what was read of it, so whatever may be wrong with a
//! request is judged there alone.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::Layer;

use super::{body::AnswerBody, context::CallContext};

/// Header with the encoding of the messages of a request.
const ENCODING: &str = "grpc-encoding";
/// Bytes in front of a message: whether it is compressed, and its length.
const FRAME_HEADER: usize = 5;

/// Answers a call from the bytes of its message.
pub(super) type Handler<H> = fn(&H, &CallContext, Bytes) -> Result<Response<AnswerBody>, Status>;

/// Handlers by the path of their method.
pub(super) type Handlers<H> = &'static [(&'static str, Handler<H>)];

/// Puts a `FastPath` in front of the methods.
#[derive(Debug)]
pub struct FastPathLayer<H: 'static> {
    handlers: Handlers<H>,
    handles: Arc<H>,
}

impl<H> FastPathLayer<H> {
    pub(super) fn new(handlers: Handlers<H>, handles: H) -> Self {
        Self { handlers, handles: Arc::new(handles) }
    }
}

impl<H, S> Layer<S> for FastPathLayer<H> {
    type Service = FastPath<H, S>;

    fn layer(&self, inner: S) -> FastPath<H, S> {
        FastPath { handlers: self.handlers, handles: Arc::clone(&self.handles), inner }
    }
}

/// Answers calls of some methods that have a context; other requests go to the inner service.
#[derive(Debug)]
pub struct FastPath<H: 'static, S> {
    handlers: Handlers<H>,
    handles: Arc<H>,
    inner: S,
}

impl<H, S: Clone> Clone for FastPath<H, S> {
    fn clone(&self) -> Self {
        let (handlers, handles) = (self.handlers, Arc::clone(&self.handles));
        Self { handlers, handles, inner: self.inner.clone() }
    }
}

impl<H, S> tower::Service<Request<Body>> for FastPath<H, S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Unpin,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answering<H, S, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.reading(&request) {
            Some((handler, context)) => Answering::Reading(Some(Reading {
                path: self.clone(),
                handler,
                context,
                request,
                message: None,
            })),
            None => Answering::HandedOn(Box::pin(self.inner.call(request))),
        }
    }
}

impl<H, S> FastPath<H, S> {
    /// How a request is answered here, if its method and its encoding permit.
    fn reading(&self, request: &Request<Body>) -> Option<(Handler<H>, CallContext)> {
        let context = request.extensions().get::<CallContext>()?;
        let path = context.rpc().path;
        let (_, handler) = self.handlers.iter().find(|(known, _)| *known == path)?;
        let plain = request.headers().get(ENCODING).is_none_or(|encoding| encoding == "identity");
        plain.then(|| (*handler, context.clone()))
    }
}

/// A call until its answer begins.
#[allow(clippy::large_enum_variant, reason = "the large one is that of nearly all calls")]
#[derive(Debug)]
pub enum Answering<H: 'static, S, F> {
    /// Its message is read here; taken once that is done.
    Reading(Option<Reading<H, S>>),
    /// The inner service has it.
    HandedOn(Pin<Box<F>>),
}

/// A request whose message is read.
#[derive(Debug)]
pub struct Reading<H: 'static, S> {
    path: FastPath<H, S>,
    handler: Handler<H>,
    context: CallContext,
    request: Request<Body>,
    /// The message, when all that may follow is the end.
    message: Option<Bytes>,
}

/// How reading went.
enum Read {
    /// The message is whole, and nothing is behind it.
    Message(Bytes),
    /// The request is another than is read here; what was read last.
    Other(Option<Result<Frame<Bytes>, Status>>),
}

impl<H, S> Reading<H, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        loop {
            let body = self.request.body_mut();
            if body.is_end_stream()
                && let Some(message) = self.message.take()
            {
                return Poll::Ready(Read::Message(message));
            }
            let frame = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(status)) => return Poll::Ready(Read::Other(Some(Err(status)))),
                None => {
                    let message = self.message.take();
                    return Poll::Ready(message.map_or(Read::Other(None), Read::Message));
                }
            };
            match frame.data_ref() {
                Some(data) if data.is_empty() => {}
                Some(data) if self.message.is_none() && is_plain_message(data) => {
                    self.message = frame.into_data().ok();
                }
                _ => return Poll::Ready(Read::Other(Some(Ok(frame)))),
            }
        }
    }

    fn answer(self, mut message: Bytes) -> Response<AnswerBody> {
        message.advance(FRAME_HEADER);
        let answer = (self.handler)(&self.path.handles, &self.context, message);
        answer.unwrap_or_else(AnswerBody::status)
    }

    /// Hands the request on, with what was read of it.
    fn hand_on(mut self, last: Option<Result<Frame<Bytes>, Status>>) -> Pin<Box<S::Future>>
    where
        S: tower::Service<Request<Body>>,
    {
        let first = self.message.map(|message| Ok(Frame::data(message)));
        let read = [first, last];
        let request = self.request.map(|rest| Body::new(Replayed { read, rest }));
        Box::pin(self.path.inner.call(request))
    }
}

/// Whether this is exactly one message with its header, not compressed.
fn is_plain_message(data: &[u8]) -> bool {
    let Some(([compressed, length @ ..], message)) = data.split_first_chunk::<FRAME_HEADER>()
    else {
        return false;
    };
    *compressed == 0 && u32::from_be_bytes(*length) as usize == message.len()
}

impl<H, S, F> Future for Answering<H, S, F>
where
    S: tower::Service<Request<Body>, Future = F> + Unpin,
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match this {
                Self::HandedOn(answer) => {
                    let answer = ready!(answer.as_mut().poll(cx))?;
                    return Poll::Ready(Ok(answer.map(AnswerBody::from)));
                }
                Self::Reading(reading) => {
                    let Some(polled) = reading.as_mut() else { return Poll::Pending };
                    let read = ready!(polled.poll(cx));
                    let Some(reading) = reading.take() else { return Poll::Pending };
                    match read {
                        Read::Message(message) => return Poll::Ready(Ok(reading.answer(message))),
                        Read::Other(last) => *this = Self::HandedOn(reading.hand_on(last)),
                    }
                }
            }
        }
    }
}

/// A body of which something was read before.
#[derive(Debug)]
struct Replayed {
    read: [Option<Result<Frame<Bytes>, Status>>; 2],
    rest: Body,
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.read.iter_mut().find_map(Option::take) {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.iter().all(Option::is_none) && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests;
