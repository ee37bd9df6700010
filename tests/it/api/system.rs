//! What needs no credential, and how a server ends (SPEC §10.4, §12.2).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use deskplane::{live, store::Memory};
use deskplane_proto::v1::watch_profile_response::Event;
use prost::Message as _;
use prost_types::FileDescriptorProto;
use serde_json::json;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use super::{Api, methods, reason};
use crate::server::{As, Running};

/// Asks one version of reflection for all services and for the files of each.
macro_rules! reflected {
    ($server:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest as Ask,
            server_reflection_response::MessageResponse as Answer,
        };
        // Nobody's credential: reflection needs none.
        let channel = $server.channel(As::new(Some("nobody"), Some("")));
        let mut client = ServerReflectionClient::new(channel);
        let mut ask = async |question| {
            let q =
                ServerReflectionRequest { host: String::new(), message_request: Some(question) };
            let answers = client.server_reflection_info(futures_util::stream::iter([q])).await;
            answers.unwrap().into_inner().message().await.unwrap().unwrap().message_response
        };
        let Some(Answer::ListServicesResponse(list)) = ask(Ask::ListServices(String::new())).await
        else {
            panic!("no list of services")
        };
        let names: BTreeSet<_> = list.service.into_iter().map(|service| service.name).collect();
        let mut files = Vec::new();
        for name in &names {
            let answer = ask(Ask::FileContainingSymbol(name.clone())).await;
            let Some(Answer::FileDescriptorResponse(found)) = answer else {
                panic!("{name}: {answer:?}")
            };
            for file in found.file_descriptor_proto {
                files.push(FileDescriptorProto::decode(&*file).unwrap());
            }
        }
        (names, files)
    }};
}

fn all_services() -> BTreeSet<String> {
    methods().map(|method| method.parent_service().full_name().to_owned()).collect()
}

fn describe(names: &BTreeSet<String>, files: &[FileDescriptorProto]) {
    for name in all_services() {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(names.contains("grpc.health.v1.Health"), "{names:?}");
    let plugin = "deskplane.provider.v1.ChannelProviderPlugin";
    assert!(!names.contains(plugin), "others serve it");
    let ours: Vec<_> = files.iter().filter(|file| file.package() == "deskplane.v1").collect();
    assert!(ours.len() >= 9, "{} files", ours.len());
    for file in ours {
        let info = file.source_code_info.as_ref().expect("a file carries its source information");
        let comments = info.location.iter().filter(|at| !at.leading_comments().is_empty()).count();
        assert!(comments > 0, "{} has no comments", file.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service_with_its_comments() {
    let server = Running::with(Vec::new()).await;
    let (names, files) = reflected!(server, v1);
    describe(&names, &files);
    let (names, files) = reflected!(server, v1alpha);
    describe(&names, &files);
}

async fn health(server: &Running, service: &str) -> Result<ServingStatus, Code> {
    let channel = server.channel(As::new(Some("nobody"), Some("")));
    let q = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel).check(q).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_knows_the_server_and_each_service() {
    let server = Running::with(Vec::new()).await;
    assert_eq!(health(&server, "").await, Ok(ServingStatus::Serving));
    for name in all_services() {
        assert_eq!(health(&server, &name).await, Ok(ServingStatus::Serving), "{name}");
    }
    assert_eq!(health(&server, "deskplane.v1.Nothing").await, Err(Code::NotFound));
}

fn quick() -> live::Settings {
    live::Settings {
        drain_window: Duration::from_millis(200),
        drain_deadline: Duration::from_secs(5),
        ..live::Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_drains_its_streams_and_is_not_serving() {
    let mut server = Running::of(Arc::new(Memory::new()), quick()).await;
    let api = Api::admin(&server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    let revision = api.revision().await;
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    let mut watches = Vec::new();
    let names = ["", "deskplane.v1.AgentService", "deskplane.v1.ProfileService"];
    for service in names {
        let q = HealthCheckRequest { service: service.to_owned() };
        let mut client = HealthClient::new(server.channel(As::default()));
        let mut stream = client.watch(q).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::Serving);
        watches.push(stream);
    }

    server.stop();
    for (service, stream) in names.iter().zip(&mut watches) {
        let then = stream.message().await.unwrap().unwrap();
        assert_eq!(then.status(), ServingStatus::NotServing, "{service:?}");
    }
    match watcher.next().await.unwrap() {
        Event::Bookmark(bookmark) => {
            assert_eq!(bookmark.revision, revision);
            assert!(!bookmark.resume_token.is_empty());
        }
        other => panic!("no bookmark but {other:?}"),
    }
    match watcher.next().await.unwrap() {
        Event::Drain(drain) => {
            assert!(drain.reconnect_after.is_some() && drain.deadline.is_some(), "{drain:?}");
        }
        other => panic!("no drain but {other:?}"),
    }
    let end = watcher.next().await.unwrap_err();
    assert_eq!((end.code(), reason(&end).as_str()), (Code::Unavailable, "DRAINING"));
    assert!(end.get_details_retry_info().is_some(), "{end}");
    // Streams that watch health do not hold up the end, and end with a reason like all others.
    for stream in &mut watches {
        let end = stream.message().await.unwrap_err();
        assert_eq!((end.code(), reason(&end).as_str()), (Code::Unavailable, "DRAINING"));
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_ends_open_streams_and_takes_no_new_ones() {
    let mut server = Running::of(Arc::new(Memory::new()), quick()).await;
    let api = Api::admin(&server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut watcher = api.watch("ann").await;
        watcher.snapshot().await;
        streams.push(watcher);
    }
    server.stop();
    let mut reconnects = BTreeSet::new();
    for stream in &mut streams {
        loop {
            match stream.next().await {
                Ok(Event::Drain(drain)) => {
                    let after = drain.reconnect_after.unwrap();
                    reconnects.insert((after.seconds, after.nanos));
                }
                Ok(_) => {}
                Err(status) => break assert_eq!(reason(&status), "DRAINING"),
            }
        }
    }
    assert!(reconnects.len() > 1, "all would reconnect at once: {reconnects:?}");
    drop((api, streams));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_authority_is_refused_before_anything_else() {
    let server = Running::with(Vec::new()).await;
    let endpoint = tonic::transport::Endpoint::from_shared(server.uri()).unwrap();
    let foreign = endpoint.origin("http://desk.example".parse().unwrap());
    let mut client = HealthClient::new(foreign.connect().await.unwrap());
    let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "AUTHORITY_REFUSED",)
    );
}
