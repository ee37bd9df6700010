//! Asterisk, through its REST interface (ARI) and the WebSocket of its events.
//!
//! A call has two channels and a bridge, all with names of ours: [`start_call`] rings the agent, and
//! the subscriber of [`events`] does the rest. When the agent is there the other party is called,
//! when it is there the two are joined, and when one goes the other is let go. Everything needed to
//! go on is at Asterisk: in the names, in the arguments of the application, and in the bridge that
//! is made before the second party is called. So a server that was away finds each call where it is,
//! and dials no party twice.
//!
//! A call from outside comes when the dial plan runs `Stasis(app,agent=ID)`: the agent's phone is
//! rung, and if that comes to nothing the dial plan goes on where it was. It must not send a call
//! there that this adapter has handed on.
//!
//! [`start_call`]: ChannelProvider::start_call
//! [`events`]: ChannelProvider::events

mod call_table;
mod client;
mod config;
mod line;
mod message;
mod names;
mod operations;
mod session;
mod socket;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod vectors;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::config::{Config, DeviceState};
use self::{client::Client, session::AriApplication};
use crate::{
    CallRef, CallStatus, Capabilities, Capability, ChannelProvider, Check, ClientToken, Context,
    Descriptor, Error, ErrorKind, EventStream, Kind, Limits, MintToken, ProofLevel, Rate, Received,
    Result, SecretName, SetPresence, Setup, StartCall, Started, Transfer, Violations, Webhook,
    WebhookRefused, WebhookUse,
};

/// Name of the kind.
pub const KIND: &str = "asterisk";
/// Name of the secret with the password of the REST interface's user.
pub const PASSWORD: &str = "password";

/// One application at one Asterisk.
#[derive(Debug)]
pub struct Asterisk {
    application: Arc<AriApplication>,
}

/// What it can do, whatever is configured.
const OFFERS: &[Capability] = &[
    Capability::Dial,
    Capability::End,
    Capability::Hold,
    Capability::TransferBlind,
    Capability::PresenceSync,
    Capability::ClickToAct,
];

impl Kind for Asterisk {
    type Config = Config;

    const DESCRIPTOR: Descriptor = Descriptor {
        kind: KIND,
        title: "Asterisk (ARI)",
        vendor: "Sangoma",
        version: env!("CARGO_PKG_VERSION"),
        capabilities: OFFERS,
        secrets: &[SecretName::required(PASSWORD)],
        webhook: WebhookUse::Stream,
        repeatable_start: true,
        limits: Limits { dials: Rate::new(10.0, 20), requests: Rate::new(50.0, 100) },
        proof: &[ProofLevel::Vectors, ProofLevel::Scripted],
    };

    fn judge(config: &Config, violations: &mut Violations) {
        config::judge(config, violations);
    }

    fn offers(_: &Config) -> Capabilities {
        OFFERS.iter().copied().collect()
    }

    fn build(config: Config, setup: Setup) -> Result<Self> {
        let unset = || Error::new(ErrorKind::InvalidConfig, "the secret password is not set");
        let password = setup.secrets.get(PASSWORD).ok_or_else(unset)?;
        let client = Client::new(&config, password, setup.clock.clone(), setup.network)?;
        Ok(Self { application: Arc::new(AriApplication::new(config, client, setup.clock)) })
    }
}

#[async_trait]
impl ChannelProvider for Asterisk {
    fn descriptor(&self) -> &'static Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> Capabilities {
        Self::offers(&self.application.config)
    }

    async fn check(&self, _: &Context) -> Vec<Check> {
        self.application.check().await
    }

    async fn mint_client_token(&self, _: &Context, _: MintToken) -> Result<ClientToken> {
        Err(Error::unsupported("client token"))
    }

    async fn start_call(&self, _: &Context, request: StartCall) -> Result<Started> {
        self.application.start(&request).await
    }

    async fn end_call(&self, _: &Context, call: &CallRef) -> Result<bool> {
        self.application.end(call).await
    }

    async fn hold(&self, _: &Context, call: &CallRef, on: bool) -> Result<()> {
        self.application.hold(call, on).await
    }

    async fn transfer(&self, _: &Context, call: &CallRef, transfer: Transfer) -> Result<()> {
        self.application.transfer(call, &transfer).await
    }

    async fn set_presence(&self, _: &Context, request: SetPresence) -> Result<()> {
        self.application.set_presence(&request).await
    }

    fn takes_webhooks(&self) -> bool {
        false
    }

    async fn receive(&self, _: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        Err(WebhookRefused::NotOffered)
    }

    async fn events(&self, _: &Context) -> Result<EventStream> {
        self.application.listen().await
    }

    async fn poll_call(&self, _: &Context, call: &CallRef) -> Result<Option<CallStatus>> {
        self.application.status(call).await
    }
}
