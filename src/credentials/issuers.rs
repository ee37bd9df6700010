//! JWTs (RFC 7519): from the text of a token to who calls.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use deskplane_providers::http::Network;
use jsonwebtoken::crypto;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{
    claims::Claims,
    issuer::{Issuer, IssuerFigures, IssuerSettings},
    keys::{Algorithm, Key, KeySet},
    problem::Problem,
};
use crate::{
    auth::{Identity, Method},
    domain::{Refusal, Time},
    tasks::Tasks,
};

/// Most verified tokens that are remembered.
const REMEMBERED: usize = 100_000;
/// Types of tokens (`typ`) that may authorize a call (RFC 9068 §4, RFC 7519 §5.1).
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/at+jwt", "application/jwt"];

/// Hash of a token: what is remembered of it.
type Hash = [u8; 32];

/// The issuers, and the tokens of theirs that were verified.
#[derive(Debug)]
pub(super) struct Issuers {
    issuers: HashMap<String, Arc<Issuer>>,
    skew: Duration,
    verified: Cache<Hash, Arc<Identity>>,
}

/// What is known of a token at once.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Who calls, or why not.
    Now(Result<Arc<Identity>, Refusal>),
    /// Its key is not known, and may be after a fetch.
    Unknown(Box<Unverified>),
}

/// A token that was read and not verified.
#[derive(Debug)]
pub(super) struct Unverified {
    hash: Hash,
    issuer: Arc<Issuer>,
    algorithm: Algorithm,
    key: Option<String>,
    claims: Claims,
    /// Head and claims, as signed.
    signed: String,
    signature: String,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood; there are none.
    crit: Option<Value>,
}

impl Issuers {
    pub(super) fn new(settings: Vec<IssuerSettings>, skew: Duration, network: Network) -> Self {
        let issuers = settings.into_iter().map(|settings| {
            (settings.issuer.clone(), Arc::new(Issuer::new(settings, network.clone())))
        });
        Self { issuers: issuers.collect(), skew, verified: Cache::new(REMEMBERED) }
    }

    pub(super) fn start(&self, tasks: &Tasks, changes: &watch::Sender<u64>) {
        self.issuers.values().for_each(|issuer| issuer.start(tasks, changes));
    }

    pub(super) fn refresh_files(&self) {
        self.issuers.values().for_each(|issuer| issuer.refresh_file());
    }

    pub(super) fn figures(&self) -> Vec<IssuerFigures> {
        let mut figures: Vec<_> = self.issuers.values().map(|issuer| issuer.figures()).collect();
        figures.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        figures
    }

    /// Verifies a token with the keys that are known.
    pub(super) fn verify(&self, token: &str, now: Time) -> Verdict {
        let hash = Sha256::digest(token).into();
        if let Some(identity) = self.verified.get(&hash) {
            match identity.check_current(now) {
                Ok(()) => return Verdict::Now(Ok(identity)),
                Err(refusal) => {
                    self.verified.remove(&hash);
                    return Verdict::Now(Err(refusal));
                }
            }
        }
        let unverified = match self.read(hash, token) {
            Ok(unverified) => unverified,
            Err(problem) => return Verdict::Now(Err(problem.refusal())),
        };
        let issuer = Arc::clone(&unverified.issuer);
        let mut keys = issuer.keys();
        loop {
            match self.judge(&unverified, &keys, now) {
                Err(Problem::KeyUnknown) if issuer.may_have_newer_keys() => {
                    return Verdict::Unknown(Box::new(unverified));
                }
                Err(Problem::KeyUnknown) => {
                    // A fetch may have ended between the two looks.
                    let newer = issuer.keys();
                    if Arc::ptr_eq(&newer, &keys) {
                        return Verdict::Now(Err(issuer.unknown_key()));
                    }
                    keys = newer;
                }
                verdict => return Verdict::Now(verdict.map_err(|problem| problem.refusal())),
            }
        }
    }

    /// Verifies a token after the keys of its issuer were fetched.
    pub(super) async fn verify_later(
        &self,
        unverified: Unverified,
        now: Time,
    ) -> Result<Arc<Identity>, Refusal> {
        let keys = unverified.issuer.newer_keys().await?;
        self.judge(&unverified, &keys, now).map_err(|problem| match problem {
            Problem::KeyUnknown => unverified.issuer.unknown_key(),
            problem => problem.refusal(),
        })
    }

    fn read(&self, hash: Hash, token: &str) -> Result<Unverified, Problem> {
        let (signed, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
        let (head, claims) = signed.split_once('.').ok_or(SHAPE)?;
        if claims.contains('.') {
            return Err(SHAPE);
        }
        let head: Head = part(head).ok_or(Problem::Malformed("its head cannot be read"))?;
        if head.crit.is_some() {
            return Err(Problem::Malformed("its head names extensions (`crit`)"));
        }
        let is_known = |typ: &String| TYPES.iter().any(|known| typ.eq_ignore_ascii_case(known));
        if !head.typ.as_ref().is_none_or(is_known) {
            return Err(Problem::Malformed("its type (`typ`) is another one"));
        }
        let claims: Claims = part(claims).ok_or(Problem::Malformed("its claims cannot be read"))?;
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let issuer = Arc::clone(self.issuers.get(issuer).ok_or(Problem::Issuer)?);
        let algorithm = Algorithm::from_str(&head.alg).ok();
        let algorithm = algorithm.filter(|named| issuer.settings.algorithms.contains(named));
        Ok(Unverified {
            hash,
            algorithm: algorithm.ok_or(Problem::Algorithm)?,
            issuer,
            key: head.kid,
            claims,
            signed: signed.to_owned(),
            signature: signature.to_owned(),
        })
    }

    /// Judges a token by these keys, and remembers one that is right.
    fn judge(
        &self,
        token: &Unverified,
        keys: &KeySet,
        now: Time,
    ) -> Result<Arc<Identity>, Problem> {
        let key = keys.find(token.key.as_deref(), token.algorithm)?;
        let (signed, signature) = (token.signed.as_bytes(), token.signature.as_str());
        let verified = crypto::verify(signature, signed, &key.decoding, token.algorithm);
        if !verified.unwrap_or(false) {
            return Err(Problem::Signature);
        }
        let identity = Arc::new(self.identity(token, key, now)?);
        self.verified.insert(token.hash, Arc::clone(&identity));
        Ok(identity)
    }

    fn identity(&self, token: &Unverified, key: &Key, now: Time) -> Result<Identity, Problem> {
        let Unverified { issuer, claims, .. } = token;
        let IssuerSettings { issuer, audiences, claims: names, .. } = &issuer.settings;
        if !is_for(claims.get("aud"), audiences) {
            return Err(Problem::Audience);
        }
        let skew = i64::try_from(self.skew.as_micros()).unwrap_or(i64::MAX);
        let end = time(claims, "exp")?;
        let end = end.ok_or(Problem::Malformed("it has no end (`exp`)"))?.saturating_add(skew);
        if end <= now.micros() {
            return Err(Problem::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|begin| begin.saturating_sub(skew) > now.micros()) {
            return Err(Problem::NotYetValid);
        }
        let named = names.read(claims).ok_or(Problem::Malformed("it does not say who calls"))?;
        let unnamed = || format!("jwt:{issuer}#{}", named.text);
        Ok(Identity {
            method: Method::Jwt { issuer: issuer.clone() },
            subject: named.user.as_ref().map_or_else(unnamed, ToString::to_string),
            user: named.user,
            scopes: named.scopes,
            expires: Some(Time::from_micros(end)),
            revocation: key.revocation.clone(),
        })
    }
}

/// What a token says of its issuer and its key, whether or not it is right; for the audit alone.
pub(super) fn names(token: &str) -> (Option<String>, Option<String>) {
    let text = |part_of: Option<&str>, name: &str| {
        let claims: Claims = part(part_of?)?;
        claims.get(name)?.as_str().map(str::to_owned)
    };
    let mut parts = token.split('.');
    let (head, claims) = (parts.next(), parts.next());
    (text(claims, "iss"), text(head, "kid"))
}

const SHAPE: Problem = Problem::Malformed("it has not three parts");

/// One part of a token: JSON in base64url.
fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Whether the claim `aud`, one text or several, names one of the audiences (RFC 7519 §4.1.3).
fn is_for(claim: Option<&Value>, audiences: &[String]) -> bool {
    let is_ours = |value: &Value| value.as_str().is_some_and(|v| audiences.iter().any(|a| a == v));
    match claim {
        Some(Value::Array(values)) => values.iter().any(is_ours),
        Some(value) => is_ours(value),
        None => false,
    }
}

/// Microseconds since 1970 of a claim in seconds, which may have a fraction (RFC 7519 §2).
fn time(claims: &Claims, name: &str) -> Result<Option<i64>, Problem> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let seconds = seconds.ok_or(Problem::Malformed("a time in it (`exp`, `nbf`) is no number"))?;
    Ok(Some((seconds * 1e6) as i64))
}
