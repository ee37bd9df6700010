//! Deadlines that callers send (gRPC over HTTP/2: `grpc-timeout`).

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::domain::{Reason, Refusal, Violations};

/// Header with the time that the caller gives.
const KEY: &str = "grpc-timeout";

/// So much earlier the server gives up, or a tenth of the time given if that is less: its answer
/// still reaches the caller, and the transport, which ends calls at the time itself, has no reason to.
const MARGIN: Duration = Duration::from_millis(2);
/// So much earlier a vendor must answer, or a tenth of what is left: what is known of the outcome
/// still reaches the caller.
const VENDOR_MARGIN: Duration = Duration::from_millis(100);

/// When a caller gives up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// When the server must have answered.
    pub(super) at: Instant,
    /// The time that the caller gave.
    pub(super) given: Duration,
}

impl Deadline {
    /// The deadline of a call that began at `start`; `None` when the caller waits for ever.
    pub(super) fn read(headers: &HeaderMap, start: Instant) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(KEY) else { return Ok(None) };
        let Some(given) = value.to_str().ok().and_then(timeout) else {
            let mut v = Violations::new();
            v.invalid(KEY, "must be at most eight digits and a unit: H, M, S, m, u or n");
            return v.finish().map(|()| None);
        };
        let at = start.checked_add(given - MARGIN.min(given / 10));
        Ok(at.map(|at| Self { at, given }))
    }

    /// Whether it is over.
    pub(super) fn has_passed(self) -> bool {
        self.at <= Instant::now()
    }

    /// Time that a vendor has, at most `longest`.
    pub(super) fn time_for_vendor(self, longest: Duration) -> Duration {
        let left = self.at.saturating_duration_since(Instant::now());
        longest.min(left - VENDOR_MARGIN.min(left / 10))
    }
}

/// The refusal because the deadline of a call has passed.
pub(super) fn exceeded(given: Duration, path: &str, dispatched: bool) -> Refusal {
    let (outcome, effect) = match dispatched {
        false => ("none", "Nothing was changed."),
        true => {
            ("unknown", "Whether it took effect is not known; repeat it with the same request_id.")
        }
    };
    let message = format!("The deadline of {path}, {given:?}, passed. {effect}");
    Refusal::new(Reason::DeadlineExceeded, message).with("outcome", outcome)
}

/// At most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u64>().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_caller_is_read() {
        for (text, expected) in [
            ("5S", Some(Duration::from_secs(5))),
            ("100m", Some(Duration::from_millis(100))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("0n", Some(Duration::ZERO)),
            ("123456789S", None),
            ("+5S", None),
            ("S", None),
            ("", None),
            ("5x", None),
            ("5é", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }

    #[test]
    fn the_server_gives_up_a_little_earlier() {
        let start = Instant::now();
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(KEY.parse().unwrap(), text.parse().unwrap())]);
            Deadline::read(&headers, start).map(|deadline| deadline.map(|read| read.at - start))
        };
        assert_eq!(read("1S").unwrap(), Some(Duration::from_millis(998)));
        assert_eq!(read("10m").unwrap(), Some(Duration::from_millis(9)));
        assert_eq!(read("0n").unwrap(), Some(Duration::ZERO));
        let refusal = read("soon").unwrap_err();
        assert_eq!((refusal.reason, &*refusal.violations[0].field), (Reason::FieldInvalid, KEY));
        assert_eq!(Deadline::read(&HeaderMap::new(), start).unwrap().map(|read| read.at), None);
    }
}
