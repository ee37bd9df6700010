//! The example plug-in on a socket of its own, with a script in front of it.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use deskplane_proto::provider::v1::channel_provider_plugin_server::ChannelProviderPluginServer;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body as HttpBody, Frame};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tonic::{
    Status,
    body::Body,
    server::NamedService,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    ChannelProvider, Clock, Registry, Setup,
    external::KIND,
    http::{Network, Policy},
};

#[path = "../../../examples/plugin/service.rs"]
mod service;
#[path = "../../../examples/plugin/vendor.rs"]
mod vendor;

/// Key of the webhooks that the example believes.
pub(super) const WEBHOOK_KEY: &str = "example-webhook-key";

/// What a method does in place of the example.
#[derive(Clone)]
pub(super) enum Act {
    /// Answers with this status.
    Status(Status),
    /// Never answers.
    Hang,
    /// Answers with these bytes as the message.
    Raw(Vec<u8>),
    /// Answers with these bytes as the first message, and then nothing any more.
    Silent(Vec<u8>),
}

impl Act {
    pub(super) fn message(message: &impl prost::Message) -> Self {
        Self::Raw(message.encode_to_vec())
    }
}

#[derive(Default)]
struct Script {
    acts: HashMap<String, Act>,
    asked: HashMap<String, usize>,
    /// The traces that requests named, by method.
    traces: Vec<(String, String)>,
}

/// The example behind a script.
#[derive(Clone)]
pub(super) struct Scripted {
    inner: ChannelProviderPluginServer<service::Plugin>,
    script: Arc<Mutex<Script>>,
}

impl NamedService for Scripted {
    const NAME: &'static str = "deskplane.provider.v1.ChannelProviderPlugin";
}

impl tower::Service<http::Request<Body>> for Scripted {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let act = {
            let mut script = self.script.lock().unwrap();
            *script.asked.entry(method.clone()).or_default() += 1;
            if let Some(trace) = request.headers().get("traceparent") {
                script.traces.push((method.clone(), trace.to_str().unwrap().to_owned()));
            }
            script.acts.get(&method).cloned()
        };
        match act {
            None => Box::pin(tower::Service::call(&mut self.inner, request)),
            Some(Act::Status(status)) => Box::pin(async move { Ok(status.into_http()) }),
            Some(Act::Hang) => Box::pin(std::future::pending()),
            Some(Act::Raw(message)) => Box::pin(async move { Ok(raw(&message)) }),
            Some(Act::Silent(message)) => Box::pin(async move { Ok(silent(&message)) }),
        }
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed.into()
}

/// A good answer with one message, whatever that is.
fn raw(message: &[u8]) -> http::Response<Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    answer(Full::new(framed(message)).with_trailers(async { Some(Ok(trailers)) }))
}

/// A good answer that does not end.
fn silent(message: &[u8]) -> http::Response<Body> {
    let first = stream::iter([Ok::<_, Infallible>(Frame::data(framed(message)))]);
    answer(StreamBody::new(first.chain(stream::pending())))
}

fn answer<B>(body: B) -> http::Response<Body>
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let response = http::Response::builder().header("content-type", "application/grpc");
    response.body(Body::new(body)).unwrap()
}

/// A plug-in that runs until it is dropped.
pub(super) struct Running {
    pub(super) endpoint: String,
    address: SocketAddr,
    scripted: Scripted,
    /// Of its own, so that its connections end with it.
    runtime: Option<Runtime>,
}

impl Running {
    pub(super) async fn start(token: &str) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), token).await
    }

    async fn at(address: SocketAddr, token: &str) -> Self {
        let scripted = example(token);
        let server = Server::builder().add_service(scripted.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bound = runtime.spawn(async move { TcpListener::bind(address).await.unwrap() });
        let listener = bound.await.unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let runtime = Some(runtime);
        Self { endpoint: format!("http://{address}"), address, scripted, runtime }
    }

    /// Ends it with all its connections, and starts another at the same address.
    pub(super) async fn restart(mut self) -> Self {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
        Self::at(self.address, "").await
    }

    /// Chooses what a method does from now on.
    pub(super) fn script(&self, method: &str, act: Act) {
        self.scripted.script.lock().unwrap().acts.insert(method.to_owned(), act);
    }

    /// The traces that requests named, by method.
    pub(super) fn traces(&self) -> Vec<(String, String)> {
        self.scripted.script.lock().unwrap().traces.clone()
    }

    /// How often a method was asked for.
    pub(super) fn asked(&self, method: &str) -> usize {
        self.scripted.script.lock().unwrap().asked.get(method).copied().unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The example without a socket.
pub(super) fn example(token: &str) -> Scripted {
    let (token, webhook_key) = (token.to_owned(), WEBHOOK_KEY.to_owned());
    let plugin = service::Plugin { vendor: Arc::default(), token, webhook_key };
    Scripted { inner: ChannelProviderPluginServer::new(plugin), script: Arc::default() }
}

/// A network that reaches this machine.
pub(super) fn loopback() -> Network {
    Network::new(Policy::allowing(["127.0.0.0/8".parse().unwrap()]), &[]).unwrap()
}

pub(super) fn setup<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Setup {
    Setup {
        provider: "example".to_owned(),
        secrets: secrets.into_iter().collect(),
        webhook_url: None,
        clock: Clock::new(SystemTime::now, uuid::Uuid::new_v4),
        network: loopback(),
    }
}

/// A configuration with what the example offers.
pub(super) fn config(endpoint: &str) -> String {
    serde_json::json!({
        "endpoint": endpoint,
        "capabilities": [
            "CLIENT_TOKEN", "DIAL", "END", "HOLD", "TRANSFER_BLIND", "PRESENCE_SYNC", "CLICK_TO_ACT",
        ],
    })
    .to_string()
}

pub(super) fn provider(config: &str) -> Arc<dyn ChannelProvider> {
    Registry::builtin().find(KIND).unwrap().build(config, setup([])).unwrap()
}
