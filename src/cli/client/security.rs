//! What the client trusts, and what it shows of itself.

use std::{fs, path::PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::cli::{
    address::{Address, Scheme},
    error::{Error, Result, deepest},
};

/// Files of TLS; for `https` alone.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TlsFiles {
    /// PEM file with the authorities that the server's certificate may come from; without it those
    /// of the operating system.
    #[arg(
        long,
        global = true,
        help_heading = crate::cli::GLOBAL,
        env = "DESKPLANE_TLS_CA",
        value_name = "FILE"
    )]
    pub tls_ca: Option<PathBuf>,
    /// PEM file with the chain of a certificate to show to the server; needs --tls-key.
    #[arg(
        long,
        global = true,
        help_heading = crate::cli::GLOBAL,
        env = "DESKPLANE_TLS_CERT",
        value_name = "FILE"
    )]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    #[arg(
        long,
        global = true,
        help_heading = crate::cli::GLOBAL,
        env = "DESKPLANE_TLS_KEY",
        value_name = "FILE"
    )]
    pub tls_key: Option<PathBuf>,
}

impl TlsFiles {
    /// Has an endpoint speak TLS, if its address asks for it.
    pub(super) fn secure(&self, address: &Address, endpoint: Endpoint) -> Result<Endpoint> {
        let Address::Tcp { scheme: Scheme::Https, .. } = address else {
            return match [&self.tls_ca, &self.tls_cert, &self.tls_key].iter().all(|f| f.is_none()) {
                true => Ok(endpoint),
                false => Err(Error::Usage(format!(
                    "--server: {address} speaks no TLS, but there are files for it (--tls-ca, \
                     --tls-cert, --tls-key); write https://"
                ))),
            };
        };
        let mut tls = match &self.tls_ca {
            None => ClientTlsConfig::new().with_native_roots(),
            Some(path) => ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(read("--tls-ca", path)?)),
        };
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => {}
            (Some(certificate), Some(key)) => {
                let pair = (read("--tls-cert", certificate)?, read("--tls-key", key)?);
                tls = tls.identity(Identity::from_pem(pair.0, pair.1));
            }
            _ => {
                let text = "--tls-cert and --tls-key go together";
                return Err(Error::Usage(text.to_owned()));
            }
        }
        endpoint.tls_config(tls).map_err(|error| Error::Usage(format!("TLS: {}", deepest(&error))))
    }
}

fn read(option: &str, path: &PathBuf) -> Result<Vec<u8>> {
    fs::read(path).map_err(|why| Error::Usage(format!("{option}: {}: {why}", path.display())))
}
