//! Whether answers about the fleet can have changed since one was given.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use uuid::Uuid;

use super::PENDING;
use crate::domain::Time;

const SECOND: i64 = 1_000_000;
/// Seconds of deliveries that are remembered: more than a delivery is pending.
const SECONDS: usize = 16;

/// What an answer about the fleet stands for: made with the process, opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    fleet: Uuid,
    change: u64,
    compared: i64,
    time: i64,
}

/// Counts what changes in the fleet.
#[derive(Debug)]
pub(super) struct Changes {
    fleet: Uuid,
    change: AtomicU64,
    /// The newest seconds in which something was delivered, each at its own place: ten seconds later
    /// a client that has said nothing is not pending any more, without any event.
    delivered: [AtomicI64; SECONDS],
}

impl Changes {
    /// No change yet, of a fleet that no other one is taken for.
    pub(super) fn new(fleet: Uuid) -> Self {
        let (change, delivered) = (AtomicU64::default(), Default::default());
        Self { fleet, change, delivered }
    }

    /// Notes a change.
    pub(super) fn note(&self) {
        self.change.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a delivery.
    pub(super) fn note_delivery(&self, now: Time) {
        let second = now.micros().div_euclid(SECOND);
        if let Ok(at) = usize::try_from(second.rem_euclid(SECONDS as i64))
            && let Some(place) = self.delivered.get(at)
            && place.load(Ordering::Relaxed) != second
        {
            place.store(second, Ordering::Relaxed);
        }
        self.note();
    }

    pub(super) fn mark(&self, now: Time, compared: i64) -> Mark {
        let change = self.change.load(Ordering::Relaxed);
        Mark { fleet: self.fleet, change, compared, time: now.micros() }
    }

    pub(super) fn since(&self, mark: &Mark, now: Time, compared: i64) -> bool {
        let same = self.mark(Time::from_micros(mark.time), compared) == *mark;
        let waited_out = || {
            let seconds = self.delivered.iter().map(|second| second.load(Ordering::Relaxed));
            seconds.filter(|second| *second > 0).any(|second| {
                let first = second * SECOND + PENDING;
                first <= now.micros() && first + SECOND > mark.time
            })
        };
        !same || now.micros() < mark.time || (now.micros() > mark.time && waited_out())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fleet, change, compared, time } = self;
        write!(f, "{}-{change:x}-{compared:x}-{time:x}", fleet.simple())
    }
}

impl Mark {
    /// Reads the text of a mark; none of what is no mark.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let fleet = Uuid::try_parse(parts.next()?).ok()?;
        let change = u64::from_str_radix(parts.next()?, 16).ok()?;
        let mut number = || i64::from_str_radix(parts.next()?, 16).ok();
        let mark = Self { fleet, change, compared: number()?, time: number()? };
        // One text for each mark.
        (mark.to_string() == text).then_some(mark)
    }
}
