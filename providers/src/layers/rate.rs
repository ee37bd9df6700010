//! The rate limit: a token bucket.

use std::time::Duration;

use tokio::time::Instant;

use crate::Rate;

/// Tokens of one provider. Knows no clock.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    /// Below zero while requests wait for tokens that are promised to them.
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: f64::from(rate.burst), at: now }
    }

    /// Takes a token and answers from when on it may be used; or, when that is not before the deadline,
    /// takes none and answers how long the wait would have been.
    pub(super) fn take(&mut self, now: Instant, deadline: Instant) -> Result<Instant, Duration> {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst));
        self.at = self.at.max(now);
        let missing = (1.0 - self.tokens).max(0.0);
        let wait = Duration::from_secs_f64(missing / self.rate.per_second);
        if wait > Duration::ZERO && now + wait >= deadline {
            return Err(wait);
        }
        self.tokens -= 1.0;
        Ok(now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_after_the_other() {
        let now = Instant::now();
        let far = now + Duration::from_secs(60);
        let mut bucket = Bucket::new(Rate::new(2.0, 3), now);
        let waits: Vec<_> =
            (0..5).map(|_| (bucket.take(now, far).unwrap() - now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
        let near = now + Duration::from_millis(1200);
        assert_eq!(bucket.take(now, near), Err(Duration::from_millis(1500)));
        let later = now + Duration::from_secs(30);
        let after: Vec<_> = (0..4)
            .map(|_| {
                (bucket.take(later, later + far.duration_since(now)).unwrap() - later).as_millis()
            })
            .collect();
        assert_eq!(after, [0, 0, 0, 500], "a pause fills the bucket, and not further");
    }
}
