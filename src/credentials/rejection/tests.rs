use http::HeaderValue;

use super::*;
use crate::credentials::problem::Problem;

const PER_MINUTE: u32 = 6;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn refuse(limit: &Limit, peer: &str, refusal: Refusal) -> Rejection {
    reject(limit, Some(address(peer)), &HeaderMap::new(), refusal)
}

/// The reason that is answered to a bad credential.
fn answered(limit: &Limit, peer: &str) -> Reason {
    refuse(limit, peer, Problem::Signature.refusal()).answer.reason
}

#[tokio::test(start_paused = true)]
async fn an_address_that_sends_bad_credentials_is_limited_until_time_passes() {
    let limit = Limit::new(PER_MINUTE);
    for _ in 0..PER_MINUTE {
        assert_eq!(answered(&limit, "192.0.2.7"), Reason::CredentialInvalid);
    }
    for _ in 0..3 {
        let refused = refuse(&limit, "192.0.2.7", Problem::Missing.refusal());
        assert_eq!(refused.answer.reason, Reason::ServerBusy);
        assert_eq!(refused.answer.retry_after_ms, Some(10_000), "what is limited counts no more");
        assert!(!refused.answer.metadata.contains_key("problem"));
        assert_eq!(refused.audit.unwrap().reason, Reason::CredentialRequired);
    }
    assert_eq!(limit.limited(), 3);
    assert_eq!(answered(&limit, "192.0.2.8"), Reason::CredentialInvalid, "another address");
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(answered(&limit, "192.0.2.7"), Reason::CredentialInvalid);
    assert_eq!(answered(&limit, "192.0.2.7"), Reason::ServerBusy);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    for _ in 0..PER_MINUTE {
        assert_eq!(answered(&limit, "192.0.2.7"), Reason::CredentialInvalid);
    }
    assert_eq!(answered(&limit, "192.0.2.7"), Reason::ServerBusy, "no more than a minute's");
}

#[tokio::test(start_paused = true)]
async fn addresses_of_one_site_are_one() {
    let limit = Limit::new(1);
    assert_eq!(answered(&limit, "2001:db8:1:2::1"), Reason::CredentialInvalid);
    assert_eq!(answered(&limit, "2001:db8:1:2:ffff::9"), Reason::ServerBusy);
    assert_eq!(answered(&limit, "2001:db8:1:3::1"), Reason::CredentialInvalid);
    assert_eq!(answered(&limit, "192.0.2.1"), Reason::CredentialInvalid);
    assert_eq!(answered(&limit, "::ffff:192.0.2.1"), Reason::ServerBusy);
    let named = refuse(&limit, "2001:db8:1:2::7", Problem::Issuer.refusal()).audit.unwrap();
    assert_eq!(named.limit, "credentials/2001:db8:1:2::");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wrong_with_a_credential_counts() {
    let limit = Limit::new(1);
    for _ in 0..5 {
        let expired = refuse(&limit, "192.0.2.1", Problem::Expired.refusal());
        assert_eq!(expired.answer.reason, Reason::TokenExpired, "its holder has to renew it");
        assert_eq!(expired.audit.unwrap().cause, "EXPIRED");
        let issuer = "https://login.example.com".to_owned();
        let down = refuse(&limit, "192.0.2.1", Problem::KeysUnavailable { issuer }.refusal());
        assert!(down.answer.reason == Reason::IssuerUnavailable && down.audit.is_none());
        // A socket of this machine has no address.
        let local = reject(&limit, None, &HeaderMap::new(), Problem::Missing.refusal());
        assert_eq!(local.answer.reason, Reason::CredentialRequired);
    }
    assert_eq!(answered(&limit, "192.0.2.1"), Reason::CredentialInvalid);
    let unlimited = Limit::new(0);
    for _ in 0..100 {
        assert_eq!(answered(&unlimited, "192.0.2.1"), Reason::CredentialInvalid);
    }
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_whatever_sends() {
    let limit = Limit::new(1);
    let mut sent = 0u32;
    let mut fresh = || {
        sent += 1;
        limit.count(IpAddr::V4(sent.into()), Instant::now())
    };
    for _ in 0..SITES {
        assert_eq!(fresh(), None);
    }
    assert_eq!(fresh(), None, "the first of those that share one");
    assert!(fresh().is_some() && fresh().is_some());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(fresh().is_none() && fresh().is_none(), "the others are forgotten");
    assert!(limit.sites.lock().unwrap().until.len() <= 2);
}

#[test]
fn entries_name_issuer_and_key_and_nothing_else_of_a_token() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = |head: &str, claims: &str| format!("{}.{}.c2lnbmF0dXJl", part(head), part(claims));
    let long = format!(r#"{{"kid":"{}"}}"#, "k".repeat(500));
    let shortened = format!("SIGNATURE; key {}", "k".repeat(LONGEST));
    for (token, cause) in [
        (
            token(r#"{"alg":"ES256","kid":"first"}"#, r#"{"iss":"https://a.example","sub":"ann"}"#),
            "SIGNATURE; issuer https://a.example; key first",
        ),
        (token(r#"{"kid":"a\nb\u001b[2J"}"#, "{}"), "SIGNATURE; key ab[2J"),
        (token(&long, "no json"), shortened.as_str()),
        (token("no json", r#"{"iss":7}"#), "SIGNATURE"),
        ("dsk_c2VjcmV0".to_owned(), "SIGNATURE"),
        ("a.b".to_owned(), "SIGNATURE"),
    ] {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        headers.insert("authorization", value);
        let limit = Limit::new(1);
        let rejection = reject(&limit, None, &headers, Problem::Signature.refusal());
        assert_eq!(rejection.audit.unwrap().cause, cause);
    }
}
