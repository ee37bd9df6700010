//! Plug-ins that operators run: the service `deskplane.provider.v1.ChannelProviderPlugin` behind the
//! contract of every adapter.
//!
//! Nothing is spawned or loaded. A plug-in is reached over TCP through the guarded connector, or
//! over a socket of this machine where the operator allows that. Every new connection begins with a
//! handshake, so a plug-in of another protocol never gets a request that means something.

mod check;
mod client;
mod config;
mod convert;
mod status;
#[cfg(test)]
pub(crate) mod tests;
mod traced;
mod transport;

use async_trait::async_trait;
use deskplane_proto::provider::v1;

use self::{client::Client, config::Endpoint};
pub use self::{
    client::{CLIENT_CERTIFICATE, CLIENT_KEY, PROTOCOL_VERSION, TOKEN},
    config::Config,
};
use crate::{
    CallRef, CallStatus, Capabilities, Capability, ChannelProvider, Check, ClientToken, Context,
    Descriptor, Error, ErrorKind, EventStream, ExposeSecret as _, Kind, Limits, MintToken,
    ProofLevel, Rate, Received, Result, Secret, Secrets, SetPresence, Setup, StartCall, Started,
    Transfer, Violations, Webhook, WebhookRefused, WebhookUse,
    http::{MAX_ANSWER_BYTES, Network},
    layers::MAX_VENDOR_WAIT,
};

/// Name of the kind.
pub const KIND: &str = "external";

/// A provider that runs outside, as a plug-in.
#[derive(Debug)]
pub struct External {
    offers: Capabilities,
    /// Whether what is not offered is refused here, before the plug-in is asked.
    gated: bool,
    client: Client,
}

/// Connects to a plug-in without a configuration: it offers what the plug-in says, and the plug-in
/// itself refuses the rest. For the conformance kit.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] when the endpoint is none or may not be reached, or the plug-in
/// speaks another version of the protocol; otherwise why it cannot be used.
pub async fn connect(endpoint: &str, token: Option<Secret>, network: &Network) -> Result<External> {
    let endpoint: Endpoint =
        endpoint.parse().map_err(|rule| Error::new(ErrorKind::InvalidConfig, rule))?;
    let config = Config::of(&endpoint);
    let token = token.iter().map(|token| (TOKEN, token.expose_secret()));
    let secrets: Secrets = token.collect();
    let client = Client::new(&config, endpoint, &secrets, network)?;
    let offers = client.capabilities(&Context::within(MAX_VENDOR_WAIT)).await?;
    Ok(External { offers, gated: false, client })
}

impl Kind for External {
    type Config = Config;

    const DESCRIPTOR: Descriptor = Descriptor {
        kind: KIND,
        title: "Plug-in over gRPC",
        vendor: "",
        version: env!("CARGO_PKG_VERSION"),
        capabilities: crate::Capability::ALL,
        secrets: &[
            crate::SecretName::optional(TOKEN),
            crate::SecretName::optional(CLIENT_CERTIFICATE),
            crate::SecretName::optional(CLIENT_KEY),
        ],
        webhook: WebhookUse::Stream,
        repeatable_start: true,
        limits: Limits { dials: Rate::new(20.0, 40), requests: Rate::new(200.0, 400) },
        proof: &[ProofLevel::Scripted],
    };

    fn judge(config: &Config, violations: &mut Violations) {
        config.judge(violations);
    }

    fn offers(config: &Config) -> Capabilities {
        config.offers()
    }

    fn build(config: Config, setup: Setup) -> Result<Self> {
        let endpoint = config.endpoint()?;
        let client = Client::new(&config, endpoint, &setup.secrets, &setup.network)?;
        Ok(Self { offers: config.offers(), gated: true, client })
    }
}

impl External {
    /// Refuses what is not offered.
    fn needs(&self, capability: Capability, what: &str) -> Result<()> {
        match self.gated && !self.offers.contains(&capability) {
            true => Err(Error::unsupported(what)),
            false => Ok(()),
        }
    }
}

/// Asks the plug-in by one of its methods.
macro_rules! ask {
    ($self:ident, $cx:expr, $method:ident, $request:expr) => {
        $self.client.call(
            $cx,
            $request,
            |mut rpc, request| async move { rpc.$method(request).await },
        )
    };
}

#[async_trait]
impl ChannelProvider for External {
    fn descriptor(&self) -> &'static Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> Capabilities {
        self.offers.clone()
    }

    async fn check(&self, cx: &Context) -> Vec<Check> {
        check::run(&self.client, &self.offers, cx).await
    }

    async fn mint_client_token(&self, cx: &Context, request: MintToken) -> Result<ClientToken> {
        self.needs(Capability::ClientToken, "client token")?;
        convert::token(ask!(self, cx, mint_token, convert::mint(request)?).await?)
    }

    async fn start_call(&self, cx: &Context, request: StartCall) -> Result<Started> {
        self.needs(Capability::Dial, "dialling")?;
        convert::started(ask!(self, cx, start_call, convert::start(request)).await?)
    }

    async fn end_call(&self, cx: &Context, call: &CallRef) -> Result<bool> {
        self.needs(Capability::End, "ending")?;
        let request = v1::EndCallRequest { call: Some(convert::call(call)) };
        match ask!(self, cx, end_call, request).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            done => done.map(|answer| answer.ended),
        }
    }

    async fn hold(&self, cx: &Context, call: &CallRef, on: bool) -> Result<()> {
        self.needs(Capability::Hold, "hold")?;
        let call = Some(convert::call(call));
        match on {
            true => ask!(self, cx, hold, v1::HoldRequest { call }).await.map(drop),
            false => ask!(self, cx, resume, v1::ResumeRequest { call }).await.map(drop),
        }
    }

    async fn transfer(&self, cx: &Context, call: &CallRef, transfer: Transfer) -> Result<()> {
        let needed = match transfer.blind {
            true => Capability::TransferBlind,
            false => Capability::TransferAttended,
        };
        self.needs(needed, "transfer")?;
        ask!(self, cx, transfer, convert::transfer(call, &transfer)).await.map(drop)
    }

    async fn set_presence(&self, cx: &Context, request: SetPresence) -> Result<()> {
        self.needs(Capability::PresenceSync, "presence")?;
        ask!(self, cx, set_presence, convert::presence(request)).await.map(drop)
    }

    // What the plug-in does with them it says when it is asked.
    fn takes_webhooks(&self) -> bool {
        true
    }

    async fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, WebhookRefused> {
        let request = convert::webhook(webhook);
        if prost::Message::encoded_len(&request) > MAX_ANSWER_BYTES {
            return Err(WebhookRefused::Malformed);
        }
        let cx = Context::within(MAX_VENDOR_WAIT);
        match ask!(self, &cx, verify_and_parse_webhook, request).await {
            Ok(answer) => convert::received(answer),
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(WebhookRefused::NotOffered),
            Err(_) => Err(WebhookRefused::Unavailable),
        }
    }

    async fn events(&self, cx: &Context) -> Result<EventStream> {
        self.client.listen(cx).await
    }

    async fn poll_call(&self, cx: &Context, call: &CallRef) -> Result<Option<CallStatus>> {
        let request = v1::GetCallRequest { call: Some(convert::call(call)) };
        match ask!(self, cx, get_call, request).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            done => done.and_then(convert::status).map(Some),
        }
    }
}
