//! Which providers a user may use: those of the resolved profile, active and driven by an adapter.

use std::sync::Arc;

use deskplane_providers::{Capability, ChannelProvider as _, Error, layers::Protected};

use super::{
    Shared, Voice,
    accounts::Account,
    refuse::{self, VendorRequest},
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
pub(super) struct UsableProvider {
    pub(super) stored: Arc<ChannelProvider>,
    pub(super) account: Arc<Account>,
}

/// The providers of a user's resolved profile that are driven, in their order.
#[derive(Debug)]
pub(super) struct UsableProviders {
    user: UserId,
    driven: Vec<UsableProvider>,
    /// Softphone pages, which the server does not drive.
    pages: Vec<UniqueName>,
}

/// A vendor that offers what a request needs.
#[derive(Debug)]
pub(super) struct Vendor {
    account: Arc<Account>,
    pub(super) adapter: Arc<Protected>,
    request: VendorRequest,
}

impl UsableProviders {
    /// The provider of that name.
    pub(super) fn find(self, name: &UniqueName) -> Result<UsableProvider, Refusal> {
        if self.pages.contains(name) {
            let message =
                format!("{name} has no adapter: its softphone page does everything by itself.");
            return Err(Refusal::new(Reason::CapabilityUnsupported, message).with("provider", name));
        }
        let found =
            self.driven.into_iter().find(|usable| usable.stored.common.unique_name == *name);
        found.ok_or_else(|| {
            let message =
                format!("{name} is not among the active providers of {}'s profile.", self.user);
            Refusal::new(Reason::ProviderNotInProfile, message).with("provider", name)
        })
    }

    /// All of them, in the order of the profile.
    pub(super) fn in_order(self) -> Vec<UsableProvider> {
        self.driven
    }
}

impl Vendor {
    /// The refusal because the vendor failed; the health of its account takes note of it.
    pub(super) fn refusal(&self, shared: &Shared, error: &Error) -> Refusal {
        self.account.record_failure(shared, error);
        refuse::failed(&self.account.name, self.request, error)
    }
}

impl Voice {
    /// The providers that a user may use now.
    pub(super) fn usable_providers(&self, user: &UserId) -> Result<UsableProviders, Refusal> {
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
        let driven = driven.into_iter().map(|stored| {
            let account = self.shared.accounts.get_or_build(&self.shared, &stored);
            UsableProvider { stored, account }
        });
        let pages = pages.iter().map(|stored| stored.common.unique_name.clone()).collect();
        Ok(UsableProviders { user: user.clone(), driven: driven.collect(), pages })
    }

    /// The vendor behind a provider of a user, if it offers what is requested.
    pub(super) fn vendor(
        &self,
        user: &UserId,
        provider: &UniqueName,
        request: VendorRequest,
    ) -> Result<Vendor, Refusal> {
        let account = self.usable_providers(user)?.find(provider)?.account;
        let adapter = Arc::clone(Self::offers(&account, request.capability)?);
        Ok(Vendor { account, adapter, request })
    }

    /// Refuses what an account cannot do; one that cannot be used at all is refused as such.
    pub(super) fn offers(
        account: &Account,
        capability: Capability,
    ) -> Result<&Arc<Protected>, Refusal> {
        let request = VendorRequest { capability, changes: false };
        let provider = account
            .provider
            .as_ref()
            .map_err(|error| refuse::failed(&account.name, request, error))?;
        match provider.capabilities().contains(&capability) {
            true => Ok(provider),
            false => Err(refuse::unsupported(&account.name, capability)),
        }
    }
}
