//! The layer in front of all services: it makes the context of a call, holds the call to its
//! deadline, and sees every refusal.
//!
//! Credentials of other kinds (a bearer token, the certificate of the connection) are read in
//! [`credential`] and nowhere else.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{
    TryFutureExt as _,
    future::{Either, MapOk},
};
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status, body::Body, transport::server::TcpConnectInfo};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};

use super::{
    body::{AnswerBody, STATUS, trailers},
    context::{CallContext, Data},
    deadline::Deadline,
    status::refused,
};
use crate::{
    audit::Outcome,
    auth::{Credential, Rpc, SCOPES_KEY, USER_KEY},
    domain::{Refusal, Violations},
};

/// Puts the layer in front of the services.
#[derive(Debug, Clone)]
pub struct CallLayer {
    data: Arc<Data>,
}

impl CallLayer {
    pub(super) fn new(data: Data) -> Self {
        Self { data: Arc::new(data) }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, data: Arc::clone(&self.data) }
    }
}

/// Gives every call of the API its context, or refuses it. Other requests pass unchanged.
#[derive(Debug, Clone)]
pub struct Calls<S> {
    inner: S,
    data: Arc<Data>,
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Into<AnswerBody>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        MapOk<S::Future, fn(Response<R>) -> Response<Body>>,
        Either<Bounded<S::Future>, Ready<Result<Self::Response, Infallible>>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(rpc) = Rpc::find(request.uri().path()) else {
            let boxed = |answer: Response<R>| answer.map(|body| body.into().boxed());
            return Either::Left(self.inner.call(request).map_ok(boxed));
        };
        let peer = request.extensions().get().and_then(TcpConnectInfo::remote_addr);
        Either::Right(match call_context(&self.data, rpc, request.headers(), peer) {
            Ok(context) => {
                request.extensions_mut().insert(context.clone());
                let sleep = context.deadline().map(|deadline| sleep_until(deadline.at));
                Either::Left(Bounded { inner: Some(self.inner.call(request)), sleep, context })
            }
            Err(refusal) => {
                let answer = refused(&refusal);
                record_refusal(rpc, peer, None, answer.headers());
                Either::Right(ready(Ok(answer)))
            }
        })
    }
}

/// Reads the head of a request (SPEC §12: authentication, then scope).
fn call_context(
    data: &Data,
    rpc: &'static Rpc,
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
) -> Result<CallContext, Refusal> {
    let start = Instant::now();
    let credential = credential(headers)?;
    let deadline = Deadline::read(headers, start)?;
    let context = data.call_context(rpc, credential, peer, (start, deadline))?;
    match deadline.is_some_and(Deadline::has_passed) {
        true => Err(context.deadline_exceeded()),
        false => Ok(context),
    }
}

/// Reads and verifies the credential of a call. A key that is given twice is refused: a proxy in
/// front and the server might each use another of the two values.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Credential, Refusal> {
    let mut v = Violations::new();
    let mut text = |key| {
        let mut values = headers.get_all(key).iter();
        let first = values.next();
        if values.next().is_some() {
            v.invalid(key, "is given more than once");
        }
        // What is not ASCII text is no id and no scope either; it must not count as absent.
        first.map(|value| value.to_str().unwrap_or("\u{fffd}"))
    };
    let (user, scopes) = (text(USER_KEY), text(SCOPES_KEY));
    v.finish()?;
    Credential::local(user, scopes)
}

/// Logs a call that ends with an error, refused here or by a handler.
fn record_refusal(
    rpc: &Rpc,
    peer: Option<SocketAddr>,
    context: Option<&CallContext>,
    headers: &HeaderMap,
) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else { return };
    let details = status.get_error_details();
    tracing::debug!(
        rpc = rpc.path,
        ?peer,
        caller = context.map(CallContext::subject),
        elapsed = ?context.map(CallContext::elapsed),
        code = ?status.code(),
        reason = details.error_info().map(|info| info.reason.as_str()),
        "refused"
    );
}

fn record_if_refused(context: &CallContext, headers: &HeaderMap) {
    if headers.get(STATUS).is_some_and(|code| code != "0") {
        record_refusal(context.rpc(), context.peer(), Some(context), headers);
        if context.rpc().streams
            && let Some(reason) = denied(headers)
        {
            context.stream_denied(&reason);
        }
    }
}

/// The reason of an end because of who called: rights that were lost, a credential that ended.
fn denied(headers: &HeaderMap) -> Option<String> {
    let status = Status::from_header_map(headers)?;
    let denied = matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated);
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    reason.filter(|_| denied)
}

/// How a read ended, by the head of its answer.
fn outcome(headers: &HeaderMap) -> Outcome {
    let Some(status) = Status::from_header_map(headers) else { return Outcome::Answered };
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    match status.code() {
        Code::Ok => Outcome::Answered,
        Code::PermissionDenied => Outcome::Denied(reason.unwrap_or_default()),
        code => Outcome::Failed(reason.unwrap_or_else(|| format!("{code:?}"))),
    }
}

pin_project! {
    /// A call until the head of its answer, at most until its deadline. Its handler is
    /// dropped then.
    #[derive(Debug)]
    pub struct Bounded<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        sleep: Option<Sleep>,
        context: CallContext,
    }
}

impl<F, R> Future for Bounded<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
    R: Into<AnswerBody>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answered = this.inner.as_mut().as_pin_mut().map(|inner| inner.poll(cx));
        let answer = match answered {
            Some(Poll::Ready(answer)) => answer?.map(R::into),
            _ => {
                let over = this.sleep.as_mut().as_pin_mut().map(|sleep| sleep.poll(cx));
                if !matches!(over, Some(Poll::Ready(()))) {
                    return Poll::Pending;
                }
                refused(&this.context.deadline_exceeded()).map(AnswerBody::from)
            }
        };
        this.inner.set(None);
        record_if_refused(this.context, answer.headers());
        this.context.end_read(|| outcome(answer.headers()));
        // Only streams live on after the head of their answer.
        let streams = this.context.rpc().streams && !answer.headers().contains_key(STATUS);
        Poll::Ready(Ok(match streams {
            true => answer.map(|body| bounded(body, this.context.clone())),
            false => answer.map(AnswerBody::boxed),
        }))
    }
}

/// A stream that ends at the deadline of its call.
fn bounded(inner: AnswerBody, context: CallContext) -> Body {
    let sleep = context.deadline().map(|deadline| Box::pin(sleep_until(deadline.at)));
    Body::new(BoundedBody { inner: Some(inner), sleep, context })
}

/// The body of [`bounded`].
#[derive(Debug)]
struct BoundedBody {
    inner: Option<AnswerBody>,
    sleep: Option<Pin<Box<Sleep>>>,
    context: CallContext,
}

impl http_body::Body for BoundedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let over = this.sleep.as_mut().map(|sleep| sleep.as_mut().poll(cx));
        if matches!(over, Some(Poll::Ready(()))) {
            this.inner = None;
            let trailers = trailers(&this.context.deadline_exceeded());
            record_if_refused(&this.context, &trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let polled = Pin::new(inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            record_if_refused(&this.context, trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The end may come before that of the inner body.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests;
