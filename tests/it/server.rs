//! A real server for a test: its own store, its own port, its own end.

use std::{net::SocketAddr, sync::Arc};

use deskplane::{
    clock::Clock,
    command::DirectoryPolicy,
    credentials::Credentials,
    domain::{Actor, Change, Object, Provenance, Time},
    live, scim,
    server::{Monitor, Parts, Voice, serve},
    store::{Batch, Memory, Record, Store},
    tasks::{OnPanic, Tasks},
    trace::Tracer,
    transport::{Limits, Listeners, Tls},
    web::Origin,
};
use deskplane_proto::v1::{
    agent_service_client::AgentServiceClient, insight_service_client::InsightServiceClient,
    provider_service_client::ProviderServiceClient,
    session_template_service_client::SessionTemplateServiceClient,
};
use deskplane_providers::{
    Registry,
    http::{Network, Policy},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// What the metadata of each call says of the caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct As {
    user: Option<AsciiMetadataValue>,
    scopes: Option<AsciiMetadataValue>,
    authorization: Option<AsciiMetadataValue>,
    headers: Vec<(&'static str, AsciiMetadataValue)>,
}

impl As {
    /// A caller with these scopes who stands for a user, or for nobody.
    pub(crate) fn new(user: Option<&str>, scopes: Option<&str>) -> Self {
        let text = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Self { user: text(user), scopes: text(scopes), ..Self::default() }
    }

    /// A caller with this bearer token.
    pub(crate) fn bearing(token: &str) -> Self {
        let authorization = Some(format!("Bearer {token}").parse().unwrap());
        Self { authorization, ..Self::default() }
    }

    /// The same with another header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.parse().unwrap()));
        self
    }
}

impl Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (key, value) in [
            ("x-deskplane-user", &self.user),
            ("x-deskplane-scopes", &self.scopes),
            ("authorization", &self.authorization),
        ] {
            if let Some(value) = value {
                request.metadata_mut().insert(key, value.clone());
            }
        }
        for (key, value) in &self.headers {
            request.metadata_mut().insert(*key, value.clone());
        }
        Ok(request)
    }
}

/// A channel that says who calls.
pub(crate) type Caller = InterceptedService<Channel, As>;

/// What is particular about the port of a server.
#[derive(Debug, Default)]
pub(crate) struct Front {
    /// Listeners, the first of which is one of TCP; without them a free port.
    pub(crate) listeners: Option<Listeners>,
    /// TLS. There is then no channel in clear text.
    pub(crate) tls: Option<Tls>,
    /// What callers have to show.
    pub(crate) credentials: Credentials,
    /// Origins of pages that may call.
    pub(crate) origins: Vec<Origin>,
    /// Limits.
    pub(crate) limits: Limits,
    /// What the scope DIRECTORY may do beyond the table of access.
    pub(crate) policy: DirectoryPolicy,
    /// Settings of SCIM, where it is served.
    pub(crate) scim: Option<scim::Settings>,
}

/// A running server; it ends with the value.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    channel: Channel,
    stop: Option<oneshot::Sender<()>>,
    tasks: Tasks,
    task: JoinHandle<Result<(), deskplane::server::Error>>,
}

impl Running {
    /// A server over a store of its own with these objects, which no write check has seen.
    pub(crate) async fn with(objects: Vec<Object>) -> Self {
        let store = Memory::new();
        if !objects.is_empty() {
            load(&store, objects).await;
        }
        Self::over(Arc::new(store)).await
    }

    /// A server over a store.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        Self::of(store, live::Settings::default()).await
    }

    /// A server over a store, with times of its own for live updates.
    pub(crate) async fn of(store: Arc<dyn Store>, watch: live::Settings) -> Self {
        Self::start(store, watch, voice(), None, Front::default()).await
    }

    /// The same with voice providers of its own.
    pub(crate) async fn driving(
        store: Arc<dyn Store>,
        watch: live::Settings,
        voice: Voice,
    ) -> Self {
        Self::start(store, watch, voice, None, Front::default()).await
    }

    /// A server that is asked for figures, too.
    pub(crate) async fn monitored(
        store: Arc<dyn Store>,
        watch: live::Settings,
        monitor: Option<Monitor>,
    ) -> Self {
        Self::start(store, watch, voice(), monitor, Front::default()).await
    }

    /// A server with limits of its own for the port.
    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::fronted(Front { limits, ..Front::default() }).await
    }

    /// A server with a port of its own kind.
    pub(crate) async fn fronted(front: Front) -> Self {
        Self::monitored_front(front, None).await
    }

    /// The same, asked for figures, too.
    pub(crate) async fn monitored_front(front: Front, monitor: Option<Monitor>) -> Self {
        let (store, watch) = (Arc::new(Memory::new()), live::Settings::default());
        Self::start(store, watch, voice(), monitor, front).await
    }

    async fn start(
        store: Arc<dyn Store>,
        watch: live::Settings,
        voice: Voice,
        monitor: Option<Monitor>,
        front: Front,
    ) -> Self {
        let Front { listeners, tls, credentials, origins, limits, policy, scim } = front;
        let listeners = match listeners {
            Some(listeners) => listeners,
            None => TcpListener::bind("127.0.0.1:0").await.unwrap().into(),
        };
        let endpoint = listeners.iter().next().unwrap().endpoint().to_string();
        let (address, secured) = (endpoint.parse().unwrap(), tls.is_some());
        let (stop, stopped) = oneshot::channel();
        let clock = Clock::system();
        let tasks = Tasks::default();
        let scope = tasks.child();
        let audit = deskplane::audit::Settings::default();
        let tracer = Tracer::default();
        let parts = Parts {
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
            serving: None,
            tasks: scope,
        };
        let task = tokio::spawn(serve(parts, listeners, async {
            let _ = stopped.await;
        }));
        let uri = format!("http://{address}");
        let endpoint = Endpoint::from_shared(uri).unwrap();
        let channel = match secured {
            false => endpoint.connect().await.unwrap(),
            true => endpoint.connect_lazy(),
        };
        Self { address, channel, stop: Some(stop), tasks, task }
    }

    /// Where the server listens.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Signals the server to end.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Ends the server and waits until it has.
    pub(crate) async fn end(mut self) {
        self.stop();
        drop(self.channel);
        self.task.await.unwrap().unwrap();
    }

    /// Has a task panic without which the server cannot go on, and answers why it ended.
    pub(crate) async fn fail(self, task: &'static str) -> deskplane::server::Error {
        let doomed = self.tasks.spawn(task, OnPanic::EndProcess, async { panic!("of a test") });
        assert_eq!(doomed.await, None::<()>);
        drop(self.channel);
        self.task.await.unwrap().unwrap_err()
    }

    /// A channel for calls as somebody.
    pub(crate) fn channel(&self, caller: As) -> Caller {
        InterceptedService::new(self.channel.clone(), caller)
    }
}

/// Every adapter with the scriptable one, and vendors of this machine only.
pub(crate) fn voice() -> Voice {
    let policy = Policy::allowing(["127.0.0.0/8".parse().unwrap()]);
    Voice::plain(Registry::builtin().with_fake(), Network::new(policy, &[]).unwrap())
}

macro_rules! clients {
    ($($name:ident: $client:ident),+ $(,)?) => {
        impl Running {
            $(
                /// A client that calls as the administrator of this machine.
                pub(crate) fn $name(&self) -> $client<Caller> {
                    $client::new(self.channel(As::default()))
                }
            )+
        }
    };
}

clients! {
    session_templates: SessionTemplateServiceClient,
    providers: ProviderServiceClient,
    agents: AgentServiceClient,
    insight: InsightServiceClient,
}

/// Writes objects into an empty store as one record, below every check.
pub(crate) async fn load(store: &dyn Store, objects: Vec<Object>) {
    let record = Record {
        revision: 1,
        time: Time::from_micros(1),
        operation: "Load".to_owned(),
        actor: Actor::system(),
        provenance: Provenance::default(),
        reason: String::new(),
        flags: Vec::new(),
        request: None,
        changes: objects.into_iter().map(Change::Put).collect(),
    };
    store.commit(Batch::new(0, vec![record]).unwrap()).await.unwrap();
}
