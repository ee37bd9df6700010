//! Rollback (SPEC §11.2): earlier states written again, refused by name when they are not kept.

use deskplane_proto::v1::{Cause, Snapshot, watch_profile_response::Event};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{Api, Watcher};
use crate::server::{As, Running};

async fn server() -> (Running, Api) {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    (server, api)
}

fn revision(answer: &Value) -> i64 {
    let revision = &answer["write"]["revision"];
    revision.as_i64().or_else(|| revision.as_str()?.parse().ok()).unwrap()
}

/// Makes a profile; answers the revision that has it.
async fn profile(api: &Api, name: &str, display_name: &str) -> i64 {
    let profile = json!({"unique_name": name, "display_name": display_name});
    revision(&api.ok("CreateProfile", json!({"profile": profile})).await)
}

async fn rename(api: &Api, name: &str, display_name: &str) -> i64 {
    let profile = json!({"name": format!("profiles/{name}"), "display_name": display_name});
    revision(&api.ok("UpdateProfile", json!({"profile": profile})).await)
}

/// Why a rollback is refused, and the oldest revision that it names.
async fn not_found(api: &Api, names: &[&str], revision: i64) -> Option<i64> {
    let q = json!({"names": names, "revision": revision});
    let status = api.call("Rollback", q).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    let info = status.get_error_details();
    let info = info.error_info().unwrap();
    assert_eq!(info.reason, "REVISION_NOT_FOUND");
    info.metadata.get("oldest_available").map(|oldest| oldest.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_an_object_gets_the_state_that_it_had_at_a_revision_as_a_new_one() {
    let (_server, api) = server().await;
    let made = profile(&api, "contoso_rep", "First").await;
    let between = profile(&api, "contoso_other", "Other").await;
    let renamed = rename(&api, "contoso_rep", "Second").await;
    // Any revision from one state to the next means that state.
    for (at, name) in [(made, "First"), (between, "First"), (renamed, "Second")] {
        let back = json!({"names": ["profiles/contoso_rep"], "revision": at, "reason": "undo"});
        let answer = api.ok("Rollback", back).await;
        let resource = &answer["resources"][0];
        assert_eq!(resource["@type"], "type.googleapis.com/deskplane.v1.Profile");
        assert_eq!(resource["display_name"], name, "{answer}");
        assert!(revision(&answer) > renamed, "{answer}");
        let now = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
        assert_eq!(now["display_name"], name);
        assert_eq!(now["etag"], resource["etag"]);
    }
    // What it is already is no change.
    let again = json!({"names": ["profiles/contoso_rep"], "revision": renamed});
    let before = api.revision().await;
    let answer = api.ok("Rollback", again).await;
    assert_eq!(answer["write"]["changed"], false);
    assert_eq!(api.revision().await, before);
}

/// The first snapshot that is not older than a revision.
async fn snapshot(watch: &mut Watcher, revision: i64) -> Snapshot {
    loop {
        let Event::Snapshot(sent) = watch.next().await.unwrap() else { continue };
        if sent.profile.as_ref().unwrap().revision >= revision {
            return sent;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_what_was_deleted_comes_back_and_its_watchers_hear_why() {
    let (_server, api) = server().await;
    api.ok("UpsertUser", json!({"user": {"id": "john.doe"}})).await;
    profile(&api, "contoso_rep", "Rep").await;
    let linked = json!({"name": "contoso_rep", "users": ["john.doe"]});
    let linked = revision(&api.ok("AddUsers", linked).await);
    let mut watch = api.watch("john.doe").await;
    watch.snapshot().await;
    api.ok("DeleteProfile", json!({"name": "contoso_rep", "force": true})).await;
    let deleted = api.revision().await;
    snapshot(&mut watch, deleted).await;
    let names = ["users/john.doe", "profiles/contoso_rep"];
    let answer = api.ok("Rollback", json!({"names": names, "revision": linked})).await;
    assert_eq!(answer["write"]["affected"]["users"][0]["to"], "contoso_rep", "{answer}");
    assert_eq!(answer["resources"][0]["@type"], "type.googleapis.com/deskplane.v1.User");
    let sent = snapshot(&mut watch, revision(&answer)).await;
    let causes: Vec<_> = sent.causes.iter().map(|cause| cause.cause).collect();
    assert!(causes.contains(&Cause::Rollback.into()), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_revision_that_is_not_kept_is_out_of_range_and_the_oldest_one_is_named() {
    let (_server, api) = server().await;
    let made = profile(&api, "contoso_rep", "Rep").await;
    assert_eq!(not_found(&api, &["profiles/contoso_rep"], made - 1).await, Some(made));
    assert_eq!(not_found(&api, &["profiles/contoso_rep"], 1 << 40).await, Some(made));
    let never = json!({"names": ["profiles/contoso_never"], "revision": made});
    assert_eq!(api.refused("Rollback", never).await.1, "PROFILE_NOT_FOUND");
    api.ok("DeleteProfile", json!({"name": "contoso_rep"})).await;
    let gone = api.revision().await;
    assert_eq!(not_found(&api, &["profiles/contoso_rep"], gone).await, Some(made));
    // One of several is enough, and nothing is changed.
    let names = ["profiles/contoso_rep", "profiles/contoso_never"];
    let q = json!({"names": names, "revision": made});
    assert_eq!(api.refused("Rollback", q).await.1, "PROFILE_NOT_FOUND");
    assert_eq!(api.revision().await, gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_bad_requests_name_their_fields_and_change_nothing() {
    let (server, api) = server().await;
    let made = profile(&api, "contoso_rep", "Rep").await;
    let many: Vec<_> = (0..51).map(|at| format!("profiles/contoso_{at}")).collect();
    let rep = "profiles/contoso_rep";
    let cases = [
        (json!({"revision": made}), "names"),
        (json!({"names": many, "revision": made}), "names"),
        (json!({"names": [rep]}), "revision"),
        (json!({"names": [rep], "revision": -1}), "revision"),
        (json!({"names": [""], "revision": made}), "names[0]"),
        (json!({"names": ["contoso_rep"], "revision": made}), "names[0]"),
        (json!({"names": [rep, "things/x"], "revision": made}), "names[1]"),
        (json!({"names": [rep, "profiles/a b"], "revision": made}), "names[1]"),
        (json!({"names": [rep, "profiles/CONTOSO_REP"], "revision": made}), "names[1]"),
        (json!({"names": [rep, "users/x"], "revision": made, "etag": "x"}), "etag"),
        (json!({"names": [rep], "revision": made, "displace": 9}), "displace"),
        (json!({"names": [rep], "revision": made, "reason": "x".repeat(501)}), "reason"),
        (json!({"names": [rep], "revision": made, "request_id": "x"}), "request_id"),
    ];
    let before = api.revision().await;
    for (q, field) in cases {
        let status = api.call("Rollback", q.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{q}: {status}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|violation| &violation.field).collect();
        assert!(fields.iter().any(|name| *name == field), "{q}: {fields:?}");
    }
    let reader = Api::of(&server, As::new(None, Some("reader")));
    let q = json!({"names": [rep], "revision": made});
    assert_eq!(reader.refused("Rollback", q).await.1, "SCOPE_REQUIRED");
    let dry = json!({"names": [rep], "revision": made, "validate_only": true});
    reader.ok("Rollback", dry).await;
    assert_eq!(api.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_1_a_repeated_rollback_gets_the_first_answer() {
    let (_server, api) = server().await;
    let made = profile(&api, "contoso_rep", "First").await;
    rename(&api, "contoso_rep", "Second").await;
    let id = "6f1d0f0e-6a43-4f0e-8a53-0d9a4a4b7f6e";
    let q = json!({"names": ["profiles/contoso_rep"], "revision": made, "request_id": id});
    let first = api.ok("Rollback", q.clone()).await;
    rename(&api, "contoso_rep", "Third").await;
    assert_eq!(revision(&api.ok("Rollback", q.clone()).await), revision(&first));
    let now = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
    assert_eq!(now["display_name"], "Third");
    let mut other = q;
    other["revision"] = json!(made + 1);
    assert_eq!(api.refused("Rollback", other).await.1, "REQUEST_ID_REUSED");
}
