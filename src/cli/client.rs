//! A client of the public API that knows no message: everything comes from the descriptor set.

mod bearer;
mod codec;
mod security;

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use http::{Uri, uri::PathAndQuery};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor,
    ReflectMessage, Value as Field,
};
use serde_json::Value;
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    metadata::{Ascii, MetadataKey, MetadataValue},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use self::codec::DynamicCodec;
pub use self::{bearer::Bearer, security::TlsFiles};
use super::{
    Error, Result,
    address::{Address, Scheme},
    backoff::{self, BackOff},
};
use crate::{
    descriptors,
    secrets::file::{self, Access},
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a connection on which calls are open is asked whether the other end lives, and how long
/// the answer may take: a peer or a proxy that stopped is noticed in less than a minute.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Bytes of one message of an upload.
const CHUNK_BYTES: usize = 1 << 20;

/// How often a call is sent again that the server did not carry out.
const MAX_RETRIES: u32 = 3;

/// Where the server is and who asks.
#[derive(Clone, clap::Args)]
pub struct Connection {
    /// Address of the server: `https://HOST:PORT`, `unix:/PATH`, or `http://HOST:PORT`, where what is
    /// sent is not encrypted; `HOST:PORT` is the last.
    #[arg(
        long,
        global = true,
        help_heading = super::GLOBAL,
        env = "DESKPLANE_SERVER",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:7700"
    )]
    pub server: String,
    /// User to call as, where no credentials are configured (metadata `x-deskplane-user`).
    #[arg(
        long = "user",
        global = true,
        help_heading = super::GLOBAL,
        env = "DESKPLANE_USER",
        value_name = "ID"
    )]
    pub caller: Option<String>,
    /// Scopes to call with: admin, reader, agent, service (metadata `x-deskplane-scopes`).
    #[arg(
        long,
        global = true,
        help_heading = super::GLOBAL,
        env = "DESKPLANE_SCOPES",
        value_name = "LIST"
    )]
    pub scopes: Option<String>,
    /// Token of the caller.
    #[command(flatten)]
    pub bearer: Bearer,
    /// Files of TLS.
    #[command(flatten)]
    pub tls: TlsFiles,
}

/// Leaves out the address: before it is checked, a password may stand in it.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server: _, caller, scopes, bearer, tls } = self;
        f.debug_struct("Connection")
            .field("caller", caller)
            .field("scopes", scopes)
            .field("bearer", bearer)
            .field("tls", tls)
            .finish_non_exhaustive()
    }
}

/// What all writes of one command share.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WriteOptions {
    /// Let the server check everything and change nothing.
    #[arg(long, visible_alias = "dry-run")]
    pub validate_only: bool,
    /// Why the change is made, for the audit log.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What the API consists of.
#[derive(Debug, Clone)]
pub struct Api(&'static DescriptorPool);

/// A connection to one server.
#[derive(Debug, Clone)]
pub struct Client {
    address: Address,
    endpoint: Endpoint,
    channel: Channel,
    api: Api,
    metadata: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    write: WriteOptions,
}

impl Api {
    /// The API that this program was built with.
    pub fn of_this_build() -> Self {
        Self(descriptors::api())
    }

    /// The message of that name.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor> {
        let found = self.0.get_message_by_name(&format!("deskplane.v1.{name}"));
        found.ok_or_else(|| Error::Usage(format!("the API has no message `{name}`")))
    }

    pub(super) fn method(
        &self,
        service: &str,
        method: &str,
    ) -> Result<(MethodDescriptor, PathAndQuery)> {
        let full = format!("deskplane.v1.{service}");
        let found = self.0.get_service_by_name(&full);
        let found = found.and_then(|s| s.methods().find(|m| m.name() == method));
        let path = format!("/{full}/{method}").parse::<PathAndQuery>();
        found.zip(path.ok()).ok_or_else(|| Error::Usage(format!("the API has no {full}/{method}")))
    }
}

impl Client {
    /// Connects. An address that the client cannot honour is refused before a byte is sent.
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let address = Address::parse("--server", &connection.server, &Scheme::ALL)?;
        let mut metadata = metadata(connection)?;
        let token = connection.bearer.header(&address)?;
        metadata.extend(token.map(|token| (MetadataKey::from_static("authorization"), token)));
        let unreachable =
            |source| Error::Connect { server: address.to_string(), source: Box::new(source) };
        let endpoint = Endpoint::from_shared(address.to_string()).map_err(unreachable)?;
        let endpoint = match &address {
            // The name by which a socket of this machine is asked for.
            Address::Unix(_) => endpoint.origin(Uri::from_static("http://localhost")),
            Address::Tcp { .. } => endpoint,
        };
        let endpoint = connection.tls.secure(&address, endpoint)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1);
        let channel = endpoint.connect().await.map_err(unreachable)?;
        let (api, write) = (Api::of_this_build(), WriteOptions::default());
        Ok(Self { address, endpoint, channel, api, metadata, write })
    }

    /// What a person should know of the connection before it is used: that it is not encrypted, and
    /// that others can read what it is authenticated by. The latter is no refusal as it is by the
    /// server: a pod's token of Kubernetes has mode 0644.
    pub fn warnings(&self, connection: &Connection) -> Vec<String> {
        let Self { address, .. } = self;
        let clear = || format!("warning: the connection to {address} is not encrypted");
        let exposed =
            [&connection.bearer.token_file, &connection.tls.tls_key].into_iter().flatten();
        let exposed = exposed.filter_map(|path| {
            let cause = file::exposure(path, Access::Secret)?;
            Some(format!("warning: {} {cause}", path.display()))
        });
        address.is_exposed().then(clear).into_iter().chain(exposed).collect()
    }

    /// The same client over a connection of its own, made when it is needed: where the last one
    /// hangs, nothing that waits on it ever ends.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self { channel: self.endpoint.connect_lazy(), ..self.clone() }
    }

    /// The same connection, with these options for every write.
    #[must_use]
    pub fn with(self, write: &WriteOptions) -> Self {
        Self { write: write.clone(), ..self }
    }

    /// The channel, for a generated client.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// What the API consists of.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Calls a method with the request in JSON form.
    ///
    /// A write gets a request id of its own, and what the server could not answer is sent again
    /// with the same id, so that it happens once.
    pub async fn call(
        &self,
        service: &str,
        method: &str,
        request: Value,
    ) -> Result<DynamicMessage> {
        self.send(service, method, request, None).await
    }

    /// The same for a method that takes a stream: `first` is the first message, and the bytes are the
    /// field `chunk` of those behind it.
    pub async fn upload(
        &self,
        service: &str,
        method: &str,
        first: Value,
        bytes: Bytes,
    ) -> Result<DynamicMessage> {
        self.send(service, method, first, Some(bytes)).await
    }

    async fn send(
        &self,
        service: &str,
        method: &str,
        request: Value,
        bytes: Option<Bytes>,
    ) -> Result<DynamicMessage> {
        let (method, path) = self.api.method(service, method)?;
        let request = self.complete(message(&method.input(), request)?);
        let codec = || DynamicCodec(method.output());
        let mut grpc = Grpc::new(self.channel.clone());
        let (mut back_off, mut left) = (BackOff::new(backoff::CALL), MAX_RETRIES);
        loop {
            let sent = match (ready(&mut grpc).await, &bytes) {
                (Ok(()), None) => {
                    grpc.unary(self.request(request.clone()), path.clone(), codec()).await
                }
                (Ok(()), Some(bytes)) => {
                    let first = stream::iter([request.clone()]);
                    let all = first.chain(chunks(method.input(), bytes.clone()));
                    grpc.client_streaming(self.request(all), path.clone(), codec()).await
                }
                (Err(status), _) => Err(status),
            };
            match sent {
                Err(status) if left > 0 && is_transient(&status) => {
                    left -= 1;
                    tokio::time::sleep(back_off.next(backoff::named(&status))).await;
                }
                other => return Ok(other?.into_inner()),
            }
        }
    }

    /// Opens a stream with the request in JSON form.
    pub async fn stream(
        &self,
        service: &str,
        method: &str,
        request: Value,
    ) -> Result<Streaming<DynamicMessage>> {
        let (method, path) = self.api.method(service, method)?;
        let request = self.request(message(&method.input(), request)?);
        let mut grpc = Grpc::new(self.channel.clone());
        ready(&mut grpc).await?;
        let codec = DynamicCodec(method.output());
        Ok(grpc.server_streaming(request, path, codec).await?.into_inner())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (key, value) in &self.metadata {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        request
    }

    /// Fills in what every write has.
    fn complete(&self, mut request: DynamicMessage) -> DynamicMessage {
        let mut set = |name: &str, value: Field| {
            // The reason of a report is another thing than the reason of a write.
            if let Some(field) = request.descriptor().get_field_by_name(name)
                && !request.has_field(&field)
                && value.is_valid_for_field(&field)
            {
                request.set_field(&field, value);
            }
        };
        set("request_id", Field::String(Uuid::new_v4().to_string()));
        set("validate_only", Field::Bool(self.write.validate_only));
        set("reason", Field::String(self.write.reason.clone().unwrap_or_default()));
        request
    }
}

/// Reads a message from its JSON form; an unknown field is refused.
pub(super) fn message(descriptor: &MessageDescriptor, json: Value) -> Result<DynamicMessage> {
    let options = DeserializeOptions::new();
    DynamicMessage::deserialize_with_options(descriptor.clone(), json, &options)
        .map_err(|error| Error::Usage(format!("this is no {}: {error}", descriptor.name())))
}

/// Messages of a type with these bytes in their field `chunk`.
fn chunks(
    message: MessageDescriptor,
    mut bytes: Bytes,
) -> impl Stream<Item = DynamicMessage> + Send + 'static {
    stream::iter(std::iter::from_fn(move || {
        let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
        let mut message = DynamicMessage::new(message.clone());
        message.set_field_by_name("chunk", Field::Bytes(chunk.clone()));
        (!chunk.is_empty()).then_some(message)
    }))
}

async fn ready(grpc: &mut Grpc<Channel>) -> Result<(), Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))
}

/// Whether the server did not carry the call out and asks for patience that a person has.
fn is_transient(status: &Status) -> bool {
    let named = backoff::named(status);
    match status.code() {
        Code::Unavailable => named.is_none_or(|wait| wait <= backoff::CALL.ceiling),
        Code::ResourceExhausted => named.is_some_and(|wait| wait <= backoff::CALL.ceiling),
        _ => false,
    }
}

/// The caller, in the metadata of every request.
fn metadata(connection: &Connection) -> Result<Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>> {
    let mut metadata = Vec::new();
    for (key, option, value) in [
        ("x-deskplane-user", "--user", &connection.caller),
        ("x-deskplane-scopes", "--scopes", &connection.scopes),
    ] {
        if let Some(text) = value {
            let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            let value = text.parse().ok().filter(|_| printable).ok_or_else(|| {
                Error::Usage(format!("{option}: `{text}` holds more than printable ASCII"))
            })?;
            metadata.push((MetadataKey::from_static(key), value));
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn connection(caller: &str) -> Connection {
        let server = "http://kim:hunter2@127.0.0.1:1".to_owned();
        Connection {
            server,
            caller: Some(caller.to_owned()),
            scopes: None,
            bearer: Bearer::default(),
            tls: TlsFiles::default(),
        }
    }

    #[test]
    fn the_caller_is_sent_as_given() {
        for id in
            ["kim_fabrikam.example#EXT#@a.example", "o'brien", "auth0|64", "CONTOSO\\kim", "%2e"]
        {
            let metadata = metadata(&connection(id)).unwrap();
            assert_eq!(metadata[0].1.to_str().unwrap(), id);
        }
        for id in ["kim\n", "k\u{f6}ln"] {
            assert_eq!(metadata(&connection(id)).unwrap_err().exit_code(), 2, "{id:?}");
        }
    }

    #[test]
    fn no_form_of_the_connection_shows_its_address() {
        let shown = format!("{:?}", connection("kim"));
        assert!(!shown.contains("hunter2") && shown.contains("caller"), "{shown}");
    }

    #[test]
    fn only_short_waits_are_waited_for() {
        let refused = |code, wait: Option<u64>| {
            let details = tonic_types::ErrorDetails::with_retry_info(wait.map(Duration::from_secs));
            is_transient(&Status::with_error_details(code, "", details))
        };
        assert!(refused(Code::Unavailable, None) && refused(Code::Unavailable, Some(1)));
        assert!(refused(Code::ResourceExhausted, Some(1)));
        assert!(!refused(Code::ResourceExhausted, None) && !refused(Code::Unavailable, Some(60)));
        assert!(!refused(Code::Internal, Some(1)) && !refused(Code::Aborted, Some(1)));
    }
}
