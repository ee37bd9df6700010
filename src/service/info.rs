//! What a server is, for callers.

/// What a server is, for those who ask.
#[derive(Debug, Clone, Default)]
pub struct ServerInfo {
    /// What it was built with, ascending.
    pub features: Vec<String>,
    /// Its limits by name.
    pub limits: Vec<(&'static str, u64)>,
}
