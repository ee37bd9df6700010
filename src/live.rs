//! Live streams: every watcher gets what changes for it, and nothing else (SPEC §10, §14.2).
//!
//! One engine serves all kinds of streams. A stream is a [`Payload`], what waits of one kind of
//! message with the newest alone kept, in a slot that knows age, planned end, stall and waker.
//! [`Streams`] holds the streams of one kind: it admits them, finds them by the users that they
//! concern, and drains them; a stream leaves every index when it is dropped.
//!
//! The [`Hub`] takes each commit. Its one task rechecks the streams of the users who changed,
//! whatever the kind, and finds the streams of profiles that the commit can concern: users of one
//! seat and app share a group, a group is resolved once, and only the streams of a group whose
//! digest differs are woken.

mod access;
mod cause;
mod compare;
mod feed;
mod group;
mod hub;
mod ids;
mod index;
mod profile;
mod registry;
mod slot;
mod stream;
mod streams;
mod token;

use std::{fmt, time::Duration};

use uuid::Uuid;

use crate::{
    domain::{Actor, App, Time, UniqueName, UserId},
    read::Resolved,
    store,
};

pub use self::{
    access::{Access, Recheck},
    cause::{Cause, CauseKind},
    hub::Hub,
    profile::ProfileSlot,
    slot::{Index, Payload, Turn},
    stream::Stream,
    streams::Streams,
    token::MAX_TOKEN,
};

/// A stream of one user's profile.
pub type ProfileStream = Stream<ProfileSlot>;

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

/// Times and limits of live streams.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client must be without a change before gathered changes go out; 0 gathers none.
    pub quiet: Duration,
    /// How long a change waits at most for further ones; 0 gathers none.
    pub longest: Duration,
    /// Silence after which a bookmark is sent, give or take a tenth.
    pub bookmark: Duration,
    /// Age at which a stream ends, give or take a tenth.
    pub max_age: Duration,
    /// Time over which the reconnects of drained streams are spread.
    pub drain_window: Duration,
    /// Time after which drained streams that did not end are cut.
    pub drain_deadline: Duration,
    /// How long the transport may take nothing while something waits.
    pub stalled: Duration,
    /// Most streams of each kind; a further one is refused with SERVER_BUSY.
    pub max_streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(50),
            longest: Duration::from_millis(250),
            bookmark: Duration::from_secs(30),
            max_age: Duration::from_secs(60 * 60),
            drain_window: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(30),
            stalled: Duration::from_secs(5),
            max_streams: 100_000,
        }
    }
}

/// Who watches whose profile.
pub struct Subscription {
    /// The caller.
    pub caller: Actor,
    /// Whether the caller's credential stands for the user of the caller.
    pub own_credential: bool,
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
    fn into_access(self) -> Access {
        let Self { caller, own_credential, recheck, user, .. } = self;
        Access { caller, own_credential, recheck, user }
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

/// Why a resume token could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Damaged or made up.
    TokenInvalid,
    /// Of another user or app.
    TokenOtherSubject,
    /// Of another store.
    ForeignStore,
    /// The store was restored since, or lies behind the token.
    StoreRestored,
    /// Of another schema of the content.
    SchemaChanged,
}

/// How a provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthState {
    /// Nothing was measured or reported yet.
    #[default]
    Unknown,
    /// Works.
    Healthy,
    /// Works with failures.
    Degraded,
    /// Does not work.
    Down,
}

/// State of a provider; no configuration, so it has no revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// When it began; none for a state that was never measured.
    pub since: Option<Time>,
}

/// The complete profile, and why it is sent.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The profile.
    pub resolved: Resolved,
    /// Why the resume token could not be used.
    pub reset: Option<Reset>,
    /// What led to it, ascending by revision.
    pub causes: Vec<Cause>,
    /// Fields of the content that differ from what the stream sent before.
    pub changed_sections: Vec<&'static str>,
    /// Token to resume from.
    pub resume_token: String,
}

/// One message of a stream.
#[derive(Debug, Clone)]
pub enum Message {
    /// The complete profile.
    Snapshot(Box<Snapshot>),
    /// First message only: what the client holds is current.
    InSync {
        /// Revision up to which that is known.
        revision: i64,
        /// Digest of the content.
        digest: String,
        /// Token to resume from.
        resume_token: String,
    },
    /// Nothing relevant up to the revision is on its way.
    Bookmark {
        /// Revision reached.
        revision: i64,
        /// Token to resume from.
        resume_token: String,
    },
    /// State of a provider of the profile.
    ProviderHealth {
        /// The provider.
        provider: UniqueName,
        /// Its health.
        health: Health,
    },
    /// The server ends the stream.
    Drain {
        /// Time to wait after the end before reconnecting.
        reconnect_after: Duration,
        /// Time until which the stream is ended at the latest.
        deadline: Duration,
    },
}

#[cfg(test)]
mod tests;
