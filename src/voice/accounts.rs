//! Providers that are driven: one account for each active provider with an adapter, as it is stored.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use deskplane_providers::{Capabilities, Error, layers::Protected};

use super::{
    monitor::{Condition, Monitor},
    webhook::Places,
};
use crate::{domain::UniqueName, tasks::Tasks};

/// The accounts of this server.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: Mutex<HashMap<UniqueName, Arc<Account>>>,
}

/// A provider as it is stored, ready to use.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: UniqueName,
    /// Revision of the provider that this is.
    pub(super) revision: i64,
    /// Why it cannot be used, if it cannot.
    pub(super) provider: Result<Arc<Protected>, Error>,
    /// Places of webhooks.
    pub(super) webhooks: Places,
    pub(super) monitor: Mutex<Monitor>,
    /// Runs what checks it and listens to it; cancelled when the account goes.
    pub(super) tasks: Tasks,
}

impl Accounts {
    /// The account that is there now.
    pub(super) fn get(&self, name: &UniqueName) -> Option<Arc<Account>> {
        self.all().get(name).cloned()
    }

    /// Lets go of all.
    pub(super) fn close(&self) {
        for (_, account) in self.all().drain() {
            account.stop();
        }
    }

    pub(super) fn all(&self) -> MutexGuard<'_, HashMap<UniqueName, Arc<Account>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// What it can do; nothing when it cannot be used.
    pub(super) fn capabilities(&self) -> Capabilities {
        use deskplane_providers::ChannelProvider as _;
        self.provider.as_ref().map(|provider| provider.capabilities()).unwrap_or_default()
    }

    /// How it does.
    pub(super) fn condition(&self) -> Condition {
        self.monitor().condition()
    }

    pub(super) fn stop(&self) {
        self.tasks.cancel();
    }

    pub(super) fn monitor(&self) -> MutexGuard<'_, Monitor> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
