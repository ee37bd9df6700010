//! The softphone page that does everything by itself: the server drives nothing.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    CallRef, CallStatus, Capabilities, ChannelProvider, Check, ClientToken, Context, Descriptor,
    Error, EventStream, Kind, Limits, MintToken, Rate, Received, Result, SetPresence, Setup,
    StartCall, Started, Transfer, Violations, Webhook, WebhookRefused, WebhookUse,
};

/// Kind of the adapter that drives nothing.
pub const WIDGET: &str = "widget";

/// No adapter at all. What the page can do is declared at the provider, and how it does is reported.
#[derive(Debug, Clone, Copy)]
pub struct Widget;

/// Nothing can be configured.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Kind for Widget {
    type Config = Config;

    const DESCRIPTOR: Descriptor = Descriptor {
        kind: WIDGET,
        title: "Softphone page only",
        vendor: "",
        version: env!("CARGO_PKG_VERSION"),
        capabilities: &[],
        secrets: &[],
        webhook: WebhookUse::None,
        repeatable_start: false,
        limits: Limits { dials: Rate::new(1000.0, 1000), requests: Rate::new(1000.0, 1000) },
        proof: &[],
    };

    fn judge(_: &Config, _: &mut Violations) {}

    fn offers(_: &Config) -> Capabilities {
        Capabilities::new()
    }

    fn build(_: Config, _: Setup) -> Result<Self> {
        Ok(Self)
    }
}

#[async_trait]
impl ChannelProvider for Widget {
    fn descriptor(&self) -> &'static Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn check(&self, _: &Context) -> Vec<Check> {
        vec![Check::skipped("page", "the softphone page is not driven by the server")]
    }

    async fn mint_client_token(&self, _: &Context, _: MintToken) -> Result<ClientToken> {
        Err(Error::unsupported("client token"))
    }

    async fn start_call(&self, _: &Context, _: StartCall) -> Result<Started> {
        Err(Error::unsupported("dialling"))
    }

    async fn end_call(&self, _: &Context, _: &CallRef) -> Result<bool> {
        Err(Error::unsupported("ending"))
    }

    async fn hold(&self, _: &Context, _: &CallRef, _: bool) -> Result<()> {
        Err(Error::unsupported("hold"))
    }

    async fn transfer(&self, _: &Context, _: &CallRef, _: Transfer) -> Result<()> {
        Err(Error::unsupported("transfer"))
    }

    async fn set_presence(&self, _: &Context, _: SetPresence) -> Result<()> {
        Err(Error::unsupported("presence"))
    }

    fn takes_webhooks(&self) -> bool {
        false
    }

    async fn receive(&self, _: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        Err(WebhookRefused::NotOffered)
    }

    async fn events(&self, _: &Context) -> Result<EventStream> {
        Err(Error::unsupported("stream of events"))
    }

    async fn poll_call(&self, _: &Context, _: &CallRef) -> Result<Option<CallStatus>> {
        Err(Error::unsupported("look-up of calls"))
    }
}
