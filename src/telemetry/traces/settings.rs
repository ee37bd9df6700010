//! Where traces go.

use std::{path::PathBuf, time::Duration};

/// Where traces go.
#[derive(Debug, Clone)]
pub struct Settings {
    /// URL of the collector.
    pub endpoint: String,
    /// File with headers for the collector.
    pub headers_file: Option<PathBuf>,
    /// File with the authorities of the collector.
    pub ca: Option<PathBuf>,
    /// Share of the calls without a caller's decision that are traced.
    pub ratio: f64,
    /// What the collector calls the server.
    pub service_name: String,
    /// Time that the collector has for one request.
    pub timeout: Duration,
}

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting or a file that it names cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// There can be no further thread.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}
