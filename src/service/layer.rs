//! The layer in front of all services: it makes the context of a call, holds the call to its
//! deadline, and sees every refusal.
//!
//! What a call shows is verified by [`Credentials`]; only a token whose key has to be fetched first
//! makes the call wait.

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
    meters::{CallMeters, Measured},
    status::refused,
};
use crate::{
    audit::Outcome,
    auth::{ClientCertificates, Credential, RPCS, Rpc},
    credentials::{Authentication, Credentials, Verified},
    domain::Refusal,
};

/// Puts the layer in front of the services.
#[derive(Debug, Clone)]
pub struct CallLayer {
    door: Arc<Door>,
}

/// What a call passes before a service sees it.
#[derive(Debug)]
struct Door {
    data: Data,
    credentials: Credentials,
    meters: Arc<CallMeters>,
}

impl CallLayer {
    pub(super) fn new(data: Data, credentials: Credentials, meters: Arc<CallMeters>) -> Self {
        Self { door: Arc::new(Door { data, credentials, meters }) }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, door: Arc::clone(&self.door) }
    }
}

/// Gives every call of the API its context, or refuses it. Other requests pass unchanged.
#[derive(Debug, Clone)]
pub struct Calls<S> {
    inner: S,
    door: Arc<Door>,
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone,
    R: Into<AnswerBody>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        MapOk<S::Future, fn(Response<R>) -> Response<Body>>,
        Either<
            Bounded<S::Future>,
            Either<Ready<Result<Self::Response, Infallible>>, Pin<Box<Late<S, B, S::Future>>>>,
        >,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let found = Rpc::position(request.uri().path());
        let Some((method, rpc)) = found.and_then(|at| Some((at, RPCS.get(at)?))) else {
            let boxed = |answer: Response<R>| answer.map(|body| body.into().boxed());
            return Either::Left(self.inner.call(request).map_ok(boxed));
        };
        let arrival = Arrival::of(rpc, self.door.meters.measure(method), &request);
        let certificates = request.extensions_mut().remove::<ClientCertificates>();
        let shown = self.door.credentials.authenticate(request.headers(), certificates.as_ref());
        Either::Right(match shown {
            Authentication::Now(credential) => {
                match arrival.admit(&self.door.data, request.headers(), credential) {
                    Ok(admitted) => Either::Left(forward(&mut self.inner, request, admitted)),
                    Err(answer) => Either::Right(Either::Left(ready(Ok(answer)))),
                }
            }
            Authentication::Later(credential) => {
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let (door, waiting) = (Arc::clone(&self.door), Some((inner, request, arrival)));
                let late = Late { door, credential, waiting, admitted: None };
                Either::Right(Either::Right(Box::pin(late)))
            }
        })
    }
}

/// Hands a call on with its context.
fn forward<S, B>(
    inner: &mut S,
    mut request: Request<B>,
    (context, measured): (CallContext, Measured),
) -> Bounded<S::Future>
where
    S: Service<Request<B>>,
{
    request.extensions_mut().insert(context.clone());
    let sleep = context.deadline().map(|deadline| sleep_until(deadline.at));
    Bounded { inner: Some(inner.call(request)), sleep, context, measured: Some(measured) }
}

pin_project! {
    /// A call whose credential can be judged after a fetch alone, and then the call itself.
    #[derive(Debug)]
    pub struct Late<S, B, F> {
        door: Arc<Door>,
        credential: Verified,
        waiting: Option<(S, Request<B>, Arrival)>,
        #[pin]
        admitted: Option<Bounded<F>>,
    }
}

impl<S, B, R> Future for Late<S, B, S::Future>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Into<AnswerBody>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((mut inner, request, arrival)) = this.waiting.take() {
            let Poll::Ready(credential) = this.credential.0.as_mut().poll(cx) else {
                *this.waiting = Some((inner, request, arrival));
                return Poll::Pending;
            };
            match arrival.admit(&this.door.data, request.headers(), credential) {
                Ok(admitted) => this.admitted.set(Some(forward(&mut inner, request, admitted))),
                Err(answer) => return Poll::Ready(Ok(answer)),
            }
        }
        match this.admitted.as_pin_mut() {
            Some(admitted) => admitted.poll(cx),
            None => Poll::Pending,
        }
    }
}

/// What is known of a call before its caller is.
#[derive(Debug)]
struct Arrival {
    rpc: &'static Rpc,
    peer: Option<SocketAddr>,
    start: Instant,
    measured: Measured,
}

impl Arrival {
    fn of<B>(rpc: &'static Rpc, measured: Measured, request: &Request<B>) -> Self {
        let peer = request.extensions().get().and_then(TcpConnectInfo::remote_addr);
        Self { rpc, peer, start: Instant::now(), measured }
    }

    /// The context of the call, or the answer that refuses it (SPEC §12: authentication, then scope).
    fn admit(
        self,
        data: &Data,
        headers: &HeaderMap,
        credential: Result<Credential, Refusal>,
    ) -> Result<(CallContext, Measured), Response<Body>> {
        match self.context(data, headers, credential) {
            Ok(context) => Ok((context, self.measured)),
            Err(refusal) => {
                let answer = refused(&refusal);
                record_refusal(self.rpc, self.peer, None, answer.headers());
                self.measured.end(answer.headers());
                Err(answer)
            }
        }
    }

    fn context(
        &self,
        data: &Data,
        headers: &HeaderMap,
        credential: Result<Credential, Refusal>,
    ) -> Result<CallContext, Refusal> {
        let refused = |refusal| data.reject(self.rpc, self.peer, headers, refusal);
        let credential = credential.map_err(refused)?;
        let deadline = Deadline::read(headers, self.start)?;
        let context = data.call_context(self.rpc, credential, self.peer, (self.start, deadline))?;
        match deadline.is_some_and(Deadline::has_passed) {
            true => Err(context.deadline_exceeded()),
            false => Ok(context),
        }
    }
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
        measured: Option<Measured>,
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
        let measured = this.measured.take();
        measured.iter().for_each(|call| call.answered(this.context.elapsed()));
        Poll::Ready(Ok(if streams {
            answer.map(|body| bounded(body, this.context.clone(), measured))
        } else {
            measured.into_iter().for_each(|call| call.end(answer.headers()));
            answer.map(AnswerBody::boxed)
        }))
    }
}

/// A stream that ends at the deadline of its call.
fn bounded(inner: AnswerBody, context: CallContext, measured: Option<Measured>) -> Body {
    let sleep = context.deadline().map(|deadline| Box::pin(sleep_until(deadline.at)));
    Body::new(BoundedBody { inner: Some(inner), sleep, context, measured })
}

/// The body of [`bounded`].
#[derive(Debug)]
struct BoundedBody {
    inner: Option<AnswerBody>,
    sleep: Option<Pin<Box<Sleep>>>,
    context: CallContext,
    measured: Option<Measured>,
}

impl BoundedBody {
    /// Records how the stream ended.
    fn end(&mut self, trailers: &HeaderMap) {
        record_if_refused(&self.context, trailers);
        self.measured.take().into_iter().for_each(|call| call.end(trailers));
    }
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
            this.end(&trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let polled = Pin::new(inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.end(trailers);
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
