//! One connection: its protocol, its calls, and its end.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures_util::future;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{
    Service, ServiceExt as _,
    limit::ConcurrencyLimit,
    util::{Either, Oneshot},
};

use super::{
    ConnectionMeters, Limits, Refuse,
    accept::Connection,
    answer::{Answer, Answers, Judge, Open, Verdict, infallible},
    body::{Received, Terms},
    coalesce::Coalesce,
    frames::Counted,
    room::Room,
    socket::ConnectInfo,
};
use crate::auth::ClientCertificates;

/// Headers up to so many times their limit are read and then refused, which ends the call. Beyond
/// that HTTP/2 has no way but to end the connection, with every other call on it.
const HEADER_SLACK: u32 = 8;
/// Least buffer that HTTP/1.1 reads into.
const LEAST_BUFFER: usize = 8 << 10;

/// How connections are served.
#[derive(Debug)]
pub(super) struct Protocols {
    builder: auto::Builder<TokioExecutor>,
    /// Most calls at a time; none when HTTP/2 permits no more anyway.
    calls: Option<usize>,
    limits: Limits,
    meters: ConnectionMeters,
    /// Room for bodies of requests, of all connections.
    room: Arc<Room>,
    /// Room for answers that wait to be read, of all connections.
    answers: Arc<Room>,
    refuse: Refuse,
    /// Cancelled when connections have to end.
    drain: CancellationToken,
}

impl Protocols {
    pub(super) fn new(
        limits: Limits,
        meters: ConnectionMeters,
        refuse: Refuse,
        drain: CancellationToken,
    ) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let header_bytes = limits.header_bytes.saturating_mul(HEADER_SLACK);
        builder
            .http1()
            // Without a timer the deadline of the head of a request is not held.
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_headers(limits.header_fields)
            .max_buf_size(header_bytes.try_into().unwrap_or(usize::MAX).max(LEAST_BUFFER));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(header_bytes)
            .max_pending_accept_reset_streams(limits.pending_resets)
            .max_local_error_reset_streams(limits.error_resets)
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout);
        Self {
            builder,
            calls: Some(limits.calls_per_connection)
                .filter(|calls| *calls < limits.streams_per_connection as usize),
            room: Arc::new(Room::new(limits.body_bytes)),
            answers: Arc::new(Room::new(limits.answer_bytes)),
            limits,
            meters,
            refuse,
            drain,
        }
    }

    /// Serves a connection until it is closed.
    pub(super) async fn serve<S>(&self, connection: Connection, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
    {
        let (info, meters) = (connection.info(), connection.meters().clone());
        let (peer, certificates) = (info.clone(), connection.certificates());
        let counted = Counted::new(connection, &self.limits, self.meters.clone());
        let (io, pending) = Coalesce::new(counted);
        let service = match self.calls {
            Some(most) => Own::Limited(ConcurrencyLimit::new(service, most)),
            None => Own::Free(Mutex::new(service)),
        };
        let (room, refuse) = (Arc::clone(&self.room), self.refuse);
        let terms = Arc::new(Terms::new(&self.limits, room, refuse, meters.clone()));
        let answers = Answers::new(Arc::clone(&self.answers), refuse, meters.clone());
        let mut judge = Judge::new(Arc::clone(&answers), &self.limits);
        let service = Calls { info, certificates, terms, answers, service };
        let mut http = pin!(self.builder.serve_connection(TokioIo::new(io), service));
        let mut age = pin!(sleep(self.limits.connection_age.mul_f64(0.9 + 0.2 * fastrand::f64())));
        let mut drain = pin!(self.drain.cancelled());
        let mut stall = pin!(sleep(Duration::ZERO));
        let mut period = pin!(sleep(self.limits.write_stall));
        let (mut ending, mut over, mut waiting) = (false, false, None);
        poll_fn(|cx| {
            if !ending {
                let aged = age.as_mut().poll(cx).is_ready();
                ending = aged || drain.as_mut().poll(cx).is_ready();
                if aged {
                    meters.aged.increment(1);
                }
                if ending {
                    http.as_mut().graceful_shutdown();
                }
            }
            while period.as_mut().poll(cx).is_ready() {
                period.as_mut().reset(Instant::now() + self.limits.write_stall);
                match judge.period_ended(pending.with(|io| io.get().sent())) {
                    None => {}
                    Some(Verdict::Idle) if ending => {}
                    Some(Verdict::Idle) => {
                        meters.idle.increment(1);
                        ending = true;
                        http.as_mut().graceful_shutdown();
                    }
                    Some(Verdict::Unread) => {
                        meters.unread.increment(1);
                        tracing::debug!(?peer, "a peer does not read an answer; closed");
                        return Poll::Ready(());
                    }
                }
            }
            if !over && let Poll::Ready(ended) = http.as_mut().poll(cx) {
                over = true;
                if let Err(error) = ended {
                    self.meters.ended(&*error);
                    tracing::debug!(?peer, error, "a connection ended");
                }
            }
            match pending.drain(cx) {
                Poll::Ready(Ok(())) if over => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    waiting = None;
                    if pending.take_refused() {
                        cx.waker().wake_by_ref();
                    }
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(?peer, %error, "a connection broke");
                    return Poll::Ready(());
                }
                // Each byte that goes gives the peer its time again.
                Poll::Pending if waiting != Some(pending.with(|io| io.get().sent())) => {
                    waiting = Some(pending.with(|io| io.get().sent()));
                    stall.as_mut().reset(Instant::now() + self.limits.write_stall);
                }
                Poll::Pending => {}
            }
            if waiting.is_some() && stall.as_mut().poll(cx).is_ready() {
                meters.stalled.increment(1);
                tracing::debug!(?peer, bytes = pending.len(), "a peer takes nothing; closed");
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// The calls of one connection.
#[derive(Debug)]
struct Calls<S> {
    info: ConnectInfo,
    certificates: Option<ClientCertificates>,
    terms: Arc<Terms>,
    answers: Arc<Answers>,
    service: Own<S>,
}

/// The services of one connection. A copy of them shares counters with every other connection, so to
/// make one for each call is to contend with the other loops several times.
#[derive(Debug)]
enum Own<S> {
    /// At most so many calls at a time.
    Limited(ConcurrencyLimit<S>),
    /// Any number. One loop polls the connection, so nobody waits for the lock.
    Free(Mutex<S>),
}

/// A call of [`Own`].
type Call<S> = future::Either<
    Oneshot<Either<ConcurrencyLimit<S>, S>, Request<Body>>,
    <S as Service<Request<Body>>>::Future,
>;

impl<S> Own<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    fn call(&self, request: Request<Body>) -> Call<S> {
        let copy = match self {
            Self::Limited(service) => Either::Left(service.clone()),
            Self::Free(service) => {
                let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
                if service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready() {
                    return future::Either::Right(service.call(request));
                }
                Either::Right(service.clone())
            }
        };
        future::Either::Left(copy.oneshot(request))
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    // In a box, for the task of a stream keeps the room of its largest state as long as it lives, and
    // what is moved through the transport is small.
    type Future = Answering<Pin<Box<Call<S>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (head, body) = request.into_parts();
        let (body, unanswered) = Received::new(body, Arc::clone(&self.terms));
        let mut request = Request::from_parts(head, Body::new(body));
        let extensions = request.extensions_mut();
        match &self.info {
            ConnectInfo::Tcp(info) => drop(extensions.insert(info.clone())),
            ConnectInfo::Unix(info) => drop(extensions.insert(info.clone())),
        }
        if let Some(certificates) = &self.certificates {
            extensions.insert(certificates.clone());
        }
        let open = Some(self.answers.open());
        let call = Box::pin(self.service.call(request));
        Answering { call, open, unanswered: Some(unanswered) }
    }
}

pin_project! {
    /// A call until its answer begins.
    struct Answering<F> {
        #[pin]
        call: F,
        // There until it does.
        open: Option<Open>,
        unanswered: Option<Arc<()>>,
    }
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = infallible(ready!(this.call.poll(cx)));
        drop(this.unanswered.take());
        let open = this.open.take().expect("a call is answered once");
        Poll::Ready(Ok(Answer::begin(answer, open, cx)))
    }
}
