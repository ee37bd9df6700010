//! Ranges of settings, and the units that they are in.

use std::fmt;

/// Seconds of an hour.
pub(super) const HOUR_S: u64 = 60 * 60;

/// Seconds of a day.
pub(super) const DAY_S: u64 = 24 * HOUR_S;

/// Notes a value outside its range.
pub(super) fn range<T: PartialOrd + fmt::Display>(
    mistakes: &mut Vec<String>,
    key: &str,
    value: T,
    least: T,
    most: T,
) {
    if value < least || value > most {
        mistakes.push(format!("`{key}`: {value} is not within {least} to {most}"));
    }
}
