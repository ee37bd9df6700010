//! Calls: started once, held, handed on, ended, looked up.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::subject::{Subject, Verdict, ensure, failed, skipped};
use crate::{CallRef, CallState, Capability, ErrorKind, Presence, SetPresence, Transfer};

/// Pause between two polls of a call.
const PAUSE: Duration = Duration::from_millis(100);
/// Polls in a row that all find one party: the vendor reports no more.
const STAYS: u32 = 10;
/// Starts of one call at the same time.
const STARTS: usize = 32;

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "A call is started, looked up, ended; ending it again reports that it was over.";
    subject.check("calls.life", rule, life).await;
    let rule = "Starting a call again with the same call_id starts nothing new.";
    subject.check("calls.start_twice", rule, start_twice).await;
    let rule = "Starting one call 32 times at once starts one.";
    subject.check("calls.start_at_once", rule, start_at_once).await;
    let rule = "An address that the vendor refuses ends the start with a refusal.";
    subject.check("calls.invalid", rule, invalid).await;
    let rule = "A call to somebody who is busy ends.";
    subject.check("calls.busy", rule, busy).await;
    let rule = "An answered call is held and taken back, also twice.";
    subject.check("calls.hold", rule, hold).await;
    let rule = "A call is not handed to an address that the vendor refuses.";
    subject.check("calls.transfer_invalid", rule, transfer_invalid).await;
    let rule = "Ending an unknown call reports that it was over.";
    subject.check("calls.end_unknown", rule, end_unknown).await;
    let rule = "Looking up an unknown call finds none.";
    subject.check("calls.poll_unknown", rule, poll_unknown).await;
    let rule = "Holding an unknown call ends with NOT_FOUND.";
    subject.check("calls.hold_unknown", rule, hold_unknown).await;
    let rule = "Every presence is accepted.";
    subject.check("calls.presence", rule, presence).await;
}

async fn life(subject: &Subject<'_>) -> Result<(), Verdict> {
    let call = subject.dial().await?;
    ensure(!call.provider_call_id.is_empty(), "the vendor's id is empty")?;
    match poll(subject, &call).await {
        Ok(Some(CallState::Ended)) => return failed("it is over at once"),
        Ok(None) => return failed("looking it up finds none"),
        Err(Verdict::Failed(what)) => return failed(what),
        Ok(Some(_)) | Err(Verdict::Skipped(_)) => {}
    }
    subject.needs(Capability::End)?;
    let there = answered(subject, &call).await;
    let cx = subject.cx();
    let ended = subject.succeed("end_call", subject.provider.end_call(&cx, &call)).await?;
    there?;
    ensure(ended, "ending a live call reports that it was over")?;
    let again = subject.succeed("end_call", subject.provider.end_call(&cx, &call)).await?;
    ensure(!again, "ending it again does not report that it was over")
}

async fn start_twice(subject: &Subject<'_>) -> Result<(), Verdict> {
    repeatable(subject)?;
    let request = subject.start(subject.answering()?);
    let cx = subject.cx();
    let start = || subject.provider.start_call(&cx, request.clone());
    let first = subject.succeed("start_call", start()).await?;
    let again = subject.succeed("start_call", start()).await;
    subject.hang_up(&subject.named(&request, &first)).await;
    let again = again?;
    let (first, again) = (first.provider_call_id, again.provider_call_id);
    ensure(first == again, format!("it is {first} first and {again} again"))
}

async fn start_at_once(subject: &Subject<'_>) -> Result<(), Verdict> {
    repeatable(subject)?;
    let request = subject.start(subject.answering()?);
    let cx = subject.cx();
    let start = || subject.succeed("start_call", subject.provider.start_call(&cx, request.clone()));
    let answers = join_all((0..STARTS).map(|_| start())).await;
    let mut ids = Vec::new();
    let mut error = None;
    for answer in answers {
        match answer {
            Ok(started) => ids.push(started),
            Err(verdict) => error = Some(verdict),
        }
    }
    ids.sort_by(|a, b| a.provider_call_id.cmp(&b.provider_call_id));
    ids.dedup_by(|a, b| a.provider_call_id == b.provider_call_id);
    for started in &ids {
        subject.hang_up(&subject.named(&request, started)).await;
    }
    error.map_or(Ok(()), Err)?;
    ensure(ids.len() == 1, format!("{} calls were started", ids.len()))
}

fn repeatable(subject: &Subject<'_>) -> Result<(), Verdict> {
    match subject.provider.descriptor().repeatable_start {
        true => Ok(()),
        false => skipped("the vendor knows no key by which a start is recognised"),
    }
}

async fn invalid(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::Dial)?;
    let Some(to) = subject.plan.invalid.clone() else {
        return skipped("the plan names no address that is refused");
    };
    let cx = subject.cx();
    let start = subject.provider.start_call(&cx, subject.start(to));
    subject.refuse("start_call", REFUSALS, start).await.map(drop)
}

/// Refusals of an address.
const REFUSALS: &[ErrorKind] = &[
    ErrorKind::InvalidArgument,
    ErrorKind::Refused,
    ErrorKind::NotFound,
    ErrorKind::PermissionDenied,
];

async fn busy(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::Dial)?;
    let Some(to) = subject.plan.busy.clone() else {
        return skipped("the plan names no address that is busy");
    };
    let (request, cx) = (subject.start(to), subject.cx());
    let started = subject.provider.start_call(&cx, request.clone());
    let started = subject.succeed("start_call", started).await?;
    let call = subject.named(&request, &started);
    // A vendor may know nothing of calls that are over.
    let over = |state: Option<CallState>| state.is_none_or(|state| state == CallState::Ended);
    let ended = reaches(subject, &call, over).await;
    subject.hang_up(&call).await;
    ensure(ended?, "it is not over")
}

async fn hold(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::Hold)?;
    let call = subject.dial().await?;
    let held = held(subject, &call).await;
    subject.hang_up(&call).await;
    held
}

async fn held(subject: &Subject<'_>, call: &CallRef) -> Result<(), Verdict> {
    answered(subject, call).await?;
    let cx = subject.cx();
    for on in [true, true, false, false] {
        let what = if on { "hold" } else { "resume" };
        subject.succeed(what, subject.provider.hold(&cx, call, on)).await?;
        let state = if on { CallState::Held } else { CallState::Bridged };
        let reached = reaches(subject, call, |now| now == Some(state)).await;
        match reached {
            Ok(true) | Err(Verdict::Skipped(_)) => {}
            Ok(false) => return failed(format!("after {what} it is not {state:?}")),
            Err(failed) => return Err(failed),
        }
    }
    Ok(())
}

async fn transfer_invalid(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::TransferBlind)?;
    let Some(to) = subject.plan.invalid.clone() else {
        return skipped("the plan names no address that is refused");
    };
    let call = subject.dial().await?;
    let cx = subject.cx();
    let refused = async {
        answered(subject, &call).await?;
        let transfer = subject.provider.transfer(&cx, &call, Transfer { to, blind: true });
        subject.refuse("transfer", REFUSALS, transfer).await.map(drop)
    };
    let refused = refused.await;
    subject.hang_up(&call).await;
    refused
}

async fn end_unknown(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::End)?;
    let (cx, call) = (subject.cx(), subject.nobodys());
    let ended = subject.succeed("end_call", subject.provider.end_call(&cx, &call)).await?;
    ensure(!ended, "it claims to have ended it")
}

async fn poll_unknown(subject: &Subject<'_>) -> Result<(), Verdict> {
    match poll(subject, &subject.nobodys()).await? {
        None => Ok(()),
        Some(state) => failed(format!("it is {state:?}")),
    }
}

async fn hold_unknown(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::Hold)?;
    let (cx, call) = (subject.cx(), subject.nobodys());
    let hold = subject.provider.hold(&cx, &call, true);
    subject.refuse("hold", &[ErrorKind::NotFound], hold).await.map(drop)
}

async fn presence(subject: &Subject<'_>) -> Result<(), Verdict> {
    subject.needs(Capability::PresenceSync)?;
    let cx = subject.cx();
    for presence in Presence::ALL {
        let request = SetPresence { agent: subject.plan.agent.clone(), presence: *presence };
        subject.succeed("set_presence", subject.provider.set_presence(&cx, request)).await?;
    }
    Ok(())
}

/// How far a call is; skips where calls cannot be looked up.
async fn poll(subject: &Subject<'_>, call: &CallRef) -> Result<Option<CallState>, Verdict> {
    let cx = subject.cx();
    let polled = subject.ask("poll_call", subject.provider.poll_call(&cx, call)).await?;
    match polled {
        Ok(status) => Ok(status.map(|status| status.state)),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            skipped("calls cannot be looked up")
        }
        Err(error) => failed(format!("poll_call: {error}")),
    }
}

/// Waits until the parties of a call are connected; goes on at once where calls cannot be polled. A
/// vendor that reports one party never shows that: there it is enough that this one stays.
async fn answered(subject: &Subject<'_>, call: &CallRef) -> Result<(), Verdict> {
    if subject.plan.patience.is_zero() {
        return Ok(());
    }
    let mut seen = 0;
    let there = |state| match state {
        Some(CallState::Bridged) => true,
        Some(CallState::Answered) => {
            seen += 1;
            seen >= STAYS
        }
        _ => false,
    };
    match reaches(subject, call, there).await {
        Ok(true) | Err(Verdict::Skipped(_)) => Ok(()),
        Ok(false) => failed("nobody answers"),
        Err(failed) => Err(failed),
    }
}

/// Whether a call comes that far within the plan's patience.
async fn reaches(
    subject: &Subject<'_>,
    call: &CallRef,
    mut there: impl FnMut(Option<CallState>) -> bool,
) -> Result<bool, Verdict> {
    let end = Instant::now() + subject.plan.patience;
    loop {
        if there(poll(subject, call).await?) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        sleep(PAUSE).await;
    }
}
