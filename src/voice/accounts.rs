//! Accounts at vendors: one for each active provider with an adapter, built from what is stored.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use deskplane_providers::{Capabilities, Error, layers::Protected};

use super::{
    health::{Condition, HealthTracker},
    webhook::WebhookLimit,
};
use crate::{domain::UniqueName, tasks::Tasks};

/// The accounts of this server.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: Mutex<HashMap<UniqueName, Arc<Account>>>,
}

/// A provider at its stored revision, ready to use.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: UniqueName,
    /// Revision of the stored provider.
    pub(super) revision: i64,
    /// The protected adapter, or why there is none.
    pub(super) provider: Result<Arc<Protected>, Error>,
    /// Limits the webhooks that are processed at a time.
    pub(super) webhooks: WebhookLimit,
    pub(super) health: Mutex<HealthTracker>,
    /// Scope of its checks and its stream of events; cancelled with the account.
    pub(super) tasks: Tasks,
}

impl Accounts {
    /// The current account of a provider.
    pub(super) fn get(&self, name: &UniqueName) -> Option<Arc<Account>> {
        self.all().get(name).cloned()
    }

    /// Stops all accounts.
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
    /// What it offers; nothing when it cannot be used.
    pub(super) fn capabilities(&self) -> Capabilities {
        use deskplane_providers::ChannelProvider as _;
        self.provider.as_ref().map(|provider| provider.capabilities()).unwrap_or_default()
    }

    /// Its health.
    pub(super) fn condition(&self) -> Condition {
        self.health().condition()
    }

    pub(super) fn stop(&self) {
        self.tasks.cancel();
    }

    pub(super) fn health(&self) -> MutexGuard<'_, HealthTracker> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
