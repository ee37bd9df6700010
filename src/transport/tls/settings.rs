//! What TLS is made of.

use std::path::PathBuf;

/// Which files a listener's TLS is made of, and what it asks of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The chain of the server, PEM, its own certificate first.
    pub certificate: PathBuf,
    /// The private key of that certificate, PEM.
    pub key: PathBuf,
    /// Authorities of clients, PEM, if clients show certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub client_required: bool,
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
}
