//! Pauses between attempts.

use std::time::Duration;

/// Attempts after the first.
const MOST: u32 = 3;
/// Longest pause before the first repetition; it doubles.
const BASE: Duration = Duration::from_millis(250);
/// Longest pause of all that we choose ourselves.
const CAP: Duration = Duration::from_secs(8);

/// Full jitter: anything between nothing and a limit that doubles.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    made: u32,
}

impl Backoff {
    /// The pause before the next attempt, at least what the vendor asks for; none after the last.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.made == MOST {
            return None;
        }
        let limit = CAP.min(BASE * 2_u32.pow(self.made));
        self.made += 1;
        let chosen = limit.mul_f64(fastrand::f64());
        Some(asked.map_or(chosen, |asked| asked.max(chosen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_pauses_within_their_limits_and_no_shorter_than_asked() {
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            let pauses: Vec<_> = std::iter::from_fn(|| backoff.next(None)).collect();
            assert_eq!(pauses.len(), 3);
            for (i, pause) in pauses.iter().enumerate() {
                assert!(*pause <= BASE * 2_u32.pow(u32::try_from(i).unwrap()), "{pauses:?}");
            }
            let asked = Duration::from_secs(2);
            assert_eq!(Backoff::default().next(Some(asked)), Some(asked));
        }
    }
}
