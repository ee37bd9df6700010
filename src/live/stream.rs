//! One stream, as the service reads it.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

use super::{
    ids::StreamId,
    registry::{Shared, Watcher},
    slot::{Payload, Step},
};
use crate::domain::Refusal;

/// The messages of one watcher, in order. The last item is an error, and says why the stream ended.
/// Dropping it takes it out of every index.
pub struct Stream<P: Payload> {
    shared: Arc<Shared<P>>,
    watcher: Arc<Watcher<P>>,
    id: StreamId,
    timer: Pin<Box<Sleep>>,
}

impl<P: Payload> Stream<P> {
    pub(super) fn new(shared: Arc<Shared<P>>, watcher: Arc<Watcher<P>>, id: StreamId) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(Instant::now()));
        Self { shared, watcher, id, timer }
    }

    /// Changes what waits, while nobody reads the stream.
    pub fn prepare(&mut self, change: impl FnOnce(&mut P)) {
        let changed = |payload: &mut P| {
            change(payload);
            false
        };
        // Nobody waits on a stream that its owner holds by `&mut`.
        let _ = self.watcher.slot().update(changed);
    }
}

impl<P: Payload> futures_core::Stream for Stream<P> {
    type Item = Result<P::Message, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let mut slot = this.watcher.slot();
            let step = slot.step(&this.shared.settings, Instant::now());
            if matches!(step, Step::Wait(_)) {
                slot.park(context.waker());
            }
            drop(slot);
            match step {
                Step::Send(message) => return Poll::Ready(Some(Ok(message))),
                Step::End(refusal) => {
                    this.shared.registry().count_end(this.id, refusal.reason);
                    return Poll::Ready(Some(Err(refusal)));
                }
                Step::Over => return Poll::Ready(None),
                Step::Wait(until) => {
                    this.timer.as_mut().reset(until);
                    if this.timer.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<P: Payload> Drop for Stream<P> {
    fn drop(&mut self) {
        self.shared.registry().remove(self.id);
    }
}

impl<P: Payload> fmt::Debug for Stream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("id", &self.id).finish_non_exhaustive()
    }
}
