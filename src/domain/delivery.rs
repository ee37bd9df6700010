//! What one client was delivered of a resolved profile, and who keeps a log of it.

use std::fmt;

use super::{App, Method, Time, UniqueName, UserId};

/// A resolved profile with another digest than the one that was delivered to this client before: an
/// entry of the resolution log (SPEC §11.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose profile it is.
    pub user: UserId,
    /// The app that it is for.
    pub app: App,
    /// The client that it went to; empty when the client gave no id.
    pub client_id: String,
    /// When it went out.
    pub time: Time,
    /// The revision that it was resolved at.
    pub revision: i64,
    /// Digest of the content.
    pub digest: String,
    /// The profile that the user resolved to.
    pub profile: UniqueName,
    /// How.
    pub method: Method,
}

/// A delivery as it happens: borrowed from the stream and the content.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryRef<'a> {
    /// Whose profile it is.
    pub user: &'a UserId,
    /// The app that it is for.
    pub app: App,
    /// The client that it went to; empty when the client gave no id.
    pub client_id: &'a str,
    /// When it went out.
    pub time: Time,
    /// The revision that it was resolved at.
    pub revision: i64,
    /// Digest of the content.
    pub digest: &'a str,
    /// The profile that the user resolved to.
    pub profile: &'a UniqueName,
    /// How.
    pub method: Method,
}

/// Takes deliveries as they happen.
pub trait DeliveryLog: fmt::Debug + Send + Sync {
    /// Takes one delivery. Called while it goes out, so it must neither wait nor do I/O.
    fn delivered(&self, delivery: DeliveryRef<'_>);
}

/// Keeps no log.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeliveryLog;

impl DeliveryLog for NoDeliveryLog {
    fn delivered(&self, _: DeliveryRef<'_>) {}
}

// === impl Delivery ===

impl Delivery {
    /// The delivery as it happened.
    pub fn borrowed(&self) -> DeliveryRef<'_> {
        DeliveryRef {
            user: &self.user,
            app: self.app,
            client_id: &self.client_id,
            time: self.time,
            revision: self.revision,
            digest: &self.digest,
            profile: &self.profile,
            method: self.method,
        }
    }
}

// === impl DeliveryRef ===

impl DeliveryRef<'_> {
    /// The delivery to be kept.
    pub fn owned(self) -> Delivery {
        Delivery {
            user: self.user.clone(),
            app: self.app,
            client_id: self.client_id.to_owned(),
            time: self.time,
            revision: self.revision,
            digest: self.digest.to_owned(),
            profile: self.profile.clone(),
            method: self.method,
        }
    }
}
