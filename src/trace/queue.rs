//! The bounded queue between the calls and the exporter.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{counts::Counts, finished::Finished};

/// The end of calls: a span that finds no room is dropped and counted.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) spans: mpsc::Sender<Finished>,
    pub(super) counts: Arc<Counts>,
}

/// The end of the exporter: spans that have ended, and what becomes of them.
#[derive(Debug)]
pub struct Spans {
    /// The spans; it ends once no request can make a further one.
    pub finished: mpsc::Receiver<Finished>,
    /// What became of those that were taken.
    pub counts: Arc<Counts>,
}

/// A queue of so many spans.
pub(super) fn bounded(most: usize) -> (Queue, Spans) {
    let (spans, finished) = mpsc::channel(most);
    let counts = Arc::<Counts>::default();
    (Queue { spans, counts: Arc::clone(&counts) }, Spans { finished, counts })
}
