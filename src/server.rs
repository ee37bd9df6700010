//! Assembles a server: store, ledger, hub, services, listener. The listener and the signal to stop
//! come from outside.

mod error;
mod follow;
mod framing;
mod gate;
mod health;
mod monitor;
mod open;
mod readiness;
mod routes;
mod shed;
mod vendors;
mod working;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::timeout};
use tonic_health::pb::health_check_response::ServingStatus;
use tower::{ServiceBuilder, util::MapResponseLayer};

pub use self::{
    error::Error,
    follow::{CREDENTIALS, WRITES},
    framing::MAX_MESSAGE_BYTES,
    monitor::Monitor,
    vendors::Voice,
};
use self::{
    gate::GateLayer,
    monitor::Live,
    open::{Drives, LEDGER_CLOSE, Opened, open},
    readiness::Readiness,
    shed::ShedLayer,
    working::Working,
};
use crate::{
    audit::{self, Audit},
    clock::Clock,
    command::DirectoryPolicy,
    credentials::Credentials,
    live, scim,
    service::ServerInfo,
    store::Store,
    tasks::{OnPanic, Tasks},
    trace::Tracer,
    transport::{self, Limits, Listeners, Port, Tls},
    web::{Origin, WebLayer},
};

/// Time in which the last entries of audit and resolution log are written.
const AUDIT_CLOSE: Duration = Duration::from_secs(2);

/// Time in which cancelled tasks must be gone; each ends where it waits next.
const TASKS_CLOSE: Duration = Duration::from_secs(1);

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where configuration is kept.
    pub store: Arc<dyn Store>,
    /// Time and identifiers.
    pub clock: Clock,
    /// Limits of the transport.
    pub limits: Limits,
    /// What connections of TCP speak, if not clear text.
    pub tls: Option<Tls>,
    /// What callers have to show, if anything.
    pub credentials: Credentials,
    /// Origins of web pages that may call.
    pub origins: Vec<Origin>,
    /// Times and limits of live updates.
    pub watch: live::Settings,
    /// What drives voice providers.
    pub voice: Voice,
    /// What the scope DIRECTORY may do beyond the table of access.
    pub policy: DirectoryPolicy,
    /// Settings of SCIM, where it is served.
    pub scim: Option<scim::Settings>,
    /// What is kept of reads, refusals and deliveries.
    pub audit: audit::Settings,
    /// Makes spans for calls, if there is an exporter.
    pub tracer: Tracer,
    /// Who answers probes and collectors of metrics, if anybody.
    pub monitor: Option<Monitor>,
    /// Notified once the port is served.
    pub serving: Option<oneshot::Sender<()>>,
    /// The scope of the tasks of the server. They are cancelled at its end.
    pub tasks: Tasks,
}

/// Serves until `shutdown` completes, then drains: streams are told, calls are finished, and what is
/// left after the hard deadline is cut (SPEC §10.4).
///
/// # Errors
/// When the store cannot be loaded, the key ring does not open its secrets, or the transport fails.
pub async fn serve(
    parts: Parts,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let info = server_info(&parts);
    let (deadline, stalled) = (parts.watch.drain_deadline, parts.watch.stalled);
    let Parts {
        store,
        clock,
        limits,
        tls,
        credentials,
        origins,
        watch,
        voice,
        policy,
        scim,
        audit,
        tracer,
        monitor,
        serving: notify,
        tasks,
    } = parts;
    // What a call starts outlives the event loop that serves it.
    let tasks = tasks.at_home();
    let condition = store.condition();
    let audit = Audit::new(Arc::clone(&store), clock.clone(), audit);
    let recorder = audit.recorder.clone();
    recorder.start(&tasks);
    let follower = scim.is_some().then(scim::Follower::default);
    let drives = Drives { policy, follower: follower.clone(), audit };
    let Opened { hub, ledger, voice, service } =
        open(store, clock.clone(), watch, voice, drives, &tasks).await?;
    let service = service.behind(credentials.clone(), info).traced(tracer.clone());
    let (health, health_service) = health::reporter();
    let mut routes = routes::routes(&service, (&voice, &tracer), &health, health_service);

    health.set("", ServingStatus::Serving);
    health.set(WRITES, follow::status(&condition.borrow()));
    health.set(CREDENTIALS, ServingStatus::Serving);
    let health = Arc::new(health);
    let readiness = Readiness::new(condition.clone());
    let beyond = gate::Beyond { scim: scim.is_some(), any_authority: credentials.any_authority() };
    let gate_meters = monitor.as_ref().map(Monitor::gate).unwrap_or_default();
    let (services, bytes) = (routes::services(), limits.header_bytes);
    let observed = (gate_meters, tracer.clone());
    let gate = GateLayer::new(services, bytes, readiness.clone(), beyond, observed);
    if let (Some(settings), Some(follower)) = (scim, follower) {
        follower.fill(&ledger.catalog());
        let callers = (credentials.clone(), recorder.clone(), tracer.clone());
        let scim = scim::routes(settings, &follower, ledger.clone(), clock, callers);
        let others = std::mem::take(routes.axum_router_mut());
        *routes.axum_router_mut() = others.merge(scim);
    }
    let working = Working::default();
    let shed = monitor.as_ref().map(Monitor::shed);
    // Webhooks, probes and gRPC-Web come over HTTP/1.1 as well; everything else is gRPC.
    let front = ServiceBuilder::new()
        .layer(WebLayer::new(origins))
        .layer(gate)
        .layer(MapResponseLayer::new(framing::explain))
        .layer(working.clone())
        .layer(ShedLayer::new(working.clone(), limits.calls, shed, tracer.clone()))
        .layer(service.layer())
        .service(routes.prepare());
    let report_tasks = tasks.child();
    let report = follow::report_condition(Arc::clone(&health), condition.clone());
    report_tasks.spawn("health", OnPanic::EndProcess, report);
    if let Some(changes) = credentials.changes() {
        let (hub, ledger, health) = (hub.clone(), ledger.clone(), Arc::clone(&health));
        let follow = follow::follow_credentials(credentials.clone(), changes, hub, ledger, health);
        // Without it streams would outlive the trust in their credentials.
        report_tasks.spawn("credentials", OnPanic::EndProcess, follow);
    }
    credentials.start(&tasks);
    if let Some(monitor) = &monitor {
        monitor.serving(Live {
            ledger: ledger.clone(),
            hub: hub.clone(),
            voice: voice.clone(),
            recorder: recorder.clone(),
            credentials: credentials.clone(),
            tracer,
            calls: service.meters(),
            condition,
        });
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let meters = monitor.as_ref().map(Monitor::connections).unwrap_or_default();
    let (listeners, refuse) = (listeners.into(), framing::unread);
    let port = Port { listeners, tls, limits, meters, refuse };
    let serving = transport::serve(&tasks, port, front, async {
        let _ = stopped.await;
    });
    tokio::pin!(serving);
    if let Some(notify) = notify {
        // Who started the server may have given up.
        let _ = notify.send(());
    }
    let mut failed = None;
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = shutdown => None,
        task = tasks.failed() => {
            failed = Some(task);
            None
        }
    };
    tracing::info!(streams = hub.streams(), "draining");
    // Nothing reports otherwise after the server was reported to end.
    report_tasks.shutdown(TASKS_CLOSE).await;
    readiness.drain();
    if let Some(monitor) = &monitor {
        monitor.draining();
    }
    // The last status goes out, then the streams that watch health end: they would hold up the end.
    health.drain();
    drop(health);
    hub.drain();
    let _ = stop.send(());
    let drained = async {
        match ended {
            Some(ended) => ended,
            None => serving.await,
        }
    };
    // A peer that takes nothing holds up the end no longer than its stream would be kept.
    let ended = tokio::select! {
        ended = drained => Some(ended),
        () = working.quiet_for(stalled) => None,
        () = tokio::time::sleep(deadline) => None,
    };
    if ended.is_none() {
        tracing::warn!(streams = hub.streams(), "cut what was left at the deadline");
    }
    voice.close();
    ledger.close_within(LEDGER_CLOSE).await;
    credentials.close();
    if timeout(AUDIT_CLOSE, recorder.close()).await.is_err() {
        tracing::warn!("the last entries of the audit are not written");
    }
    if !tasks.shutdown(TASKS_CLOSE).await {
        tracing::warn!("tasks are left to the end of the process");
    }
    match failed {
        Some(task) => Err(Error::Task(task)),
        None => Ok(ended.unwrap_or(Ok(()))?),
    }
}

/// What callers may know of the server.
fn server_info(parts: &Parts) -> ServerInfo {
    let adapters = parts.voice.adapters.descriptors();
    let mut features: Vec<_> = adapters.map(|adapter| adapter.kind.to_string()).collect();
    features.sort_unstable();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let limits = vec![
        ("message_bytes", count(MAX_MESSAGE_BYTES)),
        ("header_bytes", parts.limits.header_bytes.into()),
        ("calls", count(parts.limits.calls)),
        ("streams", count(parts.watch.max_streams)),
    ];
    ServerInfo { features, limits }
}
