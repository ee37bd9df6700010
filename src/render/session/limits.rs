//! Limits of a rendered session.

/// Longest title of a session or tab, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest title of a notification, in characters.
pub const MAX_NOTIFICATION_TITLE_CHARS: usize = 100;
/// Longest line of a notification, in characters.
pub const MAX_FIELD_CHARS: usize = 1028;

/// Most bytes of values in parameters and query options together, escaped. The first value that goes
/// beyond stays out, and so does every one after it. The longest single value fits, escaped as JSON.
pub const MAX_VALUE_BYTES: usize = 2 << 20;
/// Most bytes of the lists of unresolved and deferred slugs; what does not fit is not listed.
pub const MAX_LISTED_BYTES: usize = 1 << 20;
