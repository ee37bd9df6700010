//! What clients report (SPEC §10.7).

use crate::domain::{App, Reason, Refusal, UserId};

/// Why a client cannot work with what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// It cannot show a template.
    UnsupportedTemplate,
    /// The page of a provider failed.
    ProviderFailed,
    /// The content makes no sense to it.
    InvalidContent,
    /// It is too old for the content.
    ClientTooOld,
    /// It did not get ready in time.
    Timeout,
    /// Something else, which the detail says.
    Other,
}

/// What became of a delivered profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportStatus {
    /// It arrived.
    Received,
    /// The agent works with it.
    Applied,
    /// The client keeps its last good one.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// In the client's words; may be empty.
        detail: String,
    },
}

/// The report of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose profile it is.
    pub user: UserId,
    /// The app that it is for.
    pub app: App,
    /// The client.
    pub client_id: String,
    /// Revision that the content was delivered at.
    pub revision: i64,
    /// Its digest.
    pub digest: String,
    /// What became of it.
    pub status: ReportStatus,
}

impl Report {
    /// The refusal because the content was not delivered to the client.
    pub(super) fn not_sent(&self) -> Refusal {
        let Self { client_id, revision, digest, user, .. } = self;
        let message = format!(
            "Content {digest} of revision {revision} is not among the newest that were delivered \
             to client {client_id} of {user}; report on what the stream sent last."
        );
        Refusal::new(Reason::NotSent, message)
            .with("client_id", client_id)
            .with("digest", digest)
            .precondition("NOT_SENT", client_id, "was not sent this content")
    }
}
