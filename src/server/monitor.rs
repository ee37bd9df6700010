//! What probes and collectors of metrics are told, on a listener of their own: `/livez`, `/readyz`
//! and `/metrics`, over HTTP/1.1.
//!
//! The listener has a thread of its own, so an answer waits for nothing that the server does:
//! `/livez` takes no lock, `/readyz` only that of the phase, and the figures are gathered on another
//! thread, one request at a time.

mod answer;
mod credentials;
mod figures;
mod inner;
mod listen;
mod phase;
mod shared;

use std::{io, sync::Arc};

use metrics::Counter;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use tokio::{net::TcpListener, sync::oneshot};

pub(super) use self::phase::Live;
use self::{figures::Figures, phase::Phase, shared::Shared};
use super::gate::GateMeters;
use crate::{
    store::durable::{BUCKETS, Meters},
    tasks::{OnPanic, Tasks},
    transport::ConnectionMeters,
};

/// Answers probes and collectors of metrics from its start on until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    meters: Meters,
    connections: ConnectionMeters,
    /// Unary calls that were refused because too many were worked on.
    shed: Counter,
    gate: GateMeters,
    /// The listener ends when it goes.
    _stop: oneshot::Sender<()>,
}

/// Why a monitor cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The names and buckets of the metrics do not fit each other.
    #[error(transparent)]
    Figures(#[from] BuildError),
    /// There can be no further thread, or the listener cannot be used.
    #[error(transparent)]
    Listener(#[from] io::Error),
}

// === impl Monitor ===

impl Monitor {
    /// Answers on a listener, at first that the server is not ready.
    ///
    /// # Errors
    /// When there can be no further thread, or the metrics do not fit each other.
    pub fn start(listener: TcpListener, tasks: &Tasks) -> Result<Self, StartError> {
        let builder = PrometheusBuilder::new();
        let recorder = BUCKETS.iter().try_fold(builder, |builder, (name, bounds)| {
            builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
        });
        let recorder = recorder?.build_recorder();
        let meters = Meters::new(&recorder);
        let connections = ConnectionMeters::new(&recorder);
        let shed = figures::shed(&recorder);
        let gate = GateMeters::new(&recorder);
        let accept_errors = figures::accept_errors(&recorder);
        let shared = Arc::new(Shared::new(Figures::new(recorder, tasks.clone())));
        let listener = listener.into_std()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .thread_name("deskplane-figures")
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let (served, scope) = (Arc::clone(&shared), tasks.clone());
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    // Ends when the sender is dropped.
                    _ = stopped => {}
                    ended = listen::run(listener, served, scope, accept_errors) => {
                        if let Err(error) = ended {
                            tracing::error!(%error, "probes are not answered");
                        }
                    }
                }
            });
            // Figures that are being gathered hold up nobody.
            runtime.shutdown_background();
        };
        tasks.thread("deskplane-probes", OnPanic::EndProcess, serve)?;
        Ok(Self { shared, meters, connections, shed, gate, _stop: stop })
    }

    /// Where the figures of the store go.
    pub fn meters(&self) -> Meters {
        self.meters.clone()
    }

    /// Where the figures of connections of the main port go.
    pub(super) fn connections(&self) -> ConnectionMeters {
        self.connections.clone()
    }

    /// Counts unary calls that are refused because too many are worked on.
    pub(super) fn shed(&self) -> Counter {
        self.shed.clone()
    }

    /// Where the figures of the gate go.
    pub(super) fn gate(&self) -> GateMeters {
        self.gate.clone()
    }

    /// The server is ready.
    pub(super) fn serving(&self, live: Live) {
        *self.shared.phase() = Phase::Serving(live);
    }

    /// The server ends.
    pub(super) fn draining(&self) {
        let mut phase = self.shared.phase();
        if let Phase::Serving(live) = &*phase {
            *phase = Phase::Draining(live.clone());
        }
    }
}

impl Drop for Monitor {
    /// The server is gone: its parts are not kept for figures that are gathered at this moment.
    fn drop(&mut self) {
        *self.shared.phase() = Phase::Starting;
    }
}
