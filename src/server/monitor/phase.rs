//! What probes and figures ask a server about, from its start to its end.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    audit::Recorder, credentials::Credentials, ledger::Ledger, live::Hub, service::CallMeters,
    store::Condition, trace::Tracer, voice::Voice,
};

/// Where a server is in its life.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Starting,
    Serving(Live),
    Draining(Live),
}

/// A server at work.
#[derive(Debug, Clone)]
pub(in crate::server) struct Live {
    pub(in crate::server) ledger: Ledger,
    pub(in crate::server) hub: Hub,
    pub(in crate::server) voice: Voice,
    pub(in crate::server) recorder: Recorder,
    pub(in crate::server) credentials: Credentials,
    pub(in crate::server) tracer: Tracer,
    pub(in crate::server) calls: Arc<CallMeters>,
    pub(in crate::server) condition: watch::Receiver<Condition>,
}
