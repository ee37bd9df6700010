//! A server whose callers show credentials, and the credentials.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use deskplane::{
    clock::Clock,
    credentials::{
        ALGORITHMS, ClaimSettings, Credentials, IssuerSettings, KeySource, NewToken, Settings,
        TokenFile,
    },
    domain::{Scope, Scopes},
    scim,
    server::Monitor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use super::signer::{Signer, key_set};
use crate::{
    api::Api,
    server::{As, Front, Running},
};

pub(crate) const ISSUER: &str = "https://login.contoso.example";
pub(crate) const AUDIENCE: &str = "deskplane";

/// A server, the issuer that it trusts, and the file of its tokens.
pub(crate) struct World {
    pub(crate) server: Running,
    pub(crate) credentials: Credentials,
    pub(crate) signer: Signer,
    pub(crate) file: TokenFile,
    folder: TempDir,
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

/// Claims of a user that are right for ten minutes.
pub(crate) fn claims(user: &str, scopes: &str) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": user, "exp": now() + 600});
    if !scopes.is_empty() {
        claims["scope"] = json!(scopes);
    }
    claims
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(0, None).await
    }

    /// One that limits refused credentials.
    pub(crate) async fn limited(refusals_per_minute: u32) -> Self {
        Self::of(refusals_per_minute, None).await
    }

    /// One that is asked for figures, too.
    pub(crate) async fn monitored(monitor: Option<Monitor>) -> Self {
        Self::of(0, monitor).await
    }

    async fn of(refusals_per_minute: u32, monitor: Option<Monitor>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new("first");
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, key_set(&[&signer])).unwrap();
        let tokens = folder.path().join("tokens.json");
        let settings = Settings {
            issuers: vec![issuer(keys)],
            tokens: Some(tokens.clone()),
            refusals_per_minute,
            ..Settings::default()
        };
        let credentials = Credentials::load(settings, Clock::system()).unwrap();
        let scim = Some(scim::Settings::default());
        let front = Front { credentials: credentials.clone(), scim, ..Front::default() };
        let server = Running::monitored_front(front, monitor).await;
        Self { server, credentials, signer, file: TokenFile::new(tokens), folder }
    }

    /// The API as the holder of a token sees it.
    pub(crate) fn api(&self, token: &str) -> Api {
        Api::of(&self.server, As::bearing(token))
    }

    pub(crate) fn admin(&self) -> Api {
        self.api(&self.jwt("root", "deskplane.admin"))
    }

    pub(crate) fn jwt(&self, user: &str, scopes: &str) -> String {
        self.signer.token_of(&claims(user, scopes))
    }

    /// An opaque token that the server takes from now on.
    pub(crate) fn opaque(&self, name: &str, scopes: &[Scope]) -> String {
        let scopes = Some(Scopes::of(scopes));
        let token = NewToken { name: name.to_owned(), scopes, user: None, expires: None };
        let token = self.file.add(token, Clock::system().now()).unwrap();
        self.credentials.reload();
        token.as_str().to_owned()
    }

    /// Exchanges the keys of the issuer.
    pub(crate) fn set_keys(&self, signers: &[&Signer]) {
        std::fs::write(self.folder.path().join("keys.json"), key_set(signers)).unwrap();
        self.credentials.reload();
    }
}

fn issuer(keys: PathBuf) -> IssuerSettings {
    IssuerSettings {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        keys: KeySource::File(keys),
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
