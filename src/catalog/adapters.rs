//! What the adapters of this server say of providers.

use std::{collections::BTreeSet, sync::Arc};

use deskplane_providers::{self as providers, Registry};

use super::Catalog;
use crate::domain::provider::{Capability, ChannelProvider, WIDGET};

impl Catalog {
    /// The same configuration on a server with other adapters.
    #[must_use]
    pub fn with_adapters(self, adapters: Arc<Registry>) -> Self {
        Self { adapters, ..self }
    }

    /// What a provider can do: declared where there is no adapter, else what its adapter says.
    /// `None` when nobody can say: nothing is declared, or the adapter is missing.
    pub fn capabilities(&self, provider: &ChannelProvider) -> Option<BTreeSet<Capability>> {
        if provider.adapter == WIDGET {
            return (!provider.capabilities.is_empty()).then(|| provider.capabilities.clone());
        }
        let adapter = self.adapters.find(&provider.adapter)?;
        // A configuration that this version of the adapter no longer takes can do nothing.
        let offered = adapter.capabilities(&provider.config).unwrap_or_default();
        Some(offered.into_iter().map(Capability::from).collect())
    }
}

macro_rules! same {
    ($($name:ident)+) => {
        impl From<providers::Capability> for Capability {
            fn from(capability: providers::Capability) -> Self {
                match capability {
                    $(providers::Capability::$name => Self::$name,)+
                }
            }
        }
    };
}

same! {
    Accept AudioDevices ClickToAct ClientToken Conference ContactList Decline Dial Dtmf End Hold Mute
    PresenceSync RecordingControl Supervise TransferAttended TransferBlind WrapUp
}
