//! Clients as they are listed (SPEC §10.8).

use std::{sync::Arc, time::Duration};

use super::{
    Client, PENDING, Place, RejectReason,
    client::{Rejected, Said, State},
};
use crate::{
    content::ContentId,
    domain::{App, Time, UniqueName, UserId},
};

/// How a client stands; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientState {
    /// It has no stream.
    Disconnected,
    /// It rejected the newest delivery.
    Rejected,
    /// It applied the newest delivery.
    Current,
    /// The newest delivery is younger than ten seconds.
    Pending,
    /// It has never reported.
    Unknown,
    /// It has reported, but not on the newest delivery.
    Stale,
}

impl ClientState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Disconnected,
        Self::Rejected,
        Self::Current,
        Self::Pending,
        Self::Unknown,
        Self::Stale,
    ];

    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "DISCONNECTED",
            Self::Rejected => "REJECTED",
            Self::Current => "CURRENT",
            Self::Pending => "PENDING",
            Self::Unknown => "UNKNOWN",
            Self::Stale => "STALE",
        }
    }
}

/// Content that a client was sent or has reported on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Revision of the delivery.
    pub revision: i64,
    /// The content.
    pub content: Arc<ContentId>,
}

/// A rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What was rejected.
    pub held: Held,
    /// Why.
    pub reason: RejectReason,
    /// In the client's words; may be empty.
    pub detail: String,
}

/// One client, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStatus {
    /// The user, in the spelling of the first stream.
    pub user: UserId,
    /// The app.
    pub app: App,
    /// The client.
    pub client_id: String,
    /// How it stands.
    pub state: ClientState,
    /// Since when it is connected or, without a stream, away; in whole seconds.
    pub since: Time,
    /// The newest delivery.
    pub sent: Option<Held>,
    /// When it went out.
    pub sent_time: Option<Time>,
    /// What is known to have arrived last.
    pub received: Option<Held>,
    /// What the agent works with.
    pub applied: Option<Held>,
    /// What was rejected after that.
    pub rejected: Option<Rejection>,
    /// Time since the newest delivery, while the client is connected and has not applied it.
    pub lag: Duration,
    /// The newest revision at which what the client applied is known to have been its current
    /// content; 0 when it applied nothing.
    pub current_at: i64,
}

impl ClientStatus {
    /// Whether it has a stream.
    pub fn is_connected(&self) -> bool {
        self.state != ClientState::Disconnected
    }

    /// The profile of the newest delivery or, after a restart of the server, of what was applied.
    pub fn profile(&self) -> Option<&UniqueName> {
        let held = self.sent.as_ref().or(self.applied.as_ref())?;
        held.content.profile.as_ref()
    }

    /// Where it stands in the list.
    pub fn place(&self) -> Place {
        Place { user: self.user.clone(), app: self.app, client_id: self.client_id.clone() }
    }

    pub(super) fn of(client: &Client, now: Time, compared: i64) -> Self {
        let state = client.state();
        let waited = now.micros().saturating_sub(state.sent_time.micros()).max(0);
        let found = state.judge(waited);
        let applied_newest = state.has_applied_newest();
        let current_at = match (state.applied(), client.waiting()) {
            (None, _) => 0,
            (Some(_), _) if !applied_newest => state.applied_until(),
            // What is not connected is not compared.
            (Some(_), _) if state.streams == 0 => state.known_revision(),
            (Some(_), 0) => compared.max(state.sent_revision),
            (Some(_), waiting) => waiting - 1,
        };
        let behind = state.streams > 0 && state.sent.is_some() && !applied_newest;
        let lag = if behind { waited } else { 0 };
        let held =
            |revision, content: &Arc<ContentId>| Held { revision, content: Arc::clone(content) };
        Self {
            user: client.user.clone(),
            app: client.id.app(),
            client_id: client.id.to_string(),
            state: found,
            since: state.since(),
            sent: state.sent.as_ref().map(|content| held(state.sent_revision, content)),
            sent_time: state.sent.as_ref().map(|_| state.sent_time),
            received: state.received().map(|(revision, content)| held(revision, content)),
            applied: state.applied().map(|content| held(state.applied_revision, content)),
            rejected: state.rejected().map(rejection),
            lag: Duration::from_micros(u64::try_from(lag).unwrap_or_default()),
            current_at,
        }
    }
}

fn rejection(rejected: &Rejected) -> Rejection {
    let Rejected { revision, content, reason, detail } = rejected;
    Rejection {
        held: Held { revision: *revision, content: Arc::clone(content) },
        reason: *reason,
        detail: detail.to_string(),
    }
}

impl State {
    /// How the client stands, so many microseconds after the newest delivery.
    fn judge(&self, waited: i64) -> ClientState {
        if self.streams == 0 {
            ClientState::Disconnected
        } else if self.said == Said::RejectedNewest {
            ClientState::Rejected
        } else if self.has_applied_newest() {
            ClientState::Current
        } else if self.sent.is_some() && waited < PENDING {
            ClientState::Pending
        } else if self.said == Said::Nothing {
            ClientState::Unknown
        } else {
            ClientState::Stale
        }
    }
}
