//! Numbers of streams and groups; none is used twice in the life of a server.

/// Number of a stream among those of its kind.
pub(super) type StreamId = u64;

/// Number of a group of streams.
pub(super) type GroupId = u64;
