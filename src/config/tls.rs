//! Settings of TLS and of web pages.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::List;
use crate::{transport::TlsSettings, web::Origin};

/// TLS of the main port; clear text without a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the chain of the server, its own certificate first. With it connections of TCP
    /// speak TLS.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub key: Option<PathBuf>,
    /// PEM file with the authorities of clients; without it no client is asked for a certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is refused, where there are authorities.
    pub client_required: bool,
    /// The oldest version of TLS that is spoken.
    pub min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V13,
}

/// What web pages may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Origins of pages that may call by gRPC-Web, e.g. `https://desk.example.com`.
    pub origins: List<Origin>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            client_required: true,
            min_version: TlsVersion::V12,
        }
    }
}

impl Tls {
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let mut missing = |key: &str, other: &str| {
            mistakes.push(format!("`tls.{key}`: is missing, for there is `tls.{other}`"));
        };
        match (&self.certificate, &self.key) {
            (Some(_), None) => missing("key", "certificate"),
            (None, Some(_)) => missing("certificate", "key"),
            (None, None) if self.client_ca.is_some() => missing("certificate", "client_ca"),
            _ => {}
        }
    }

    /// The files, for the transport; none for clear text.
    pub fn settings(&self) -> Option<TlsSettings> {
        Some(TlsSettings {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
            client_ca: self.client_ca.clone(),
            client_required: self.client_required,
            tls12: self.min_version == TlsVersion::V12,
        })
    }
}
