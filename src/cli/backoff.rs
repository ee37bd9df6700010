//! Back-off: how long a client waits before it tries again.

use std::time::Duration;

use tonic::Status;
use tonic_types::StatusExt;

/// Waits for calls with one answer.
pub(super) const CALL: Policy =
    Policy { floor: Duration::from_millis(200), ceiling: Duration::from_secs(5) };

/// Waits between streams (SPEC §10.4).
pub(super) const STREAM: Policy =
    Policy { floor: Duration::from_millis(500), ceiling: Duration::from_secs(30) };

/// Longest wait that a server may name; beyond it the client comes back after this.
const MAX_SERVER_WAIT: Duration = Duration::from_secs(300);

/// Bounds of a wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Shortest wait.
    pub floor: Duration,
    /// Longest wait, unless the server names a longer one.
    pub ceiling: Duration,
}

/// Full jitter within a range that doubles with every failure in a row.
#[derive(Debug)]
pub(super) struct BackOff {
    policy: Policy,
    failures: u32,
}

impl BackOff {
    /// No failure yet.
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, failures: 0 }
    }

    /// Forgets the failures: what came after them counts as success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure. What the server names is waited for in any case; it does
    /// not stop the range from growing, so that a server that names no time again and again is not
    /// asked without pause.
    pub(super) fn next(&mut self, named: Option<Duration>) -> Duration {
        let Policy { floor, ceiling } = self.policy;
        let range = floor.saturating_mul(2_u32.saturating_pow(self.failures + 1)).min(ceiling);
        self.failures = (self.failures + 1).min(16);
        let drawn = floor + (range - floor).mul_f64(fastrand::f64());
        drawn.max(named.unwrap_or_default().min(MAX_SERVER_WAIT))
    }
}

/// The wait that a server names in a refusal (RetryInfo).
pub(super) fn named(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info().and_then(|info| info.retry_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_between_floor_and_ceiling_and_are_spread() {
        for policy in [CALL, STREAM] {
            let waits = |failures: u32| {
                let mut all: Vec<_> =
                    (0..400).map(|_| BackOff { policy, failures }.next(None)).collect();
                all.sort();
                (all[0], all[200], all[399])
            };
            let mut before = Duration::ZERO;
            for failures in [0, 1, 2, 16] {
                let (least, middle, most) = waits(failures);
                assert!(least >= policy.floor && most <= policy.ceiling, "{least:?} {most:?}");
                assert!(middle > before, "{failures}: {middle:?} is no more than {before:?}");
                assert!(most - least > policy.floor / 2, "all clients would come at once");
                before = middle;
            }
            assert!(waits(16).1 > policy.ceiling / 4);
        }
    }

    #[test]
    fn a_named_wait_is_the_shortest_and_has_a_bound() {
        let mut back_off = BackOff::new(STREAM);
        assert_eq!(back_off.next(Some(Duration::from_secs(40))), Duration::from_secs(40));
        assert!(back_off.next(Some(Duration::ZERO)) >= STREAM.floor);
        assert_eq!(back_off.next(Some(Duration::MAX)), MAX_SERVER_WAIT);
        for _ in 0..100 {
            back_off.next(Some(Duration::ZERO));
        }
        back_off.reset();
        assert!(back_off.next(None) <= STREAM.floor * 2);
    }
}
