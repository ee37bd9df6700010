//! Keys, tokens and an issuer for tests.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use super::signer::{Signer, key_set};
use crate::{
    clock::Clock,
    credentials::{
        ALGORITHMS, Authentication, ClaimSettings, Credentials, IssuerSettings, KeySource, Recent,
        Settings,
    },
    domain::{Refusal, Scope, Scopes, Time},
};

/// The issuer of these tests.
pub(super) const ISSUER: &str = "https://login.contoso.example/tenant";
/// What its tokens are for.
pub(super) const AUDIENCE: &str = "deskplane";
/// The time at which they are judged, in seconds.
pub(super) const NOW: i64 = 1_790_000_000;

/// Right claims.
pub(super) fn claims(user: &str) -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": user, "exp": NOW + 600})
}

/// A right token of that user.
pub(super) fn token(signer: &Signer, user: &str) -> String {
    signer.token_of(&claims(user))
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
    let credential = match credentials.authenticate(&bearer(token), None, &mut Recent::default()) {
        Authentication::Now(verdict) => verdict,
        Authentication::Later(verdict) => verdict.0.await,
    };
    credential.map(|found| found.name().to_owned())
}
