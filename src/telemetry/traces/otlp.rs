//! Export by OTLP over gRPC, on a thread with a runtime of its own: nothing that the server does
//! waits for the collector, and nothing of the server drives its connection.

mod collector;
mod message;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout, timeout_at},
};

use self::collector::Collector;
use super::settings::{Settings, StartError};
use crate::{
    tasks::{OnPanic, Tasks},
    trace::{Counter, Counts, Finished, Spans, Tracer},
};

/// Most spans of one request.
const BATCH: usize = 512;
/// How long a span waits for others at most.
const GATHER: Duration = Duration::from_secs(1);
/// Pauses before a batch is sent again that a collector may take later.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The thread of the exporter.
#[derive(Debug)]
pub(super) struct Running {
    /// Ends it, when it is dropped as well.
    stop: oneshot::Sender<Duration>,
    ended: oneshot::Receiver<()>,
}

impl Running {
    pub(super) async fn close(self, within: Duration) {
        // It may have ended before.
        self.stop.send(within).ok();
        if timeout(within, self.ended).await.is_err() {
            tracing::warn!("the last traces are not exported");
        }
    }
}

pub(super) fn check_files(settings: &Settings) -> Result<(), StartError> {
    Collector::new(settings).map(drop)
}

pub(super) fn start(settings: Settings, tasks: &Tasks) -> Result<(Tracer, Running), StartError> {
    let collector = Collector::new(&settings)?;
    let (tracer, spans) = Tracer::exporting(settings.ratio);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let work = move || {
        let counts = Arc::clone(&spans.counts);
        runtime.block_on(Export { collector, counts, reachable: true }.run(spans, stopped));
        runtime.shutdown_background();
        end.send(()).ok();
    };
    tasks.thread("deskplane-traces", OnPanic::Report, work)?;
    Ok((tracer, Running { stop, ended }))
}

/// Takes spans until the end.
struct Export {
    collector: Collector,
    counts: Arc<Counts>,
    /// Whether the collector took the last batch: only a change is logged.
    reachable: bool,
}

impl Export {
    async fn run(mut self, mut spans: Spans, mut stopped: oneshot::Receiver<Duration>) {
        let mut batch = Vec::with_capacity(BATCH);
        let within = loop {
            tokio::select! {
                within = &mut stopped => break within.unwrap_or_default(),
                open = gather(&mut spans, &mut batch) => {
                    if !open {
                        return;
                    }
                }
            }
            tokio::select! {
                // What is being sent may arrive twice, as a retry may.
                within = &mut stopped => break within.unwrap_or_default(),
                () = self.send_or_retry(&batch) => batch.clear(),
            }
        };
        let end = Instant::now() + within;
        spans.finished.close();
        loop {
            while batch.len() < BATCH
                && let Ok(span) = spans.finished.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let sent = timeout_at(end, self.collector.send(&batch)).await;
            match sent {
                Ok(Ok(refused)) => self.count(batch.len(), refused),
                Ok(Err(_)) => self.counts.add(Counter::Failed, count(batch.len())),
                Err(_) => return,
            }
            batch.clear();
        }
    }

    async fn send_or_retry(&mut self, batch: &[Finished]) {
        let mut pauses = RETRIES.iter();
        loop {
            let failed = match self.collector.send(batch).await {
                Ok(refused) => {
                    if !std::mem::replace(&mut self.reachable, true) {
                        tracing::info!("traces are exported again");
                    }
                    return self.count(batch.len(), refused);
                }
                Err(failed) => failed,
            };
            if std::mem::replace(&mut self.reachable, false) {
                tracing::warn!(code = ?failed.code(), "the collector takes no traces");
            }
            let pause = pauses.next().filter(|_| collector::may_repeat(failed.code()));
            let Some(pause) = pause else {
                return self.counts.add(Counter::Failed, count(batch.len()));
            };
            sleep(*pause).await;
        }
    }

    fn count(&self, sent: usize, refused: u64) {
        self.counts.add(Counter::Exported, count(sent).saturating_sub(refused));
        self.counts.add(Counter::Failed, refused);
    }
}

fn count(spans: usize) -> u64 {
    spans.try_into().unwrap_or(u64::MAX)
}

/// Waits for a span and gathers others behind it; false once there can be none. What a batch holds
/// stays in it when this is dropped.
async fn gather(spans: &mut Spans, batch: &mut Vec<Finished>) -> bool {
    if spans.finished.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let end = Instant::now() + GATHER;
    while let Some(room) = BATCH.checked_sub(batch.len()).filter(|room| *room > 0)
        && let Ok(1..) = timeout_at(end, spans.finished.recv_many(batch, room)).await
    {}
    true
}
