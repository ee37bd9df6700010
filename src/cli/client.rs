//! A client of the public API that knows no message: everything comes from the descriptor set.

use std::time::Duration;

use deskplane_proto::FILE_DESCRIPTOR_SET;
use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor,
    ReflectMessage, Value as Field,
};
use serde_json::Value;
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataKey, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{Error, Result};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Wait before a call is sent again when the server names none, and the longest that it may name.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Where the server is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// Address of the server.
    #[arg(
        long,
        global = true,
        help_heading = super::GLOBAL,
        env = "DESKPLANE_SERVER",
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
}

/// What all writes of one command share.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WriteOptions {
    /// Let the server check everything and change nothing.
    #[arg(long)]
    pub validate_only: bool,
    /// Why the change is made, for the audit log.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What the API consists of.
#[derive(Debug, Clone)]
pub struct Api(DescriptorPool);

/// A connection to one server.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    api: Api,
    metadata: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    write: WriteOptions,
}

impl Api {
    /// Reads the API that this program was built with.
    pub fn read() -> Result<Self> {
        Ok(Self(DescriptorPool::decode(FILE_DESCRIPTOR_SET)?))
    }

    /// The message of that name.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor> {
        let found = self.0.get_message_by_name(&format!("deskplane.v1.{name}"));
        found.ok_or_else(|| Error::Usage(format!("the API has no message `{name}`")))
    }

    fn method(&self, service: &str, method: &str) -> Result<(MethodDescriptor, PathAndQuery)> {
        let full = format!("deskplane.v1.{service}");
        let found = self.0.get_service_by_name(&full);
        let found = found.and_then(|s| s.methods().find(|m| m.name() == method));
        let path = format!("/{full}/{method}").parse::<PathAndQuery>();
        found.zip(path.ok()).ok_or_else(|| Error::Usage(format!("the API has no {full}/{method}")))
    }
}

impl Client {
    /// Connects.
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let server = match connection.server.split_once("://") {
            Some(_) => connection.server.clone(),
            None => format!("http://{}", connection.server),
        };
        let unreachable =
            |source| Error::Connect { server: server.clone(), source: Box::new(source) };
        let endpoint = Endpoint::from_shared(server.clone()).map_err(unreachable)?;
        let endpoint = endpoint.connect_timeout(CONNECT).tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(unreachable)?;
        let mut metadata = Vec::new();
        for (key, value) in
            [("x-deskplane-user", &connection.caller), ("x-deskplane-scopes", &connection.scopes)]
        {
            if let Some(text) = value {
                let value = text.parse();
                let value = value.map_err(|_| Error::Usage(format!("`{text}` is no {key}")))?;
                metadata.push((MetadataKey::from_static(key), value));
            }
        }
        Ok(Self { channel, api: Api::read()?, metadata, write: WriteOptions::default() })
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
    /// A write gets a request id of its own, and what the server could not answer is sent once
    /// more with the same id, so that it happens once.
    pub async fn call(
        &self,
        service: &str,
        method: &str,
        request: Value,
    ) -> Result<DynamicMessage> {
        let (method, path) = self.api.method(service, method)?;
        let request = self.complete(message(&method.input(), request)?);
        let codec = || DynamicCodec(method.output());
        let mut grpc = Grpc::new(self.channel.clone());
        let mut again = true;
        loop {
            ready(&mut grpc).await?;
            let sent = grpc.unary(self.request(request.clone()), path.clone(), codec()).await;
            match sent {
                Err(status) if again && status.code() == Code::Unavailable => {
                    again = false;
                    tokio::time::sleep(retry_delay(&status)).await;
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
            if let Some(field) = request.descriptor().get_field_by_name(name)
                && !request.has_field(&field)
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

async fn ready(grpc: &mut Grpc<Channel>) -> Result<()> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()).into())
}

fn retry_delay(status: &Status) -> Duration {
    let named = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
    named.unwrap_or(RETRY.0).min(RETRY.1)
}

/// Encodes and decodes messages that only their descriptors describe.
#[derive(Debug)]
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> DynamicDecoder {
        DynamicDecoder(self.0.clone())
    }
}

#[derive(Debug)]
struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

#[derive(Debug)]
struct DynamicDecoder(MessageDescriptor);

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), buffer);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
