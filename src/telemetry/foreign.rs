//! How much the libraries may log.
//!
//! Some print heads and bodies of requests at their finest levels, and those hold credentials. So
//! whatever the setting says, they log no finer than is known to hold none.

use tracing::{Level, Metadata};

/// Libraries that log more than headlines, by the first part of their targets, with the finest level
/// that holds nothing of a request. [`OTHERS`] holds for all that are not named.
const FINEST: &[(&str, Level)] = &[
    ("deskplane", Level::TRACE),
    ("deskplane_proto", Level::TRACE),
    ("deskplane_providers", Level::TRACE),
    // Frames without the headers and the data in them.
    ("h2", Level::DEBUG),
    ("hyper", Level::DEBUG),
    ("hyper_util", Level::DEBUG),
    ("rustls", Level::DEBUG),
    ("tonic", Level::DEBUG),
];

/// Of any other library, such as sled, which prints keys, and tungstenite, which prints handshakes.
const OTHERS: Level = Level::INFO;

/// Whether a line may be logged at all.
pub(super) fn may_log(of: &Metadata<'_>) -> bool {
    let library = of.target().split("::").next().unwrap_or_default();
    let finest = FINEST.iter().find(|(name, _)| *name == library).map_or(OTHERS, |(_, most)| *most);
    *of.level() <= finest
}
