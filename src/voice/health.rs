//! The health of a provider, derived from its checks (SPEC §14.6). Pure.

/// The health of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Condition {
    /// Not known yet.
    #[default]
    Unknown,
    /// Works.
    Healthy,
    /// Works with failures.
    Degraded,
    /// Does not work.
    Down,
}

/// Tracks the health of one provider.
#[derive(Debug, Default)]
pub(super) struct HealthTracker {
    condition: Condition,
    failures: u32,
    successes: u32,
}

/// Failures in a row after which a provider is down.
const DOWN: u32 = 3;
/// Successes in a row after which it is healthy.
const HEALTHY: u32 = 2;

impl HealthTracker {
    /// Takes note of a check.
    pub(super) fn record_check(&mut self, good: bool, breaker_open: bool) -> Condition {
        if good {
            (self.failures, self.successes) = (0, self.successes.saturating_add(1));
        } else {
            (self.failures, self.successes) = (self.failures.saturating_add(1), 0);
        }
        self.condition = match self.condition {
            _ if breaker_open || self.failures >= DOWN => Condition::Down,
            _ if self.successes >= HEALTHY => Condition::Healthy,
            Condition::Down => Condition::Down,
            _ if self.failures > 0 => Condition::Degraded,
            unchanged => unchanged,
        };
        self.condition
    }

    /// Takes note of a request that showed it to be down, whatever the last check found.
    pub(super) fn mark_down(&mut self) -> Condition {
        (self.successes, self.condition) = (0, Condition::Down);
        self.condition
    }

    /// The current health.
    pub(super) fn condition(&self) -> Condition {
        self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition::*, *};

    #[test]
    fn one_failure_degrades_three_bring_down_two_successes_recover() {
        let checks = [
            (true, Unknown),
            (true, Healthy),
            (false, Degraded),
            (true, Degraded),
            (true, Healthy),
            (false, Degraded),
            (false, Degraded),
            (false, Down),
            (true, Down),
            (false, Down),
            (true, Down),
            (true, Healthy),
        ];
        let mut health = HealthTracker::default();
        for (at, (good, expected)) in checks.into_iter().enumerate() {
            assert_eq!(health.record_check(good, false), expected, "check {at}");
        }
        assert_eq!(HealthTracker::default().record_check(false, false), Degraded);
    }

    #[test]
    fn an_open_breaker_or_refused_credentials_bring_it_down_at_once() {
        let mut health = HealthTracker::default();
        assert_eq!(health.record_check(true, true), Down);
        let mut health = HealthTracker::default();
        health.record_check(true, false);
        health.record_check(true, false);
        assert_eq!(health.mark_down(), Down);
        assert_eq!(health.record_check(true, false), Down);
        assert_eq!(health.record_check(true, false), Healthy);
    }
}
