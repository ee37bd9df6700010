use std::convert::Infallible;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, Value};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

use crate::v1::settings_service_client::SettingsServiceClient;
use crate::v1::settings_service_server::{SettingsService, SettingsServiceServer};
use crate::{FILE_DESCRIPTOR_SET, codec, v1};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

fn content() -> v1::ProfileContent {
    v1::ProfileContent {
        schema_version: 1,
        profile: Some(v1::ProfileIdentity {
            unique_name: "contoso_rep".into(),
            ..Default::default()
        }),
        copilot: vec![v1::CopilotFeature { feature: "case_summary".into(), code: 829_050_003 }],
        extension_libraries: vec!["channel-integration".into()],
        ..Default::default()
    }
}

fn resolved() -> v1::ResolvedProfile {
    v1::ResolvedProfile {
        user: "john.doe".into(),
        content: content().encode_to_vec().into(),
        digest: "d1:00".into(),
        revision: 7,
        ..Default::default()
    }
}

/// What other languages see: the same message with `content` as a message.
#[test]
fn content_as_bytes_equals_content_as_message_on_the_wire() {
    let descriptor = pool().get_message_by_name("deskplane.v1.ResolvedProfile").unwrap();
    let field = descriptor.get_field_by_name("content").unwrap();
    assert!(
        matches!(field.kind(), Kind::Message(m) if m.full_name() == "deskplane.v1.ProfileContent")
    );

    let ours = resolved().encode_to_vec();
    let theirs = DynamicMessage::decode(descriptor, ours.as_slice()).unwrap();
    assert_eq!(theirs.unknown_fields().count(), 0);
    let Some(Value::Message(typed)) =
        theirs.get_field_by_name("content").map(|value| value.into_owned())
    else {
        panic!("content is not a message: {theirs:?}");
    };
    assert_eq!(typed.transcode_to::<v1::ProfileContent>().unwrap(), content());
    assert_eq!(theirs.encode_to_vec(), ours);
    assert_eq!(v1::ResolvedProfile::decode(ours.as_slice()).unwrap(), resolved());
}

#[test]
fn content_needs_no_map_for_equal_state_to_give_equal_bytes() {
    let mut todo = vec![pool().get_message_by_name("deskplane.v1.ProfileContent").unwrap()];
    let mut seen = Vec::new();
    while let Some(message) = todo.pop() {
        if seen.contains(&message) {
            continue;
        }
        for field in message.fields() {
            assert!(!field.is_map(), "{} is a map", field.full_name());
            if let Kind::Message(inner) = field.kind() {
                todo.push(inner);
            }
        }
        seen.push(message);
    }
    assert!(seen.len() > 10);
}

#[test]
fn descriptor_set_holds_every_service_and_its_comments() {
    let pool = pool();
    let mut services: Vec<_> = pool.services().map(|service| service.name().to_owned()).collect();
    services.sort();
    assert_eq!(
        services,
        [
            "AgentScriptService",
            "AgentService",
            "ApplicationTabTemplateService",
            "AuditService",
            "ChangeService",
            "ChannelProviderPlugin",
            "ChannelService",
            "DirectoryService",
            "FleetService",
            "HistoryService",
            "IdentityService",
            "InsightService",
            "MacroService",
            "NotificationTemplateService",
            "ProductivityToolService",
            "ProfileService",
            "ProviderService",
            "QueueService",
            "SessionTemplateService",
            "SettingsService",
            "SmartAssistBotService",
            "TransferService",
            "VoiceService",
            "WorkstreamService",
        ]
    );
    for file in pool.files().filter(|file| file.package_name() == "deskplane.v1") {
        let info = file.file_descriptor_proto().source_code_info.as_ref().unwrap();
        let comments =
            info.location.iter().filter(|location| location.leading_comments.is_some()).count();
        assert!(comments > 1, "{} has no comments", file.name());
    }
}

#[test]
fn every_write_request_has_the_common_arguments() {
    for message in pool()
        .all_messages()
        .filter(|message| message.parent_file().package_name() == "deskplane.v1")
    {
        let Some(rpc) = message.name().strip_suffix("Response") else {
            continue;
        };
        if message.get_field_by_name("write").is_none() {
            continue;
        }
        let request = pool().get_message_by_name(&format!("deskplane.v1.{rpc}Request")).unwrap();
        for (number, name) in [(20, "request_id"), (21, "validate_only"), (22, "reason")] {
            assert_eq!(
                request.get_field(number).as_ref().map(|field| field.name()),
                Some(name),
                "{rpc}"
            );
        }
    }
}

/// Writes that no list of writes may hold.
const NO_OPERATIONS: &[&str] = &["ApplyChanges", "Import", "Rollback", "RotateSecretKeys"];

#[test]
fn a_list_may_hold_every_write_but_imports_and_those_of_keys_and_history() {
    let pool = pool();
    let writes = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let writes = writes.filter(|method| method.output().get_field_by_name("write").is_some());
    let mut writes: Vec<_> = writes.map(|method| method.name().to_owned()).collect();
    writes.retain(|name| !NO_OPERATIONS.contains(&name.as_str()));
    writes.sort();
    let operation = pool.get_message_by_name("deskplane.v1.Operation").unwrap();
    let mut held: Vec<_> = operation
        .fields()
        .map(|field| match field.kind() {
            Kind::Message(request) => request.name().strip_suffix("Request").unwrap().to_owned(),
            kind => panic!("{kind:?}"),
        })
        .collect();
    held.sort();
    assert_eq!(held, writes);
    assert_eq!(operation.oneofs().count(), 1);
}

fn assert_malformed(status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("REQUEST_MALFORMED", "deskplane"));
    assert!(status.message().ends_with(&info.metadata["detail"]));
}

#[test]
fn cut_off_request_is_malformed() {
    let whole = v1::GetProfileRequest { name: "profiles/contoso_rep".into() }.encode_to_vec();
    assert_malformed(
        &codec::decode::<v1::GetProfileRequest>(&whole[..whole.len() - 1]).unwrap_err(),
    );
    assert_eq!(
        codec::decode::<v1::GetProfileRequest>(whole.as_slice()).unwrap().name,
        "profiles/contoso_rep"
    );
}

#[test]
fn text_that_is_not_utf8_is_malformed_and_names_its_field() {
    let status = codec::decode::<v1::GetProfileRequest>(&[0x0a, 2, 0xc3, 0x28][..]).unwrap_err();
    assert_malformed(&status);
    assert!(status.message().contains("GetProfileRequest.name"), "{}", status.message());
}

struct Stub;

#[tonic::async_trait]
impl SettingsService for Stub {
    async fn get_settings(
        &self,
        _: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::OrganizationSettings>, Status> {
        Ok(Response::new(v1::OrganizationSettings::default()))
    }

    async fn update_settings(
        &self,
        _: Request<v1::UpdateSettingsRequest>,
    ) -> Result<Response<v1::UpdateSettingsResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }
}

fn frame(message: &[u8]) -> Body {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    Body::new(Full::new(frame.freeze()))
}

#[tokio::test]
async fn generated_server_answers_a_malformed_request_with_invalid_argument() {
    let mut server = SettingsServiceServer::from_arc(Arc::new(Stub));
    let request = http::Request::post("/deskplane.v1.SettingsService/GetSettings")
        .body(frame(&[0x0a, 9, b'x']))
        .unwrap();
    let response = server.call(request).await.unwrap();
    assert_malformed(&Status::from_header_map(response.headers()).unwrap());
}

/// Stands for a server whose answers are cut off.
#[derive(Clone)]
struct Broken;

impl Service<http::Request<Body>> for Broken {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(http::Response::new(frame(&[0x0a, 9, b'x']))))
    }
}

#[tokio::test]
async fn client_does_not_blame_its_request_for_a_malformed_answer() {
    let mut client = SettingsServiceClient::new(Broken);
    let status = client.get_settings(v1::GetSettingsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[test]
fn bytes_fields_are_shared_not_copied() {
    let content = Bytes::from(content().encode_to_vec());
    let answer = v1::ResolvedProfile { content: content.clone(), ..Default::default() };
    assert_eq!(answer.content.as_ptr(), content.as_ptr());
}
