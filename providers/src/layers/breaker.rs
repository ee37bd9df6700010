//! The circuit breaker: after too many failures it opens and refuses requests for a while; then it is
//! half-open and lets one probe through, which closes it or opens it again.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Outcomes that count are not older than this.
const WINDOW: Duration = Duration::from_secs(30);
/// Fewest outcomes that can open it.
const MIN_OUTCOMES: usize = 20;
/// How long it stays open.
const OPEN_FOR: Duration = Duration::from_secs(10);

/// Opens when at least half of at least 20 outcomes in 30 s are failures. Knows no clock.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    outcomes: VecDeque<(Instant, bool)>,
    failures: usize,
    open_until: Option<Instant>,
    /// Whether the probe of the half-open state is in flight.
    probing: bool,
}

/// A request that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    probe: bool,
}

impl Breaker {
    /// Admits a request, or answers after how long to try again.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.open_until {
            None => Ok(Ticket { probe: false }),
            Some(until) if now < until => Err(until - now),
            Some(_) if self.probing => Err(Duration::from_secs(1)),
            Some(_) => {
                self.probing = true;
                Ok(Ticket { probe: true })
            }
        }
    }

    /// Records the outcome of a request: whether the vendor was at fault, or none when the request was
    /// dropped.
    pub(super) fn record(&mut self, ticket: Ticket, failed: Option<bool>, now: Instant) {
        if ticket.probe {
            self.probing = false;
            match failed {
                Some(true) => self.open_until = Some(now + OPEN_FOR),
                Some(false) => *self = Self::default(),
                None => {}
            }
            return;
        }
        let Some(failed) = failed.filter(|_| self.open_until.is_none()) else { return };
        self.outcomes.push_back((now, failed));
        self.failures += usize::from(failed);
        while self.outcomes.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            let aged = self.outcomes.pop_front();
            self.failures -= usize::from(aged.is_some_and(|(_, failed)| failed));
        }
        if self.outcomes.len() >= MIN_OUTCOMES && self.failures * 2 >= self.outcomes.len() {
            self.open_until = Some(now + OPEN_FOR);
            self.outcomes.clear();
            self.failures = 0;
        }
    }

    /// Whether it is open or half-open.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until || self.probing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(breaker: &mut Breaker, outcomes: &[bool], now: Instant) {
        for failed in outcomes {
            let ticket = breaker.admit(now).unwrap();
            breaker.record(ticket, Some(*failed), now);
        }
    }

    #[test]
    fn it_opens_at_half_of_twenty_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        feed(&mut breaker, &[true; 19], now);
        assert!(!breaker.is_open(now), "19 outcomes decide nothing");
        feed(&mut breaker, &[true], now);
        assert!(breaker.is_open(now));
        assert_eq!(breaker.admit(now + Duration::from_secs(4)), Err(Duration::from_secs(6)));

        let mut breaker = Breaker::default();
        feed(&mut breaker, &[&[false; 11][..], &[true; 9]].concat(), now);
        assert!(!breaker.is_open(now), "9 of 20");
        feed(&mut breaker, &[true, true], now);
        assert!(breaker.is_open(now), "11 of 22");
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        feed(&mut breaker, &[true; 19], now);
        let later = now + WINDOW + Duration::from_secs(1);
        feed(&mut breaker, &[true; 10], later);
        assert!(!breaker.is_open(later));
    }

    #[test]
    fn one_probe_decides() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        feed(&mut breaker, &[true; 20], now);
        let later = now + OPEN_FOR;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one at a time");
        breaker.record(probe, Some(true), later);
        assert!(breaker.is_open(later));

        let later = later + OPEN_FOR;
        let probe = breaker.admit(later).unwrap();
        breaker.record(probe, None, later);
        let probe = breaker.admit(later).expect("a dropped probe decides nothing");
        breaker.record(probe, Some(false), later);
        assert!(!breaker.is_open(later));
        feed(&mut breaker, &[true; 19], later);
        assert!(!breaker.is_open(later), "it starts from zero");
    }
}
