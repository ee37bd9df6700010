//! The one place that reads the wall clock and draws identifiers.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use crate::domain::Time;

/// What the server knows of time and chance; tests bring their own.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Time + Send + Sync>,
    uid: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

impl Clock {
    /// The clock of the machine, and random identifiers.
    pub fn system() -> Self {
        Self::new(system_now, Uuid::new_v4)
    }

    /// A clock of one's own.
    pub fn new(
        now: impl Fn() -> Time + Send + Sync + 'static,
        uid: impl Fn() -> Uuid + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), uid: Arc::new(uid) }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        (self.now)()
    }

    /// A fresh identifier.
    pub fn uid(&self) -> Uuid {
        (self.uid)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        Self::UNIX_EPOCH + Duration::from_micros(time.micros().try_into().unwrap_or_default())
    }
}

fn system_now() -> Time {
    SystemTime::now().into()
}
