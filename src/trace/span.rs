//! Spans: what a request, or a part of it, took, and how it ended.

use std::time::Instant;

use super::{
    counts::Counter,
    finished::{Finished, Value},
    queue::Queue,
};

/// A span that has not ended. It ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    /// Taken when it ends.
    finished: Option<Box<Finished>>,
    begun: Instant,
    queue: Queue,
}

impl Span {
    pub(super) fn new(finished: Finished, queue: Queue) -> Self {
        Self { finished: Some(Box::new(finished)), begun: Instant::now(), queue }
    }

    /// Adds an attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.finished {
            span.attributes.push((name, value.into()));
        }
    }

    /// Marks the span as failed.
    pub fn fail(&mut self) {
        if let Some(span) = &mut self.finished {
            span.failed = true;
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(mut span) = self.finished.take() else { return };
        span.duration = self.begun.elapsed();
        if self.queue.spans.try_send(*span).is_err() {
            // The exporter is behind or gone; no call waits for it.
            self.queue.counts.add(Counter::Dropped, 1);
        }
    }
}
