//! Figures of connections, those that HTTP ended among them.

use std::{error::Error, ops::Deref, sync::Arc};

use metrics::{
    Counter, Gauge, Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder,
};

/// Figures of the connections of the main port. Cheap to clone, for each connection has some.
#[derive(Debug, Clone)]
pub struct ConnectionMeters(Arc<Meters>);

/// The meters behind [`ConnectionMeters`].
#[derive(Debug)]
pub struct Meters {
    /// Open connections.
    pub(super) open: Gauge,
    /// Accepts that failed.
    pub(super) accept_errors: Counter,
    /// Connections closed because the cap was reached.
    pub(super) refused: Counter,
    /// Connections closed because their address had all that it may have.
    pub(super) refused_of_address: Counter,
    /// Silent connections closed because another one needed their place.
    pub(super) displaced: Counter,
    /// Connections closed because they did not greet in time.
    pub(super) silent: Counter,
    /// Connections closed because the peer took nothing for too long.
    pub(super) stalled: Counter,
    /// Connections closed because the peer did not read an answer.
    pub(super) unread: Counter,
    /// Connections that were asked to end because no call was open for too long.
    pub(super) idle: Counter,
    /// Connections that were asked to end for their age.
    pub(super) aged: Counter,
    /// Answers for which there was no room.
    pub(super) answers_without_room: Counter,
    /// Handshakes of TLS that were completed, and those that were not.
    pub(super) handshakes: Counter,
    pub(super) failed_handshakes: Counter,
    /// Second, since 1970, at which the certificate of the server expires.
    pub(super) certificate_expiry: Gauge,
    /// Times that TLS was reloaded.
    pub(super) certificate_reloads: Counter,
    /// Times that its files could not be used.
    pub(super) certificate_reload_errors: Counter,
    /// Floods of frames.
    pub(super) flood: Counter,
    /// Heads of requests that did not come in time.
    pub(super) slow_head: Counter,
    /// Heads of requests that were too large to be answered beside other calls.
    large_head: Counter,
    /// Peers that did not answer whether they live.
    keepalive: Counter,
    /// Requests whose body did not come.
    pub(super) stalled_bodies: Counter,
    /// Requests for whose body there was no room.
    pub(super) bodies_without_room: Counter,
}

impl Default for ConnectionMeters {
    /// Meters that nobody reads.
    fn default() -> Self {
        Self(Arc::new(Meters {
            open: Gauge::noop(),
            accept_errors: Counter::noop(),
            refused: Counter::noop(),
            refused_of_address: Counter::noop(),
            displaced: Counter::noop(),
            silent: Counter::noop(),
            stalled: Counter::noop(),
            unread: Counter::noop(),
            idle: Counter::noop(),
            aged: Counter::noop(),
            answers_without_room: Counter::noop(),
            handshakes: Counter::noop(),
            failed_handshakes: Counter::noop(),
            certificate_expiry: Gauge::noop(),
            certificate_reloads: Counter::noop(),
            certificate_reload_errors: Counter::noop(),
            flood: Counter::noop(),
            slow_head: Counter::noop(),
            large_head: Counter::noop(),
            keepalive: Counter::noop(),
            stalled_bodies: Counter::noop(),
            bodies_without_room: Counter::noop(),
        }))
    }
}

impl Deref for ConnectionMeters {
    type Target = Meters;

    fn deref(&self) -> &Meters {
        &self.0
    }
}

impl ConnectionMeters {
    /// Meters of a recorder.
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_gauge!("deskplane_connections", "Open connections of the main port");
            describe_counter!(
                "deskplane_accept_errors_total",
                "Connections that could not be accepted, for want of file handles or memory"
            );
            describe_counter!(
                "deskplane_connections_closed_total",
                "Connections closed by a limit, which the label names"
            );
            describe_counter!(
                "deskplane_answers_refused_total",
                "Answers that were refused because those that wait to be read take all the room"
            );
            describe_counter!(
                "deskplane_tls_handshakes_total",
                "Handshakes of TLS, by outcome: ok or failed"
            );
            describe_gauge!(
                "deskplane_tls_certificate_expiry_timestamp_seconds",
                "End of the validity of the server's certificate, in seconds since 1970; 0 without"
            );
            describe_counter!(
                "deskplane_tls_reloads_total",
                "Changes of the files of TLS, by outcome: ok, or failed, where everything stays"
            );
            describe_counter!(
                "deskplane_bodies_refused_total",
                "Requests whose body was not read to its end: it did not come, or there was no room"
            );
            let refused = |limit| counter!("deskplane_bodies_refused_total", "limit" => limit);
            let closed = |limit| counter!("deskplane_connections_closed_total", "limit" => limit);
            let handshakes =
                |outcome| counter!("deskplane_tls_handshakes_total", "outcome" => outcome);
            let reloads = |outcome| counter!("deskplane_tls_reloads_total", "outcome" => outcome);
            Self(Arc::new(Meters {
                open: gauge!("deskplane_connections"),
                accept_errors: counter!("deskplane_accept_errors_total"),
                refused: closed("cap"),
                refused_of_address: closed("address"),
                displaced: closed("displaced"),
                silent: closed("greeting"),
                stalled: closed("write_stall"),
                unread: closed("unread"),
                idle: closed("idle"),
                aged: closed("age"),
                answers_without_room: counter!("deskplane_answers_refused_total"),
                handshakes: handshakes("ok"),
                failed_handshakes: handshakes("failed"),
                certificate_expiry: gauge!("deskplane_tls_certificate_expiry_timestamp_seconds"),
                certificate_reloads: reloads("ok"),
                certificate_reload_errors: reloads("failed"),
                flood: closed("flood"),
                slow_head: closed("slow_head"),
                large_head: closed("large_head"),
                keepalive: closed("keepalive"),
                stalled_bodies: refused("stall"),
                bodies_without_room: refused("room"),
            }))
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
