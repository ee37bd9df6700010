//! URLs of one's own webhooks: when two are the same, and which may be published.
//!
//! A URL can be written in several ways (RFC 3986 §6.2). Operators, vendors and proxies each write
//! it as they like, so URLs are never compared as texts.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether two texts are the same URL: case of scheme and host, the port that is usual, an empty
/// path, dot segments and the encoding of characters make no difference, nor does a fragment, which
/// is never sent. A slash at the end of a path does: the path is another one.
pub fn same_url(one: &str, other: &str) -> bool {
    match (normal(one), normal(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// The one way to write a URL, without its fragment; none for what is no URL of HTTP.
pub fn normal(text: &str) -> Option<String> {
    let mut url = strict(text)?;
    url.set_fragment(None);
    Some(decode_unreserved(url.as_str()))
}

/// Judges the public URL of a server, to which the paths of webhooks are added.
///
/// # Errors
/// The rule that it breaks, continuing its name.
pub fn judge_public(text: &str) -> Result<(), String> {
    const FORM: &str = "is no URL such as https://desk.example.com";
    let url = strict(text).ok_or(FORM)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user name and no password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must hold no query and no fragment".to_owned());
    }
    if url.scheme() != "https" && !is_here(&url) {
        return Err("must begin with https://, unless it is an address of this machine".to_owned());
    }
    if !text.is_ascii() {
        return Err(format!("must be written in ASCII, as {url}"));
    }
    // What is signed is the text. Clients resolve dots and the like before they send a path.
    let written = text.splitn(4, '/').nth(3).unwrap_or_default();
    match url.path().strip_prefix('/') == Some(written) {
        true => Ok(()),
        false => Err(format!("must be written as {url}")),
    }
}

/// A URL of HTTP with an authority. The parser of browsers, which takes blanks, backslashes and
/// missing slashes for what was meant, does not report such differences.
fn strict(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let known = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    if !known || rest.starts_with('/') || text.contains(odd) {
        return None;
    }
    Url::parse(text).ok()
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// Decodes escaped characters that need no escape, and writes the other escapes in capitals.
fn decode_unreserved(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (code, byte) {
            (Some(_), Some(byte)) if is_unreserved(byte) => decoded.push(char::from(byte)),
            (Some(hex), _) => {
                decoded.push('%');
                decoded.push_str(&hex.to_ascii_uppercase());
            }
            (None, _) => {
                decoded.push('%');
                decoded.push_str(part);
                continue;
            }
        }
        decoded.push_str(&part[2..]);
    }
    decoded
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://desk.example.com/webhooks/contoso_voice";

    #[test]
    fn spellings_of_one_url_are_the_same() {
        for spelling in [
            OURS,
            "HTTPS://desk.example.com/webhooks/contoso_voice",
            "https://Desk.Example.COM/webhooks/contoso_voice",
            "https://desk.example.com:443/webhooks/contoso_voice",
            "https://desk.example.com:0443/webhooks/contoso_voice",
            "https://desk.example.com/webhooks/contoso%5Fvoice",
            "https://desk.example.com/webhooks/contoso%5fvoice",
            "https://desk.example.com/%77ebhooks/contoso_voice",
            "https://desk.example.com/./webhooks/x/../contoso_voice",
            "https://desk.example.com/webhooks/contoso_voice#rc=2",
        ] {
            assert!(same_url(spelling, OURS), "{spelling}");
        }
        for (one, other) in [
            ("https://h", "https://h/"),
            ("https://h?a", "https://h/?a"),
            ("http://h:80/x", "http://h/x"),
            ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
            ("https://BÜCHER.example/x", "https://xn--bcher-kva.example/x"),
            ("https://[0:0::1]/x", "https://[::1]/x"),
            ("https://h/%c3%bc", "https://h/%C3%BC"),
            ("https://h/ü", "https://h/%C3%BC"),
        ] {
            assert!(same_url(one, other) && same_url(other, one), "{one} {other}");
        }
    }

    #[test]
    fn other_urls_are_not() {
        for other in [
            "http://desk.example.com/webhooks/contoso_voice",
            "https://desk.example.com:8443/webhooks/contoso_voice",
            "https://desk.example.com.evil.example/webhooks/contoso_voice",
            "https://desk.example.com/webhooks/contoso_voice/",
            "https://desk.example.com/webhooks/Contoso_Voice",
            "https://desk.example.com/webhooks//contoso_voice",
            "https://desk.example.com/webhooks%2Fcontoso_voice",
            "https://desk.example.com/webhooks/contoso_voice?x",
            "https://u:p@desk.example.com/webhooks/contoso_voice",
            "https://evil.example/?https://desk.example.com/webhooks/contoso_voice",
            " https://desk.example.com/webhooks/contoso_voice",
            "https:\\\\desk.example.com\\webhooks\\contoso_voice",
            "https:/desk.example.com/webhooks/contoso_voice",
            "desk.example.com/webhooks/contoso_voice",
            "",
        ] {
            assert!(!same_url(other, OURS) && !same_url(OURS, other), "{other}");
        }
        assert!(!same_url("nonsense", "nonsense"), "what is no URL is none of ours");
        assert!(!same_url("https://h/a%2", "https://h/a%25"));
    }

    #[test]
    fn a_public_url_is_judged() {
        for fits in [
            "https://desk.example.com",
            "https://desk.example.com/",
            "HTTPS://Desk.Example.com:8443/desk/",
            "https://10.1.2.3",
            "http://localhost:7700",
            "http://127.0.0.1:7700/x",
            "http://[::1]:7700",
        ] {
            assert_eq!(judge_public(fits), Ok(()), "{fits}");
        }
        for (text, rule) in [
            ("desk.example.com", "is no URL"),
            ("ftp://desk.example.com", "is no URL"),
            ("https://", "is no URL"),
            ("https:///desk.example.com", "is no URL"),
            ("https://desk.example.com ", "is no URL"),
            ("https://desk.example.com:99999", "is no URL"),
            ("https://desk.example.com\\x", "is no URL"),
            ("https://kim:secret@desk.example.com", "no user name"),
            ("https://kim@desk.example.com", "no user name"),
            ("https://desk.example.com?x=1", "no query"),
            ("https://desk.example.com/?", "no query"),
            ("https://desk.example.com/#x", "no fragment"),
            ("http://desk.example.com", "https://"),
            ("http://localhost.example.com", "https://"),
            ("https://bücher.example", "as https://xn--bcher-kva.example/"),
            ("https://desk.example.com/a/../b", "as https://desk.example.com/b"),
        ] {
            let broken = judge_public(text).unwrap_err();
            assert!(broken.contains(rule) && !broken.contains("secret"), "{text}: {broken}");
        }
    }
}
