//! Figures of connections.

use metrics::{
    Counter, Gauge, Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder,
};

/// Figures of the connections of the main port.
#[derive(Debug, Clone)]
pub struct ConnectionMeters {
    /// Open connections.
    pub(in crate::transport) open: Gauge,
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
    pub(in crate::transport) stalled: Counter,
    /// Connections closed because the peer did not read an answer.
    pub(in crate::transport) unread: Counter,
    /// Connections that were asked to end because no call was open for too long.
    pub(in crate::transport) idle: Counter,
    /// Answers for which there was no room.
    pub(in crate::transport) answers_without_room: Counter,
    /// Handshakes of TLS that were completed, and those that were not.
    pub(super) handshakes: Counter,
    pub(super) failed_handshakes: Counter,
    /// Second, since 1970, at which the certificate of the server expires.
    pub(in crate::transport) certificate_expiry: Gauge,
    /// Times that TLS was set up anew.
    pub(in crate::transport) certificate_reloads: Counter,
    /// Times that it should have been, and could not.
    pub(in crate::transport) certificate_reload_errors: Counter,
    /// Requests whose body did not come.
    pub(in crate::transport) stalled_bodies: Counter,
    /// Requests for whose body there was no room.
    pub(in crate::transport) bodies_without_room: Counter,
}

impl Default for ConnectionMeters {
    /// Meters that nobody reads.
    fn default() -> Self {
        Self {
            open: Gauge::noop(),
            accept_errors: Counter::noop(),
            refused: Counter::noop(),
            refused_of_address: Counter::noop(),
            displaced: Counter::noop(),
            silent: Counter::noop(),
            stalled: Counter::noop(),
            unread: Counter::noop(),
            idle: Counter::noop(),
            answers_without_room: Counter::noop(),
            handshakes: Counter::noop(),
            failed_handshakes: Counter::noop(),
            certificate_expiry: Gauge::noop(),
            certificate_reloads: Counter::noop(),
            certificate_reload_errors: Counter::noop(),
            stalled_bodies: Counter::noop(),
            bodies_without_room: Counter::noop(),
        }
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
            Self {
                open: gauge!("deskplane_connections"),
                accept_errors: counter!("deskplane_accept_errors_total"),
                refused: closed("cap"),
                refused_of_address: closed("address"),
                displaced: closed("displaced"),
                silent: closed("greeting"),
                stalled: closed("write_stall"),
                unread: closed("unread"),
                idle: closed("idle"),
                answers_without_room: counter!("deskplane_answers_refused_total"),
                handshakes: handshakes("ok"),
                failed_handshakes: handshakes("failed"),
                certificate_expiry: gauge!("deskplane_tls_certificate_expiry_timestamp_seconds"),
                certificate_reloads: reloads("ok"),
                certificate_reload_errors: reloads("failed"),
                stalled_bodies: refused("stall"),
                bodies_without_room: refused("room"),
            }
        })
    }
}
