//! Assembles a server: store, ledger, hub, services, listener. The listener and the signal to stop
//! come from outside.

mod framing;
mod gate;
mod health;
mod monitor;
mod readiness;
mod shed;
mod vendors;
mod working;

use std::{
    collections::BTreeSet,
    future::Future,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use deskplane_proto::v1;
use tokio::{
    sync::{oneshot, watch as changes},
    time::timeout,
};
use tonic::{codec::CompressionEncoding, service::Routes};
use tonic_health::pb::health_check_response::ServingStatus;
use tower::{ServiceBuilder, util::MapResponseLayer};

pub use self::{framing::MAX_MESSAGE_BYTES, monitor::Monitor, vendors::Voice};
use self::{
    gate::GateLayer, health::Reporter, monitor::Live, readiness::Readiness, shed::ShedLayer,
    working::Working,
};
use crate::{
    audit::{self, Audit},
    auth::RPCS,
    clock::Clock,
    command::CreateFingerprintKey,
    credentials::Credentials,
    domain::{Actor, Provenance},
    ledger::{Committed, Ledger, Submission},
    live::{self, Fleet, Hub},
    read::Contents,
    service::{ServerInfo, Service},
    store::{self, Condition, Store},
    tasks::{OnPanic, Tasks},
    transport::{self, Limits, Listeners, Port, Tls},
    voice::{
        self, CallStreams,
        vault::{self, Vault},
        webhooks,
    },
    web::{Origin, WebLayer},
};

/// Name by which health says whether writes are taken.
pub const WRITES: &str = "deskplane.v1.writes";

/// Name by which health says whether the keys of every issuer of tokens can be had.
pub const CREDENTIALS: &str = "deskplane.v1.credentials";

/// Full names of the reflection services.
const REFLECTION: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Time in which the writes that wait at the end are answered; those that are left get
/// STORE_UNAVAILABLE, for their outcome is not known.
const LEDGER_CLOSE: Duration = Duration::from_secs(5);

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
    /// What is kept of reads, refusals and deliveries.
    pub audit: audit::Settings,
    /// Who answers probes and collectors of metrics, if anybody.
    pub monitor: Option<Monitor>,
    /// Notified once the port is served.
    pub serving: Option<oneshot::Sender<()>>,
    /// The scope of the tasks of the server. They are cancelled at its end.
    pub tasks: Tasks,
}

/// Why a server ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be read.
    #[error("the store cannot be used: {0}")]
    Store(#[from] store::Error),
    /// What is stored cannot be opened with the key ring.
    #[error(transparent)]
    Secret(#[from] vault::OpenError),
    /// The transport could not be started.
    #[error("the transport cannot be started: {0}")]
    Transport(#[from] io::Error),
    /// A panic of a task without which the server would go on with stale or half-changed state.
    #[error("the task `{0}` panicked; the log has the reason")]
    Task(&'static str),
    /// The built-in descriptors cannot be served.
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
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
        audit,
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
    let Opened { hub, ledger, voice, service } =
        open(store, clock, watch, voice, audit, &tasks).await?;
    let service = service.behind(credentials.clone(), info);
    let (health, health_service) = health::reporter();
    let routes = routes(&service, &voice, &health, health_service)?;

    health.set("", ServingStatus::Serving);
    health.set(WRITES, status(&condition.borrow()));
    health.set(CREDENTIALS, ServingStatus::Serving);
    let health = Arc::new(health);
    let readiness = Readiness::new(condition.clone());
    let working = Working::default();
    let shed = monitor.as_ref().map(Monitor::shed);
    // Webhooks, probes and gRPC-Web come over HTTP/1.1 as well; everything else is gRPC.
    let front = ServiceBuilder::new()
        .layer(WebLayer::new(origins))
        .layer(GateLayer::new(
            services(),
            limits.header_bytes,
            readiness.clone(),
            credentials.any_authority(),
        ))
        .layer(MapResponseLayer::new(framing::explain))
        .layer(working.clone())
        .layer(ShedLayer::new(working.clone(), limits.calls, shed))
        .layer(service.layer())
        .service(routes.prepare());
    let report_tasks = tasks.child();
    let report = report_condition(Arc::clone(&health), condition.clone());
    report_tasks.spawn("health", OnPanic::EndProcess, report);
    credentials.start(&tasks);
    if let Some(changes) = credentials.changes() {
        let (hub, ledger, health) = (hub.clone(), ledger.clone(), Arc::clone(&health));
        let follow = follow_credentials(credentials.clone(), changes, hub, ledger, health);
        // Without it streams would outlive the trust in their credentials.
        report_tasks.spawn("credentials", OnPanic::EndProcess, follow);
    }
    if let Some(monitor) = &monitor {
        monitor.serving(Live {
            ledger: ledger.clone(),
            hub: hub.clone(),
            voice: voice.clone(),
            recorder: recorder.clone(),
            credentials: credentials.clone(),
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

/// What stands behind the services.
struct Opened {
    hub: Hub,
    ledger: Ledger,
    voice: voice::Voice,
    service: Service,
}

/// Opens the ledger over the store, with everything that a commit drives.
async fn open(
    store: Arc<dyn Store>,
    clock: Clock,
    watch: live::Settings,
    voice: Voice,
    audit: Audit,
    tasks: &Tasks,
) -> Result<Opened, Error> {
    let contents = Arc::new(Contents::new());
    let hub = Hub::new(
        tasks,
        live::StoreId::from(&store.identity()),
        watch.clone(),
        Arc::clone(&contents),
        Fleet::new(clock.clone(), Arc::new(audit.recorder.clone())),
        fastrand::Rng::new(),
    );
    let calls = CallStreams::new(watch, fastrand::Rng::new());
    hub.drive(&calls);
    let (followed, driven) = (hub.clone(), Arc::new(OnceLock::<voice::Voice>::new()));
    let drive = Arc::clone(&driven);
    let adapters = Arc::clone(&voice.adapters);
    let publish = move |committed: &Committed| {
        followed.committed(committed);
        if let Some(voice) = drive.get() {
            let mut impacts = committed.impacts.iter();
            let providers_changed = impacts.any(|impact| impact.touched.providers);
            voice.committed(&committed.after, providers_changed);
        }
    };
    let ledger = Ledger::open(tasks, store, clock.clone(), adapters, publish).await?;
    let vault = Arc::clone(&voice.vault);
    if let Err(error) = vault.check(&ledger.catalog()) {
        ledger.close_within(LEDGER_CLOSE).await;
        return Err(error.into());
    }
    create_fingerprint_key(&ledger, &vault).await;
    let voice = voice.open(&clock, calls, &hub, &ledger, (&audit.recorder, tasks));
    // Nothing is committed before the services are there.
    let _ = driven.set(voice.clone());
    // What was committed meanwhile reached nobody.
    voice.committed(&ledger.catalog(), true);
    let (writer, feed, calls) = (ledger.clone(), hub.clone(), voice.clone());
    let service = Service::new(writer, feed, contents, calls, clock, vault, audit);
    Ok(Opened { hub, ledger, voice, service })
}

/// Every service of the API, health, reflection and webhooks; each service is reported to serve.
fn routes(
    service: &Service,
    voice: &voice::Voice,
    health: &health::Reporter,
    health_service: health::Service,
) -> Result<Routes, Error> {
    // The gate decides who gets compressed answers.
    let gzip = CompressionEncoding::Gzip;
    let (v1, v1alpha) = (reflection(REFLECTION[0]), reflection(REFLECTION[1]));
    let mut routes = Routes::new(health_service.accept_compressed(gzip).send_compressed(gzip))
        .add_service(v1.build_v1()?.accept_compressed(gzip).send_compressed(gzip))
        .add_service(v1alpha.build_v1alpha()?.accept_compressed(gzip).send_compressed(gzip));
    // Expands to the registration of every service of the API.
    macro_rules! add {
        ($(service $service:ident {
            name: $name:literal, server: $module:ident::$server:ident, $($rpc:tt)+
        })+) => {$(
            let part = v1::$module::$server::new(service.clone())
                .accept_compressed(gzip)
                .send_compressed(gzip)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES);
            routes = routes.add_service(part);
            health.set($name, ServingStatus::Serving);
        )+};
    }
    deskplane_proto::for_each_service!(add);
    let grpc = std::mem::take(routes.axum_router_mut());
    *routes.axum_router_mut() = grpc.merge(webhooks(voice));
    Ok(routes)
}

/// Gives a store with a key ring its key of fingerprints, or another one when the ring that it is
/// sealed under was lost: that costs nothing but the memory of repetitions. A store that takes no
/// writes gets it at a later start.
async fn create_fingerprint_key(ledger: &Ledger, vault: &Vault) {
    let replaces = ledger.catalog().settings.fingerprint_key.clone();
    if replaces.as_ref().is_some_and(|sealed| vault.opens_fingerprint_key(sealed)) {
        return;
    }
    let sealed = match vault.new_fingerprint_key() {
        Ok(None) => return,
        Ok(Some(sealed)) => sealed,
        Err(error) => return tracing::error!(%error, "the key of fingerprints was not made"),
    };
    if replaces.is_some() {
        tracing::warn!("the key of fingerprints does not open and is replaced");
    }
    let submission = Submission {
        command: Box::new(CreateFingerprintKey { replaces, sealed }),
        actor: Actor::system(),
        provenance: Provenance::default(),
        request: None,
        validate_only: false,
        reason: String::new(),
    };
    if let Err(error) = ledger.submit(submission).await {
        tracing::warn!(%error, "the key of fingerprints was not kept");
    }
}

/// Has health say whether writes are taken, as long as there is a store.
async fn report_condition(health: Arc<Reporter>, mut condition: changes::Receiver<Condition>) {
    while condition.changed().await.is_ok() {
        health.set(WRITES, status(&condition.borrow_and_update()));
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

/// Ends the streams whose credentials lost their trust, and has health say whether keys can be had.
async fn follow_credentials(
    credentials: Credentials,
    mut changes: changes::Receiver<u64>,
    hub: Hub,
    ledger: Ledger,
    health: Arc<Reporter>,
) {
    while changes.changed().await.is_ok() {
        let reachable = credentials.figures().is_none_or(|figures| figures.all_reachable());
        health.set(CREDENTIALS, serving(reachable));
        hub.recheck_callers(&ledger.catalog());
    }
}

fn serving(serves: bool) -> ServingStatus {
    match serves {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

fn status(condition: &Condition) -> ServingStatus {
    serving(condition.writable())
}

/// Full names of the gRPC services of this server, reflection apart.
fn own_services() -> BTreeSet<&'static str> {
    let ours = RPCS.iter().filter_map(|rpc| rpc.path.split_once('/')).map(|(service, _)| service);
    ours.chain(["grpc.health.v1.Health"]).collect()
}

/// Full names of all gRPC services of this server.
fn services() -> impl Iterator<Item = String> {
    own_services().into_iter().chain(REFLECTION).map(str::to_owned)
}

/// Reflection over our own API with its comments, health, and the details of errors. The plug-in
/// protocol is in the same set, but others serve it, so it is not listed. `own` is reflection itself.
fn reflection(own: &'static str) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(deskplane_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
    let listed = own_services().into_iter().chain([own]).collect::<BTreeSet<_>>();
    listed.into_iter().fold(builder, |builder, name| builder.with_service_name(name))
}
