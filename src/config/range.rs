//! Times by which settings are bounded.

/// Seconds of an hour.
pub(super) const HOUR_S: u64 = 60 * 60;

/// Seconds of a day.
pub(super) const DAY_S: u64 = 24 * HOUR_S;
