//! What all requests share.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking};
use uuid::Uuid;

use super::{
    error::{Error, Result},
    guard::Guard,
    index::{Found, Index},
    settings::Settings,
    stripes::Stripes,
    user,
};
use crate::{
    audit::Recorder,
    catalog::Catalog,
    clock::Clock,
    credentials::Credentials,
    domain::{Reason, Refusal, UserId, directory::User},
    ledger::Ledger,
    trace::{Tracer, carry},
};

/// Requests at a time, each with its body in memory; further ones wait.
const REQUESTS: usize = 16;
/// Lists and changes of groups at a time: they may go through all users.
const SCANS: usize = 2;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) index: Arc<Index>,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) credentials: Credentials,
    pub(super) recorder: Recorder,
    pub(super) tracer: Tracer,
    pub(super) guard: Guard,
    /// Locks on the names of new users and groups.
    pub(super) names: Stripes,
    pub(super) requests: Semaphore,
    scans: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        index: Arc<Index>,
        ledger: Ledger,
        clock: Clock,
        (credentials, recorder, tracer): (Credentials, Recorder, Tracer),
    ) -> Self {
        Self {
            guard: Guard::new(settings.mass_change_percent),
            settings,
            index,
            ledger,
            clock,
            credentials,
            recorder,
            tracer,
            names: Stripes::default(),
            requests: Semaphore::new(REQUESTS),
            scans: Arc::new(Semaphore::new(SCANS)),
        }
    }

    /// Runs what may take long on a thread for blocking work.
    pub(super) async fn scan<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T> {
        let failed = || {
            let message = "The request failed because of a mistake of the server.";
            Error::from(Refusal::new(Reason::Internal, message))
        };
        let turn = Arc::clone(&self.scans).acquire_owned().await.map_err(|_| failed())?;
        let shared = Arc::clone(self);
        let work = move || {
            let _turn = turn;
            work(&shared)
        };
        spawn_blocking(carry(work)).await.map_err(|_| failed())
    }

    /// The user of that SCIM id.
    pub(super) fn user(&self, catalog: &Catalog, uid: Uuid) -> Option<Arc<User>> {
        let Some(Found::User(id)) = self.index.of_uid(uid) else { return None };
        let user = catalog.user(&id).map(|seated| seated.user());
        user.filter(|user| user.stamp.uid == uid)
    }

    /// Users who may have that `userName` or `externalId`: the one whose id it is, and those whose
    /// second name it is.
    pub(super) fn candidates(&self, catalog: &Catalog, name: &str) -> Vec<Arc<User>> {
        let mut ids = self.index.of_name(name);
        ids.extend(UserId::parse(name));
        ids.sort();
        ids.dedup();
        let users = ids.iter().filter_map(|id| catalog.user(id));
        users.map(|seated| seated.user()).collect()
    }

    /// The user of that `userName`.
    pub(super) fn user_named(&self, catalog: &Catalog, name: &str) -> Option<Arc<User>> {
        let named = |user: &Arc<User>| user::names(user).0.to_lowercase() == name.to_lowercase();
        self.candidates(catalog, name).into_iter().find(named)
    }
}
