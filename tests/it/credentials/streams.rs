//! Streams whose credential ends: by its time, its key, its record, the roles of its user.

use deskplane_proto::v1::watch_profile_response::Event;
use serde_json::json;
use tonic::{Code, Status};

use super::world::*;
use crate::api::{Watcher, reason, scopes::add_users};

/// How a stream ends.
async fn end(stream: &mut Watcher) -> (Code, String) {
    loop {
        match stream.next().await {
            Ok(Event::Snapshot(_) | Event::Bookmark(_) | Event::InSync(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(status) => return (status.code(), reason(&status)),
        }
    }
}

fn expired() -> (Code, String) {
    (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_and_goes_on_with_the_next() {
    let world = World::new().await;
    add_users(&world.admin()).await;
    let mut claims = claims("agent.one", "deskplane.agent");
    claims["exp"] = json!(now() + 2);
    let mut brief = world.api(&world.signer.token_of(&claims)).watch("").await;
    let mut lasting = world.api(&world.jwt("agent.one", "deskplane.agent")).watch("").await;
    let digest = brief.snapshot().await.digest;
    lasting.snapshot().await;
    assert_eq!(end(&mut brief).await, expired());
    // With the next token the client goes on where it was.
    let q = json!({"digest": digest});
    let mut renewed =
        world.api(&world.jwt("agent.one", "deskplane.agent")).stream("WatchProfile", q).await;
    assert!(renewed.next().await.unwrap().get("in_sync").is_some());
    // The other stream is as it was.
    world.admin().ok("DisableUser", json!({"name": "agent.one"})).await;
    assert_eq!(end(&mut lasting).await.1, "USER_DISABLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_every_kind_end_when_the_key_or_the_record_is_gone() {
    let world = World::new().await;
    add_users(&world.admin()).await;
    let other = Signer::new("second");
    let mut changes = world.credentials.changes().unwrap();
    world.set_keys(&[&world.signer, &other]);
    let by_other = other.token_of(&claims("agent.one", "deskplane.agent"));
    // The file of keys is read again before the first of them is known.
    let mut kept = loop {
        if let Ok(kept) = world.api(&by_other).call("GetCaller", json!({})).await {
            assert_eq!(kept["subject"], "agent.one");
            break world.api(&by_other).watch("").await;
        }
    };
    kept.snapshot().await;

    let first = world.api(&world.jwt("agent.one", "deskplane.agent"));
    let mut profile = first.watch("").await;
    let mut calls = first.stream("WatchCalls", json!({})).await;
    let mut feed = world.admin().stream("WatchChanges", json!({})).await;
    profile.snapshot().await;

    let token = world.opaque("crm", &[deskplane::domain::Scope::Service]);
    let mut opaque = world.api(&token).watch("other").await;
    opaque.snapshot().await;
    world.file.remove("crm").unwrap();
    world.credentials.reload();
    assert_eq!(end(&mut opaque).await, expired());

    changes.mark_unchanged();
    world.set_keys(&[&other]);
    assert_eq!(end(&mut profile).await, expired());
    for stream in [&mut calls, &mut feed] {
        let end: Status = loop {
            match stream.next().await {
                Ok(_) => {}
                Err(status) => break status,
            }
        };
        assert_eq!((end.code(), reason(&end)), expired());
    }
    // Those of the other key go on.
    let admin = other.token_of(&claims("root", "deskplane.admin"));
    world.api(&admin).ok("DeleteUser", json!({"name": "agent.one"})).await;
    assert_eq!(end(&mut kept).await.1, "USER_DELETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_scopes_follows_the_roles_of_its_user() {
    let world = World::new().await;
    let admin = world.admin();
    add_users(&admin).await;
    let other = world.api(&world.jwt("other", "openid"));
    let roles = |roles: &[&str]| json!({"name": "other", "roles": roles});
    let refused = other.refused("ResolveProfile", json!({})).await;
    assert_eq!(refused.1, "SCOPE_REQUIRED");
    admin.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
    let mut stream = other.watch("").await;
    stream.snapshot().await;
    admin.ok("SetUserRoles", roles(&["msdyn_basic_user"])).await;
    assert_eq!(end(&mut stream).await.1, "SCOPE_REVOKED");
}
