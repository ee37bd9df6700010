//! What probes and figures ask a server about, from its start to its end.

use tokio::sync::watch;

use crate::{audit::Recorder, ledger::Ledger, live::Hub, store::Condition, voice::Voice};

/// Where a server is in its life.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Starting,
    Serving(Live),
    Draining(Live),
}

/// A server at work.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) ledger: Ledger,
    pub(super) hub: Hub,
    pub(super) voice: Voice,
    pub(super) recorder: Recorder,
    pub(super) condition: watch::Receiver<Condition>,
}
