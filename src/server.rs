//! Assembles a server: store, ledger, hub, services, listener. The listener and the signal to stop
//! come from outside.

mod framing;
mod gate;
mod monitor;
mod vendors;

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use deskplane_proto::v1;
use tokio::{net::TcpListener, sync::watch as changes, task::JoinSet};
use tonic::{
    server::NamedService,
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::util::MapResponseLayer;

use self::gate::GateLayer;
pub use self::{monitor::Monitor, vendors::Voice};
use crate::{
    auth::RPCS,
    clock::Clock,
    ledger::Ledger,
    service::Service,
    store::{self, Condition, Store},
    voice::{self, vault, webhooks},
    watch::{self, Contents, Hub},
};

/// Most bytes of one request or answer: the default of every client library (SPEC §2.5).
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Name by which health says whether writes are taken.
pub const WRITES: &str = "deskplane.v1.writes";

/// Limits of the transport. None of them is left at "unlimited".
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls and streams that one connection may have open; further ones wait at the client.
    pub streams_per_connection: u32,
    /// Unary calls of one connection that are worked on at a time.
    pub calls_per_connection: usize,
    /// Bytes of the headers of one call.
    pub header_bytes: u32,
    /// Silence on a connection after which it is asked whether it lives.
    pub keepalive_interval: Duration,
    /// Time in which it must answer.
    pub keepalive_timeout: Duration,
    /// Age at which a connection is asked to end; open streams are seen through.
    pub connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_per_connection: 1_024,
            calls_per_connection: 1_024,
            header_bytes: 16 * 1_024,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            connection_age: Duration::from_secs(2 * 3_600),
        }
    }
}

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where configuration is kept.
    pub store: Arc<dyn Store>,
    /// Time and identifiers.
    pub clock: Clock,
    /// Limits of the transport.
    pub limits: Limits,
    /// Times and limits of live updates.
    pub watch: watch::Settings,
    /// What drives voice providers.
    pub voice: Voice,
    /// Who answers probes and collectors of metrics, if anybody.
    pub monitor: Option<Monitor>,
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
    /// The listener or the transport failed.
    #[error("the transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
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
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let contents = Arc::new(Contents::new());
    let (drain_window, deadline) = (parts.watch.drain_window, parts.watch.drain_deadline);
    let hub = Hub::new(
        watch::StoreId::from(&parts.store.identity()),
        parts.watch.clone(),
        Arc::clone(&contents),
        fastrand::Rng::new(),
    );
    let (told, condition) = (hub.clone(), parts.store.condition());
    let driven = Arc::new(OnceLock::<voice::Voice>::new());
    let drive = Arc::clone(&driven);
    let adapters = Arc::clone(&parts.voice.adapters);
    let ledger = Ledger::open(parts.store, parts.clock.clone(), adapters, move |published| {
        told.published(published);
        if let Some(voice) = drive.get() {
            voice.published(&published.after);
        }
    })
    .await?;
    let vault = Arc::clone(&parts.voice.vault);
    if let Err(error) = vault.check(&ledger.catalog()) {
        ledger.close().await;
        return Err(error.into());
    }
    let voice = parts.voice.open(&parts.clock, &parts.watch, &hub, &ledger);
    // Nothing is committed before the services are there.
    let _ = driven.set(voice.clone());
    let service =
        Service::new(ledger.clone(), hub.clone(), contents, voice.clone(), parts.clock, vault);

    let monitor = parts.monitor;
    let (mut health, health_service) = tonic_health::server::health_reporter();
    let limits = parts.limits;
    // Webhooks come over HTTP/1.1 as well; everything else is gRPC.
    let mut server = Server::builder()
        .accept_http1(true)
        .layer(GateLayer)
        .layer(MapResponseLayer::new(framing::name_malformed))
        .concurrency_limit_per_connection(limits.calls_per_connection)
        .max_concurrent_streams(limits.streams_per_connection)
        .http2_max_header_list_size(limits.header_bytes)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_connection_age(limits.connection_age);
    let mut routes = Routes::new(health_service)
        .add_service(reflection("grpc.reflection.v1.ServerReflection").build_v1()?)
        .add_service(reflection("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?);
    let mut served = vec!["", WRITES];
    macro_rules! add {
        ($($module:ident :: $server:ident),+ $(,)?) => {$(
            let part = v1::$module::$server::new(service.clone())
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES);
            routes = routes.add_service(part);
            health.set_serving::<v1::$module::$server<Service>>().await;
            served.push(<v1::$module::$server<Service> as NamedService>::NAME);
        )+};
    }
    add! {
        profile_service_server::ProfileServiceServer,
        session_template_service_server::SessionTemplateServiceServer,
        application_tab_template_service_server::ApplicationTabTemplateServiceServer,
        productivity_tool_service_server::ProductivityToolServiceServer,
        provider_service_server::ProviderServiceServer,
        directory_service_server::DirectoryServiceServer,
        settings_service_server::SettingsServiceServer,
        agent_service_server::AgentServiceServer,
        insight_service_server::InsightServiceServer,
        voice_service_server::VoiceServiceServer,
    }
    let grpc = std::mem::take(routes.axum_router_mut());
    *routes.axum_router_mut() = grpc.merge(webhooks(&voice));

    let writes = status(&condition.borrow());
    health.set_service_status(WRITES, writes).await;
    let mut tellers = JoinSet::new();
    tellers.spawn(tell_condition(health.clone(), condition.clone()));
    if let Some(monitor) = &monitor {
        monitor.serving(ledger.clone(), hub.clone(), voice.clone(), condition);
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = server.add_routes(routes).serve_with_incoming_shutdown(incoming, async {
        let _ = stopped.await;
    });
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = shutdown => {}
    }
    tracing::info!(streams = hub.streams(), "draining");
    // Nobody says otherwise after it was said that the server ends.
    tellers.shutdown().await;
    if let Some(monitor) = &monitor {
        monitor.draining();
    }
    for service in &served {
        health.set_service_status(service, ServingStatus::NotServing).await;
    }
    hub.drain();
    voice.drain();
    let _ = stop.send(());
    let ended = tokio::time::timeout(deadline, async {
        tokio::select! {
            ended = &mut serving => return ended,
            () = tokio::time::sleep(drain_window) => {}
        }
        // Who still watches the health of a server that ends would hold it up for ever.
        for service in &served {
            health.clear_service_status(service).await;
        }
        serving.await
    })
    .await;
    if ended.is_err() {
        tracing::warn!(streams = hub.streams(), "cut what was left at the deadline");
    }
    voice.close();
    ledger.close().await;
    Ok(ended.unwrap_or(Ok(()))?)
}

/// Has health say whether writes are taken, as long as there is a store.
async fn tell_condition(health: HealthReporter, mut condition: changes::Receiver<Condition>) {
    while condition.changed().await.is_ok() {
        let now = status(&condition.borrow_and_update());
        health.set_service_status(WRITES, now).await;
    }
}

fn status(condition: &Condition) -> ServingStatus {
    match condition.writable() {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

/// Reflection over our own API with its comments, health, and the details of errors. The plug-in
/// protocol is in the same set, but others serve it, so it is not listed. `own` is reflection itself.
fn reflection(own: &'static str) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(deskplane_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
    let ours = RPCS.iter().filter_map(|rpc| rpc.path.split_once('/')).map(|(service, _)| service);
    let served: BTreeSet<_> = ours.chain(["grpc.health.v1.Health", own]).collect();
    served.into_iter().fold(builder, |builder, name| builder.with_service_name(name))
}
