//! Streams of events.

use std::future::pending;

use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::{
    Plan,
    subject::{Subject, Verdict, failed, skipped},
};
use crate::{ChannelProvider, Context, ErrorKind, EventStream};

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "A stream of events opens, and opens again after it was dropped.";
    subject.check("events.open", rule, open).await;
    let rule = "A stream has the events of a call that is started while it is open.";
    subject.check("events.call", rule, call).await;
}

/// Does something while a stream of events is read, where there is one. What is wrong with streams is
/// found elsewhere.
pub(super) async fn listening(
    provider: &dyn ChannelProvider,
    plan: &Plan,
    work: impl Future<Output = ()>,
) {
    let cx = Context::within(plan.within);
    let events = timeout(plan.within, provider.events(&cx)).await;
    let read = async {
        if let Ok(Ok(mut events)) = events {
            while events.next().await.is_some() {}
        }
        pending().await
    };
    tokio::select! {
        () = work => {}
        () = read => {}
    }
}

async fn listen(subject: &Subject<'_>) -> Result<EventStream, Verdict> {
    let cx = subject.cx();
    match subject.ask("events", subject.provider.events(&cx)).await? {
        Ok(events) => Ok(events),
        Err(error) if error.kind() == ErrorKind::Unsupported => skipped("there is no stream"),
        Err(error) => failed(format!("events: {error}")),
    }
}

async fn open(subject: &Subject<'_>) -> Result<(), Verdict> {
    drop(listen(subject).await?);
    listen(subject).await.map(drop)
}

async fn call(subject: &Subject<'_>) -> Result<(), Verdict> {
    if subject.plan.patience.is_zero() {
        return skipped("the plan waits for nothing");
    }
    subject.answering()?;
    let mut events = listen(subject).await?;
    let call = subject.dial().await?;
    let outcome = timeout(subject.plan.patience, async {
        while let Some(event) = events.next().await {
            let event = event.or_else(|error| {
                subject.note("events", &error.to_string());
                failed(format!("the stream broke: {error}"))
            })?;
            let ours = event.call_id.is_none_or(|call_id| call_id == call.call_id);
            if event.provider_call_id == call.provider_call_id && ours {
                return Ok(());
            }
        }
        failed("the stream ended")
    });
    let outcome = outcome.await.unwrap_or_else(|_| failed("it has no event of the call"));
    subject.hang_up(&call).await;
    outcome
}
