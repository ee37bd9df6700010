//! Who calls: garbage in the metadata, foreign authorities, and callers who ask for more than they
//! may.

use prost::Message;
use serde_json::json;
use tonic::{
    Code, Request, Status,
    metadata::{AsciiMetadataValue, MetadataValue},
    transport::Endpoint,
};
use tonic_types::StatusExt;

use deskplane_proto::v1::{
    self, GetProfileRequest, agent_service_client::AgentServiceClient,
    directory_service_client::DirectoryServiceClient, profile_service_client::ProfileServiceClient,
};

use super::target::{Target, assert_refused, refused, validate_only};
use crate::server::As;

fn caller(user: &str, scopes: &str) -> As {
    As::new((!user.is_empty()).then_some(user), (!scopes.is_empty()).then_some(scopes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_learns_nothing_about_others() {
    let target = Target::start().await;
    let agent = || caller("john.doe", "agent");
    let checked = |status: &Status, name: &str| {
        let found = refused(status, name);
        assert_eq!((found.code, found.reason.as_str()), (Code::PermissionDenied, "SELF_ONLY"));
        status.message().replace(&format!("not for {name}."), "not for somebody.")
    };
    for path in ["AgentService/ResolveProfile", "AgentService/WatchProfile"] {
        let own = target.ask_as(agent(), path, &json!({"user": "users/John.Doe"})).await;
        own.unwrap();
        target.ask_as(agent(), path, &json!({})).await.unwrap();
        let mut messages = Vec::new();
        for name in [
            "jane.roe",
            "off.duty",
            "nobody.here",
            "a b",
            "..",
            "john.doe ",
            "john.doe/x",
            "\u{202e}",
        ] {
            let status = target.ask_as(agent(), path, &json!({"user": name})).await.unwrap_err();
            messages.push(checked(&status, name));
        }
        messages.dedup();
        assert_eq!(messages.len(), 1, "{messages:?}");
        for name in ["users/users/john.doe", "users//john.doe"] {
            let answer = target.ask_as(agent(), path, &json!({"user": name})).await;
            assert!(answer.is_err(), "{name} passed for john.doe");
        }
        // A caller without a user must name one.
        let nobody = target.ask_as(caller("", "reader"), path, &json!({"user": "users/"})).await;
        assert_refused(nobody, "FIELD_INVALID", "user", path);
    }
    let long = "x".repeat(1 << 20);
    let answer =
        target.ask_as(agent(), "AgentService/ResolveProfile", &json!({"user": long})).await;
    assert_refused(answer, "SELF_ONLY", "", "a name of 1 MiB");
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_sync_grants_no_scopes() {
    let target = Target::start().await;
    let before = target.state().await;
    let path = "DirectoryService/UpsertRole";
    for (name, grants) in [
        ("contoso_new", json!(["GRANT_ADMIN"])),
        ("contoso_new", json!(["GRANT_AGENT"])),
        ("contoso_agents", json!(["GRANT_ADMIN", "GRANT_AGENT"])),
        ("securityRoles/CONTOSO_AGENTS", json!(["GRANT_READER"])),
    ] {
        let field = if name.contains('/') { "name" } else { "unique_name" };
        let request = json!({"role": {field: name, "display_name": "x", "grants": grants}});
        for scopes in ["directory", "directory,agent", "directory,reader"] {
            let status = target.ask_as(caller("", scopes), path, &request).await.unwrap_err();
            let found = refused(&status, name);
            assert_eq!(found.reason, "SCOPE_REQUIRED", "{name} {scopes}: {found:?}");
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().metadata["required_scope"], "ADMIN");
        }
    }
    // A mask that names grants would take them all away.
    let request = json!({
        "role": {"unique_name": "contoso_agents", "display_name": "Agents"},
        "update_mask": "grants",
    });
    let answer = target.ask_as(caller("", "directory"), path, &request).await;
    assert_refused(answer, "SCOPE_REQUIRED", "", "grants taken away");
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_call_learns_nothing_of_the_request() {
    let target = Target::start().await;
    let before = target.state().await;
    for rpc in target.rpcs() {
        let path = Target::path(&rpc);
        let request = target.valid(&rpc).encode_to_vec();
        for (user, scopes) in [("john.doe", " "), ("", ","), ("nobody.here", "")] {
            let caller = As::new((!user.is_empty()).then_some(user), Some(scopes));
            let context = format!("{path} as {user:?} with {scopes:?}");
            let status = target.call_as(caller, &rpc, request.clone()).await.expect_err(&context);
            let found = refused(&status, &context);
            let refusal = ["SCOPE_REQUIRED", "SELF_ONLY", "FIELD_INVALID"];
            assert!(refusal.contains(&found.reason.as_str()), "{context}: {found:?}");
        }
        // Readers read, and ask what a write would do; they never write.
        let asks = validate_only(target.valid(&rpc)) != target.valid(&rpc);
        if asks {
            let answer = target.call_as(caller("", "reader"), &rpc, request).await;
            assert_refused(answer, "SCOPE_REQUIRED", "", &format!("{path} by a reader"));
        }
    }
    let list = "ProfileService/ListProfiles";
    let off = target.ask_as(caller("off.duty", "admin"), list, &json!({})).await;
    assert_refused(off, "USER_DISABLED", "", "a disabled user");
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_the_metadata_is_refused() {
    let target = Target::start().await;
    let channel = target.running.channel(As::default());
    let long = "x".repeat(4_000);
    let garbage: &[&[u8]] = &[
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"\t",
        b"a b",
        b"../..",
        b"users/john.doe",
        b"local:administrator",
        b"john.doe,jane.roe",
        b"%00",
        long.as_bytes(),
    ];
    let scopes: &[&[u8]] = &[
        b"\xff\xfe",
        b"root",
        b"admin;reader",
        b"admin reader",
        b"admin,root",
        b"admin\xc2\xa0",
        b"deskplane.admin",
        b"*",
        long.as_bytes(),
    ];
    for (key, values) in [("x-deskplane-user", garbage), ("x-deskplane-scopes", scopes)] {
        for value in values {
            let mut request = Request::new(GetProfileRequest { name: "contoso_rep".into() });
            let value: AsciiMetadataValue = MetadataValue::try_from(*value).unwrap();
            request.metadata_mut().insert(key, value.clone());
            let context = format!("{key}: {value:.80?}");
            let answer = ProfileServiceClient::new(channel.clone()).get_profile(request).await;
            assert_refused(answer, "FIELD_INVALID", key, &context);
        }
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_given_twice_is_refused() {
    let target = Target::start().await;
    let before = target.state().await;
    let channel = target.running.channel(As::default());
    for (key, first, second) in [
        ("x-deskplane-user", "john.doe", "jane.roe"),
        ("x-deskplane-user", "john.doe", "john.doe"),
        ("x-deskplane-scopes", "agent", "admin"),
        ("x-deskplane-scopes", "admin", "agent"),
        ("x-deskplane-scopes", "", "admin"),
    ] {
        let context = format!("{key}: {first}, {second}");
        let twice = |metadata: &mut tonic::metadata::MetadataMap| {
            for value in [first, second] {
                metadata.append(key, value.parse().unwrap());
            }
        };
        let mut get = Request::new(GetProfileRequest { name: "contoso_rep".into() });
        twice(get.metadata_mut());
        let answer = ProfileServiceClient::new(channel.clone()).get_profile(get).await;
        assert_refused(answer, "FIELD_INVALID", key, &context);
        let mut watch = Request::new(v1::WatchProfileRequest::default());
        twice(watch.metadata_mut());
        let answer = AgentServiceClient::new(channel.clone()).watch_profile(watch).await;
        assert_refused(answer, "FIELD_INVALID", key, &context);
        let mut delete = Request::new(v1::DeleteUserRequest::default());
        delete.get_mut().name = "john.doe".into();
        twice(delete.metadata_mut());
        let answer = DirectoryServiceClient::new(channel.clone()).delete_user(delete).await;
        assert_refused(answer, "FIELD_INVALID", key, &context);
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_authorities_are_refused() {
    let target = Target::start().await;
    let address = target.running.address;
    let get = || Request::new(GetProfileRequest { name: "contoso_rep".into() });
    let endpoint = || Endpoint::from_shared(format!("http://{address}")).unwrap();
    for (authority, fine) in [
        ("localhost:7700", true),
        ("127.0.0.1", true),
        ("[::1]:7700", true),
        ("evil.example", false),
        ("evil.example:7700", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false),
        ("localhost@evil.example", false),
        ("10.0.0.1", false),
        ("0.0.0.0:7700", false),
        ("[::]", false),
    ] {
        let origin = format!("http://{authority}").parse().unwrap();
        let channel = endpoint().origin(origin).connect().await.unwrap();
        let answer = ProfileServiceClient::new(channel).get_profile(get()).await;
        if fine {
            answer.unwrap_or_else(|status| panic!("{authority}: {status:?}"));
            continue;
        }
        let status = answer.expect_err(authority);
        assert_eq!(status.code(), Code::PermissionDenied, "{authority}: {status:?}");
        assert_refused(Err::<(), _>(status), "AUTHORITY_REFUSED", "", authority);
    }
    // A header beside a good authority is ignored as well, and so is a second one.
    for hosts in [&["evil.example"][..], &["localhost", "evil.example"], &["\u{e9}"]] {
        let channel = endpoint().connect().await.unwrap();
        let mut request = get();
        for host in hosts {
            let value: AsciiMetadataValue = MetadataValue::try_from(host.as_bytes()).unwrap();
            request.metadata_mut().append("host", value);
        }
        let answer = ProfileServiceClient::new(channel).get_profile(request).await;
        assert_refused(answer, "AUTHORITY_REFUSED", "", &format!("host {hosts:?}"));
    }
    target.end().await;
}
