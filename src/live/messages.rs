//! What a stream of a profile carries.

use std::time::Duration;

use super::cause::Cause;
use crate::{
    domain::{Time, UniqueName},
    read::Resolved,
};

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
