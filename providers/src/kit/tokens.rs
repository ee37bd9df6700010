//! Tokens of softphones.

use std::time::{Duration, SystemTime};

use super::subject::{Subject, Verdict, ensure};
use crate::{Capability, ClientToken, ErrorKind, ExposeSecret as _, MintToken};

/// How far the expiry may be from what was requested.
const TOLERANCE: Duration = Duration::from_secs(2);
/// Longer than any vendor allows.
const TEN_YEARS: Duration = Duration::from_secs(315_360_000);

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "A token is not empty, has a life, and nothing beside it is secret.";
    subject.check("tokens.default", rule, default).await;
    let rule = "A token lives as long as was requested, within two seconds.";
    subject.check("tokens.ttl", rule, ttl).await;
    let rule = "A life of no seconds, or of ten years, ends with INVALID_ARGUMENT.";
    subject.check("tokens.bounds", rule, bounds).await;
    let rule = "A token for nobody ends with INVALID_ARGUMENT.";
    subject.check("tokens.identity", rule, identity).await;
}

async fn mint(subject: &Subject<'_>, ttl: Option<Duration>) -> Result<ClientToken, Verdict> {
    subject.needs(Capability::ClientToken)?;
    let request = MintToken { agent: subject.plan.agent.clone(), ttl };
    let cx = subject.cx();
    let mint = subject.provider.mint_client_token(&cx, request);
    subject.succeed("mint_client_token", mint).await
}

async fn default(subject: &Subject<'_>) -> Result<(), Verdict> {
    let token = mint(subject, None).await?;
    let text = token.token.expose_secret();
    ensure(!text.is_empty(), "the token is empty")?;
    ensure(token.expire_time > SystemTime::now(), "the token is over already")?;
    for (name, value) in &token.parameters {
        ensure(!value.contains(text), format!("the parameter {name} holds the token"))?;
        subject.note("parameters of a token", value);
    }
    ensure(!format!("{token:?}").contains(text), "a debug print shows the token")
}

async fn ttl(subject: &Subject<'_>) -> Result<(), Verdict> {
    let ttl = subject.plan.ttl;
    let before = SystemTime::now();
    let token = mint(subject, Some(ttl)).await?;
    let (earliest, latest) = (before + ttl - TOLERANCE, SystemTime::now() + ttl + TOLERANCE);
    let right = (earliest..=latest).contains(&token.expire_time);
    let lives = token.expire_time.duration_since(before).unwrap_or_default();
    ensure(right, format!("requested {ttl:?}, it lives {lives:?}"))
}

async fn bounds(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::ClientToken)?;
    for ttl in [Duration::ZERO, TEN_YEARS] {
        let request = MintToken { agent: subject.plan.agent.clone(), ttl: Some(ttl) };
        let cx = subject.cx();
        let mint = subject.provider.mint_client_token(&cx, request);
        let what = format!("a token for {} s", ttl.as_secs());
        subject.refuse(&what, &[ErrorKind::InvalidArgument], mint).await?;
    }
    Ok(())
}

async fn identity(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::ClientToken)?;
    let (cx, request) = (subject.cx(), MintToken { agent: String::new(), ttl: None });
    let mint = subject.provider.mint_client_token(&cx, request);
    subject.refuse("a token for nobody", &[ErrorKind::InvalidArgument], mint).await.map(drop)
}
