//! Limits of the main port.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::{DAY_S, HOUR_S};
use crate::{process::handles::FileHandles, transport};

/// Limits of the transport; none of them can be switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Event loops that serve connections, each a thread; 0 means one for each core.
    #[schemars(range(min = 0, max = 1_024))]
    pub loops: u32,
    /// Connections of the main port; 0 means as many as file handles leave room for, and no value means
    /// more.
    #[schemars(range(min = 0, max = 1 << 30))]
    pub connections: u32,
    /// Connections of one address, or of one site (/64) of IPv6; 0 means all but 64, or all but a quarter
    /// where there are fewer than 256.
    #[schemars(range(min = 0, max = 1 << 30))]
    pub connections_per_address: u32,
    /// Seconds in which a new connection must complete the handshake of TLS and begin to speak HTTP.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub greeting_s: u64,
    /// Open calls and streams of one connection.
    #[schemars(range(min = 1, max = 1 << 20))]
    pub streams_per_connection: u32,
    /// Calls of one connection that are worked on at a time.
    #[schemars(range(min = 1, max = 1 << 20))]
    pub calls_per_connection: u32,
    /// Unary calls that are worked on at a time, of all connections. A further one is refused at once
    /// with SERVER_BUSY and a delay, and is not run. Health, reflection, probes and streams go on.
    #[schemars(range(min = 1, max = 1 << 24))]
    pub calls: u32,
    /// Bytes of the headers of one call, with 32 for each field. A call with more is refused with
    /// HEADERS_TOO_LARGE, and its connection goes on, up to eight times as many.
    #[schemars(range(min = 1 << 10, max = 1 << 20))]
    pub header_bytes: u32,
    /// Fields of a request of HTTP/1.1. One with more gets 431, and its connection is closed.
    #[schemars(range(min = 16, max = 1 << 12))]
    pub header_fields: u32,
    /// Seconds that the head of a request may take to come, and that a connection of HTTP/1.1 may wait
    /// for the next one; then it is closed.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub head_s: u64,
    /// Frames of a connection of HTTP/2 in ten seconds that are neither calls nor their messages.
    #[schemars(range(min = 100, max = 1 << 24))]
    pub control_frames: u32,
    /// Streams of a connection that the other end opens and resets in one go; beyond that it is closed.
    #[schemars(range(min = 1, max = 1 << 16))]
    pub pending_resets: u32,
    /// Streams that are reset for mistakes of the other end as long as a connection lives; beyond that it
    /// is closed.
    #[schemars(range(min = 16, max = 1 << 20))]
    pub error_resets: u32,
    /// Seconds of silence after which a connection is pinged.
    #[schemars(range(min = 1, max = DAY_S))]
    pub keepalive_interval_s: u64,
    /// Seconds in which it must answer.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub keepalive_timeout_s: u64,
    /// Minutes after which a connection is asked to end, give or take a tenth. Open streams are seen
    /// through.
    #[schemars(range(min = 1, max = 30 * DAY_S / 60))]
    pub connection_age_min: u64,
    /// Seconds that the message of a call may be waited for in all, until the answer begins. Each 16 KiB
    /// that come earn it a second more, up to this time; then UPLOAD_STALLED.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub body_stall_s: u64,
    /// MiB of messages that are being received, of all connections. One connection has half of it, and a
    /// bundle takes 64 MiB; beyond that SERVER_BUSY.
    #[schemars(range(min = 130, max = 1 << 20))]
    pub body_mib: u64,
    /// MiB of answers that wait to be read, of all connections. One connection has half of it, and an
    /// answer takes up to 4 MiB; beyond that SERVER_BUSY.
    #[schemars(range(min = 10, max = 1 << 20))]
    pub answer_mib: u64,
    /// Minutes that a connection may be without a call; then it is asked to end.
    #[schemars(range(min = 1, max = 30 * DAY_S / 60))]
    pub idle_min: u64,
    /// Seconds in which the other end of a connection must take something of what waits for it, and an
    /// answer that waits at least 64 KiB; then it is closed, the latter within twice that time.
    #[schemars(range(min = 1, max = HOUR_S))]
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
