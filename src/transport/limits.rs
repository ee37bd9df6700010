//! Limits of the main port.

use std::{num::NonZero, thread::available_parallelism, time::Duration};

use crate::process::handles::FileHandles;

/// Limits of the transport. None of them is left at "unlimited".
#[derive(Debug, Clone)]
pub struct Limits {
    /// Event loops that serve the connections; by default one for each core.
    pub loops: usize,
    /// Connections that may be open; by default what the limit of file handles leaves for them.
    pub connections: usize,
    /// Connections that one address may have; by default all but a few, so that no address takes the
    /// last ones. A site of IPv6 (/64) is one address.
    pub connections_per_address: usize,
    /// Time in which a new connection must complete the handshake of TLS, where it is spoken, and send
    /// the preface of HTTP/2 or begin a request of HTTP/1.1.
    pub greeting: Duration,
    /// Calls and streams that one connection may have open; further ones wait at the client.
    pub streams_per_connection: u32,
    /// Unary calls of one connection that are worked on at a time.
    pub calls_per_connection: usize,
    /// Unary calls of all connections that are worked on at a time; further ones are refused.
    pub calls: usize,
    /// Bytes of the headers of one call.
    pub header_bytes: u32,
    /// Fields of the head of a request of HTTP/1.1. HTTP/2 counts 32 bytes for each.
    pub header_fields: usize,
    /// Time in which the head of a request must have come, from its first byte to its last.
    pub head_time: Duration,
    /// Frames in ten seconds that are neither calls nor their messages; what is sent to the peer
    /// earns it further ones.
    pub control_frames: u32,
    /// Streams that the peer opened and reset before they were looked at.
    pub pending_resets: usize,
    /// Streams of one connection that are reset for what the peer did wrong, as long as it lives.
    pub error_resets: usize,
    /// Silence on a connection after which it is asked whether it lives.
    pub keepalive_interval: Duration,
    /// Time in which it must answer.
    pub keepalive_timeout: Duration,
    /// Age at which a connection is asked to end, give or take a tenth; open streams are seen
    /// through.
    pub connection_age: Duration,
    /// Time that the body of a request may be waited for in all; each 16 KiB that come earn it a
    /// second more, up to this time.
    pub body_stall: Duration,
    /// Bytes of the bodies of requests that are being received, of all connections; one connection
    /// has half of it.
    pub body_bytes: usize,
    /// Bytes of answers that wait to be read, of all connections; one connection has half of it.
    pub answer_bytes: usize,
    /// Time without a call after which a connection is asked to end.
    pub idle: Duration,
    /// Time in which the peer must take something of what waits to be written; then the connection
    /// is closed.
    pub write_stall: Duration,
}

/// Places that one address leaves to others, unless there are few.
const LEFT_TO_OTHERS: usize = 64;

impl Limits {
    /// What one address may have of so many connections, unless it is set.
    pub fn per_address(connections: usize) -> usize {
        connections - LEFT_TO_OTHERS.min(connections / 4)
    }
}

impl Default for Limits {
    fn default() -> Self {
        let connections = FileHandles::current().for_connections();
        Self {
            loops: available_parallelism().map_or(1, NonZero::get),
            connections,
            connections_per_address: Self::per_address(connections),
            greeting: Duration::from_secs(10),
            streams_per_connection: 1_024,
            calls_per_connection: 1_024,
            calls: 16_384,
            header_bytes: 16 * 1_024,
            header_fields: 100,
            head_time: Duration::from_secs(30),
            control_frames: 10_000,
            pending_resets: 20,
            error_resets: 1_024,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            connection_age: Duration::from_secs(2 * 3_600),
            body_stall: Duration::from_secs(30),
            body_bytes: 256 << 20,
            answer_bytes: 256 << 20,
            idle: Duration::from_secs(30 * 60),
            write_stall: Duration::from_secs(60),
        }
    }
}
