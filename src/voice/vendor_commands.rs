//! Commands to vendors beside starting a call: checks, tokens, presence, and commands to calls.

use std::{sync::Arc, time::Duration};

pub use deskplane_providers::Presence;
use deskplane_providers::{
    Address, CallState, Capability, Cause, ChannelProvider as _, Check, ClientToken, Context,
    ErrorKind, MintToken, SetPresence, Transfer,
};

use super::{Call, Voice, refuse::VendorRequest};
use crate::domain::{
    Reason, Refusal, UniqueName, UserId,
    provider::{ChannelProvider, WIDGET},
};

impl Voice {
    /// Runs the checks of a provider, active or not, in a profile or not.
    pub async fn verify(&self, stored: &ChannelProvider, cx: Context) -> Vec<Check> {
        if stored.adapter == WIDGET {
            return vec![Check::skipped(
                "adapter",
                "the softphone page is not driven by the server",
            )];
        }
        let account = self.shared.accounts.get_or_build_unused(&self.shared, stored);
        match &account.provider {
            Ok(provider) => provider.check(&cx).await,
            Err(error) => {
                let error = error.clone();
                vec![Check::run("configuration", async { Err(error) }).await]
            }
        }
    }

    /// Makes a token for a user's softphone.
    pub async fn mint_client_token(
        &self,
        user: &UserId,
        provider: &UniqueName,
        ttl: Option<Duration>,
        cx: Context,
    ) -> Result<ClientToken, Refusal> {
        let request = VendorRequest { capability: Capability::ClientToken, changes: false };
        let vendor = self.vendor(user, provider, request)?;
        let request = MintToken { agent: user.as_str().to_owned(), ttl };
        vendor.adapter.mint_client_token(&cx, request).await.map_err(|error| match error.kind() {
            ErrorKind::InvalidArgument => {
                let message = format!("The token cannot be made: {}.", error.message());
                Refusal::new(Reason::FieldInvalid, message).violation("ttl", error.message())
            }
            _ => vendor.refusal(&self.shared, &error),
        })
    }

    /// Sets a user's presence at a vendor.
    pub async fn set_presence(
        &self,
        user: &UserId,
        provider: &UniqueName,
        presence: Presence,
        cx: Context,
    ) -> Result<(), Refusal> {
        let vendor =
            self.vendor(user, provider, VendorRequest::change(Capability::PresenceSync))?;
        let request = SetPresence { agent: user.as_str().to_owned(), presence };
        let set = vendor.adapter.set_presence(&cx, request).await;
        set.map_err(|error| vendor.refusal(&self.shared, &error))
    }

    /// Ends a call; false when it was over.
    pub async fn end_call(&self, call: &Call, cx: Context) -> Result<(Arc<Call>, bool), Refusal> {
        if call.is_over() {
            return Ok(self.unchanged(call));
        }
        let request = VendorRequest::change(Capability::End);
        let vendor = self.vendor(&call.user, &call.provider, request)?;
        let ended = vendor.adapter.end_call(&cx, &call.reference()).await;
        let ended = ended.map_err(|error| vendor.refusal(&self.shared, &error))?;
        let cause = if call.answer_time.is_some() { Cause::Normal } else { Cause::Canceled };
        let (call, _) = self.confirm_state(call, CallState::Ended, Some(cause)).await?;
        Ok((call, ended))
    }

    /// Holds or resumes a call; false when it was so before.
    pub async fn hold_call(
        &self,
        call: &Call,
        on: bool,
        cx: Context,
    ) -> Result<(Arc<Call>, bool), Refusal> {
        use CallState::{Answered, Bridged, Ended, Held};
        let (allowed, next) = match on {
            true => (matches!(call.state, Answered | Bridged | Held), Held),
            false => (call.state != Ended, Bridged),
        };
        if !allowed {
            return Err(wrong_state(call));
        }
        if (call.state == Held) == on {
            return Ok(self.unchanged(call));
        }
        let request = VendorRequest::change(Capability::Hold);
        let vendor = self.vendor(&call.user, &call.provider, request)?;
        let held = vendor.adapter.hold(&cx, &call.reference(), on).await;
        held.map_err(|error| vendor.refusal(&self.shared, &error))?;
        self.confirm_state(call, next, None).await
    }

    /// Transfers the other party of a call.
    pub async fn transfer_call(
        &self,
        call: &Call,
        to: Address,
        blind: bool,
        cx: Context,
    ) -> Result<Arc<Call>, Refusal> {
        use CallState::{Answered, Bridged, Held};
        let capability =
            if blind { Capability::TransferBlind } else { Capability::TransferAttended };
        let request = VendorRequest::change(capability);
        let vendor = self.vendor(&call.user, &call.provider, request)?;
        if !matches!(call.state, Answered | Bridged | Held) {
            return Err(wrong_state(call));
        }
        let transfer = Transfer { to, blind };
        let transferred = vendor.adapter.transfer(&cx, &call.reference(), transfer).await;
        transferred.map_err(|error| vendor.refusal(&self.shared, &error))?;
        Ok(self.confirm_state(call, CallState::Transferring, None).await?.0)
    }

    fn unchanged(&self, call: &Call) -> (Arc<Call>, bool) {
        (self.call(call.call_id).unwrap_or_else(|| Arc::new(call.clone())), false)
    }

    /// Moves a call to the state that the vendor confirmed; an event may have moved it before.
    async fn confirm_state(
        &self,
        call: &Call,
        next: CallState,
        cause: Option<Cause>,
    ) -> Result<(Arc<Call>, bool), Refusal> {
        let (now, calls) = (self.shared.clock.now(), &self.shared.calls);
        match calls.change(call.call_id, |call| call.become_state(next, cause, now)) {
            Some(change) => Ok((calls.publish_when_durable(change).await?, true)),
            None => Ok(self.unchanged(call)),
        }
    }
}

fn wrong_state(call: &Call) -> Refusal {
    let state = format!("{:?}", call.state).to_uppercase();
    let message =
        format!("The call calls/{} is {state}; that cannot be done with it.", call.call_id);
    Refusal::new(Reason::CallState, message).with("state", state)
}
