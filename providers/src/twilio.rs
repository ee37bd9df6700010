//! Twilio: programmable voice, and the presence of agents in Flex and TaskRouter.
//!
//! A call is two legs. Twilio rings the agent's softphone, and the instructions that come with that
//! call dial the customer once the agent is there. Our id of the call travels in the URL to which
//! Twilio posts, which its signature covers.
//!
//! Nobody can be put on hold: Twilio holds participants of a conference only, and a conference needs
//! a second request that may fail after the agent's phone rings already.

mod calls;
mod check;
mod client;
mod config;
mod error;
mod presence;
mod signature;
mod token;
mod transfer;
mod twiml;
mod webhook;

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod vectors;

use async_trait::async_trait;

pub use self::config::Config;
use self::{client::Client, signature::Keys};
use crate::{
    CallRef, CallStatus, Capabilities, Capability, ChannelProvider, Check, ClientToken, Clock,
    Context, Descriptor, Error, EventStream, Kind, Limits, MintToken, ProofLevel, Rate, Received,
    Result, Secret, SecretName, SetPresence, Setup, StartCall, Started, Transfer, Violations,
    Webhook, WebhookRefused, WebhookUse,
};

/// Name of the kind.
pub const KIND: &str = "twilio";
/// Secret of the API key: signs requests and tokens.
pub const API_KEY_SECRET: &str = "api_key_secret";
/// The account's auth token: Twilio signs webhooks with it.
pub const AUTH_TOKEN: &str = "auth_token";
/// The shared key with which Twilio signs webhooks by HMAC-SHA256, where that is set up.
pub const SHARED_KEY: &str = "shared_key";

/// What an account can do; the presence only where it is configured.
const OFFERS: &[Capability] = &[
    Capability::ClientToken,
    Capability::Dial,
    Capability::End,
    Capability::TransferBlind,
    Capability::ClickToAct,
    Capability::PresenceSync,
];

/// One account at Twilio.
#[derive(Debug)]
pub struct Twilio {
    config: Config,
    client: Client,
    keys: Keys,
    token_key: Secret,
    webhook_url: Option<String>,
    clock: Clock,
}

impl Kind for Twilio {
    type Config = Config;

    const DESCRIPTOR: Descriptor = Descriptor {
        kind: KIND,
        title: "Twilio Programmable Voice",
        vendor: "Twilio",
        version: env!("CARGO_PKG_VERSION"),
        capabilities: OFFERS,
        secrets: &[
            SecretName::required(API_KEY_SECRET),
            SecretName::required(AUTH_TOKEN),
            SecretName::optional(SHARED_KEY),
        ],
        webhook: WebhookUse::Push,
        repeatable_start: false,
        limits: Limits { dials: Rate::new(1.0, 1), requests: Rate::new(20.0, 40) },
        proof: &[ProofLevel::Vectors, ProofLevel::Scripted, ProofLevel::Mock, ProofLevel::Sdk],
    };

    fn judge(config: &Config, violations: &mut Violations) {
        config.judge(violations);
    }

    fn offers(config: &Config) -> Capabilities {
        let presence = config.workspace_sid.is_some();
        OFFERS.iter().copied().filter(|c| presence || *c != Capability::PresenceSync).collect()
    }

    fn build(config: Config, setup: Setup) -> Result<Self> {
        let secret = |name| setup.secrets.get(name).cloned().unwrap_or_default();
        let token_key = secret(API_KEY_SECRET);
        let client = Client::new(&config, &token_key, setup.network, setup.clock.clone())?;
        let shared = setup.secrets.get(SHARED_KEY).cloned();
        let keys = Keys::new(secret(AUTH_TOKEN), shared, config.shared_key_sid.clone());
        let Setup { webhook_url, clock, .. } = setup;
        Ok(Self { config, client, keys, token_key, webhook_url, clock })
    }
}

#[async_trait]
impl ChannelProvider for Twilio {
    fn descriptor(&self) -> &'static Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> Capabilities {
        Self::offers(&self.config)
    }

    async fn check(&self, _: &Context) -> Vec<Check> {
        self.run_checks().await
    }

    async fn mint_client_token(&self, _: &Context, request: MintToken) -> Result<ClientToken> {
        self.mint(&request)
    }

    async fn start_call(&self, _: &Context, request: StartCall) -> Result<Started> {
        self.start(&request).await
    }

    async fn end_call(&self, _: &Context, call: &CallRef) -> Result<bool> {
        self.end(call).await
    }

    async fn hold(&self, _: &Context, _: &CallRef, _: bool) -> Result<()> {
        Err(Error::unsupported("hold"))
    }

    async fn transfer(&self, _: &Context, call: &CallRef, transfer: Transfer) -> Result<()> {
        self.redirect(call, &transfer).await
    }

    async fn set_presence(&self, _: &Context, request: SetPresence) -> Result<()> {
        self.set_worker_activity(&request).await
    }

    fn takes_webhooks(&self) -> bool {
        true
    }

    async fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        self.receive_webhook(webhook)
    }

    async fn events(&self, _: &Context) -> Result<EventStream> {
        Err(Error::unsupported("stream of events"))
    }

    async fn poll_call(&self, _: &Context, call: &CallRef) -> Result<Option<CallStatus>> {
        self.poll(call).await
    }
}
