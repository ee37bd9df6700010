//! How many credentials were accepted and refused.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    auth::Method,
    domain::{Reason, Refusal},
};

/// Names of the methods, for labels.
const METHODS: [&str; 3] = ["jwt", "token", "certificate"];
/// Reasons of refusals before the caller is known; the last stands for all others.
const REASONS: [Reason; 5] = [
    Reason::CredentialRequired,
    Reason::CredentialInvalid,
    Reason::TokenExpired,
    Reason::IssuerUnavailable,
    Reason::FieldInvalid,
];

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    accepted: [AtomicU64; METHODS.len()],
    refused: [AtomicU64; REASONS.len()],
}

impl Counts {
    pub(super) fn accept(&self, method: &Method) {
        let at = match method {
            Method::Jwt { .. } => 0,
            Method::OpaqueToken { .. } => 1,
            Method::Certificate { .. } => 2,
        };
        self.accepted[at].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, refusal: &Refusal) {
        let at = REASONS.iter().position(|reason| *reason == refusal.reason);
        self.refused[at.unwrap_or(REASONS.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// By method.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&'static str, u64)> {
        METHODS.into_iter().zip(self.accepted.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// By reason.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        REASONS.iter().map(|reason| reason.as_str()).zip(counts)
    }
}
