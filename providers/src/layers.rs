//! What protects the server from every vendor: one set of layers around any adapter, in one order.
//!
//! ```text
//! span and log -> deadline -> circuit breaker -> retry -> rate limit -> adapter
//! ```
//!
//! An attempt is retried only when the one before certainly had no effect, or when the operation is
//! idempotent: polling, ending, holding, and a start that the vendor knows by our id. What may
//! have been carried out and cannot be repeated is [`ErrorKind::OutcomeUnknown`]. Messages of errors
//! leave here without the provider's secrets.

mod breaker;
mod rate;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::Instrument;

use self::{breaker::Breaker, rate::Bucket};
use crate::{
    BackoffPolicy, CallRef, CallStatus, Capabilities, ChannelProvider, Check, CheckOutcome,
    ClientToken, Context, Descriptor, Effect, Error, ErrorKind, EventStream, Limits, MintToken,
    Received, Result, Secrets, SetPresence, StartCall, Started, Transfer, Webhook, WebhookRefused,
};

/// Longest that a request takes, whatever the caller allows (SPEC §14.5).
pub const MAX_VENDOR_WAIT: Duration = Duration::from_secs(10);

/// Pauses between the attempts of a request, where the vendor asks for no longer ones.
const RETRIES: BackoffPolicy = BackoffPolicy {
    first: Duration::from_millis(250),
    widest: Duration::from_secs(8),
    times: Some(3),
};

/// A provider behind its layers.
pub struct Protected {
    inner: Arc<dyn ChannelProvider>,
    name: String,
    secrets: Secrets,
    breaker: Mutex<Breaker>,
    dials: Mutex<Bucket>,
    requests: Mutex<Bucket>,
}

/// A kind of request to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    MintClientToken,
    StartCall,
    EndCall,
    Hold,
    Transfer,
    SetPresence,
    Events,
    PollCall,
}

impl Protected {
    /// Puts the layers around a provider. `name` is what logs call it.
    pub fn new(inner: Arc<dyn ChannelProvider>, name: impl Into<String>, secrets: Secrets) -> Self {
        let Limits { dials, requests } = inner.descriptor().limits;
        let now = Instant::now();
        Self {
            inner,
            name: name.into(),
            secrets,
            breaker: Mutex::new(Breaker::default()),
            dials: Mutex::new(Bucket::new(dials, now)),
            requests: Mutex::new(Bucket::new(requests, now)),
        }
    }

    /// Whether the circuit breaker keeps requests away from the vendor.
    pub fn is_open(&self) -> bool {
        lock(&self.breaker).is_open(Instant::now())
    }

    /// Runs one operation behind all layers. `attempt` may be called several times.
    async fn run<T, F>(
        &self,
        cx: &Context,
        operation: Operation,
        attempt: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let span = tracing::info_span!("provider", provider = %self.name, ?operation);
        let begun = Instant::now();
        let cx = Context { deadline: cx.deadline.min(begun + MAX_VENDOR_WAIT) };
        let done = self.guarded(cx, operation, attempt).instrument(span.clone()).await;
        done.map_err(|error| {
            let error = redacted(error, self.repeatable(operation), &self.secrets);
            let elapsed = begun.elapsed();
            span.in_scope(|| tracing::warn!(%error, effect = ?error.effect(), ?elapsed, "failed"));
            error
        })
    }

    /// Deadline and breaker around the attempts. A dropped request does not count for the breaker.
    async fn guarded<T, F>(
        &self,
        cx: Context,
        operation: Operation,
        attempt: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let ticket = lock(&self.breaker).admit(Instant::now()).map_err(|after| {
            let message = "the vendor failed too often; requests are held back for a moment";
            Error::new(ErrorKind::Unavailable, message).with_retry_after(after)
        })?;
        let mut in_flight = InFlight { breaker: &self.breaker, ticket, failed: None };
        let attempts = self.retried(cx, operation, attempt);
        let done = timeout_at(cx.deadline, attempts)
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "no answer in time")));
        in_flight.failed = Some(done.as_ref().err().is_some_and(at_fault));
        done
    }

    /// Attempts with back-off. Each one asks the rate limit: retries must not
    /// add load to a vendor that is out of capacity. One that gets no token in time ends with the failure before it.
    async fn retried<T, F>(
        &self,
        cx: Context,
        operation: Operation,
        attempt: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let repeatable = self.repeatable(operation);
        let mut pauses = RETRIES.pauses();
        let mut failed = None;
        loop {
            match self.token(operation, cx.deadline) {
                Ok(slot_at) => sleep_until(slot_at).await,
                Err(limited) => return Err(failed.unwrap_or(limited)),
            }
            let error = match attempt(cx).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let safe = repeatable || error.effect() == Effect::None;
            // No shorter than the vendor asks for.
            let pause = pauses.next().map(|own| own.max(error.retry_after().unwrap_or_default()));
            let pause = pause.filter(|_| error.temporary() && safe);
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < cx.deadline) else {
                return Err(error);
            };
            tracing::debug!(%error, ?pause, "trying again");
            failed = Some(error);
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes a token of the rate limit; answers from when on it may be used.
    fn token(&self, operation: Operation, deadline: Instant) -> Result<Instant> {
        let bucket = if operation == Operation::StartCall { &self.dials } else { &self.requests };
        lock(bucket).take(Instant::now(), deadline).map_err(|after| {
            let message = "more requests than the vendor takes";
            Error::new(ErrorKind::RateLimited, message).with_retry_after(after)
        })
    }

    /// Whether the operation is idempotent.
    fn repeatable(&self, operation: Operation) -> bool {
        match operation {
            Operation::MintClientToken
            | Operation::EndCall
            | Operation::Hold
            | Operation::SetPresence
            | Operation::Events
            | Operation::PollCall => true,
            Operation::StartCall => self.inner.descriptor().repeatable_start,
            Operation::Transfer => false,
        }
    }
}

/// A request in flight. Its outcome is recorded by the breaker when it ends; a dropped one gives its
/// ticket back.
struct InFlight<'a> {
    breaker: &'a Mutex<Breaker>,
    ticket: breaker::Ticket,
    /// Whether the vendor was at fault; none while it is in flight.
    failed: Option<bool>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(self.breaker).record(self.ticket, self.failed, Instant::now());
    }
}

/// Whether a failure counts against the vendor. A request that it refuses does not.
fn at_fault(error: &Error) -> bool {
    use ErrorKind::{OutcomeUnknown, Protocol, RateLimited, Timeout, Unavailable};
    matches!(error.kind(), OutcomeUnknown | Protocol | RateLimited | Timeout | Unavailable)
}

/// The error without secrets, and OUTCOME_UNKNOWN where the request may have had an effect.
fn redacted(error: Error, repeatable: bool, secrets: &Secrets) -> Error {
    let message = secrets.redact(error.message());
    let unknown = error.effect() == Effect::Unknown && !repeatable;
    if !unknown {
        return error.with_message(message);
    }
    let unknown = Error::new(ErrorKind::OutcomeUnknown, message);
    match error.vendor_code() {
        Some(code) => unknown.with_vendor_code(code),
        None => unknown,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected")
            .field("name", &self.name)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ChannelProvider for Protected {
    fn descriptor(&self) -> &'static Descriptor {
        self.inner.descriptor()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    /// Behind the deadline alone: a check reports the health of the vendor, also while the breaker is open.
    async fn check(&self, cx: &Context) -> Vec<Check> {
        let deadline = cx.deadline.min(Instant::now() + MAX_VENDOR_WAIT);
        let begun = Instant::now();
        let done = timeout_at(deadline, self.inner.check(&Context { deadline })).await;
        let mut checks = done.unwrap_or_else(|_| {
            let outcome = CheckOutcome::Failed(ErrorKind::Timeout);
            let detail = "no answer in time".to_owned();
            vec![Check { name: "answer".into(), outcome, detail, duration: begun.elapsed() }]
        });
        for check in &mut checks {
            check.detail = self.secrets.redact(&check.detail);
        }
        checks
    }

    async fn mint_client_token(&self, cx: &Context, request: MintToken) -> Result<ClientToken> {
        self.run(cx, Operation::MintClientToken, |cx| {
            let request = request.clone();
            async move { self.inner.mint_client_token(&cx, request).await }
        })
        .await
    }

    async fn start_call(&self, cx: &Context, request: StartCall) -> Result<Started> {
        self.run(cx, Operation::StartCall, |cx| {
            let request = request.clone();
            async move { self.inner.start_call(&cx, request).await }
        })
        .await
    }

    async fn end_call(&self, cx: &Context, call: &CallRef) -> Result<bool> {
        let end = |cx| async move { self.inner.end_call(&cx, call).await };
        self.run(cx, Operation::EndCall, end).await
    }

    async fn hold(&self, cx: &Context, call: &CallRef, on: bool) -> Result<()> {
        let hold = |cx| async move { self.inner.hold(&cx, call, on).await };
        self.run(cx, Operation::Hold, hold).await
    }

    async fn transfer(&self, cx: &Context, call: &CallRef, transfer: Transfer) -> Result<()> {
        self.run(cx, Operation::Transfer, |cx| {
            let transfer = transfer.clone();
            async move { self.inner.transfer(&cx, call, transfer).await }
        })
        .await
    }

    async fn set_presence(&self, cx: &Context, request: SetPresence) -> Result<()> {
        self.run(cx, Operation::SetPresence, |cx| {
            let request = request.clone();
            async move { self.inner.set_presence(&cx, request).await }
        })
        .await
    }

    /// Behind the deadline alone: a webhook is no request to the vendor.
    fn takes_webhooks(&self) -> bool {
        self.inner.takes_webhooks()
    }

    async fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        let received = timeout(MAX_VENDOR_WAIT, self.inner.receive(webhook)).await;
        received.unwrap_or(Err(WebhookRefused::Unavailable))
    }

    async fn events(&self, cx: &Context) -> Result<EventStream> {
        let connect = |cx| async move { self.inner.events(&cx).await };
        self.run(cx, Operation::Events, connect).await
    }

    async fn poll_call(&self, cx: &Context, call: &CallRef) -> Result<Option<CallStatus>> {
        let poll = |cx| async move { self.inner.poll_call(&cx, call).await };
        self.run(cx, Operation::PollCall, poll).await
    }
}
