//! The origin of a web page, as browsers send it.

use std::{fmt, str::FromStr};

use http::{HeaderValue, Uri};

/// An origin: scheme, host and, where it is not that of the scheme, port (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    header: HeaderValue,
}

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not of the form.
    #[error("is no origin; write scheme, host and port as browsers do, `https://desk.example.com`")]
    Form,
    /// Each page could call.
    #[error("each page could call; name the origins that may")]
    Wildcard,
}

impl Origin {
    /// The value of the header.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl FromStr for Origin {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.contains('*') {
            return Err(ParseError::Wildcard);
        }
        let (scheme, authority) = text.split_once("://").ok_or(ParseError::Form)?;
        let uri = text.parse::<Uri>().map_err(|_| ParseError::Form)?;
        // What browsers send: lower case, the port only where it is another one, nothing behind.
        let whole = uri.authority().is_some_and(|found| found.as_str() == authority);
        let usual = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(ParseError::Form),
        };
        let as_sent = !text.contains('@')
            && !text.ends_with(':')
            && uri.port_u16() != Some(usual)
            && text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let header = HeaderValue::from_str(text).map_err(|_| ParseError::Form)?;
        match whole && as_sent {
            true => Ok(Self { text: text.to_owned(), header }),
            false => Err(ParseError::Form),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for text in [
            "https://desk.example.com",
            "http://localhost:8080",
            "http://[::1]:3000",
            "https://xn--dsk-lna.example",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "null",
            "desk.example.com",
            "https://",
            "https://desk.example.com/",
            "https://desk.example.com:443",
            "http://desk.example.com:80",
            "https://desk.example.com:",
            "https://Desk.example.com",
            "HTTPS://desk.example.com",
            "https://kim@desk.example.com",
            "https://desk.example.com?a",
            "ftp://desk.example.com",
            "https://d\u{e9}sk.example.com",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap_err(), ParseError::Form, "{text}");
        }
        for text in ["*", "https://*.example.com"] {
            assert_eq!(text.parse::<Origin>().unwrap_err(), ParseError::Wildcard, "{text}");
        }
    }
}
