//! Address of a server as a person gives it: what the client cannot honour is refused before a
//! connection is made.
//!
//! No message repeats the text that was given: a password or a token may stand anywhere in it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Error, Result};

/// An example of an address.
const EXAMPLE: &str = "http://127.0.0.1:7700";

/// Longest name of a host.
const MAX_HOST: usize = 253;

/// Transports that an address can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// HTTP/2 in clear text.
    Http,
    /// HTTP/2 over TLS.
    Https,
    /// A socket of this machine.
    Unix,
}

/// An address that was checked; it holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A port somewhere.
    Tcp {
        /// Transport, [`Scheme::Http`] or [`Scheme::Https`].
        scheme: Scheme,
        /// Name or IP address, the latter in brackets when it is one of IPv6.
        host: String,
        /// Port.
        port: u16,
    },
    /// Path of a socket.
    Unix(String),
}

impl Scheme {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Http, Self::Https, Self::Unix];

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Unix => "unix",
        }
    }

    fn port(self) -> u16 {
        if self == Self::Https { 443 } else { 80 }
    }
}

impl Address {
    /// Reads the address that `what`, an option, gives; only `allowed` schemes are taken.
    pub(super) fn parse(what: &str, text: &str, allowed: &[Scheme]) -> Result<Self> {
        read(text, allowed).map_err(|why| Error::Usage(format!("{what}: {why}")))
    }

    /// Whether what is sent there leaves this machine unencrypted.
    pub(super) fn is_exposed(&self) -> bool {
        let Self::Tcp { scheme: Scheme::Http, host, .. } = self else { return false };
        let local = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        !local
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { scheme, host, port } => write!(f, "{}://{host}:{port}", scheme.as_str()),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

fn read(text: &str, allowed: &[Scheme]) -> Result<Address, String> {
    let refuse = |why: &str| Err(format!("{why}, e.g. {EXAMPLE}"));
    if text.is_empty() {
        return refuse("an address is missing");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refuse("an address holds no blanks and line ends");
    }
    if !text.is_ascii() {
        return refuse("an address is ASCII; write the `xn--` form of a host");
    }
    if text.contains('@') {
        return refuse(
            "no user name and no password go into an address; give scheme, host and port",
        );
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => match text.split_once(':') {
            // `unix:/path`; all else before a colon is a host.
            Some((scheme, path)) if path.starts_with('/') => (Some(scheme), path),
            _ => (None, text),
        },
    };
    match scheme {
        None => tcp(Scheme::Http, rest, None),
        Some(given) => {
            let found = scheme_of(given, allowed)?;
            match found {
                Scheme::Unix => unix(rest),
                _ if !text.contains("://") => refuse("`//` is missing after the scheme"),
                _ => tcp(found, rest, Some(found.port())),
            }
        }
    }
}

/// The scheme of that name, in any case; one that the client does not speak is refused by name.
fn scheme_of(given: &str, allowed: &[Scheme]) -> Result<Scheme, String> {
    let found = Scheme::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(given));
    if let Some(found) = found.filter(|found| allowed.contains(found)) {
        return Ok(found);
    }
    let word = given.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let name = match word && given.len() <= 16 {
        true => format!("the scheme `{given}`"),
        false => "this scheme".to_owned(),
    };
    let known: Vec<_> = allowed.iter().map(|known| format!("`{}`", known.as_str())).collect();
    Err(format!("{name} is not supported, nothing was sent; supported: {}", known.join(", ")))
}

fn unix(path: &str) -> Result<Address, String> {
    match path.starts_with('/') && path.len() > 1 {
        true => Ok(Address::Unix(path.to_owned())),
        false => Err("a socket needs an absolute path, e.g. unix:/run/deskplane.sock".to_owned()),
    }
}

/// Host and port; without a port there must be one that goes with the scheme.
fn tcp(scheme: Scheme, text: &str, default: Option<u16>) -> Result<Address, String> {
    let refuse = |why: &str| Err(format!("{why}, e.g. {EXAMPLE}"));
    let authority = text.strip_suffix('/').unwrap_or(text);
    if let Some(sign) = authority.chars().find(|c| "/?#\\%".contains(*c)) {
        let part = match sign {
            '?' => "a query",
            '#' => "a fragment",
            '%' => "`%`: a zone or an escape",
            _ => "a path",
        };
        return refuse(&format!("an address ends with the port, it holds {part}"));
    }
    let split = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let (host, port) = split;
    let port = match (port.strip_prefix(':'), default) {
        (Some(digits), _) => match number(digits) {
            Some(port) => port,
            None => return refuse("the port must be 1 to 65535"),
        },
        (None, Some(default)) if port.is_empty() => default,
        (None, None) if port.is_empty() => return refuse("scheme and port are missing"),
        _ => return refuse("the host makes no sense"),
    };
    match () {
        () if host.is_empty() => refuse("the host is missing"),
        () if !is_host(host) => refuse("the host makes no sense"),
        () => Ok(Address::Tcp { scheme, host: host.to_ascii_lowercase(), port }),
    }
}

fn number(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

/// A DNS name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets. The short
/// and hexadecimal forms of IPv4 that a resolver may know are none of these.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    let label = |label: &str| {
        let known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        known && (1..=63).contains(&label.len())
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    let right = if numeric { host.parse::<Ipv4Addr>().is_ok() } else { name.split('.').all(label) };
    right && host.len() <= MAX_HOST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address> {
        Address::parse("--server", text, &[Scheme::Http])
    }

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        let table = [
            ("http://127.0.0.1:7700", "http://127.0.0.1:7700"),
            ("HTTP://Desk.Contoso.example:7700/", "http://desk.contoso.example:7700"),
            ("http://localhost", "http://localhost:80"),
            ("localhost:7700", "http://localhost:7700"),
            ("127.0.0.1:7700", "http://127.0.0.1:7700"),
            ("[::1]:7700", "http://[::1]:7700"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
            (
                "http://deskplane.prod.svc.cluster.local.:1",
                "http://deskplane.prod.svc.cluster.local.:1",
            ),
            ("http://desk_plane:65535", "http://desk_plane:65535"),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_what_is_wrong() {
        let table = [
            ("https://127.0.0.1:7700", "the scheme `https` is not supported, nothing was sent"),
            ("HTTPS://127.0.0.1:7700", "the scheme `HTTPS` is not supported"),
            ("grpcs://a:1", "the scheme `grpcs` is not supported"),
            ("grpc://a:1", "the scheme `grpc` is not supported"),
            ("dns:///a:1", "the scheme `dns` is not supported"),
            ("ftp://a", "the scheme `ftp` is not supported"),
            ("unix:/run/d.sock", "the scheme `unix` is not supported"),
            ("unix:///run/d.sock", "the scheme `unix` is not supported"),
            ("file:/etc/passwd", "the scheme `file` is not supported"),
            ("://a:1", "the scheme `` is not supported"),
            ("http:/host", "`//` is missing after the scheme"),
            ("http:host", "the port must be 1 to 65535"),
            ("https:host", "the port must be 1 to 65535"),
            ("http://", "the host is missing"),
            ("http:///", "the host is missing"),
            ("http://:7700", "the host is missing"),
            (":7700", "the host is missing"),
            ("", "an address is missing"),
            ("localhost", "scheme and port are missing"),
            ("http://a:", "the port must be 1 to 65535"),
            ("http://a:0", "the port must be 1 to 65535"),
            ("http://a:+1", "the port must be 1 to 65535"),
            ("http://a:99999", "the port must be 1 to 65535"),
            ("http://a:1:2", "the port must be 1 to 65535"),
            ("http://a:1/path", "it holds a path"),
            ("http://a:1//", "it holds a path"),
            ("http://a:1?q", "it holds a query"),
            ("http://a:1#f", "it holds a fragment"),
            ("http://a\\b:1", "it holds a path"),
            ("http://[fe80::1%25eth0]:1", "a zone or an escape"),
            ("http://[fe80::1%eth0]:1", "a zone or an escape"),
            ("http://a%2eb:1", "a zone or an escape"),
            ("http://[::1:1", "the port must be 1 to 65535"),
            ("http://::1:7700", "the port must be 1 to 65535"),
            ("http://[::1]x:1", "the host makes no sense"),
            ("http://[a]:1", "the host makes no sense"),
            ("http://a..b:1", "the host makes no sense"),
            ("http://127.1:1", "the host makes no sense"),
            ("http://2130706433:1", "the host makes no sense"),
            ("http://0x7f.0x1:1", "the host makes no sense"),
            (" http://a:1", "no blanks"),
            ("http://a:1\n", "no blanks"),
            ("http://a b:1", "no blanks"),
            ("http://\u{ff41}:1", "an address is ASCII"),
        ];
        for (text, expected) in table {
            let error = parse(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            let error = error.to_string();
            assert!(error.starts_with("--server: ") && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_secret_is_repeated() {
        for text in [
            "http://kim:hunter2@a:1",
            "http://hunter2@a:1",
            "kim:hunter2@a:1",
            "https://kim:hunter2@a:1",
            "http://a:1/hunter2",
            "http://a:1?token=hunter2",
            "http://a:1#hunter2",
            "http://a:hunter2",
            "http:hunter2",
            "hunter2",
            "the-secret-hunter2://a:1",
            "http:// hunter2@a:1",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("kim"), "{text}: {error}");
        }
    }

    #[test]
    fn clear_text_beyond_this_machine_is_known() {
        let table = [
            ("http://127.0.0.1:1", false),
            ("http://127.8.9.1:1", false),
            ("http://[::1]:1", false),
            ("http://[::ffff:127.0.0.1]:1", false),
            ("http://LOCALHOST:1", false),
            ("http://10.0.0.7:1", true),
            ("http://desk.contoso.example:1", true),
            ("http://localhost.contoso.example:1", true),
        ];
        for (text, exposed) in table {
            assert_eq!(parse(text).unwrap().is_exposed(), exposed, "{text}");
        }
        let all = Scheme::ALL;
        for text in ["https://desk.contoso.example", "unix:/run/plugin.sock"] {
            let address = Address::parse("--endpoint", text, &all).unwrap();
            assert!(!address.is_exposed(), "{text}");
        }
        assert!(Address::parse("--endpoint", "ftp://a", &all).is_err());
    }
}
