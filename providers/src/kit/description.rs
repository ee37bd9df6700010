//! The description of a provider.

use std::collections::BTreeSet;

use tokio::time::timeout;

use super::subject::{Subject, Verdict, ensure, failed};
use crate::{
    Address, Capability, CheckOutcome, ErrorKind, MintToken, Presence, Rate, SetPresence, Transfer,
};

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "The descriptor has a kind, a title, a version and sensible limits.";
    subject.check("description.descriptor", rule, descriptor).await;
    let rule = "Check answers within its time, with named outcomes, and everything is in order.";
    subject.check("description.check", rule, check).await;
    let rule = "What is not among the capabilities ends with UNSUPPORTED.";
    subject.check("description.off", rule, off).await;
}

async fn descriptor(subject: &Subject<'_>) -> Result<(), Verdict> {
    let it = subject.provider.descriptor();
    ensure((1..=40).contains(&it.kind.len()), "the kind must have 1 to 40 characters")?;
    ensure(!it.title.is_empty(), "there is no title")?;
    ensure(!it.version.is_empty(), "there is no version")?;
    let names: BTreeSet<_> = it.secrets.iter().map(|secret| secret.name).collect();
    ensure(names.len() == it.secrets.len(), "two secrets have one name")?;
    ensure(names.len() <= 20 && !names.contains(""), "secrets must be at most 20 and have names")?;
    let sensible =
        |rate: Rate| rate.per_second.is_finite() && rate.per_second > 0.0 && rate.burst > 0;
    ensure(sensible(it.limits.dials) && sensible(it.limits.requests), "a limit lets nothing pass")?;
    ensure(it.proof.is_sorted(), "the proofs are not in order")
}

async fn check(subject: &Subject<'_>) -> Result<(), Verdict> {
    let cx = subject.cx();
    let checks = timeout(subject.plan.within, subject.provider.check(&cx)).await;
    let Ok(checks) = checks else { return failed("no answer in time") };
    ensure(!checks.is_empty(), "nothing was checked")?;
    let names: BTreeSet<_> = checks.iter().map(|check| check.name.as_ref()).collect();
    ensure(names.len() == checks.len(), "two checks have one name")?;
    ensure(names.iter().all(|name| (1..=100).contains(&name.len())), "a check has no name")?;
    for check in &checks {
        subject.note("check", &check.detail);
        if let CheckOutcome::Failed(kind) = check.outcome {
            return failed(format!("{} failed, {kind:?}: {}", check.name, check.detail));
        }
    }
    Ok(())
}

async fn off(subject: &Subject<'_>) -> Result<(), Verdict> {
    let (provider, cx, call) = (subject.provider, subject.cx(), subject.nobodys());
    let nobody = || nowhere().ok_or_else(|| Verdict::Failed("no address".to_owned()));
    let handed = |to, blind| Transfer { to, blind };
    let agent = || subject.plan.agent.clone();
    for capability in Capability::ALL {
        if provider.capabilities().contains(capability) {
            continue;
        }
        let answer = match capability {
            Capability::ClientToken => {
                let request = MintToken { agent: agent(), ttl: None };
                let mint = provider.mint_client_token(&cx, request);
                subject.ask("mint_client_token", mint).await?.map(drop)
            }
            Capability::Dial => {
                let start = provider.start_call(&cx, subject.start(nobody()?));
                subject.ask("start_call", start).await?.map(drop)
            }
            Capability::End => {
                subject.ask("end_call", provider.end_call(&cx, &call)).await?.map(drop)
            }
            Capability::Hold => {
                let held = subject.ask("hold", provider.hold(&cx, &call, true)).await?;
                match held {
                    Err(error) if error.kind() == ErrorKind::Unsupported => {
                        subject.ask("resume", provider.hold(&cx, &call, false)).await?
                    }
                    other => other,
                }
            }
            Capability::TransferBlind | Capability::TransferAttended => {
                let blind = *capability == Capability::TransferBlind;
                let transfer = provider.transfer(&cx, &call, handed(nobody()?, blind));
                subject.ask("transfer", transfer).await?
            }
            Capability::PresenceSync => {
                let request = SetPresence { agent: agent(), presence: Presence::Available };
                subject.ask("set_presence", provider.set_presence(&cx, request)).await?
            }
            _ => continue,
        };
        match answer {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => return failed(format!("{capability} is off: {error}")),
            Ok(()) => return failed(format!("{capability} is off, and yet it succeeded")),
        }
    }
    Ok(())
}

/// A number that is set aside for fiction: should a provider dial it all the same, nobody is called.
fn nowhere() -> Option<Address> {
    "+12025550199".parse().ok()
}
