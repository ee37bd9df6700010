//! What an adapter is made with, beside its configuration.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::{Secrets, http::Network};

/// Time and identifiers, handed in so that tests know them.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    uuid: Arc<dyn Fn() -> uuid::Uuid + Send + Sync>,
}

/// What an adapter is made with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Unique name of the provider.
    pub provider: String,
    /// Its secrets, references already read.
    pub secrets: Secrets,
    /// Public URL of this provider's webhook, e.g. `https://desk.example.com/webhooks/contoso_voice`;
    /// none when the server has no public URL, and then the vendor cannot report calls.
    pub webhook_url: Option<String>,
    /// Time and identifiers.
    pub clock: Clock,
    /// The way to the vendor.
    pub network: Network,
}

impl Clock {
    /// A clock of one's own.
    pub fn new(
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
        uuid: impl Fn() -> uuid::Uuid + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), uuid: Arc::new(uuid) }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        (self.now)()
    }

    /// Seconds since 1970 now.
    pub fn unix(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// A fresh identifier.
    pub fn uuid(&self) -> uuid::Uuid {
        (self.uuid)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
