//! Load shedding: when as many calls are worked on as may be, a further unary call of the API is
//! answered at once that the server is busy, and is not run.
//!
//! Calls that would wait behind thousands of others are of no use to who made them, and each costs
//! memory meanwhile. Health, reflection and probes go on, so that what they say stays true, and so
//! do streams, which have a limit of their own. Below the limit this costs the reading of a number
//! that [`Working`] counts anyway.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{Request, Response};
use metrics::Counter;
use tonic::body::Body;
use tower::{Layer, Service};

use super::working::Working;
use crate::{
    auth::Rpc,
    domain::{Reason, Refusal},
    service::refused_call,
    trace::Tracer,
};

/// Puts a [`Shed`] in front of the services, behind the layer of `working`.
#[derive(Debug, Clone)]
pub(super) struct ShedLayer {
    working: Working,
    most: usize,
    shed: Counter,
    tracer: Tracer,
}

impl ShedLayer {
    /// At most so many calls are worked on; those that are refused are counted, if anybody reads it.
    pub(super) fn new(
        working: Working,
        most: usize,
        shed: Option<Counter>,
        tracer: Tracer,
    ) -> Self {
        Self { working, most, shed: shed.unwrap_or_else(Counter::noop), tracer }
    }

    /// Whether a call is one too many. It is counted itself.
    fn is_beyond(&self, path: &str) -> bool {
        self.working.count() > self.most && Rpc::find(path).is_some_and(|rpc| !rpc.streams)
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { inner, rules: self.clone() }
    }
}

/// Refuses unary calls while too many are worked on.
#[derive(Debug, Clone)]
pub(super) struct Shed<S> {
    inner: S,
    rules: ShedLayer,
}

impl<S, B> Service<Request<B>> for Shed<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Self::Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.rules.is_beyond(request.uri().path()) {
            return Either::Left(self.inner.call(request));
        }
        self.rules.shed.increment(1);
        let message = "As many calls are worked on as the server takes; nothing was done. Try again \
                       after the delay.";
        let refusal = Refusal::new(Reason::ServerBusy, message);
        Either::Right(ready(Ok(refused_call(&refusal, &request, &self.rules.tracer))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use tokio::sync::Semaphore;
    use tonic::{Code, Status};
    use tonic_types::StatusExt as _;
    use tower::{ServiceBuilder, ServiceExt as _};

    use super::*;

    const UNARY: &str = "/deskplane.v1.AgentService/ResolveProfile";

    #[tokio::test]
    async fn unary_calls_beyond_the_limit_are_refused_and_nothing_else() {
        let (working, refused) = (Working::default(), Arc::<AtomicU64>::default());
        let layer = ShedLayer::new(
            working.clone(),
            2,
            Some(Counter::from_arc(Arc::clone(&refused))),
            Tracer::default(),
        );
        // A call is worked on until the test lets go of it.
        let service = tower::service_fn(|request: Request<()>| async move {
            if let Some(held) = request.extensions().get::<Arc<Semaphore>>() {
                drop(held.acquire().await);
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let service = ServiceBuilder::new().layer(working.clone()).layer(layer).service(service);
        let request = |path: &str| Request::post(path).body(()).unwrap();
        let held = Arc::new(Semaphore::new(0));
        let mut calls = Vec::new();
        for _ in 0..2 {
            let mut request = request(UNARY);
            request.extensions_mut().insert(Arc::clone(&held));
            let mut call = Box::pin(service.clone().oneshot(request));
            assert!(futures_util::poll!(&mut call).is_pending());
            calls.push(call);
        }
        let answer = service.clone().oneshot(request(UNARY)).await.unwrap();
        let status = Status::from_header_map(answer.headers()).expect("it is refused");
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        assert_eq!((status.code(), reason), (Code::ResourceExhausted, Some("SERVER_BUSY")));
        assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()));
        for other in [
            "/deskplane.v1.AgentService/WatchProfile",
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/readyz",
            "/webhooks/contoso",
        ] {
            let answer = service.clone().oneshot(request(other)).await.unwrap();
            assert!(Status::from_header_map(answer.headers()).is_none(), "{other}");
        }
        // A call that is given up makes room as one that is answered does.
        calls.pop();
        let answer = service.clone().oneshot(request(UNARY)).await.unwrap();
        assert!(Status::from_header_map(answer.headers()).is_none());
        assert_eq!(refused.load(Ordering::Relaxed), 1);
    }
}
