//! One stream, as the service reads it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

use super::{
    Message,
    hub::Shared,
    index::{Id, Watcher},
    slot::{Face, Step},
};
use crate::domain::Refusal;

/// The messages of one watcher, in order. The last item is an error, and says why it ended.
pub struct Stream {
    hub: Arc<Shared>,
    watcher: Arc<Watcher>,
    id: Id,
    timer: Pin<Box<Sleep>>,
}

impl Stream {
    pub(super) fn new(hub: Arc<Shared>, watcher: Arc<Watcher>, id: Id) -> Self {
        Self { hub, watcher, id, timer: Box::pin(tokio::time::sleep_until(Instant::now())) }
    }
}

impl futures_core::Stream for Stream {
    type Item = Result<Message, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            // Read before the slot: what was compared up to here is in the slot.
            let reached = this.hub.reached();
            let face = Face {
                store: &this.hub.store,
                settings: &this.hub.settings,
                user: &this.watcher.user,
                app: this.watcher.app,
                admin: this.watcher.is_admin(),
            };
            let mut slot = this.watcher.slot();
            let step = slot.step(&face, reached, Instant::now());
            if matches!(step, Step::Wait(_)) {
                slot.park(context.waker());
            }
            drop(slot);
            match step {
                Step::Send(message) => return Poll::Ready(Some(Ok(message))),
                Step::End(refusal) => {
                    this.hub.index().remove(this.id);
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

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.index().remove(self.id);
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("id", &self.id).finish_non_exhaustive()
    }
}
