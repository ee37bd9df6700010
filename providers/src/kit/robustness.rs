//! What happens when callers go away, come in crowds or are in a hurry; and what errors contain.

use std::time::Duration;

use futures_util::{FutureExt as _, future::join_all};
use tokio::time::{Instant, timeout};

use super::subject::{Subject, Verdict, ensure, failed};
use crate::{Capability, Context, ErrorKind, ExposeSecret as _, MintToken};

/// Requests at the same time.
const CROWD: usize = 32;
/// Longest that an answer is "at once".
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "Requests that are dropped leave the provider usable.";
    subject.check("robustness.dropped", rule, dropped).await;
    let rule = "Thirty-two requests at once are all answered.";
    subject.check("robustness.crowd", rule, crowd).await;
    let rule = "A request whose deadline has passed ends at once.";
    subject.check("robustness.deadline", rule, deadline).await;
    let rule = "Errors have at most 500 characters, and nothing contains a secret.";
    subject.check("robustness.messages", rule, messages).await;
}

/// Asks something harmless; true when it was answered, if only by a refusal.
async fn usable(subject: &Subject<'_>, cx: &Context) -> Result<(), Verdict> {
    let call = subject.nobodys();
    let polled = subject.ask("poll_call", subject.provider.poll_call(cx, &call)).await?;
    match polled {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => failed(format!("poll_call: {error}")),
    }
}

async fn dropped(subject: &Subject<'_>) -> Result<(), Verdict> {
    let (cx, call) = (subject.cx(), subject.nobodys());
    let mint = || MintToken { agent: subject.plan.agent.clone(), ttl: None };
    for _ in 0..CROWD {
        // Polled once, so that the request is on its way, and dropped.
        let _polled = subject.provider.poll_call(&cx, &call).now_or_never();
        if subject.needs(Capability::ClientToken).is_ok() {
            let _minted = subject.provider.mint_client_token(&cx, mint()).now_or_never();
        }
        let _checked = subject.provider.check(&cx).now_or_never();
    }
    usable(subject, &subject.cx()).await
}

async fn crowd(subject: &Subject<'_>) -> Result<(), Verdict> {
    let cx = subject.cx();
    let answers = join_all((0..CROWD).map(|_| usable(subject, &cx))).await;
    answers.into_iter().collect()
}

async fn deadline(subject: &Subject<'_>) -> Result<(), Verdict> {
    let (cx, call) = (Context { deadline: Instant::now() }, subject.nobodys());
    let polled = timeout(AT_ONCE, subject.provider.poll_call(&cx, &call)).await;
    match polled {
        Err(_) => failed("no end within a second"),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            // Layers that take no more requests just now say so, at once too.
            let kinds = [ErrorKind::Timeout, ErrorKind::RateLimited, ErrorKind::Unsupported];
            ensure(kinds.contains(&error.kind()), format!("expected TIMEOUT, got {error}"))
        }
    }
}

async fn messages(subject: &Subject<'_>) -> Result<(), Verdict> {
    let debug = format!("{:?}", subject.provider);
    let shown = |secret: &crate::Secret| debug.contains(secret.expose_secret());
    let secrets = subject.plan.secrets.iter().filter(|secret| !secret.expose_secret().is_empty());
    ensure(!secrets.into_iter().any(shown), "a debug print contains a secret")?;
    let leaks = subject.leaks();
    ensure(leaks.is_empty(), leaks.join("; "))
}
