//! Where a plug-in is, and what it is expected to do.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr, time::Duration};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::{Capabilities, Capability, Error, ErrorKind, Result, Violations};

/// Longest path of a socket (`sun_path` of Linux, without its end).
const MAX_SOCKET_PATH: usize = 107;

/// Where the plug-in is, and what it is expected to do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the plug-in listens: `https://host:port`, `http://host:port` in a network that may be
    /// read along, or `unix:/path` where the server allows sockets of its machine.
    pub endpoint: String,
    /// Names of what the plug-in can do, e.g. `DIAL`. A check fails when it says something else.
    pub capabilities: BTreeSet<String>,
    /// Name in the plug-in's certificate; the host of the endpoint unless given.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Certificates in PEM, the only ones that may have signed the plug-in's; those of the server's
    /// machine unless given.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// Milliseconds that a request may take, 100 to 10000; as the caller allows unless given.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// Where a plug-in listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A port somewhere.
    Tcp { tls: bool, host: String, port: u16 },
    /// A socket of this machine.
    Unix(PathBuf),
}

// === impl Config ===

impl Config {
    /// Nothing but an endpoint.
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.to_string(), ..Self::default() }
    }

    pub(super) fn judge(&self, violations: &mut Violations) {
        let endpoint = self.endpoint.parse::<Endpoint>();
        if let Err(rule) = &endpoint {
            violations.add("endpoint", *rule);
        }
        for name in &self.capabilities {
            let known = Capability::from_name(name).is_some();
            violations.check(known, "capabilities", format!("`{name}` is no capability"));
        }
        let tls = endpoint.is_ok_and(|endpoint| endpoint.is_tls());
        for (given, path) in
            [(self.server_name.is_some(), "server_name"), (self.ca_pem.is_some(), "ca_pem")]
        {
            violations.check(tls || !given, path, "must not be given unless the endpoint is https");
        }
        if let Some(name) = &self.server_name {
            let valid = ServerName::try_from(name.as_str()).is_ok();
            violations.check(valid, "server_name", "must be a host name or an address");
        }
        let rule = "must hold certificates in PEM";
        violations.check(self.roots().is_ok(), "ca_pem", rule);
        let fits = self.deadline_ms.is_none_or(|ms| (100..=10_000).contains(&ms));
        violations.check(fits, "deadline_ms", "must be 100 to 10000");
    }

    pub(super) fn offers(&self) -> Capabilities {
        self.capabilities.iter().filter_map(|name| Capability::from_name(name)).collect()
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        self.endpoint
            .parse()
            .map_err(|rule| Error::new(ErrorKind::InvalidConfig, format!("config.endpoint {rule}")))
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline_ms.map(Duration::from_millis)
    }

    /// The certificates that are trusted; none when those of the machine are.
    pub(super) fn roots(&self) -> Result<Vec<CertificateDer<'static>>> {
        self.ca_pem.as_deref().map_or(Ok(Vec::new()), |pem| certificates(pem, "config.ca_pem"))
    }
}

/// All certificates of a text; at least one.
pub(super) fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidConfig, format!("{what} must hold certificates in PEM"))
    })
}

// === impl Endpoint ===

impl Endpoint {
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let fits = path.starts_with('/') && path.len() <= MAX_SOCKET_PATH;
            let rule = "must name a socket by an absolute path of at most 107 bytes";
            return if fits { Ok(Self::Unix(path.into())) } else { Err(rule) };
        }
        let rule = "must be https://host:port, http://host:port or unix:/path, and nothing more";
        let url = Url::parse(text).map_err(|_| rule)?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(rule),
        };
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if bare && port > 0 => {
                Ok(Self::Tcp { tls, host: host.to_owned(), port })
            }
            _ => Err(rule),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { tls: true, host, port } => write!(f, "https://{host}:{port}"),
            Self::Tcp { tls: false, host, port } => write!(f, "http://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
