//! What is asked of providers beside starting calls, and which providers a user may use.

use std::{sync::Arc, time::Duration};

pub use deskplane_providers::Presence;
use deskplane_providers::{
    Address, CallState, Capability, Cause, ChannelProvider as _, Check, ClientToken, Context,
    Error, ErrorKind, MintToken, SetPresence, Transfer, layers::Protected,
};

use super::{
    Call, Voice,
    accounts::Account,
    refuse::{self, Asked},
};
use crate::{
    command::not_found,
    domain::{
        App, Kind, Reason, Refusal, UniqueName, UserId,
        provider::{ChannelProvider, FIRST_PARTY, WIDGET},
    },
    resolve::{Outcome, resolve},
};

/// A provider that a user may use.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) stored: Arc<ChannelProvider>,
    pub(super) account: Arc<Account>,
}

/// The providers of a user's resolved profile that are driven, in their order.
#[derive(Debug)]
pub(super) struct Choice {
    user: UserId,
    chosen: Vec<Chosen>,
    /// Those that are there and that the server does not drive.
    pages: Vec<UniqueName>,
}

impl Choice {
    /// The provider of that name.
    pub(super) fn only(self, name: &UniqueName) -> Result<Chosen, Refusal> {
        if self.pages.contains(name) {
            let message =
                format!("{name} has no adapter: its softphone page does everything by itself.");
            return Err(Refusal::new(Reason::CapabilityUnsupported, message).with("provider", name));
        }
        let found =
            self.chosen.into_iter().find(|chosen| chosen.stored.common.unique_name == *name);
        found.ok_or_else(|| {
            let message =
                format!("{name} is not among the active providers of {}'s profile.", self.user);
            Refusal::new(Reason::ProviderNotInProfile, message).with("provider", name)
        })
    }

    pub(super) fn in_order(self) -> Vec<Chosen> {
        self.chosen
    }
}

impl Voice {
    /// The providers that a user may use now.
    pub(super) fn chosen(&self, user: &UserId) -> Result<Choice, Refusal> {
        let catalog = self.shared.catalog.borrow().clone();
        let profile = match resolve(&catalog, user, App::Unspecified) {
            Outcome::Resolved(resolution) => {
                catalog.tables.profiles.get(&resolution.profile).cloned()
            }
            Outcome::NotApplicable => None,
            Outcome::NotFound => return Err(not_found(Kind::User, user.as_str())),
        };
        let linked = profile.iter().flat_map(|profile| &profile.providers);
        let linked = linked.filter(|name| !name.as_str().eq_ignore_ascii_case(FIRST_PARTY));
        let mut stored: Vec<_> =
            linked.filter_map(|name| catalog.tables.providers.get(name).cloned()).collect();
        stored.retain(|stored| stored.common.is_active());
        stored
            .sort_by_cached_key(|stored| (stored.channel_order, stored.common.unique_name.clone()));
        let (pages, driven): (Vec<_>, Vec<_>) =
            stored.into_iter().partition(|stored| stored.adapter == WIDGET);
        let chosen = driven.into_iter().map(|stored| {
            let account = self.shared.accounts.of(&self.shared, &stored);
            Chosen { stored, account }
        });
        let pages = pages.iter().map(|stored| stored.common.unique_name.clone()).collect();
        Ok(Choice { user: user.clone(), chosen: chosen.collect(), pages })
    }

    /// Refuses what an account cannot do; one that cannot be used at all says so first.
    pub(super) fn offers<'a>(
        &self,
        account: &'a Account,
        capability: Capability,
    ) -> Result<&'a Arc<Protected>, Refusal> {
        let asked = Asked { capability, changes: false };
        let provider = account
            .provider
            .as_ref()
            .map_err(|error| refuse::failed(&account.name, asked, error))?;
        match provider.capabilities().contains(&capability) {
            true => Ok(provider),
            false => Err(refuse::unsupported(&account.name, capability)),
        }
    }

    /// Runs the checks of a provider, active or not, in a profile or not.
    pub async fn verify(&self, stored: &ChannelProvider, cx: Context) -> Vec<Check> {
        if stored.adapter == WIDGET {
            return vec![Check::skipped(
                "adapter",
                "the softphone page is not driven by the server",
            )];
        }
        let account = self.shared.accounts.passing(&self.shared, stored);
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
        let asked = Asked { capability: Capability::ClientToken, changes: false };
        let account = self.chosen(user)?.only(provider)?.account;
        let vendor = self.offers(&account, asked.capability)?;
        let request = MintToken { agent: user.as_str().to_owned(), ttl };
        vendor.mint_client_token(&cx, request).await.map_err(|error| match error.kind() {
            ErrorKind::InvalidArgument => {
                let message = format!("The token cannot be made: {}.", error.message());
                Refusal::new(Reason::FieldInvalid, message).violation("ttl", error.message())
            }
            _ => self.refused(&account, asked, &error),
        })
    }

    /// Tells a vendor what a user does.
    pub async fn set_presence(
        &self,
        user: &UserId,
        provider: &UniqueName,
        presence: Presence,
        cx: Context,
    ) -> Result<(), Refusal> {
        let asked = Asked { capability: Capability::PresenceSync, changes: true };
        let account = self.chosen(user)?.only(provider)?.account;
        let vendor = self.offers(&account, asked.capability)?;
        let request = SetPresence { agent: user.as_str().to_owned(), presence };
        vendor
            .set_presence(&cx, request)
            .await
            .map_err(|error| self.refused(&account, asked, &error))
    }

    /// Ends a call; false when it was over.
    pub async fn end_call(&self, call: &Call, cx: Context) -> Result<(Arc<Call>, bool), Refusal> {
        if call.is_over() {
            return self.unchanged(call);
        }
        let asked = Asked { capability: Capability::End, changes: true };
        let account = self.chosen(&call.user)?.only(&call.provider)?.account;
        let vendor = self.offers(&account, asked.capability)?;
        let ended = vendor.end_call(&cx, &call.reference()).await;
        let ended = ended.map_err(|error| self.refused(&account, asked, &error))?;
        let cause = if call.answer_time.is_some() { Cause::Normal } else { Cause::Canceled };
        let (call, _) = self.moved(call, CallState::Ended, Some(cause)).await?;
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
            return self.unchanged(call);
        }
        let asked = Asked { capability: Capability::Hold, changes: true };
        let account = self.chosen(&call.user)?.only(&call.provider)?.account;
        let vendor = self.offers(&account, asked.capability)?;
        let held = vendor.hold(&cx, &call.reference(), on).await;
        held.map_err(|error| self.refused(&account, asked, &error))?;
        self.moved(call, next, None).await
    }

    /// Hands the other party on.
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
        let asked = Asked { capability, changes: true };
        let account = self.chosen(&call.user)?.only(&call.provider)?.account;
        let vendor = self.offers(&account, asked.capability)?;
        if !matches!(call.state, Answered | Bridged | Held) {
            return Err(wrong_state(call));
        }
        let handed = vendor.transfer(&cx, &call.reference(), Transfer { to, blind }).await;
        handed.map_err(|error| self.refused(&account, asked, &error))?;
        Ok(self.moved(call, CallState::Transferring, None).await?.0)
    }

    fn refused(&self, account: &Account, asked: Asked, error: &Error) -> Refusal {
        account.failed(&self.shared, error);
        refuse::failed(&account.name, asked, error)
    }

    fn unchanged(&self, call: &Call) -> Result<(Arc<Call>, bool), Refusal> {
        let call = self.call(call.call_id).unwrap_or_else(|| Arc::new(call.clone()));
        Ok((call, false))
    }

    /// Moves a call as the vendor confirmed; an event may have told it before.
    async fn moved(
        &self,
        call: &Call,
        next: CallState,
        cause: Option<Cause>,
    ) -> Result<(Arc<Call>, bool), Refusal> {
        let now = self.shared.clock.now();
        let change =
            self.shared.book.change(call.call_id, |call| call.become_state(next, cause, now));
        match change {
            Some(change) => Ok((self.shared.book.settle(change).await?, true)),
            None => self.unchanged(call),
        }
    }
}

fn wrong_state(call: &Call) -> Refusal {
    let state = format!("{:?}", call.state).to_uppercase();
    let message =
        format!("The call calls/{} is {state}; that cannot be done with it.", call.call_id);
    Refusal::new(Reason::CallState, message).with("state", state)
}
