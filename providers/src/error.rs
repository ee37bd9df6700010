//! Why a request to a vendor failed, and whether it may have had an effect all the same.

use std::{fmt, time::Duration};

/// What most calls of a provider answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Most characters of a vendor's message.
const MAX_MESSAGE: usize = 500;

/// Why a request failed. Few and fixed: the caller decides by the kind, not by a vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The configuration cannot work: something it names does not exist at the vendor.
    InvalidConfig,
    /// The vendor does not know our credentials.
    Unauthenticated,
    /// The credentials may not do this.
    PermissionDenied,
    /// The vendor refuses an argument, such as the number.
    InvalidArgument,
    /// The vendor does not know what the request is about, such as the call.
    NotFound,
    /// The state of the call or the account forbids it.
    Conflict,
    /// Too many requests.
    RateLimited,
    /// The vendor cannot be reached, or reports a failure of its own.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The request was sent, and its outcome is unknown.
    OutcomeUnknown,
    /// The adapter does not offer this.
    Unsupported,
    /// The answer is not what the vendor's documents promise.
    Protocol,
    /// The vendor refuses for a reason of its own.
    Refused,
    /// A defect of the adapter.
    Internal,
}

/// What a failed request may have done at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Certainly nothing.
    None,
    /// Perhaps all of it.
    Unknown,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    effect: Effect,
    retry_after: Option<Duration>,
    vendor_code: Option<String>,
    message: String,
}

impl Error {
    /// A failure that certainly did nothing at the vendor.
    ///
    /// The message is for people; give no secret into it. At most 500 characters are kept.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let effect = match kind {
            ErrorKind::OutcomeUnknown | ErrorKind::Timeout | ErrorKind::Protocol => Effect::Unknown,
            _ => Effect::None,
        };
        let message = message.into().chars().take(MAX_MESSAGE).collect();
        Self { kind, effect, retry_after: None, vendor_code: None, message }
    }

    /// The adapter does not offer this.
    pub fn unsupported(operation: &str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("this adapter offers no {operation}"))
    }

    /// Says what the request may have done.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Says when the vendor will listen again.
    #[must_use]
    pub fn with_retry_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.retry_after = after.into();
        self
    }

    /// Adds the vendor's own code.
    #[must_use]
    pub fn with_vendor_code(mut self, code: impl Into<String>) -> Self {
        self.vendor_code = Some(code.into().chars().take(100).collect());
        self
    }

    /// The same error with another message, e.g. a redacted one.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into().chars().take(MAX_MESSAGE).collect();
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it may have done.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// When to try again, if the vendor named a time.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The vendor's own code.
    pub fn vendor_code(&self) -> Option<&str> {
        self.vendor_code.as_deref()
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same request may succeed later without a change of configuration.
    pub fn temporary(&self) -> bool {
        use ErrorKind::{OutcomeUnknown, Protocol, RateLimited, Timeout, Unavailable};
        matches!(self.kind, RateLimited | Unavailable | Timeout | OutcomeUnknown | Protocol)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        self.vendor_code.as_ref().map_or(Ok(()), |code| write!(f, " (vendor code {code})"))
    }
}

impl std::error::Error for Error {}
