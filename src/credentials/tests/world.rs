//! Keys, tokens and an issuer for tests.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::{EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clock::Clock,
    credentials::{
        ALGORITHMS, Algorithm, Authentication, ClaimSettings, Credentials, IssuerSettings,
        KeySource, Settings,
    },
    domain::{Refusal, Scope, Scopes, Time},
};

/// The issuer of these tests.
pub(super) const ISSUER: &str = "https://login.contoso.example/tenant";
/// What its tokens are for.
pub(super) const AUDIENCE: &str = "deskplane";
/// The time at which they are judged, in seconds.
pub(super) const NOW: i64 = 1_790_000_000;

/// A private key.
pub(super) struct Signer {
    pub(super) key: EncodingKey,
    pub(super) algorithm: Algorithm,
    pub(super) id: String,
}

impl Signer {
    /// A key for ES256.
    pub(super) fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EncodingKey::from_ec_der(der.as_ref());
        Self { key, algorithm: Algorithm::ES256, id: id.to_owned() }
    }

    /// A key for algorithms with RSA.
    pub(super) fn rsa(id: &str, algorithm: Algorithm) -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = EncodingKey::from_rsa_der(der.as_ref());
        Self { key, algorithm, id: id.to_owned() }
    }

    /// The public half, as a key set holds it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token with this head and these claims.
    pub(super) fn sign(&self, head: &Value, claims: &Value) -> String {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm);
        format!("{signed}.{}", signature.unwrap())
    }

    /// The head of its tokens.
    pub(super) fn head(&self) -> Value {
        json!({"alg": format!("{:?}", self.algorithm), "kid": self.id, "typ": "JWT"})
    }

    /// A right token of that user.
    pub(super) fn token(&self, user: &str) -> String {
        self.sign(&self.head(), &claims(user))
    }
}

/// Right claims.
pub(super) fn claims(user: &str) -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": user, "exp": NOW + 600})
}

/// The text of a key set.
pub(super) fn key_set(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// Settings of the issuer.
pub(super) fn issuer(keys: KeySource) -> IssuerSettings {
    IssuerSettings {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "other".to_owned()],
        keys,
        algorithms: ALGORITHMS.to_vec(),
        claims: ClaimSettings {
            user: "sub".to_owned(),
            user_prefix: String::new(),
            scopes: vec!["scope".to_owned()],
            scope_prefix: "deskplane.".to_owned(),
            grants: Scopes::of(Scope::ALL),
        },
        refresh: Duration::from_secs(3_600),
    }
}

/// Settings with one issuer whose keys are in a file.
pub(super) fn with_file(path: &Path) -> Settings {
    Settings {
        issuers: vec![issuer(KeySource::File(path.to_owned()))],
        clock_skew: Duration::from_secs(60),
        ..Settings::default()
    }
}

/// A clock that tests set, in seconds.
#[derive(Clone)]
pub(super) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    pub(super) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        let now = move || Time::from_micros(now.load(Ordering::Relaxed) * 1_000_000);
        Clock::new(now, Uuid::new_v4)
    }
}

/// The headers of a call with that token.
pub(super) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    headers.insert("authorization", value);
    headers
}

/// What becomes of a token: who calls, or reason and problem of the refusal.
pub(super) async fn judge(credentials: &Credentials, token: &str) -> Result<String, String> {
    verdict(credentials, token).await.map_err(|refusal| shown(&refusal))
}

/// Reason and problem of a refusal.
pub(super) fn shown(refusal: &Refusal) -> String {
    let problem = refusal.metadata.get("problem").cloned().unwrap_or_default();
    format!("{} {problem}", refusal.reason.as_str()).trim().to_owned()
}

pub(super) async fn verdict(credentials: &Credentials, token: &str) -> Result<String, Refusal> {
    let credential = match credentials.authenticate(&bearer(token), None) {
        Authentication::Now(verdict) => verdict,
        Authentication::Later(verdict) => verdict.0.await,
    };
    credential.map(|found| found.name().to_owned())
}
