//! A server with a small organisation, called by descriptor: every RPC, with any bytes.

use std::{
    collections::BTreeMap,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Buf, BufMut, Bytes};
use deskplane_proto::{codec::ERROR_DOMAIN, v1};
use deskplane_providers::fake::{Switchboard, VendorEvent};
use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tonic::{
    Code, Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::server::{As, Running};

/// Passes messages through as bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Panics outside of tests: those of the server, whichever task they end.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|at| !at.file().starts_with("tests/")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
}

/// The server under attack.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) running: Running,
    pool: DescriptorPool,
    requests: BTreeMap<String, Json>,
}

impl Target {
    /// A server with the organisation of `world.json`.
    pub(super) async fn start() -> Self {
        count_panics();
        let pool = DescriptorPool::decode(deskplane_proto::FILE_DESCRIPTOR_SET).unwrap();
        let running = Running::with(Vec::new()).await;
        let mut target = Self { running, pool, requests: BTreeMap::new() };
        let world: Vec<(String, Json)> =
            serde_json::from_str(include_str!("../../data/hostile/world.json")).unwrap();
        for (rpc, request) in world {
            let answer = target.ask(&rpc, &request).await;
            answer.unwrap_or_else(|status| panic!("{rpc} {request}: {status:?}"));
        }
        let requests = include_str!("../../data/hostile/requests.json");
        let requests = requests.replace("calls/CALL", &target.talking().await);
        let requests = requests.replace("calls/SPARE", &target.talking().await);
        target.requests = serde_json::from_str(&requests).unwrap();
        target
    }

    /// The name of a call in which both parties hear each other.
    async fn talking(&self) -> String {
        let call = json!({"user": "john.doe", "to": "+14155550100", "request_id": Uuid::new_v4()});
        let started = self.ask("VoiceService/StartCall", &call).await.unwrap();
        let started = started.transcode_to::<v1::StartCallResponse>().unwrap().call.unwrap();
        loop {
            let event = VendorEvent::of(&started.provider_call_id, "bridged");
            Switchboard::named("contoso_dial").emit(&event);
            let now =
                self.ask("VoiceService/GetCall", &json!({"name": started.name})).await.unwrap();
            if now.transcode_to::<v1::Call>().unwrap().state() == v1::CallState::Bridged {
                return started.name;
            }
        }
    }

    /// Who may call everything: the administrator of the machine, for other users as well.
    fn administrator() -> As {
        As::new(None, Some("admin,service"))
    }

    /// Every RPC of the API.
    pub(super) fn rpcs(&self) -> Vec<MethodDescriptor> {
        let api = self.pool.services().filter(|s| s.package_name() == "deskplane.v1");
        api.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
    }

    /// `ProfileService/GetProfile`.
    pub(super) fn path(rpc: &MethodDescriptor) -> String {
        format!("{}/{}", rpc.parent_service().name(), rpc.name())
    }

    pub(super) fn rpc(&self, path: &str) -> MethodDescriptor {
        let found = self.rpcs().into_iter().find(|rpc| Self::path(rpc) == path);
        found.unwrap_or_else(|| panic!("no RPC {path}"))
    }

    /// A request that is accepted.
    pub(super) fn valid(&self, rpc: &MethodDescriptor) -> DynamicMessage {
        let path = Self::path(rpc);
        let json = self.requests.get(&path).unwrap_or_else(|| panic!("no request for {path}"));
        let mut request = message(rpc, json);
        // A call with the id of another one is that other one.
        if rpc.name() == "StartCall" {
            let id = Value::String(Uuid::new_v4().to_string());
            request.set_field_by_name("request_id", id);
        }
        request
    }

    /// A valid request as JSON, to be changed.
    pub(super) fn json(&self, path: &str) -> Json {
        self.requests[path].clone()
    }

    /// Calls as somebody who may.
    pub(super) async fn call(
        &self,
        rpc: &MethodDescriptor,
        request: impl Into<Bytes>,
    ) -> Result<Bytes, Status> {
        let caller = match rpc.name() {
            // Only the client of a user reports.
            "ReportProfileStatus" => As::new(Some("john.doe"), Some("agent")),
            _ => Self::administrator(),
        };
        self.call_as(caller, rpc, request).await
    }

    /// Calls as somebody; of a stream comes the first message.
    pub(super) async fn call_as(
        &self,
        caller: As,
        rpc: &MethodDescriptor,
        request: impl Into<Bytes>,
    ) -> Result<Bytes, Status> {
        let mut client = tonic::client::Grpc::new(self.running.channel(caller));
        client.ready().await.unwrap();
        let path: PathAndQuery = format!("/deskplane.v1.{}", Self::path(rpc)).parse().unwrap();
        let request = Request::new(request.into());
        if rpc.is_server_streaming() {
            let stream = client.server_streaming(request, path, Raw).await?;
            return Ok(stream.into_inner().message().await?.unwrap_or_default());
        }
        Ok(client.unary(request, path, Raw).await?.into_inner())
    }

    /// Calls with a request in JSON.
    pub(super) async fn ask(&self, path: &str, json: &Json) -> Result<DynamicMessage, Status> {
        self.ask_as(Self::administrator(), path, json).await
    }

    /// Calls as somebody with a request in JSON.
    pub(super) async fn ask_as(
        &self,
        caller: As,
        path: &str,
        json: &Json,
    ) -> Result<DynamicMessage, Status> {
        let rpc = self.rpc(path);
        let answer = self.call_as(caller, &rpc, message(&rpc, json).encode_to_vec()).await?;
        Ok(DynamicMessage::decode(rpc.output(), answer).unwrap())
    }

    /// The revision that a list answers.
    pub(super) async fn revision(&self) -> i64 {
        let rpc = self.rpc("DirectoryService/ListTeams");
        let answer = self.call(&rpc, Bytes::from_static(&[8, 1])).await.unwrap();
        let answer = DynamicMessage::decode(rpc.output(), answer).unwrap();
        answer.get_field_by_name("revision").and_then(|value| value.as_i64()).unwrap()
    }

    /// A sum over all that lists and settings answer, with the revision.
    pub(super) async fn state(&self) -> [u8; 32] {
        let mut sum = Sha256::new();
        for rpc in self.rpcs() {
            // Calls and clients are no configuration, revisions are those of one resource, and a
            // refusal is audited.
            let others = [
                "ListCalls",
                "ListFleetStatus",
                "ListRevisions",
                "ListAuditEntries",
                "ListResolutionLog",
            ];
            let lists = rpc.name().starts_with("List") && !others.contains(&rpc.name());
            if lists || rpc.name() == "GetSettings" {
                let answer = self.call(&rpc, Bytes::new()).await.unwrap();
                sum.update(configuration(&rpc, answer));
            }
        }
        sum.finalize().into()
    }

    /// Checks that the server still works and that nothing in it panicked, and ends it.
    pub(super) async fn end(self) {
        let rpc = self.rpc("AgentService/ResolveProfile");
        let answer = self.call(&rpc, self.valid(&rpc).encode_to_vec()).await.unwrap();
        let answer = DynamicMessage::decode(rpc.output(), answer).unwrap();
        assert!(answer.has_field_by_name("profile"), "{answer}");
        self.running.end().await;
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something in the server panicked");
    }
}

/// What a list says of configuration: the health of providers is measured, not configured.
fn configuration(rpc: &MethodDescriptor, answer: Bytes) -> Vec<u8> {
    let mut answer = DynamicMessage::decode(rpc.output(), answer).unwrap();
    if let Some(Value::List(rows)) = answer.get_field_by_name_mut("channel_providers") {
        for row in rows.iter_mut().filter_map(Value::as_message_mut) {
            row.clear_field_by_name("health");
        }
    }
    answer.encode_to_vec()
}

/// A request from JSON.
pub(super) fn message(rpc: &MethodDescriptor, json: &Json) -> DynamicMessage {
    DynamicMessage::deserialize(rpc.input(), json)
        .unwrap_or_else(|error| panic!("{} {json}: {error}", rpc.name()))
}

/// A request that only asks what would happen, where the RPC is a write.
pub(super) fn validate_only(mut request: DynamicMessage) -> DynamicMessage {
    if request.descriptor().get_field_by_name("validate_only").is_some() {
        request.set_field_by_name("validate_only", Value::Bool(true));
    }
    request
}

/// What a refusal says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: Code,
    pub(super) reason: String,
    /// Bad fields with what is said of them.
    pub(super) fields: Vec<(String, String)>,
}

/// Most bytes of a refusal's headers, as clients count them: many give up beyond 8 KiB.
const MAX_STATUS_BYTES: usize = 7_680;

/// Bytes of the headers of a refusal that is a whole answer, each counted with 32 more.
pub(super) fn header_bytes(status: &Status) -> usize {
    // What else the answer carried is in the metadata of the status.
    let answer = status.clone().into_http::<()>();
    let entries = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    entries.chain([":status".len() + 3]).map(|bytes| bytes + 32).sum()
}

/// Reads a refusal and checks what must hold for each: a code that refusals have, a reason, bad
/// fields where an argument is bad, and headers that every client takes.
pub(super) fn read(status: &Status) -> Result<Refused, String> {
    let size = header_bytes(status);
    if size > MAX_STATUS_BYTES {
        return Err(format!("a status of {size} bytes"));
    }
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == ERROR_DOMAIN);
    let info = info.ok_or_else(|| format!("no reason: {status:?}"))?;
    let fields: Vec<_> = details
        .bad_request()
        .into_iter()
        .flat_map(|bad| &bad.field_violations)
        .map(|bad| (bad.field.clone(), bad.description.clone()))
        .collect();
    let allowed = match status.code() {
        Code::InvalidArgument if info.reason == "REQUEST_MALFORMED" => {
            info.metadata.contains_key("detail")
        }
        Code::InvalidArgument => !fields.is_empty(),
        code => matches!(
            code,
            Code::NotFound
                | Code::AlreadyExists
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::PermissionDenied
                | Code::ResourceExhausted
                | Code::OutOfRange
        ),
    };
    let refused = Refused { code: status.code(), reason: info.reason.clone(), fields };
    allowed.then_some(refused).ok_or_else(|| format!("no such answer: {status:?}"))
}

/// Reads a refusal that must be one.
#[track_caller]
pub(super) fn refused(status: &Status, context: &str) -> Refused {
    read(status).unwrap_or_else(|wrong| panic!("{context}: {wrong}"))
}

/// Checks a refusal's reason and that it names the field.
#[track_caller]
pub(super) fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    reason: &str,
    field: &str,
    context: &str,
) {
    let status = answer.expect_err(context);
    let found = refused(&status, context);
    let named = field.is_empty() || found.fields.iter().any(|(name, _)| name == field);
    assert!(found.reason == reason && named, "{context}: not {reason} {field} but {found:?}");
}
