//! A guard against mass changes: a directory that lost its people, or a wrong mapping, must not empty
//! this one.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{Reason, Refusal, Time};

/// The time over which changes are added up.
const WINDOW: Duration = Duration::from_secs(3_600);
/// Users who may lose something in any window: small organisations have no meaningful share.
const FLOOR: usize = 50;

/// Counts users who were disabled, deleted or lost roles by SCIM.
#[derive(Debug)]
pub(super) struct Guard {
    percent: u64,
    /// When, and how many.
    losses: Mutex<VecDeque<(Time, usize)>>,
}

impl Guard {
    pub(super) fn new(percent: u64) -> Self {
        Self { percent, losses: Mutex::default() }
    }

    /// Refuses a write by which so many of all users lose something, if it is one too many.
    pub(super) fn check(&self, losing: usize, users: usize, now: Time) -> Result<(), Refusal> {
        if losing == 0 {
            return Ok(());
        }
        let (lost, oldest) = self.lost(now);
        let limit = self.limit(users);
        if lost + losing <= limit {
            return Ok(());
        }
        let message = format!(
            "{losing} users would be disabled, deleted or lose roles, after {lost} within an hour; \
             {limit} are the limit (scim.mass_change_percent). Nothing was done. Check the directory, \
             and raise the limit if it is right."
        );
        tracing::warn!(losing, lost, limit, "a mass change by SCIM is refused");
        let passed = now.micros() - oldest.unwrap_or(now).micros();
        let window = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        let wait = u64::try_from((window - passed) / 1_000).unwrap_or_default();
        Err(Refusal::new(Reason::MassChange, message)
            .with("limit", limit)
            .retry_after_ms(wait.max(1_000)))
    }

    /// Notes a write that took effect.
    pub(super) fn note(&self, losing: usize, now: Time) {
        if losing > 0 {
            self.losses().push_back((now, losing));
        }
    }

    /// Users who lost something within the window, and since when.
    fn lost(&self, now: Time) -> (usize, Option<Time>) {
        let window = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        let mut losses = self.losses();
        while losses.front().is_some_and(|(at, _)| now.micros() - at.micros() >= window) {
            losses.pop_front();
        }
        (losses.iter().map(|(_, count)| count).sum(), losses.front().map(|(at, _)| *at))
    }

    fn limit(&self, users: usize) -> usize {
        let share = users as u64 * self.percent / 100;
        FLOOR.max(usize::try_from(share).unwrap_or(usize::MAX))
    }

    /// Entries are added and removed whole.
    fn losses(&self) -> std::sync::MutexGuard<'_, VecDeque<(Time, usize)>> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn losses_add_up_over_an_hour() {
        let (guard, at) = (Guard::new(20), Time::from_micros);
        for (now, losing, allowed) in [
            (0, 0, true),
            (0, 150, true),
            (HOUR / 2, 51, false),
            (HOUR / 2, 50, true),
            (HOUR - 1, 1, false),
            (HOUR, 150, true),
            (HOUR, 1, false),
        ] {
            let answer = guard.check(losing, 1_000, at(now));
            assert_eq!(answer.is_ok(), allowed, "{losing} at {now}");
            match answer {
                Ok(()) => guard.note(losing, at(now)),
                Err(refusal) => assert_eq!(refusal.reason, Reason::MassChange),
            }
        }
    }

    #[test]
    fn few_users_may_always_lose_something() {
        let guard = Guard::new(0);
        assert!(guard.check(FLOOR, 60, Time::from_micros(0)).is_ok());
        assert!(guard.check(FLOOR + 1, 60, Time::from_micros(0)).is_err());
        assert!(Guard::new(100).check(1_000, 1_000, Time::from_micros(0)).is_ok());
    }
}
