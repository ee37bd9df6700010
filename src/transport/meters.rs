//! Figures of connections that a limit of their protocol ended.

use std::error::Error;

use metrics::{Counter, Recorder, counter, with_local_recorder};

/// Figures of connections that HTTP ended, or what is counted of it. Their help is that of the other
/// limits, in `accept`.
#[derive(Debug, Clone)]
pub struct LimitMeters {
    /// Floods of frames.
    pub(super) flood: Counter,
    /// Heads of requests that did not come in time.
    pub(super) slow_head: Counter,
    /// Heads of requests that were too large to be answered beside other calls.
    large_head: Counter,
    /// Peers that did not answer whether they live.
    keepalive: Counter,
}

impl Default for LimitMeters {
    /// Meters that nobody reads.
    fn default() -> Self {
        Self {
            flood: Counter::noop(),
            slow_head: Counter::noop(),
            large_head: Counter::noop(),
            keepalive: Counter::noop(),
        }
    }
}

impl LimitMeters {
    /// Meters of a recorder.
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            let closed = |limit| counter!("deskplane_connections_closed_total", "limit" => limit);
            Self {
                flood: closed("flood"),
                slow_head: closed("slow_head"),
                large_head: closed("large_head"),
                keepalive: closed("keepalive"),
            }
        })
    }

    /// Counts the end of a connection, if a limit of the protocol brought it about.
    pub(super) fn ended(&self, error: &(dyn Error + 'static)) {
        let Some(http) = error.downcast_ref::<hyper::Error>() else { return };
        if http.is_parse_too_large() {
            self.large_head.increment(1);
        } else if http.is_timeout() {
            // Of HTTP/1.1 it is the head of a request, which has no further cause.
            let of = if http.source().is_none() { &self.slow_head } else { &self.keepalive };
            of.increment(1);
        } else if http.source().and_then(<dyn Error>::downcast_ref).is_some_and(is_flood) {
            self.flood.increment(1);
        }
    }
}

/// Whether HTTP/2 ended the connection for what its peer sent: resets, empty frames, frames of
/// headers without end, headers of many times their limit.
fn is_flood(error: &h2::Error) -> bool {
    // The latter of headers alone, whose rest would have to be kept to be skipped.
    let reasons = [h2::Reason::ENHANCE_YOUR_CALM, h2::Reason::COMPRESSION_ERROR];
    !error.is_remote() && error.reason().is_some_and(|reason| reasons.contains(&reason))
}
