//! The correlation of the request that a thread works on.

use std::{
    cell::RefCell,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{
    correlation::{Correlated, Correlation},
    finished::Kind,
    request_id::RequestId,
    span::Span,
};

/// What is current on a thread.
type Current = Option<Arc<dyn Correlated>>;

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(None) };
}

/// Makes a request the current one of this thread until the value is dropped.
pub fn enter(request: Arc<dyn Correlated>) -> Entered {
    replace(Some(request))
}

/// A request is the current one; the one before is again once this is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Entered {
    before: Current,
    /// It has to be dropped on the thread that it is of.
    _of_thread: PhantomData<*const ()>,
}

fn replace(next: Current) -> Entered {
    // A thread that ends has no request.
    let before = CURRENT.try_with(|current| current.replace(next)).unwrap_or_default();
    Entered { before, _of_thread: PhantomData }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // What was current is dropped when nothing is borrowed any more.
        drop(CURRENT.try_with(|current| current.replace(before)));
    }
}

/// The current request, to be made current on another thread or task.
pub fn current() -> Option<Arc<dyn Correlated>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Calls `read` with the correlation of the current request.
pub fn with_current<T>(read: impl FnOnce(Option<&Correlation>) -> T) -> T {
    // Nothing is borrowed while `read` runs: it may enter another request.
    let request = current();
    read(request.as_deref().map(Correlated::correlation))
}

/// The id of the current request; where there is none, a random one.
pub fn current_request_id() -> RequestId {
    with_current(|request| request.map_or_else(RequestId::random, |request| request.id().clone()))
}

/// Begins a span below that of the current request, if that has one.
pub fn child(kind: Kind, name: impl FnOnce() -> String) -> Option<Span> {
    with_current(|request| request?.child(kind, None, name))
}

/// Does work on another thread as part of the current request.
pub fn carry<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let request = current();
    move || {
        let _entered = request.map(enter);
        work()
    }
}

/// Works on a future as part of a request.
pub fn scope<F>(request: Option<Arc<dyn Correlated>>, inner: F) -> Scoped<F> {
    Scoped { request, inner }
}

pin_project! {
    /// The future of [`scope`].
    #[derive(Debug)]
    pub struct Scoped<F> {
        request: Option<Arc<dyn Correlated>>,
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = replace(this.request.clone());
        this.inner.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_before_is_current_again_at_the_end() {
        let id = |request: &Arc<Correlation>| request.id().clone();
        let (outer, inner) = (Arc::<Correlation>::default(), Arc::<Correlation>::default());
        assert!(current().is_none());
        let first: Arc<dyn Correlated> = Arc::<Correlation>::clone(&outer);
        let entered = enter(first);
        assert_eq!(current_request_id(), id(&outer));
        let second: Arc<dyn Correlated> = Arc::<Correlation>::clone(&inner);
        drop(enter(second));
        assert_eq!(current_request_id(), id(&outer));
        drop(entered);
        assert!(current().is_none());
        assert_ne!(current_request_id(), current_request_id());
    }

    #[tokio::test]
    async fn a_future_is_worked_on_as_part_of_its_request() {
        let request = Arc::<Correlation>::default();
        let of: Arc<dyn Correlated> = Arc::<Correlation>::clone(&request);
        let inside = scope(Some(of), async {
            tokio::task::yield_now().await;
            current_request_id()
        });
        assert_eq!(inside.await, *request.id());
        assert!(current().is_none());
    }
}
