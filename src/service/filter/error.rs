//! Why a filter or an order is refused.

use std::fmt;

/// Why a filter or an order is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where the offending part begins, in characters.
    pub offset_chars: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(offset_chars: usize, message: impl Into<String>) -> Self {
        Self { offset_chars, message: message.into() }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.message, self.offset_chars)
    }
}

impl std::error::Error for FilterError {}
