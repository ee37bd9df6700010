//! Calls that are worked on, and when a drain has nothing left to wait for.
//!
//! A graceful end of a connection waits until its answers are with the peer, and a peer that takes
//! nothing never lets it end: its streams are ended as those of a slow consumer, but what was queued
//! before still fills its window. So once no call is worked on, a connection gets as long as a
//! stream does that takes nothing, and is then cut.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tower::{Layer, Service};

/// How often a drain looks at what is worked on.
const PACE: Duration = Duration::from_millis(50);

/// The calls that are worked on: until the head of an answer is there, which for unary calls is the
/// whole answer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Working(Arc<AtomicUsize>);

/// One call that is worked on.
#[derive(Debug)]
struct Entry(Working);

impl Working {
    fn enter(&self) -> Entry {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entry(self.clone())
    }

    /// Calls that are worked on now.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Completes when no call has been worked on for a time.
    pub(super) async fn quiet_for(&self, time: Duration) {
        let mut since = Instant::now();
        while since.elapsed() < time {
            sleep(PACE.min(time)).await;
            if self.count() > 0 {
                since = Instant::now();
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> Layer<S> for Working {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, working: self.clone() }
    }
}

/// Counts the calls of a service.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    inner: S,
    working: Working,
}

pin_project! {
    /// A call that counts until it is answered or dropped.
    #[derive(Debug)]
    pub(super) struct CountedCall<F> {
        #[pin]
        call: F,
        entry: Option<Entry>,
    }
}

impl<F: Future> Future for CountedCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.call.poll(cx));
        drop(this.entry.take());
        Poll::Ready(answer)
    }
}

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = CountedCall<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let entry = Some(self.working.enter());
        CountedCall { call: self.inner.call(request), entry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_once_no_call_was_worked_on_for_a_time() {
        let (working, time) = (Working::default(), Duration::from_secs(5));
        let begun = Instant::now();
        working.quiet_for(time).await;
        assert!(begun.elapsed() < time + 2 * PACE, "{:?}", begun.elapsed());

        let (begun, call) = (Instant::now(), working.enter());
        let quiet = tokio::spawn({
            let working = working.clone();
            async move { working.quiet_for(time).await }
        });
        sleep(Duration::from_secs(7)).await;
        drop(call);
        quiet.await.unwrap();
        assert!(begun.elapsed() > Duration::from_secs(11), "{:?}", begun.elapsed());
    }
}
