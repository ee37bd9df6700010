//! Every RPC, and every credential: by the table, or refused for what is wrong with it.

use deskplane::domain::Scope;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::world::*;
use crate::{
    api::{
        Api, methods, reason,
        scopes::{add_users, check_cells},
    },
    server::{As, Front, Running},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_table_holds_for_those_who_show_tokens() {
    let world = World::new().await;
    add_users(&world.admin()).await;
    let jwt = |user: &str, scopes: &str| As::bearing(&world.jwt(user, scopes));
    let service = world.opaque("crm", &[Scope::Service]);
    check_cells(&world.admin(), &world.server, || {
        vec![
            ("agent", Some(0), jwt("agent.one", "openid deskplane.agent")),
            ("reader", Some(1), jwt("agent.one", "deskplane.reader")),
            ("admin", Some(2), jwt("agent.one", "deskplane.admin")),
            ("service", Some(3), jwt("agent.one", "deskplane.service")),
            ("directory", Some(4), jwt("agent.one", "deskplane.directory")),
            ("productivity", Some(5), jwt("tools.one", "")),
            ("none", None, jwt("agent.one", "deskplane.unheard-of")),
            ("no role", None, jwt("agent.one", "openid profile")),
            ("somebody else", None, jwt("not.in.the.directory", "")),
        ]
    })
    .await;
    // An opaque token without a user; what is about the caller's own user does not apply to it.
    let opaque = world.api(&service);
    opaque.ok("ResolveProfile", json!({"user": "other"})).await;
    let refused = opaque.refused("ListProfiles", json!({})).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
}

/// A credential that is refused: its name, what is sent, and code, reason and problem.
type Bad = (&'static str, As, (Code, &'static str, &'static str));

fn bad(world: &World) -> Vec<Bad> {
    let (signer, stranger) = (&world.signer, Signer::new("stranger"));
    let changed = |name: &str, value: Value| {
        let mut claims = claims("root", "deskplane.admin");
        claims[name] = value;
        As::bearing(&signer.token_of(&claims))
    };
    let admin = claims("root", "deskplane.admin");
    let head = |head: Value| As::bearing(&signer.sign(&head, &admin));
    let unsigned = |alg: &str| {
        let token = signer.sign(&json!({"alg": alg, "kid": "first"}), &admin);
        As::bearing(&format!("{}.", token.rsplit_once('.').unwrap().0))
    };
    let invalid = |problem| (Code::Unauthenticated, "CREDENTIAL_INVALID", problem);
    let expired = (Code::Unauthenticated, "TOKEN_EXPIRED", "");
    vec![
        ("none", As::default(), (Code::Unauthenticated, "CREDENTIAL_REQUIRED", "MISSING")),
        ("expired", changed("exp", json!(now() - 1)), expired),
        ("not yet valid", changed("nbf", json!(now() + 600)), invalid("NOT_YET_VALID")),
        ("wrong audience", changed("aud", json!("other")), invalid("AUDIENCE")),
        ("wrong issuer", changed("iss", json!("https://evil.example")), invalid("ISSUER")),
        ("wrong algorithm", head(json!({"alg": "ES384", "kid": "first"})), invalid("ALGORITHM")),
        ("alg none", unsigned("none"), invalid("ALGORITHM")),
        ("key confusion", unsigned("HS256"), invalid("ALGORITHM")),
        ("unsigned", unsigned("ES256"), invalid("SIGNATURE")),
        ("unknown kid", As::bearing(&stranger.token_of(&admin)), invalid("KEY_UNKNOWN")),
        ("forged", As::bearing(&stranger.sign(&signer.head(), &admin)), invalid("SIGNATURE")),
        ("unknown opaque", As::bearing("dsk_AAAAAAAA"), invalid("TOKEN_UNKNOWN")),
        ("no token", As::bearing("hello"), invalid("MALFORMED")),
    ]
}

fn said(status: &Status) -> (Code, String, String) {
    let details = status.get_error_details();
    let problem = details.error_info().and_then(|info| info.metadata.get("problem").cloned());
    (status.code(), reason(status), problem.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_credential_is_refused_by_every_method() {
    let world = World::new().await;
    let before = world.admin().revision().await;
    let (mut calls, mut failures) = (0, Vec::new());
    for (name, caller, (code, reason, problem)) in bad(&world) {
        let api = Api::of(&world.server, caller);
        for method in methods() {
            let refused = api.call(method.name(), json!({})).await;
            let found = refused.map_err(|status| said(&status));
            let want = (code, reason.to_owned(), problem.to_owned());
            if found.as_ref().err() != Some(&want) {
                failures.push(format!("{} with {name}: {found:?}, want {want:?}", method.name()));
            }
            calls += 1;
        }
    }
    assert!(failures.is_empty(), "{} of {calls}:\n{}", failures.len(), failures.join("\n"));
    assert!(calls > 1_000, "{calls}");
    assert_eq!(world.admin().revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_a_disabled_user_or_a_revoked_key_is_refused_by_every_method() {
    let world = World::new().await;
    add_users(&world.admin()).await;
    world.admin().ok("DisableUser", json!({"name": "other"})).await;
    let disabled = world.api(&world.jwt("other", "deskplane.admin"));
    let revoked = world.jwt("agent.one", "deskplane.admin");
    world.api(&revoked).ok("GetSettings", json!({})).await;
    let next = Signer::new("next");
    // The tokens of the first key are known, so it is their trust that ends.
    let trusted = world.signer.token_of(&claims("root", "deskplane.admin"));
    world.api(&trusted).ok("GetSettings", json!({})).await;
    world.set_keys(&[&next, &world.signer]);
    for method in methods() {
        let refused = disabled.refused(method.name(), json!({})).await;
        assert_eq!(refused, (Code::PermissionDenied, "USER_DISABLED".into()), "{method:?}");
    }
    let mut changes = world.credentials.changes().unwrap();
    changes.mark_unchanged();
    world.set_keys(&[&next]);
    changes.changed().await.unwrap();
    let api = world.api(&revoked);
    let first = api.refused("GetSettings", json!({})).await;
    assert_eq!(first, (Code::Unauthenticated, "TOKEN_EXPIRED".into()));
    for method in methods() {
        let refused = api.refused(method.name(), json!({})).await;
        assert_eq!(refused, (Code::Unauthenticated, "CREDENTIAL_INVALID".into()), "{method:?}");
    }
    let next = next.token_of(&claims("root", "deskplane.admin"));
    world.api(&next).ok("GetSettings", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_says_nothing_where_credentials_are_configured() {
    let world = World::new().await;
    for caller in [As::new(Some("root"), None), As::new(None, Some("admin"))] {
        let refused = Api::of(&world.server, caller).refused("GetSettings", json!({})).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_ask_who_he_is() {
    let world = World::new().await;
    add_users(&world.admin()).await;
    let asked = async |token: &str| world.api(token).ok("GetCaller", json!({})).await;
    let agent = asked(&world.jwt("Agent.One", "deskplane.agent deskplane.reader")).await;
    assert_eq!(agent["subject"], "agent.one");
    assert_eq!(agent["user"], "users/agent.one");
    assert_eq!(agent["scopes"], json!(["SCOPE_READER", "SCOPE_AGENT"]));
    assert_eq!(agent["scope_source"], "SCOPE_SOURCE_CREDENTIAL");
    assert_eq!(agent["credential_kind"], "CREDENTIAL_KIND_JWT");
    assert_eq!(agent["credential_name"], ISSUER);
    assert!(agent["expire_time"].is_string() && agent["revision"] != "0", "{agent}");
    assert_eq!(agent["server_version"], env!("CARGO_PKG_VERSION"));
    assert!(agent["features"].as_array().unwrap().contains(&json!("twilio")), "{agent}");
    for limit in ["message_bytes", "header_bytes", "calls", "streams", "streams_per_user"] {
        let value = agent["limits"][limit].as_i64().unwrap();
        assert!(value > 0, "{limit}");
    }

    let tools = asked(&world.jwt("tools.one", "openid")).await;
    assert_eq!(tools["scopes"], json!(["SCOPE_AGENT", "SCOPE_PRODUCTIVITY"]));
    assert_eq!(tools["scope_source"], "SCOPE_SOURCE_ROLES");

    let ci = asked(&world.opaque("ci", &[Scope::Service])).await;
    assert_eq!((&ci["subject"], &ci["credential_name"]), (&json!("token:ci"), &json!("ci")));
    assert_eq!(ci["credential_kind"], "CREDENTIAL_KIND_OPAQUE_TOKEN");
    assert!(ci["user"] == "" && ci.get("expire_time").is_none(), "{ci}");

    let local = Running::fronted(Front::default()).await;
    let local = Api::admin(&local).ok("GetCaller", json!({})).await;
    assert_eq!(local["scopes"], json!(["SCOPE_ADMIN"]));
    assert_eq!(local["scope_source"], "SCOPE_SOURCE_LOCAL");
    assert_eq!(local["credential_kind"], "CREDENTIAL_KIND_NONE");

    // No scope at all: there is nothing that he may, not even that.
    let nobody = world.api(&world.jwt("other", "deskplane.unheard-of"));
    let refused = nobody.refused("GetCaller", json!({})).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
}
