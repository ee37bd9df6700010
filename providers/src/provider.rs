//! The contract of every adapter.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    pin::Pin,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures_core::Stream;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Address, CallEvent, CallRef, CallState, Capabilities, Cause, Descriptor, Error, ErrorKind,
    Received, Result, Secret, Webhook, WebhookRefused,
};

/// Events of a vendor, as long as its connection lasts.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<CallEvent>> + Send>>;

/// One account at one vendor, ready to use.
///
/// Every method is required, so that a wrapper which forgets one does not compile. What an adapter
/// does not offer is [`ErrorKind::Unsupported`], and not among its [capabilities]. A future that is
/// dropped leaves nothing behind but what the vendor has done by then.
///
/// An adapter neither retries nor limits itself nor logs: [`crate::layers`] does so around all of
/// them.
///
/// [capabilities]: ChannelProvider::capabilities
#[async_trait]
pub trait ChannelProvider: fmt::Debug + Send + Sync + 'static {
    /// What is true of every provider of this kind.
    fn descriptor(&self) -> &'static Descriptor;

    /// What this one can do with its configuration.
    fn capabilities(&self) -> Capabilities;

    /// Asks the vendor whether everything is in order, and changes nothing there.
    ///
    /// It checks in order, and skips what makes no sense after a failure.
    async fn check(&self, cx: &Context) -> Vec<Check>;

    /// Makes a token with which the agent's softphone signs in.
    async fn mint_client_token(&self, cx: &Context, request: MintToken) -> Result<ClientToken>;

    /// Starts a call between the agent and another party.
    ///
    /// [`Effect::None`](crate::Effect::None) may be said only when the vendor certainly did nothing:
    /// the caller dials elsewhere then.
    async fn start_call(&self, cx: &Context, request: StartCall) -> Result<Started>;

    /// Ends a call; true when it was not over yet. One the vendor does not know any more is over.
    async fn end_call(&self, cx: &Context, call: &CallRef) -> Result<bool>;

    /// Puts the other party on hold, or takes it back.
    async fn hold(&self, cx: &Context, call: &CallRef, on: bool) -> Result<()>;

    /// Hands the other party on.
    async fn transfer(&self, cx: &Context, call: &CallRef, transfer: Transfer) -> Result<()>;

    /// Sets the agent's presence at the vendor.
    async fn set_presence(&self, cx: &Context, request: SetPresence) -> Result<()>;

    /// Whether it takes webhooks with its configuration: for one that does not, nothing of what is
    /// posted is read.
    fn takes_webhooks(&self) -> bool;

    /// Verifies what a vendor posted over the bytes that it sent, and converts it to events.
    ///
    /// One step, so that no unverified event is ever read. Signatures are compared in
    /// constant time.
    async fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, WebhookRefused>;

    /// Connects to the vendor's stream of events.
    async fn events(&self, cx: &Context) -> Result<EventStream>;

    /// Asks how far a call is; `None` when the vendor knows no such call.
    ///
    /// A call whose start ended without an answer has no vendor's id yet: the adapter then finds it
    /// by what it was started with, or answers [`ErrorKind::Unsupported`].
    async fn poll_call(&self, cx: &Context, call: &CallRef) -> Result<Option<CallStatus>>;
}

/// What every request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// When the answer is of no use any more.
    pub deadline: Instant,
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintToken {
    /// Id of the user.
    pub agent: String,
    /// How long it should be valid; the adapter's default when not given.
    pub ttl: Option<Duration>,
}

/// A token for a softphone.
#[derive(Debug, Clone)]
pub struct ClientToken {
    /// The token itself.
    pub token: Secret,
    /// When it stops working.
    pub expire_time: SystemTime,
    /// What the softphone needs beside it; nothing secret.
    pub parameters: BTreeMap<String, String>,
}

/// Asks for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartCall {
    /// Our id of the call: a vendor that knows keys of idempotency gets it.
    pub call_id: Uuid,
    /// Id of the user who calls.
    pub agent: String,
    /// Whom.
    pub to: Address,
    /// Caller id to show; the configured one when not given.
    pub from: Option<Address>,
    /// What the caller wants to find again at the call.
    pub context: BTreeMap<String, String>,
}

/// A call that the vendor took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The vendor's id.
    pub provider_call_id: String,
    /// How far it is.
    pub state: CallState,
}

/// Where to hand the other party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Whom.
    pub to: Address,
    /// Without talking to the target first.
    pub blind: bool,
}

/// What an agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPresence {
    /// Id of the user.
    pub agent: String,
    /// What it does.
    pub presence: Presence,
}

/// What an agent does, in the words of the API.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Presence {
    /// Takes work.
    Available,
    /// Works.
    Busy,
    /// Takes none.
    DoNotDisturb,
    /// Is not there for a moment.
    Away,
    /// Is not there.
    Offline,
}

/// How far a call is, as the vendor answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStatus {
    /// The vendor's id.
    pub provider_call_id: String,
    /// How far it is.
    pub state: CallState,
    /// Why it is over, when it is.
    pub cause: Option<Cause>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, e.g. `credentials`.
    pub name: Cow<'static, str>,
    /// How it is.
    pub outcome: CheckOutcome,
    /// What was seen, for administrators.
    pub detail: String,
    /// How long it took.
    pub duration: Duration,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckOutcome {
    /// In order.
    Ok,
    /// Not in order, for this reason.
    Failed(ErrorKind),
    /// Not looked at.
    Skipped,
}

// === impl Context ===

impl Context {
    /// A request that is of no use after that time.
    pub fn within(time: Duration) -> Self {
        Self { deadline: Instant::now() + time }
    }

    /// Time that is left.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

// === impl Check ===

impl Check {
    /// Runs one check and notes how it went and how long it took.
    pub async fn run<F>(name: impl Into<Cow<'static, str>>, check: F) -> Self
    where
        F: Future<Output = Result<String>>,
    {
        let begun = Instant::now();
        let (outcome, detail) = match check.await {
            Ok(detail) => (CheckOutcome::Ok, detail),
            Err(error) => (CheckOutcome::Failed(error.kind()), error.to_string()),
        };
        Self { name: name.into(), outcome, detail, duration: begun.elapsed() }
    }

    /// A check that was not made, and why.
    pub fn skipped(name: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        let detail = why.into();
        Self { name: name.into(), outcome: CheckOutcome::Skipped, detail, duration: Duration::ZERO }
    }

    /// The failure as an error, when it is one.
    pub fn error(&self) -> Option<Error> {
        match self.outcome {
            CheckOutcome::Failed(kind) => Some(Error::new(kind, self.detail.clone())),
            _ => None,
        }
    }
}

impl Presence {
    /// All there are.
    pub const ALL: &[Self] =
        &[Self::Available, Self::Busy, Self::DoNotDisturb, Self::Away, Self::Offline];
}
