//! Tokens, right and wrong in every way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde_json::{Value, json};

use super::world::*;
use crate::{
    credentials::{Algorithm, Authentication, Credentials, Recent},
    tasks::Tasks,
};

/// Credentials of these keys, fetched.
async fn credentials(
    signers: &[&Signer],
    hands: &Hands,
) -> (Credentials, tempfile::TempDir, Tasks) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, key_set(signers)).unwrap();
    let credentials = Credentials::load(with_file(&path), hands.clock()).unwrap();
    let tasks = Tasks::default();
    credentials.start(&tasks);
    (credentials, folder, tasks)
}

/// The claims with one of them exchanged, or taken out.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("ann");
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[tokio::test]
async fn a_token_is_judged_by_head_claims_and_signature() {
    let (ec, other, hands) = (Signer::new("ec"), Signer::new("other"), Hands::new());
    let (rs, ps) = (Signer::rsa("rs", Algorithm::RS256), Signer::rsa("ps", Algorithm::PS384));
    let (credentials, _folder, _tasks) = credentials(&[&ec, &rs, &ps], &hands).await;
    let good = |claims: &Value| ec.sign(&ec.head(), claims);
    let head = |head: Value| ec.sign(&head, &claims("ann"));
    let unsigned = |alg: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": alg, "kid": "ec"})), part(&claims("ann")))
    };
    let invalid = |problem: &str| Err(format!("CREDENTIAL_INVALID {problem}"));
    let expired = || Err("TOKEN_EXPIRED".to_owned());
    let ann = || Ok("ann".to_owned());
    let cases = [
        ("ES256", token(&ec, "ann"), ann()),
        ("RS256", token(&rs, "ann"), ann()),
        ("PS384", token(&ps, "ann"), ann()),
        ("no typ", head(json!({"alg": "ES256", "kid": "ec"})), ann()),
        ("at+jwt", head(json!({"alg": "ES256", "kid": "ec", "typ": "at+JWT"})), ann()),
        ("only one key fits", head(json!({"alg": "ES256"})), ann()),
        ("several audiences", good(&with("aud", json!(["x", AUDIENCE]))), ann()),
        ("the other audience", good(&with("aud", json!("other"))), ann()),
        ("ended within the tolerance", good(&with("exp", json!(NOW - 59))), ann()),
        ("begins within the tolerance", good(&with("nbf", json!(NOW + 60))), ann()),
        ("fractions", good(&with("exp", json!(NOW as f64 + 0.5))), ann()),
        (
            "a name that is no user id",
            good(&with("sub", json!("Ann B"))),
            Ok(format!("jwt:{ISSUER}#Ann B")),
        ),
        ("ended", good(&with("exp", json!(NOW - 60))), expired()),
        ("no end", good(&with("exp", Value::Null)), invalid("MALFORMED")),
        ("an end that is no number", good(&with("exp", json!("soon"))), invalid("MALFORMED")),
        ("an end before time", good(&with("exp", json!(-1))), invalid("MALFORMED")),
        ("not begun", good(&with("nbf", json!(NOW + 61))), invalid("NOT_YET_VALID")),
        ("another audience", good(&with("aud", json!("x"))), invalid("AUDIENCE")),
        ("no audience", good(&with("aud", Value::Null)), invalid("AUDIENCE")),
        ("an empty audience", good(&with("aud", json!([]))), invalid("AUDIENCE")),
        (
            "an audience of another type",
            good(&with("aud", json!({AUDIENCE: 1}))),
            invalid("AUDIENCE"),
        ),
        ("another issuer", good(&with("iss", json!("https://evil.example"))), invalid("ISSUER")),
        ("nearly the issuer", good(&with("iss", json!(format!("{ISSUER}/")))), invalid("ISSUER")),
        ("no issuer", good(&with("iss", Value::Null)), invalid("ISSUER")),
        ("nobody", good(&with("sub", Value::Null)), invalid("MALFORMED")),
        ("none", unsigned("none"), invalid("ALGORITHM")),
        ("None", unsigned("None"), invalid("ALGORITHM")),
        ("HS256", unsigned("HS256"), invalid("ALGORITHM")),
        ("no signature", unsigned("ES256"), invalid("SIGNATURE")),
        (
            "the key of another algorithm",
            head(json!({"alg": "ES256", "kid": "rs"})),
            invalid("ALGORITHM"),
        ),
        ("key confusion", head(json!({"alg": "RS256", "kid": "ec"})), invalid("ALGORITHM")),
        (
            "another key under the name",
            other.sign(&ec.head(), &claims("ann")),
            invalid("SIGNATURE"),
        ),
        ("crit", head(json!({"alg": "ES256", "kid": "ec", "crit": ["x"]})), invalid("MALFORMED")),
        ("an encrypted one", head(json!({"alg": "ES256", "typ": "JWE"})), invalid("MALFORMED")),
        ("no algorithm", head(json!({"kid": "ec"})), invalid("MALFORMED")),
        ("two parts", "a.b".to_owned(), invalid("MALFORMED")),
        ("four parts", format!("a.{}", token(&ec, "ann")), invalid("MALFORMED")),
        ("no JSON", "YQ.YQ.YQ".to_owned(), invalid("MALFORMED")),
        ("a word", "hello".to_owned(), invalid("MALFORMED")),
        ("an opaque token", "dsk_hello".to_owned(), invalid("TOKEN_UNKNOWN")),
    ];
    for (name, token, want) in cases {
        // Twice: what is remembered is judged like what is not.
        for _ in 0..2 {
            assert_eq!(judge(&credentials, &token).await, want, "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_with_any_byte_changed_is_refused() {
    let (signer, hands) = (Signer::new("k"), Hands::new());
    let (credentials, _folder, _tasks) = credentials(&[&signer], &hands).await;
    let token = token(&signer, "ann");
    assert_eq!(judge(&credentials, &token).await, Ok("ann".to_owned()));
    for at in 0..token.len() {
        for other in [b'A', b'b', b'.', b'-'] {
            let mut bytes = token.clone().into_bytes();
            // The last character of a part holds bits that stand for nothing.
            let ends_part = bytes.get(at + 1).is_none_or(|next| *next == b'.');
            if bytes[at] == other || ends_part {
                continue;
            }
            bytes[at] = other;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(judge(&credentials, &changed).await.is_err(), "{at}: {changed}");
        }
        assert!(judge(&credentials, &token[..at]).await.is_err(), "{at}");
    }
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_time() {
    let (signer, hands) = (Signer::new("k"), Hands::new());
    let (credentials, _folder, _tasks) = credentials(&[&signer], &hands).await;
    let token = token(&signer, "ann");
    assert_eq!(judge(&credentials, &token).await, Ok("ann".to_owned()));
    hands.set(NOW + 659);
    assert_eq!(judge(&credentials, &token).await, Ok("ann".to_owned()));
    hands.set(NOW + 660);
    assert_eq!(judge(&credentials, &token).await, Err("TOKEN_EXPIRED".to_owned()));
}

/// What a connection showed is judged as what it shows for the first time: by every byte, the time,
/// and whether its key is still there.
#[tokio::test]
async fn the_last_token_of_a_connection_is_judged_each_time() {
    let (signer, hands) = (Signer::new("k"), Hands::new());
    let (credentials, folder, _tasks) = credentials(&[&signer], &hands).await;
    let (ann, bob) = (token(&signer, "ann"), token(&signer, "bob"));
    // The keys are fetched.
    assert_eq!(judge(&credentials, &ann).await, Ok("ann".to_owned()));
    let mut recent = Recent::default();
    let mut judge = |headers: &HeaderMap| match credentials.authenticate(headers, None, &mut recent)
    {
        Authentication::Now(Ok(found)) => Ok(found.name().to_owned()),
        Authentication::Now(Err(refusal)) => Err(shown(&refusal)),
        Authentication::Later(_) => panic!("the keys are there"),
    };
    for token in [&ann, &ann, &bob, &bob, &ann, &bob] {
        let name = if *token == ann { "ann" } else { "bob" };
        assert_eq!(judge(&bearer(token)), Ok(name.to_owned()));
    }
    let mut cut = bob.clone();
    cut.pop();
    assert_eq!(judge(&bearer(&cut)), Err("CREDENTIAL_INVALID SIGNATURE".to_owned()));
    assert_eq!(judge(&bearer(&bob)), Ok("bob".to_owned()));
    let mut two = bearer(&bob);
    two.append("authorization", two["authorization"].clone());
    assert_eq!(judge(&two), Err("FIELD_INVALID".to_owned()));
    let mut spoken_for = bearer(&bob);
    spoken_for.insert("x-deskplane-user", "ann".parse().unwrap());
    assert_eq!(judge(&spoken_for), Err("FIELD_INVALID".to_owned()));

    let mut changes = credentials.changes().unwrap();
    changes.mark_unchanged();
    let other = Signer::new("other");
    std::fs::write(folder.path().join("keys.json"), key_set(&[&other])).unwrap();
    credentials.reload();
    changes.changed().await.unwrap();
    assert_eq!(judge(&bearer(&bob)), Err("TOKEN_EXPIRED".to_owned()));
    let carl = token(&other, "carl");
    assert_eq!(judge(&bearer(&carl)), Ok("carl".to_owned()));
    assert_eq!(judge(&bearer(&carl)), Ok("carl".to_owned()));
    hands.set(NOW + 660);
    assert_eq!(judge(&bearer(&carl)), Err("TOKEN_EXPIRED".to_owned()));
    assert!(!format!("{recent:?}").contains(&carl[..8]));
}

#[tokio::test]
async fn keys_that_are_for_something_else_verify_nothing() {
    let (signer, hands) = (Signer::new("k"), Hands::new());
    for (field, value) in [
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("alg", json!("RSA-OAEP")),
        ("key_ops", json!(["sign"])),
        ("crv", json!("P-521")),
        ("kty", json!("oct")),
        ("x", json!("!")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let mut jwk = signer.jwk();
        jwk[field] = value.clone();
        // A key that nobody knows does not spoil the others.
        let good = Signer::new("good");
        let keys = json!({"keys": [jwk, {"kty": "new"}, 5, good.jwk()]});
        std::fs::write(&path, keys.to_string()).unwrap();
        let credentials = Credentials::load(with_file(&path), hands.clock()).unwrap();
        let tasks = Tasks::default();
        credentials.start(&tasks);
        assert_eq!(judge(&credentials, &token(&good, "ann")).await, Ok("ann".to_owned()));
        let refused = judge(&credentials, &token(&signer, "ann")).await.unwrap_err();
        let wanted = ["CREDENTIAL_INVALID KEY_UNKNOWN", "CREDENTIAL_INVALID SIGNATURE"];
        assert!(wanted.contains(&refused.as_str()), "{field} {value}: {refused}");
        assert!(credentials.figures().unwrap().issuers[0].reachable);
    }
}
