//! Times and limits of live streams.

use std::time::Duration;

/// Times and limits of live streams.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client must be without a change before gathered changes go out; 0 gathers none.
    pub quiet: Duration,
    /// How long a change waits at most for further ones; 0 gathers none.
    pub longest: Duration,
    /// Silence after which a bookmark is sent, give or take a tenth.
    pub bookmark: Duration,
    /// Age at which a stream ends, give or take a tenth.
    pub max_age: Duration,
    /// Time over which the reconnects of drained streams are spread.
    pub drain_window: Duration,
    /// Time after which drained streams that did not end are cut.
    pub drain_deadline: Duration,
    /// How long the transport may take nothing while something waits.
    pub stalled: Duration,
    /// Most streams of each kind; a further one is refused with SERVER_BUSY.
    pub max_streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(50),
            longest: Duration::from_millis(250),
            bookmark: Duration::from_secs(30),
            max_age: Duration::from_secs(60 * 60),
            drain_window: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(30),
            stalled: Duration::from_secs(5),
            max_streams: 100_000,
        }
    }
}
