//! From files to a configuration of rustls.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{expiry, settings::TlsSettings};
use crate::secrets::file::{self, Access, FileError};

/// Most bytes of one file.
const MAX_BYTES: u64 = 4 << 20;
/// Protocols that the server offers by ALPN, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// Tickets that a client gets at once: one, for clients keep a connection and do not open several.
const TICKETS: usize = 1;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read, or others can use it.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what it should be.
    #[error("{}: {why}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        why: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{}: holds no certificate (PEM, `BEGIN CERTIFICATE`)", .0.display())]
    Empty(PathBuf),
    /// Certificate and key cannot be used, or not together.
    #[error("{} and {}: {why}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        why: rustls::Error,
    },
    /// The authorities of clients cannot be used.
    #[error("{}: {why}", path.display())]
    Authorities {
        /// The bundle.
        path: PathBuf,
        /// What is wrong.
        #[source]
        why: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What was read, and the configuration made of it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// Second since 1970 after which the certificate of the server is not valid.
    pub(super) expiry: i64,
    /// Over the bytes of all files.
    digest: [u8; 32],
}

/// The bytes of the files.
struct Files {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Zeroizing<Vec<u8>>>,
}

impl Loaded {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, LoadError> {
        let files = Files::read(settings)?;
        let digest = files.digest();
        Self::of(settings, &files, digest)
    }

    /// The same, unless the files hold what they held before.
    pub(super) fn read_unless(
        settings: &TlsSettings,
        before: &Self,
    ) -> Result<Option<Self>, LoadError> {
        let files = Files::read(settings)?;
        let digest = files.digest();
        match digest == before.digest {
            true => Ok(None),
            false => Self::of(settings, &files, digest).map(Some),
        }
    }

    fn of(settings: &TlsSettings, files: &Files, digest: [u8; 32]) -> Result<Self, LoadError> {
        let unusable = |why| LoadError::Pair {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            why,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(&settings.certificate, &files.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&files.key);
        let key = key.map_err(|why| LoadError::Pem { path: settings.key.clone(), why })?;
        let versions: &[_] = if settings.tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(unusable)?;
        let expiry = chain.first().and_then(|own| expiry::not_after(own)).unwrap_or_default();
        let client_ca = settings.client_ca.as_deref().zip(files.client_ca.as_ref());
        let mut config = match client_ca {
            Some((path, bundle)) => {
                let required = settings.client_required;
                builder.with_client_cert_verifier(verifier(path, bundle, required, provider)?)
            }
            None => builder.with_no_client_auth(),
        }
        .with_single_cert(chain, key)
        .map_err(unusable)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if client_ca.is_none() {
            config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
            config.send_tls13_tickets = TICKETS;
        }
        Ok(Self { config: Arc::new(config), expiry, digest })
    }

    /// Logs it, with a warning when the certificate is not valid any more.
    pub(super) fn note(&self, what: &str) {
        let until = OffsetDateTime::from_unix_timestamp(self.expiry).ok();
        let until = until.map(|until| until.to_string()).unwrap_or_default();
        match OffsetDateTime::now_utc().unix_timestamp() > self.expiry {
            true => tracing::warn!(until, "{what}; the certificate has expired"),
            false => tracing::info!(until, "{what}"),
        }
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, LoadError> {
        let read = |path: &Path, access| file::read(path, access, MAX_BYTES);
        let client_ca = settings.client_ca.as_deref();
        Ok(Self {
            certificate: read(&settings.certificate, Access::Trusted)?,
            key: read(&settings.key, Access::Secret)?,
            client_ca: client_ca.map(|path| read(path, Access::Trusted)).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for bytes in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            digest.update(bytes.len().to_le_bytes());
            digest.update(bytes);
        }
        digest.finalize().into()
    }
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match read {
        Ok(found) if found.is_empty() => Err(LoadError::Empty(path.to_owned())),
        Ok(found) => Ok(found),
        Err(why) => Err(LoadError::Pem { path: path.to_owned(), why }),
    }
}

/// What verifies the certificates of clients.
fn verifier(
    path: &Path,
    bundle: &[u8],
    required: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, LoadError> {
    let path = path.to_owned();
    let unusable = |why: Box<_>| LoadError::Authorities { path: path.clone(), why };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&path, bundle)? {
        roots.add(authority).map_err(|why| unusable(why.into()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|why| unusable(why.into()))
}
