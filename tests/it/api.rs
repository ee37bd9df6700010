//! The API over the wire, spoken in JSON: calls by their name, with the descriptors of the API.

mod cascades;
mod ids;
mod insight;
mod library;
mod lists;
mod render;
mod requests;
mod rollback;
pub(crate) mod scopes;
mod select;
mod system;
mod writes;

use std::sync::LazyLock;

use deskplane_proto::v1::{self, agent_service_client::AgentServiceClient};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions,
};
use serde_json::Value;
use tonic::{
    Code, Request, Response, Status, Streaming,
    client::Grpc,
    codec::{self, DecodeBuf, EncodeBuf},
    service::interceptor::InterceptedService,
    transport::Channel,
};
use tonic_types::StatusExt as _;

use crate::server::{As, Caller, Running};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(deskplane_proto::FILE_DESCRIPTOR_SET).unwrap());

/// Every method of the API.
pub(crate) fn methods() -> impl Iterator<Item = MethodDescriptor> {
    let ours = POOL.services().filter(|service| service.full_name().starts_with("deskplane.v1."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// Messages of one method that are known by their descriptors only.
struct Codec(MessageDescriptor);

impl codec::Codec for Codec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl codec::Encoder for Codec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

impl codec::Decoder for Codec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), from);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// The API of a server as one caller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    channel: Caller,
}

impl Api {
    /// The API as somebody sees it.
    pub(crate) fn of(server: &Running, caller: As) -> Self {
        Self { channel: server.channel(caller) }
    }

    /// The API of whatever answers at the other end of a channel.
    pub(crate) fn over(channel: Channel, caller: As) -> Self {
        Self { channel: InterceptedService::new(channel, caller) }
    }

    /// The API as the administrator of this machine sees it.
    pub(crate) fn admin(server: &Running) -> Self {
        Self::of(server, As::default())
    }

    /// Calls a method; of a stream the first message is the answer.
    async fn send(&self, rpc: &str, q: &Value) -> Result<Response<DynamicMessage>, Status> {
        let method = methods().find(|method| method.name() == rpc);
        let method = method.unwrap_or_else(|| panic!("no method {rpc}"));
        let message = DynamicMessage::deserialize(method.input(), q)
            .unwrap_or_else(|error| panic!("{rpc} {q}: {error}"));
        let path = format!("/{}/{rpc}", method.parent_service().full_name()).parse().unwrap();
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let (request, codec) = (Request::new(message), Codec(method.output()));
        if method.is_server_streaming() {
            let stream = grpc.server_streaming(request, path, codec).await?;
            let (metadata, mut stream, extensions) = stream.into_parts();
            let first = stream.message().await?.expect("a stream begins with a message");
            return Ok(Response::from_parts(metadata, first, extensions));
        }
        grpc.unary(request, path, codec).await
    }

    /// What a method answers.
    pub(crate) async fn call(&self, rpc: &str, q: Value) -> Result<Value, Status> {
        Ok(json(self.send(rpc, &q).await?.get_ref()))
    }

    /// What a method that must not refuse answers.
    pub(crate) async fn ok(&self, rpc: &str, q: Value) -> Value {
        let shown = q.to_string();
        self.call(rpc, q).await.unwrap_or_else(|status| panic!("{rpc} {shown}: {status}"))
    }

    /// Why a method that must refuse does.
    pub(crate) async fn refused(&self, rpc: &str, q: Value) -> (Code, String) {
        let shown = q.to_string();
        match self.call(rpc, q).await {
            Ok(answer) => panic!("{rpc} {shown} is accepted: {answer}"),
            Err(status) => (status.code(), reason(&status)),
        }
    }

    /// The messages of a streaming method.
    pub(crate) async fn stream(&self, rpc: &str, q: Value) -> Stream {
        let method = methods().find(|method| method.name() == rpc).unwrap();
        let message = DynamicMessage::deserialize(method.input(), q).unwrap();
        let path = format!("/{}/{rpc}", method.parent_service().full_name()).parse().unwrap();
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let codec = Codec(method.output());
        let stream = grpc.server_streaming(Request::new(message), path, codec).await;
        Stream(stream.unwrap().into_inner())
    }

    /// The newest revision.
    pub(crate) async fn revision(&self) -> i64 {
        let answer = self.send("GetSettings", &serde_json::json!({})).await.unwrap();
        revision(&answer)
    }

    /// The messages that a watcher of a user gets.
    pub(crate) async fn watch(&self, user: &str) -> Watcher {
        let q = v1::WatchProfileRequest { user: user.to_owned(), ..Default::default() };
        let stream = AgentServiceClient::new(self.channel.clone()).watch_profile(q).await;
        Watcher(stream.unwrap().into_inner())
    }
}

/// A stream of any method.
#[derive(Debug)]
pub(crate) struct Stream(Streaming<DynamicMessage>);

impl Stream {
    /// The next message, or how the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Value, Status> {
        let message = self.0.message().await?.expect("no stream ends without a reason");
        Ok(json(&message))
    }
}

/// A live stream.
#[derive(Debug)]
pub(crate) struct Watcher(Streaming<v1::WatchProfileResponse>);

impl Watcher {
    /// The next message, or how the stream ended.
    pub(crate) async fn next(&mut self) -> Result<v1::watch_profile_response::Event, Status> {
        let message = self.0.message().await?;
        Ok(message.expect("no stream ends without a reason").event.expect("no message is empty"))
    }

    /// The next message, which must be a snapshot.
    pub(crate) async fn snapshot(&mut self) -> v1::ResolvedProfile {
        match self.next().await.unwrap() {
            v1::watch_profile_response::Event::Snapshot(snapshot) => snapshot.profile.unwrap(),
            other => panic!("no snapshot but {other:?}"),
        }
    }
}

fn json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map(|info| info.reason).unwrap_or_else(|| panic!("no reason in {status:?}"))
}

/// The revision in the header of a Get.
fn revision<T>(answer: &Response<T>) -> i64 {
    let header = answer.metadata().get("deskplane-revision").expect("a Get has a revision");
    header.to_str().unwrap().parse().unwrap()
}

/// The values of one field of rows.
fn column(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}
