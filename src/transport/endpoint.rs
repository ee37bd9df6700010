//! Where a server listens, as configuration names it.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Longest path of a socket, as the operating system takes it.
const MAX_PATH: usize = 107;

/// Where a server listens: `127.0.0.1:7700`, `[::1]:7700`, `unix:/run/deskplane.sock`, or `systemd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A port of TCP; port 0 means a free one.
    Tcp(SocketAddr),
    /// A socket of this machine, by its absolute path.
    Unix(PathBuf),
    /// The sockets that the service manager hands over (socket activation).
    Systemd,
}

/// Why a text names no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It has none of the forms.
    #[error(
        "is no endpoint; write `127.0.0.1:7700`, `[::1]:7700`, `unix:/run/deskplane.sock` or \
         `systemd`"
    )]
    Form,
    /// The path of a socket is not absolute.
    #[error("the path of a socket is absolute, e.g. `unix:/run/deskplane.sock`")]
    RelativePath,
    /// The path of a socket is too long.
    #[error("the path of a socket has at most {MAX_PATH} bytes")]
    LongPath,
}

impl Endpoint {
    /// Whether other machines reach it.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Tcp(address) if !is_loopback(*address))
    }
}

/// Whether only this machine reaches an address.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "systemd" {
            return Ok(Self::Systemd);
        }
        let Some(path) = text.strip_prefix("unix:") else {
            return text.parse().map(Self::Tcp).map_err(|_| ParseError::Form);
        };
        // `unix:///run/…` is the same by the names of gRPC.
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        match path {
            path if !path.is_absolute() || path.ends_with("/") => Err(ParseError::RelativePath),
            path if path.as_os_str().len() > MAX_PATH => Err(ParseError::LongPath),
            path => Ok(Self::Unix(path.to_owned())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_what_it_writes() {
        for text in ["127.0.0.1:7700", "[::1]:0", "unix:/run/deskplane.sock", "systemd"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        let same = "unix:///run/deskplane.sock".parse::<Endpoint>().unwrap();
        assert_eq!(same.to_string(), "unix:/run/deskplane.sock");
    }

    #[test]
    fn what_names_no_endpoint_is_refused() {
        let long = format!("unix:/{}", "x".repeat(MAX_PATH));
        for (text, error) in [
            ("", ParseError::Form),
            ("localhost:7700", ParseError::Form),
            ("127.0.0.1", ParseError::Form),
            ("systemd:", ParseError::Form),
            ("http://127.0.0.1:7700", ParseError::Form),
            ("unix:", ParseError::RelativePath),
            ("unix:run/deskplane.sock", ParseError::RelativePath),
            ("unix:/", ParseError::RelativePath),
            (&long, ParseError::LongPath),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn what_other_machines_reach_is_known() {
        for (text, remote) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("unix:/run/a", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.7:1", true),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().is_remote(), remote, "{text}");
        }
    }
}
