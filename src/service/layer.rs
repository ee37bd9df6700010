//! The layer in front of all services: it makes the context of a call, holds the call to its
//! deadline, and sees every refusal.
//!
//! What a call shows is verified by [`Credentials`]; only a token whose key has to be fetched first
//! makes the call wait.

mod record;

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
use tonic::{Status, body::Body, transport::server::TcpConnectInfo};
use tower::{Layer, Service};

use self::record::{outcome, record_if_refused, record_refusal};
use super::{
    body::{AnswerBody, STATUS, trailers},
    context::{CallContext, Data},
    deadline::Deadline,
    meters::{CallMeters, Measured},
    spans,
    status::refused,
};
use crate::{
    auth::{ClientCertificates, Credential, RPCS, Rpc},
    credentials::{Authentication, Credentials, Recent, Verified},
    domain::Refusal,
    trace::{self, Correlated, Correlation, REQUEST_ID, Tracer},
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
    tracer: Tracer,
}

impl CallLayer {
    pub(super) fn new(
        data: Data,
        credentials: Credentials,
        meters: Arc<CallMeters>,
        tracer: Tracer,
    ) -> Self {
        Self { door: Arc::new(Door { data, credentials, meters, tracer }) }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, door: Arc::clone(&self.door), recent: Recent::default() }
    }
}

/// Gives every call of the API its context, or refuses it. Other requests pass unchanged.
#[derive(Debug)]
pub struct Calls<S> {
    inner: S,
    door: Arc<Door>,
    /// What this connection showed.
    recent: Recent,
}

impl<S: Clone> Clone for Calls<S> {
    /// The same for another connection.
    fn clone(&self) -> Self {
        let (inner, door) = (self.inner.clone(), Arc::clone(&self.door));
        Self { inner, door, recent: Recent::default() }
    }
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
        let arrival = Arrival::of(rpc, method, &self.door, &request);
        let certificates = request.extensions_mut().remove::<ClientCertificates>();
        let (headers, certificates) = (request.headers(), certificates.as_ref());
        let shown = self.door.credentials.authenticate(headers, certificates, &mut self.recent);
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
    correlation: Correlation,
}

impl Arrival {
    fn of<B>(rpc: &'static Rpc, method: usize, door: &Door, request: &Request<B>) -> Self {
        let peer = request.extensions().get().and_then(TcpConnectInfo::remote_addr);
        let name = || rpc.path.to_owned();
        let (correlation, span) = Correlation::begin(request.headers(), &door.tracer, name);
        let span = span.map(|span| spans::described(span, Some(rpc), &correlation));
        let measured = door.meters.measure(method, span);
        Self { rpc, peer, start: Instant::now(), measured, correlation }
    }

    /// The context of the call, or the answer that refuses it (SPEC §12: authentication, then scope).
    fn admit(
        mut self,
        data: &Data,
        headers: &HeaderMap,
        credential: Result<Credential, Refusal>,
    ) -> Result<(CallContext, Measured), Response<Body>> {
        let made = self.context(data, headers, credential);
        let (refusal, request): (_, Arc<dyn Correlated>) = match made {
            Ok(context) if !context.deadline().is_some_and(Deadline::has_passed) => {
                return Ok((context, self.measured));
            }
            Ok(context) => (context.deadline_exceeded(), context.correlated()),
            Err(refusal) => (refusal, Arc::new(self.correlation)),
        };
        let _entered = trace::enter(request);
        let answer = refused(&refusal);
        record_refusal(self.rpc, self.peer, None, answer.headers());
        self.measured.end(answer.headers());
        Err(answer)
    }

    fn context(
        &mut self,
        data: &Data,
        headers: &HeaderMap,
        credential: Result<Credential, Refusal>,
    ) -> Result<CallContext, Refusal> {
        let refused = |refusal| data.reject(self.rpc, self.peer, headers, refusal);
        let credential = credential.map_err(refused)?;
        let deadline = Deadline::read(headers, self.start)?;
        let (times, correlation) = ((self.start, deadline), &mut self.correlation);
        data.call_context(self.rpc, credential, self.peer, times, correlation)
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
        let _entered = trace::enter(this.context.correlated());
        let answered = this.inner.as_mut().as_pin_mut().map(|inner| inner.poll(cx));
        let mut answer = match answered {
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
        if record_if_refused(this.context, answer.headers()) {
            // A status that the library made by itself has none.
            answer.headers_mut().entry(REQUEST_ID).or_insert_with(|| this.context.id().header());
        }
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
        let _entered = trace::enter(this.context.correlated());
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
