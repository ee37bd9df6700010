//! Bodies of answers: boxed ones, or of messages that are framed already.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream as _;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    convert::{self, Framed},
    status::refused,
};
use crate::{
    clock::Clock,
    domain::Refusal,
    live::{Hub, ProfileStream},
};

/// Header or trailer with the code of a status.
pub(super) const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The body of an answer. What is framed here takes no box and no buffer of its own until the
/// transport has it.
#[derive(Debug)]
pub enum AnswerBody {
    /// Of any other method, or of a refusal.
    Boxed(Body),
    /// One message, and the end.
    Message(MessageBody),
    /// The messages of WatchProfile.
    Profile(ProfileBody),
}

/// A message that is framed already, and the status OK.
#[derive(Debug)]
pub struct MessageBody {
    first: Option<Bytes>,
    rest: Vec<Bytes>,
    ended: bool,
}

/// The messages of a stream of a profile, each framed when the transport asks for it.
#[derive(Debug)]
pub struct ProfileBody {
    stream: ProfileStream,
    hub: Hub,
    clock: Clock,
    /// What is left of the message that goes out, in reverse order.
    rest: Vec<Bytes>,
    ended: bool,
}

impl AnswerBody {
    /// The answer of a unary call.
    pub(super) fn message(Framed { first, rest }: Framed) -> Response<Self> {
        answered(Self::Message(MessageBody { first: Some(first), rest, ended: false }))
    }

    /// The answer of WatchProfile.
    pub(super) fn profile(stream: ProfileStream, hub: Hub, clock: Clock) -> Response<Self> {
        let rest = Vec::new();
        answered(Self::Profile(ProfileBody { stream, hub, clock, rest, ended: false }))
    }

    /// A call that ends with this status before any message.
    pub(super) fn status(status: Status) -> Response<Self> {
        status.into_http().map(Self::Boxed)
    }

    /// The body as the transport takes it.
    pub(super) fn boxed(self) -> Body {
        match self {
            Self::Boxed(body) => body,
            framed => Body::new(framed),
        }
    }
}

fn answered(body: AnswerBody) -> Response<AnswerBody> {
    let mut answer = Response::new(body);
    let media_type = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    answer
}

impl From<Body> for AnswerBody {
    fn from(body: Body) -> Self {
        Self::Boxed(body)
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Boxed(body) => Pin::new(body).poll_frame(cx),
            Self::Message(body) => Poll::Ready(body.next().map(Ok)),
            Self::Profile(body) => body.poll_next(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Boxed(body) => body.is_end_stream(),
            Self::Message(body) => body.ended,
            Self::Profile(body) => body.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Boxed(body) => body.size_hint(),
            // With a known size the transport would send its length, which gRPC has no use for.
            Self::Message(_) | Self::Profile(_) => SizeHint::default(),
        }
    }
}

impl MessageBody {
    fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(piece) = self.first.take().or_else(|| self.rest.pop()) {
            return Some(Frame::data(piece));
        }
        let ended = std::mem::replace(&mut self.ended, true);
        (!ended).then(|| Frame::trailers(ok_trailers()))
    }
}

impl ProfileBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if let Some(piece) = self.rest.pop() {
            return Poll::Ready(Some(Frame::data(piece)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let end = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(message)) => {
                let Framed { first, rest } =
                    convert::framed_event(message, &self.hub, self.clock.now());
                self.rest = rest;
                return Poll::Ready(Some(Frame::data(first)));
            }
            Some(Err(refusal)) => trailers(&refusal),
            None => ok_trailers(),
        };
        self.ended = true;
        Poll::Ready(Some(Frame::trailers(end)))
    }
}

/// The trailers of an answer without a mistake.
fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    trailers
}

/// The trailers of a stream that ends with this refusal.
pub(super) fn trailers(refusal: &Refusal) -> HeaderMap {
    let mut trailers = std::mem::take(refused(refusal).headers_mut());
    trailers.remove(header::CONTENT_TYPE);
    trailers
}
