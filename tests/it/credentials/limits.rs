//! Refused credentials over the wire: audited, and limited by address.

use std::time::Duration;

use deskplane::domain::Scope;
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::world::*;
use crate::{
    api::{Api, scopes::add_users},
    server::As,
};

const PER_MINUTE: u32 = 3;

/// The entries of refused credentials of that operation, once so many are there.
pub(crate) async fn audited(admin: &Api, operation: &str, count: usize) -> Vec<Value> {
    let found = timeout(Duration::from_secs(30), async {
        loop {
            let q = json!({"outcome": "AUDIT_OUTCOME_DENIED", "page_size": 1_000});
            let answer = admin.ok("ListAuditEntries", q).await;
            let rows = answer["entries"].as_array().unwrap().iter();
            let rows: Vec<_> = rows.filter(|row| row["operation"] == operation).cloned().collect();
            if rows.len() >= count {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_limited_and_good_credentials_behind_it_are_not() {
    let world = World::limited(PER_MINUTE).await;
    add_users(&world.admin()).await;
    let known = world.jwt("agent.one", "deskplane.agent");
    world.api(&known).ok("ResolveProfile", json!({})).await;
    let forged =
        Signer::new("stranger").sign(&world.signer.head(), &claims("root", "deskplane.admin"));
    let bad = world.api(&forged);
    for _ in 0..PER_MINUTE {
        let refused = bad.refused("ListProfiles", json!({})).await;
        assert_eq!(refused, (Code::Unauthenticated, "CREDENTIAL_INVALID".into()));
    }
    for caller in [As::bearing(&forged), As::bearing("dsk_guess"), As::default()] {
        let status = Api::of(&world.server, caller).call("ListProfiles", json!({})).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        // What is wrong with it is not said any more.
        assert_eq!((info.reason.as_str(), info.metadata.len()), ("SERVER_BUSY", 0));
        let wait = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(20), "{wait:?}");
    }
    // A token that is known, one that is seen for the first time, and one of the file.
    let fresh = world.jwt("agent.one", "deskplane.agent openid");
    let opaque = world.opaque("crm", &[Scope::Service]);
    for token in [&known, &fresh] {
        world.api(token).ok("ResolveProfile", json!({})).await;
    }
    world.api(&opaque).ok("ResolveProfile", json!({"user": "agent.one"})).await;
    // An expired one still learns that it has to be renewed.
    let mut old = claims("agent.one", "deskplane.agent");
    old["exp"] = json!(now() - 1);
    let expired =
        world.api(&world.signer.token_of(&old)).refused("ResolveProfile", json!({})).await;
    assert_eq!(expired, (Code::Unauthenticated, "TOKEN_EXPIRED".into()));
    assert_eq!(world.credentials.figures().unwrap().limited, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_3_a_refused_credential_is_audited_by_address_cause_and_names() {
    let world = World::new().await;
    let admin = world.admin();
    let forged =
        Signer::new("stranger").sign(&world.signer.head(), &claims("root", "deskplane.admin"));
    let foreign =
        json!({"iss": "https://evil.example", "aud": AUDIENCE, "sub": "x", "exp": now() + 9});
    let foreign = world.signer.token_of(&foreign);
    for token in [&forged, &foreign, &"dsk_guess".to_owned()] {
        world.api(token).refused("ListProfiles", json!({})).await;
    }
    Api::of(&world.server, As::default()).refused("ListProfiles", json!({})).await;
    let rows = audited(&admin, "ListProfiles", 4).await;
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let mut found: Vec<_> =
        rows.iter().map(|row| [text(row, "error_reason"), text(row, "reason")]).collect();
    found.sort();
    assert_eq!(
        found,
        [
            ["CREDENTIAL_INVALID", "ISSUER; issuer https://evil.example; key first"],
            ["CREDENTIAL_INVALID", &format!("SIGNATURE; issuer {ISSUER}; key first")],
            ["CREDENTIAL_INVALID", "TOKEN_UNKNOWN"],
            ["CREDENTIAL_REQUIRED", "MISSING"],
        ]
    );
    for row in &rows {
        assert!(text(row, "address").starts_with("127.0.0.1:"), "{row}");
        assert!(text(row, "actor").is_empty() && text(row, "scope").is_empty(), "{row}");
        for token in [&forged, &foreign] {
            let mut parts = token.split('.');
            assert!(!parts.any(|part| row.to_string().contains(part)), "{row}");
        }
        assert!(!row.to_string().contains("guess"), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_3_an_address_that_is_refused_all_day_gets_few_entries() {
    let world = World::new().await;
    let admin = world.admin();
    let bad = world.api("dsk_guess");
    for _ in 0..50 {
        bad.refused("ListProfiles", json!({})).await;
    }
    // The entry of another rate limit comes after all of those.
    world.api(&world.jwt("carl", "deskplane.agent")).refused("ListTeams", json!({})).await;
    audited(&admin, "ListTeams", 1).await;
    let rows = audited(&admin, "ListProfiles", 1).await;
    let written: i64 = rows.iter().map(|row| 1 + row["repeats"].as_i64().unwrap()).sum();
    assert_eq!(written, 10);
}
