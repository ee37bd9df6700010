//! The operations of the contract.

use super::{
    client::{Onward, Originate},
    names::{Details, LineId, Side},
    session::AriApplication,
};
use crate::{
    CallRef, CallState, CallStatus, Check, Error, ErrorKind, Result, SetPresence, StartCall,
    Started, Transfer,
};

impl AriApplication {
    /// Checks everything that a call needs, and changes nothing.
    pub(super) async fn check(&self) -> Vec<Check> {
        let reach = async { self.client.ping().await.map(|()| "Asterisk answers".to_owned()) };
        let reach = Check::run("reach", reach).await;
        if reach.error().is_some() {
            let skipped = |name| Check::skipped(name, "Asterisk does not answer");
            return vec![reach, skipped("version"), skipped("permission"), skipped("events")];
        }
        let version = async {
            let version = self.client.info().await?.system.version;
            Ok(format!("Asterisk {version}"))
        };
        let permission =
            async { self.client.may_write().await.map(|()| "the user may start calls".to_owned()) };
        vec![
            reach,
            Check::run("version", version).await,
            Check::run("permission", permission).await,
            self.check_events().await,
        ]
    }

    async fn check_events(&self) -> Check {
        let app = &self.config.app;
        let begun = tokio::time::Instant::now();
        match self.client.has_subscriber().await {
            Ok(false) => Check::skipped(
                "events",
                format!("nobody listens to the application {app}; calls are refused until then"),
            ),
            subscribed => {
                let check =
                    async { subscribed.map(|_| format!("the application {app} is listened to")) };
                Check { duration: begun.elapsed(), ..Check::run("events", check).await }
            }
        }
    }

    /// Rings the agent. A call that is there already, or was, is not started again.
    pub(super) async fn start(&self, request: &StartCall) -> Result<Started> {
        let id = LineId::Outbound(request.call_id);
        let provider_call_id = id.provider_call_id();
        if let Some(state) = self.calls().state(&id) {
            return Ok(Started { provider_call_id, state });
        }
        let endpoint = self.config.agent(&request.agent)?;
        self.config.outside(&request.to)?;
        if !self.client.has_subscriber().await? {
            let message = "nobody listens to the application: no call could be joined";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let details = Details {
            agent: request.agent.clone(),
            to: request.to.to_string(),
            from: request.from.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let channel = Originate {
            id: provider_call_id.clone(),
            endpoint,
            args: details.to_args(),
            caller_id: Some(request.to.as_str()),
            timeout_s: self.config.ring_timeout_s,
        };
        self.client.originate(&channel).await?;
        Ok(Started { provider_call_id, state: CallState::Dialing })
    }

    /// Ends both channels: without a subscriber no event would end the second.
    pub(super) async fn end(&self, call: &CallRef) -> Result<bool> {
        let id = LineId::of_call(call);
        let first = self.client.hang_up(&id.channel(id.first())).await?;
        let second = self.client.hang_up(&id.channel(id.first().other())).await?;
        Ok(first || second)
    }

    pub(super) async fn hold(&self, call: &CallRef, on: bool) -> Result<()> {
        let id = LineId::of_call(call);
        self.client.hold(&id.channel(Side::Customer), on).await?;
        self.calls().hold(&id, on);
        Ok(())
    }

    /// Transfers the other party; the agent's channel ends when that has left.
    pub(super) async fn transfer(&self, call: &CallRef, transfer: &Transfer) -> Result<()> {
        if !transfer.blind {
            return Err(Error::unsupported("transfer after talking to the target"));
        }
        let customer = LineId::of_call(call).channel(Side::Customer);
        let to = &transfer.to;
        match &self.config.transfer_context {
            Some(context) if to.is_number() => {
                let onward = Onward::Extension { context, extension: to.as_str() };
                self.client.proceed(&customer, &onward).await
            }
            _ => self.client.redirect(&customer, &self.config.outside(to)?).await,
        }
    }

    pub(super) async fn set_presence(&self, request: &SetPresence) -> Result<()> {
        let state = self.config.device_state(request.presence);
        self.client.set_device_state(&format!("Stasis:{}", request.agent), state).await
    }

    /// The state of a call, from its channels and its bridge.
    pub(super) async fn status(&self, call: &CallRef) -> Result<Option<CallStatus>> {
        let id = LineId::of_call(call);
        let provider_call_id = id.provider_call_id();
        let Some(channel) = self.client.channel(&provider_call_id).await? else {
            return Ok(None);
        };
        let state = match (channel.state.as_str(), id.first()) {
            ("Up", _) => self.talking(&id).await?,
            (_, Side::Customer) | ("Ringing" | "Ring", _) => CallState::Ringing,
            _ => CallState::Dialing,
        };
        Ok(Some(CallStatus { provider_call_id, state, cause: None }))
    }

    async fn talking(&self, id: &LineId) -> Result<CallState> {
        let channels = Side::BOTH.map(|side| id.channel(side));
        if !self.client.is_joined(&id.bridge(), [&channels[0], &channels[1]]).await? {
            return Ok(CallState::Answered);
        }
        let held = self.client.is_held(&id.channel(Side::Customer)).await?;
        Ok(if held { CallState::Held } else { CallState::Bridged })
    }
}
