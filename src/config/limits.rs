//! Limits of the main port.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::{DAY_S, HOUR_S, range};
use crate::{process::handles::FileHandles, transport};

/// Limits of the transport; none of them can be switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Event loops that serve connections; 0 means one for each core.
    pub loops: u32,
    /// Connections that may be open; 0 means as many as the file handles leave room for, and no
    /// value means more.
    pub connections: u32,
    /// Connections that one address may have; 0 means all but 64.
    pub connections_per_address: u32,
    /// Seconds in which a new connection must complete the handshake of TLS and begin to speak HTTP.
    pub greeting_s: u64,
    /// Calls and streams that one connection may have open.
    pub streams_per_connection: u32,
    /// Calls of one connection that are worked on at a time.
    pub calls_per_connection: u32,
    /// Unary calls of all connections that are worked on at a time.
    pub calls: u32,
    /// Bytes of the headers of one call.
    pub header_bytes: u32,
    /// Fields of the head of a request of HTTP/1.1.
    pub header_fields: u32,
    /// Seconds in which the head of a request must come.
    pub head_s: u64,
    /// Frames of a connection in ten seconds that are neither calls nor messages.
    pub control_frames: u32,
    /// Streams that the other end opened and reset before they were looked at.
    pub pending_resets: u32,
    /// Streams of one connection that are reset for mistakes of the other end.
    pub error_resets: u32,
    /// Seconds of silence after which a connection is pinged.
    pub keepalive_interval_s: u64,
    /// Seconds in which it must answer.
    pub keepalive_timeout_s: u64,
    /// Minutes after which a connection is asked to end, give or take a tenth.
    pub connection_age_min: u64,
    /// Seconds that the message of a call may be waited for.
    pub body_stall_s: u64,
    /// MiB of messages that are being received, of all connections.
    pub body_mib: u64,
    /// MiB of answers that wait to be read, of all connections.
    pub answer_mib: u64,
    /// Minutes without a call after which a connection is asked to end.
    pub idle_min: u64,
    /// Seconds in which the other end must take something of what waits to be written.
    pub write_stall_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let defaults = transport::Limits::default();
        let count = |count: usize| count.try_into().unwrap_or(u32::MAX);
        Self {
            loops: 0,
            connections: 0,
            connections_per_address: 0,
            greeting_s: defaults.greeting.as_secs(),
            streams_per_connection: defaults.streams_per_connection,
            calls_per_connection: count(defaults.calls_per_connection),
            calls: count(defaults.calls),
            header_bytes: defaults.header_bytes,
            header_fields: count(defaults.header_fields),
            head_s: defaults.head_time.as_secs(),
            control_frames: defaults.control_frames,
            pending_resets: count(defaults.pending_resets),
            error_resets: count(defaults.error_resets),
            keepalive_interval_s: defaults.keepalive_interval.as_secs(),
            keepalive_timeout_s: defaults.keepalive_timeout.as_secs(),
            connection_age_min: defaults.connection_age.as_secs() / 60,
            body_stall_s: defaults.body_stall.as_secs(),
            body_mib: (defaults.body_bytes >> 20) as u64,
            answer_mib: (defaults.answer_bytes >> 20) as u64,
            idle_min: defaults.idle.as_secs() / 60,
            write_stall_s: defaults.write_stall.as_secs(),
        }
    }
}

impl Limits {
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let mut counts = |key: &str, value: u32, least: u32, most: u32| {
            range(mistakes, &format!("limits.{key}"), value, least, most);
        };
        counts("loops", self.loops, 0, 1_024);
        counts("connections", self.connections, 0, 1 << 30);
        counts("connections_per_address", self.connections_per_address, 0, 1 << 30);
        counts("streams_per_connection", self.streams_per_connection, 1, 1 << 20);
        counts("calls_per_connection", self.calls_per_connection, 1, 1 << 20);
        counts("calls", self.calls, 1, 1 << 24);
        counts("header_bytes", self.header_bytes, 1 << 10, 1 << 20);
        counts("header_fields", self.header_fields, 16, 1 << 12);
        counts("control_frames", self.control_frames, 100, 1 << 24);
        counts("pending_resets", self.pending_resets, 1, 1 << 16);
        counts("error_resets", self.error_resets, 16, 1 << 20);
        let mut times = |key: &str, value: u64, most: u64| {
            range(mistakes, &format!("limits.{key}"), value, 1, most);
        };
        times("greeting_s", self.greeting_s, HOUR_S);
        times("keepalive_interval_s", self.keepalive_interval_s, DAY_S);
        times("keepalive_timeout_s", self.keepalive_timeout_s, HOUR_S);
        times("head_s", self.head_s, HOUR_S);
        times("body_stall_s", self.body_stall_s, HOUR_S);
        times("write_stall_s", self.write_stall_s, HOUR_S);
        times("connection_age_min", self.connection_age_min, 30 * DAY_S / 60);
        times("idle_min", self.idle_min, 30 * DAY_S / 60);
        // Half of it is for one connection, and an answer has up to 4 MiB.
        range(mistakes, "limits.answer_mib", self.answer_mib, 10, 1 << 20);
        // Half of it is for one connection, and a bundle takes 64 MiB.
        range(mistakes, "limits.body_mib", self.body_mib, 130, 1 << 20);
    }

    /// The limits, for the server.
    pub fn settings(&self) -> transport::Limits {
        let room = FileHandles::current().for_connections();
        let count = |count: u32| count.try_into().unwrap_or(usize::MAX);
        let capped = |wanted: u32| room.min(count(wanted));
        let connections = if self.connections == 0 { room } else { capped(self.connections) };
        transport::Limits {
            loops: match self.loops {
                0 => transport::Limits::default().loops,
                wanted => count(wanted),
            },
            connections,
            connections_per_address: match self.connections_per_address {
                0 => transport::Limits::per_address(connections),
                wanted => capped(wanted),
            },
            greeting: Duration::from_secs(self.greeting_s),
            streams_per_connection: self.streams_per_connection,
            calls_per_connection: count(self.calls_per_connection),
            calls: count(self.calls),
            header_bytes: self.header_bytes,
            header_fields: count(self.header_fields),
            head_time: Duration::from_secs(self.head_s),
            control_frames: self.control_frames,
            pending_resets: count(self.pending_resets),
            error_resets: count(self.error_resets),
            keepalive_interval: Duration::from_secs(self.keepalive_interval_s),
            keepalive_timeout: Duration::from_secs(self.keepalive_timeout_s),
            connection_age: Duration::from_secs(self.connection_age_min * 60),
            body_stall: Duration::from_secs(self.body_stall_s),
            body_bytes: usize::try_from(self.body_mib << 20).unwrap_or(usize::MAX),
            answer_bytes: usize::try_from(self.answer_mib << 20).unwrap_or(usize::MAX),
            idle: Duration::from_secs(self.idle_min * 60),
            write_stall: Duration::from_secs(self.write_stall_s),
        }
    }
}
