//! The certificates of a connection.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::pki_types::CertificateDer;

use super::Identity;
use crate::domain::Refusal;

/// The chain that a client showed and that was verified, its own certificate first. An extension of
/// the requests of its connection. Cheap to clone.
#[derive(Clone)]
pub struct ClientCertificates(Arc<Shown>);

struct Shown {
    chain: Box<[CertificateDer<'static>]>,
    /// Who that is, once it was asked.
    identity: OnceLock<Result<Arc<Identity>, Refusal>>,
}

impl ClientCertificates {
    /// The chain of a connection.
    pub fn new(chain: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let chain = chain.into_iter().collect();
        Self(Arc::new(Shown { chain, identity: OnceLock::new() }))
    }

    /// The chain.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// Who the chain stands for; `read` is asked once for a connection.
    ///
    /// # Errors
    /// What `read` refuses.
    pub fn identity(
        &self,
        read: impl FnOnce(&[CertificateDer<'static>]) -> Result<Arc<Identity>, Refusal>,
    ) -> Result<Arc<Identity>, Refusal> {
        self.0.identity.get_or_init(|| read(&self.0.chain)).clone()
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificates")
            .field("certificates", &self.0.chain.len())
            .finish_non_exhaustive()
    }
}
