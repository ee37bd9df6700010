//! Back-off with full jitter: the one policy for whatever is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// How long to wait between attempts: a pause is drawn between nothing and a range that doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// Range of the first pause.
    pub first: Duration,
    /// Widest range.
    pub widest: Duration,
    /// How many pauses there are; without it no attempt is the last.
    pub times: Option<usize>,
}

/// The pauses of one row of failures.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl BackoffPolicy {
    /// The pauses after a first failure.
    pub fn pauses(&self) -> Pauses {
        let ranges =
            ExponentialBuilder::new().with_min_delay(self.first).with_max_delay(self.widest);
        let ranges = match self.times {
            Some(times) => ranges.with_max_times(times),
            None => ranges.without_max_times(),
        };
        Pauses(ranges.build())
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // The jitter of the crate adds to its range, and so draws no short pause.
        self.0.next().map(|range| range.mul_f64(fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_over_a_range_that_doubles_up_to_the_widest() {
        let second = Duration::from_secs(1);
        let policy = BackoffPolicy { first: second, widest: 5 * second, times: None };
        let draw = |n: usize| {
            let mut drawn: Vec<_> = (0..400).filter_map(|_| policy.pauses().nth(n)).collect();
            drawn.sort();
            (drawn.len(), drawn[0], drawn[399])
        };
        for (n, range) in [1, 2, 4, 5, 5].into_iter().enumerate() {
            let (drawn, least, most) = draw(n);
            assert_eq!(drawn, 400);
            assert!(most <= range * second && most > range * second / 2, "{n}: {most:?}");
            assert!(least < second / 2, "{n}: all would come at once, {least:?}");
        }
    }

    #[test]
    fn there_are_as_many_pauses_as_the_policy_has() {
        let first = Duration::from_millis(250);
        let policy = BackoffPolicy { first, widest: first, times: Some(3) };
        assert_eq!(policy.pauses().count(), 3);
    }
}
