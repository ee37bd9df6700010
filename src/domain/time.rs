//! Points in time: UTC with microseconds (SPEC §2.1).

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The point that many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, and the nanoseconds of the rest.
    pub const fn parts(self) -> (i64, i32) {
        (self.0.div_euclid(1_000_000), (self.0.rem_euclid(1_000_000) * 1_000) as i32)
    }

    /// The time of a commit: now, but after the commit before (SPEC §7.1 rule 10).
    pub fn next_commit(now: Self, last: Self) -> Self {
        Self(now.0.max(last.0 + 1))
    }

    /// Reads RFC 3339 text such as `2026-03-01T08:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000).ok().map(Self)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok());
        f.write_str(text.as_deref().unwrap_or("out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn text_and_back() {
        let time = Time::parse("2026-03-01T08:00:00.000001Z").unwrap();
        assert_eq!(time.to_string(), "2026-03-01T08:00:00.000001Z");
        assert_eq!(time.parts().1, 1_000);
        assert!(Time::parse("yesterday").is_none());
    }

    #[test]
    fn commit_times_never_go_back() {
        let last = Time::from_micros(50);
        assert_eq!(Time::next_commit(Time::from_micros(10), last), Time::from_micros(51));
        assert_eq!(Time::next_commit(Time::from_micros(90), last), Time::from_micros(90));
    }
}
