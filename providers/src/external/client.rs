//! Requests to a plug-in: handshake, token, deadline.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deskplane_proto::provider::v1::{self, channel_provider_plugin_client as rpc};
use futures_util::{StreamExt as _, stream};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use tokio::time::{Instant, timeout_at};
use tonic::{
    Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{
    config::{Config, Endpoint, certificates},
    convert, status,
    traced::Traced,
    transport::Dialler,
};
use crate::{
    Capabilities, Context, Effect, Error, ErrorKind, EventStream, ExposeSecret as _, Result,
    Secrets,
    http::{Identity, MAX_ANSWER_BYTES, Network},
};

/// Name of the secret that the plug-in is shown with every request.
pub const TOKEN: &str = "token";
/// Name of the secret with our certificate, in PEM, and what it was signed by.
pub const CLIENT_CERTIFICATE: &str = "client_certificate";
/// Name of the secret with the key of that certificate, in PEM.
pub const CLIENT_KEY: &str = "client_key";
/// Version of the protocol that is spoken here.
pub const PROTOCOL_VERSION: i32 = 1;

/// Silence after which a stream of events is given up; a plug-in sends something every 20 s.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) type Rpc = rpc::ChannelProviderPluginClient<Traced>;

/// The client of one plug-in.
pub(super) struct Client {
    dialler: Dialler,
    endpoint: String,
    token: Option<MetadataValue<Ascii>>,
    deadline: Option<Duration>,
    channel: OnceLock<Channel>,
    network: Network,
    /// Whether the plug-in at the other end of the connection speaks our version.
    greeted: Arc<AtomicBool>,
}

impl Client {
    pub(super) fn new(
        config: &Config,
        endpoint: Endpoint,
        secrets: &Secrets,
        network: &Network,
    ) -> Result<Self> {
        let identity = identity(secrets)?;
        if identity.is_some() && !endpoint.is_tls() {
            return Err(invalid("a client certificate needs an endpoint with https"));
        }
        Ok(Self {
            token: token(secrets)?,
            deadline: config.deadline(),
            endpoint: endpoint.to_string(),
            dialler: Dialler::new(config, endpoint, identity, network)?,
            channel: OnceLock::new(),
            network: network.clone(),
            greeted: Arc::default(),
        })
    }

    /// Sends a request, after a greeting if this connection had none.
    pub(super) async fn call<Q, A, F>(
        &self,
        cx: &Context,
        message: Q,
        method: impl FnOnce(Rpc, Request<Q>) -> F,
    ) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        if !self.greeted.load(Ordering::Acquire) {
            self.greet(cx).await?;
        }
        self.ask(cx, message, method).await
    }

    /// Asks who the plug-in is, and refuses one that speaks another version.
    pub(super) async fn greet(&self, cx: &Context) -> Result<v1::InfoResponse> {
        let info = |mut rpc: Rpc, request| async move { rpc.info(request).await };
        let answer = self.ask(cx, v1::InfoRequest {}, info).await;
        let info = answer.map_err(|error| error.with_effect(Effect::None))?;
        if info.protocol_version != PROTOCOL_VERSION {
            return Err(invalid(format!(
                "the plug-in speaks version {} of the protocol, this server {PROTOCOL_VERSION}",
                info.protocol_version
            )));
        }
        self.greeted.store(true, Ordering::Release);
        Ok(info)
    }

    /// Asks what the plug-in can do.
    pub(super) async fn capabilities(&self, cx: &Context) -> Result<Capabilities> {
        let ask = |mut rpc: Rpc, request| async move { rpc.capabilities(request).await };
        let answer = self.call(cx, v1::CapabilitiesRequest {}, ask).await?;
        Ok(convert::capabilities(&answer))
    }

    /// Subscribes to events. The stream is open once the first message is there.
    pub(super) async fn listen(&self, cx: &Context) -> Result<EventStream> {
        if !self.greeted.load(Ordering::Acquire) {
            self.greet(cx).await?;
        }
        let mut rpc = self.rpc();
        let request = self.request(v1::StreamEventsRequest {});
        let open = async {
            let mut events = rpc.stream_events(request).await?.into_inner();
            events.message().await.map(|first| (first, events))
        };
        let opened = timeout_at(self.end(cx), open).await;
        let (first, rest) = opened.map_err(|_| late())?.map_err(|error| status::error(&error))?;
        let silent = || Error::new(ErrorKind::Protocol, "the stream of events ended at once");
        let first = first.ok_or_else(silent)?.event.map(convert::event);
        let events = stream::try_unfold(rest, async |mut rest| {
            let next = next(&mut rest).await?;
            Ok(next.map(|event| (event, rest)))
        });
        Ok(stream::iter(first).chain(events).boxed())
    }

    async fn ask<Q, A, F>(
        &self,
        cx: &Context,
        message: Q,
        method: impl FnOnce(Rpc, Request<Q>) -> F,
    ) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let end = self.end(cx);
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late().with_effect(Effect::None));
        }
        let mut request = self.request(message);
        request.set_timeout(left);
        match timeout_at(end, method(self.rpc(), request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(error)) => Err(status::error(&error)),
            Err(_) => Err(late()),
        }
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    fn rpc(&self) -> Rpc {
        let channel = self.channel.get_or_init(|| self.dialler.channel(&self.greeted));
        Rpc::new(Traced::new(channel.clone(), self.network.clone()))
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }

    fn end(&self, cx: &Context) -> Instant {
        let own = self.deadline.map(|limit| Instant::now() + limit);
        own.map_or(cx.deadline, |own| own.min(cx.deadline))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The next event; signs of life are passed over.
async fn next(
    events: &mut Streaming<v1::StreamEventsResponse>,
) -> Result<Option<crate::CallEvent>> {
    loop {
        let message =
            timeout_at(Instant::now() + SILENCE, events.message()).await.map_err(|_| {
                let message = format!("no sign of life for {} s", SILENCE.as_secs());
                Error::new(ErrorKind::Unavailable, message)
            })?;
        match message.map_err(|error| status::error(&error))? {
            Some(v1::StreamEventsResponse { event: Some(event) }) => {
                return convert::event(event).map(Some);
            }
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "no answer in time")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

/// A secret that is set, and not to nothing.
fn set<'a>(secrets: &'a Secrets, name: &str) -> Option<&'a str> {
    secrets.get(name).map(|secret| secret.expose_secret()).filter(|text| !text.is_empty())
}

fn token(secrets: &Secrets) -> Result<Option<MetadataValue<Ascii>>> {
    let Some(token) = set(secrets, TOKEN) else { return Ok(None) };
    let header = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
    let mut header = header.map_err(|_| invalid("the secret token must be printable ASCII"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

fn identity(secrets: &Secrets) -> Result<Option<Identity>> {
    let both = "the secrets client_certificate and client_key belong together";
    match (set(secrets, CLIENT_CERTIFICATE), set(secrets, CLIENT_KEY)) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|_| invalid("the secret client_key must hold a private key in PEM"))?;
            Ok(Some((certificates(certificate, "the secret client_certificate")?, key)))
        }
        _ => Err(invalid(both)),
    }
}
