//! Who watches whose profile, and in which store.

use std::fmt;

use tokio::time::Instant;
use uuid::Uuid;

use super::access::{Access, Recheck};
use crate::{
    domain::{Actor, App, UserId},
    store,
};

/// What resume tokens know a store by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreId {
    /// Made with the store.
    pub store: Uuid,
    /// Another one after every restore.
    pub incarnation: Uuid,
}

impl From<&store::Identity> for StoreId {
    fn from(identity: &store::Identity) -> Self {
        Self { store: identity.store, incarnation: identity.incarnation }
    }
}

/// Who watches whose profile.
pub struct Subscription {
    /// The caller.
    pub caller: Actor,
    /// Whether the caller's credential stands for the user of the caller.
    pub own_credential: bool,
    /// When the caller's credential runs out.
    pub expires: Option<Instant>,
    /// Asked again when the caller's user or a role changes; refuses with SCOPE_REVOKED.
    pub recheck: Recheck,
    /// The watched user.
    pub user: UserId,
    /// The app.
    pub app: App,
    /// Name of the client; a stream with one replaces its predecessor.
    pub client_id: Option<String>,
    /// Token received last; empty when there is none.
    pub resume_token: String,
    /// Digest that the client holds; empty when there is none.
    pub digest: String,
}

impl Subscription {
    pub(super) fn into_access(self) -> Access {
        let Self { caller, own_credential, expires, recheck, user, .. } = self;
        Access { caller, own_credential, expires, recheck, user }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("caller", &self.caller.subject)
            .field("user", &self.user)
            .field("app", &self.app)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
