//! How a provider does, from what its checks say (SPEC §14.6). Pure.

/// How a provider does.
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

/// What is known of one provider.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    condition: Condition,
    failures: u32,
    successes: u32,
}

/// Failures in a row after which a provider is down.
const DOWN: u32 = 3;
/// Successes in a row after which it is healthy.
const HEALTHY: u32 = 2;

impl Monitor {
    /// Takes what a check said.
    pub(super) fn checked(&mut self, good: bool, breaker_open: bool) -> Condition {
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
            as_before => as_before,
        };
        self.condition
    }

    /// Takes what a request of somebody showed: it is down, whatever the last check said.
    pub(super) fn fell(&mut self) -> Condition {
        (self.successes, self.condition) = (0, Condition::Down);
        self.condition
    }

    /// How it does.
    pub(super) fn condition(&self) -> Condition {
        self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition::*, *};

    #[test]
    fn one_failure_degrades_three_bring_down_two_successes_heal() {
        let story = [
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
        let mut monitor = Monitor::default();
        for (at, (good, expected)) in story.into_iter().enumerate() {
            assert_eq!(monitor.checked(good, false), expected, "check {at}");
        }
        assert_eq!(Monitor::default().checked(false, false), Degraded);
    }

    #[test]
    fn an_open_breaker_or_refused_credentials_bring_it_down_at_once() {
        let mut monitor = Monitor::default();
        assert_eq!(monitor.checked(true, true), Down);
        let mut monitor = Monitor::default();
        monitor.checked(true, false);
        monitor.checked(true, false);
        assert_eq!(monitor.fell(), Down);
        assert_eq!(monitor.checked(true, false), Down);
        assert_eq!(monitor.checked(true, false), Healthy);
    }
}
