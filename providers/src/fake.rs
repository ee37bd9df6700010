//! A scriptable vendor, for tests and for the demo.
//!
//! Its calls live in a [`Switchboard`] of this process, which a test holds in its other hand: it
//! chooses how each operation ends, counts the requests, and emits events of calls.

mod switchboard;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use futures_util::{StreamExt as _, stream};
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::switchboard::{Behaviour, Operation, Switchboard, VendorEvent};
use crate::{
    CallRef, CallStatus, Capabilities, Capability, ChannelProvider, Check, ClientToken, Clock,
    Context, Descriptor, Error, ErrorKind, EventStream, ExposeSecret as _, Kind, Limits, MintToken,
    ProofLevel, Rate, Received, Reply, Result, Secret, SecretName, SetPresence, Setup, StartCall,
    Started, Transfer, Violations, Webhook, WebhookRefused, WebhookUse,
};

/// Name of the kind.
pub const KIND: &str = "fake";
/// Name of the secret with which webhooks are signed.
pub const WEBHOOK_KEY: &str = "webhook_key";
/// Header with the signature of a webhook, as [`sign`] makes it.
pub const SIGNATURE: &str = "x-fake-signature";

/// Longest life of a token.
const MAX_TTL: Duration = Duration::from_secs(86_400);

/// What it offers unless the configuration names other capabilities.
const DEFAULT_CAPABILITIES: [Capability; 7] = [
    Capability::ClientToken,
    Capability::Dial,
    Capability::End,
    Capability::Hold,
    Capability::TransferBlind,
    Capability::PresenceSync,
    Capability::ClickToAct,
];

/// A provider without a vendor.
#[derive(Debug)]
pub struct Fake {
    provider: String,
    offers: Capabilities,
    webhook_key: Option<Secret>,
    clock: Clock,
    switchboard: Arc<Switchboard>,
}

/// How it behaves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the switchboard in this process; that of the provider unless given.
    pub switchboard: String,
    /// Names of the capabilities; the usual ones unless given.
    pub capabilities: Option<BTreeSet<String>>,
    /// How operations end, by name, e.g. `{"start_call": "REFUSE"}`.
    pub behaviour: BTreeMap<Operation, Behaviour>,
}

impl Kind for Fake {
    type Config = Config;

    const DESCRIPTOR: Descriptor = Descriptor {
        kind: KIND,
        title: "Scriptable vendor for tests",
        vendor: "",
        version: env!("CARGO_PKG_VERSION"),
        capabilities: Capability::ALL,
        secrets: &[SecretName::optional(WEBHOOK_KEY)],
        webhook: WebhookUse::Stream,
        repeatable_start: false,
        limits: Limits { dials: Rate::new(1000.0, 1000), requests: Rate::new(1000.0, 1000) },
        proof: &[ProofLevel::Scripted],
    };

    fn judge(config: &Config, violations: &mut Violations) {
        for name in config.capabilities.iter().flatten() {
            let known = Capability::from_name(name).is_some();
            violations.check(known, "capabilities", format!("`{name}` is no capability"));
        }
    }

    fn offers(config: &Config) -> Capabilities {
        match &config.capabilities {
            Some(names) => names.iter().filter_map(|name| Capability::from_name(name)).collect(),
            None => DEFAULT_CAPABILITIES.into(),
        }
    }

    fn build(config: Config, setup: Setup) -> Result<Self> {
        let offers = Self::offers(&config);
        let name =
            if config.switchboard.is_empty() { &setup.provider } else { &config.switchboard };
        let switchboard = Switchboard::named(name);
        for (operation, behaviour) in config.behaviour {
            switchboard.set(operation, behaviour);
        }
        let webhook_key = setup.secrets.get(WEBHOOK_KEY).cloned();
        Ok(Self { provider: setup.provider, offers, webhook_key, clock: setup.clock, switchboard })
    }
}

impl Fake {
    /// Refuses what is not offered, then behaves as scripted.
    async fn perform<T>(
        &self,
        operation: Operation,
        capability: Option<Capability>,
        done: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if capability.is_some_and(|needed| !self.offers.contains(&needed)) {
            return Err(Error::unsupported(operation.as_str()));
        }
        self.switchboard.behave(operation, done).await
    }
}

#[async_trait]
impl ChannelProvider for Fake {
    fn descriptor(&self) -> &'static Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> Capabilities {
        self.offers.clone()
    }

    async fn check(&self, _: &Context) -> Vec<Check> {
        let check =
            self.perform(Operation::Check, None, || Ok("the switchboard is there".to_owned()));
        vec![Check::run("account", check).await]
    }

    async fn mint_client_token(&self, _: &Context, request: MintToken) -> Result<ClientToken> {
        let ttl = request.ttl.unwrap_or(Duration::from_secs(3600));
        if ttl.is_zero() || ttl > MAX_TTL {
            let message = format!("the ttl must be 1 to {} s", MAX_TTL.as_secs());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if request.agent.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the agent is missing"));
        }
        self.perform(Operation::MintClientToken, Some(Capability::ClientToken), || {
            Ok(ClientToken {
                token: Secret::from(format!("fake-{}", self.clock.uuid())),
                expire_time: self.clock.now() + ttl,
                parameters: [("identity".to_owned(), request.agent)].into(),
            })
        })
        .await
    }

    async fn start_call(&self, _: &Context, request: StartCall) -> Result<Started> {
        self.perform(Operation::StartCall, Some(Capability::Dial), || {
            Ok(self.switchboard.dial(&self.provider, request))
        })
        .await
    }

    async fn end_call(&self, _: &Context, call: &CallRef) -> Result<bool> {
        self.perform(Operation::EndCall, Some(Capability::End), || Ok(self.switchboard.end(call)))
            .await
    }

    async fn hold(&self, _: &Context, call: &CallRef, on: bool) -> Result<()> {
        self.perform(Operation::Hold, Some(Capability::Hold), || self.switchboard.hold(call, on))
            .await
    }

    async fn transfer(&self, _: &Context, call: &CallRef, transfer: Transfer) -> Result<()> {
        let needed = match transfer.blind {
            true => Capability::TransferBlind,
            false => Capability::TransferAttended,
        };
        self.perform(Operation::Transfer, Some(needed), || self.switchboard.transfer(call)).await
    }

    async fn set_presence(&self, _: &Context, request: SetPresence) -> Result<()> {
        self.perform(Operation::SetPresence, Some(Capability::PresenceSync), || {
            self.switchboard.present(request);
            Ok(())
        })
        .await
    }

    fn takes_webhooks(&self) -> bool {
        self.webhook_key.is_some()
    }

    async fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        let key = self.webhook_key.as_ref().ok_or(WebhookRefused::NotOffered)?;
        let sent = webhook.headers.get(SIGNATURE).ok_or(WebhookRefused::Unsigned)?;
        let expected = sign(key.expose_secret(), webhook.body);
        verify_slices_are_equal(sent.as_bytes(), expected.as_bytes())
            .map_err(|_| WebhookRefused::BadSignature)?;
        let posted: Vec<VendorEvent> =
            serde_json::from_slice(webhook.body).map_err(|_| WebhookRefused::Malformed)?;
        let events =
            posted.into_iter().map(|event| event.to_call_event(self.clock.now())).collect();
        Ok(Received { events, reply: Reply::new("text/plain", "taken") })
    }

    async fn events(&self, _: &Context) -> Result<EventStream> {
        let listener = self.switchboard.listen();
        self.perform(Operation::Events, None, || {
            let events = stream::unfold(listener, async |mut listener| {
                Some((Ok(listener.recv().await?), listener))
            });
            Ok(events.boxed())
        })
        .await
    }

    async fn poll_call(&self, _: &Context, call: &CallRef) -> Result<Option<CallStatus>> {
        self.perform(Operation::PollCall, None, || Ok(self.switchboard.status(call))).await
    }
}

/// Signs the body of a webhook: HMAC-SHA256 with the key, in hexadecimal digits.
pub fn sign(key: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
