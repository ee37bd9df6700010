//! The bearer token of a call (RFC 6750 §2.1).

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::problem::Problem;
use crate::{
    auth::{SCOPES_KEY, USER_KEY},
    domain::{Refusal, Violations},
};

/// The header with the credential of a call, if any.
///
/// # Errors
/// When there is more than one: a proxy in front and the server might each use another of them. So
/// are the keys by which a caller without a credential says who it is.
pub(super) fn header(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Refusal> {
    let mut v = Violations::new();
    // Hardly any call has them, and one pass over the names takes less than a look-up of each.
    if headers.keys().any(|name| name == USER_KEY || name == SCOPES_KEY) {
        for key in [USER_KEY, SCOPES_KEY].into_iter().filter(|key| headers.contains_key(*key)) {
            v.invalid(key, "is read only where no credentials are configured");
        }
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        v.invalid(AUTHORIZATION.as_str(), "is given more than once");
    }
    v.finish()?;
    Ok(first)
}

/// The token in that header.
///
/// # Errors
/// When it is another kind of credential.
pub(super) fn token(header: &HeaderValue) -> Result<&str, Refusal> {
    header.to_str().ok().and_then(bare).ok_or_else(|| Problem::Scheme.refusal())
}

/// The token that the headers carry, if any.
///
/// # Errors
/// Those of both.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    header(headers)?.map(token).transpose()
}

fn bare(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let is_token = !token.is_empty() && token.bytes().all(legal);
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (key, value) in rows {
            headers.append(*key, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_bearer_token_is_read() {
        for value in ["Bearer abc.d-e_f", "bearer abc.d-e_f", "BEARER   abc.d-e_f "] {
            let found = headers(&[("authorization", value)]);
            assert_eq!(read(&found).unwrap(), Some("abc.d-e_f"), "{value}");
        }
        assert_eq!(read(&headers(&[("other", "x")])).unwrap(), None);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for value in ["Basic abc", "Bearer", "Bearer ", "Bearer a b", "abc", "Bearer a\u{e9}", ""] {
            let mut found = HeaderMap::new();
            found.insert("authorization", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            let refusal = read(&found).unwrap_err();
            assert_eq!(refusal.reason.as_str(), "CREDENTIAL_INVALID", "{value}");
            assert_eq!(refusal.metadata["problem"], "SCHEME", "{value}");
        }
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        let said = headers(&[("authorization", "Bearer a"), (USER_KEY, "ann")]);
        for (found, field) in [(twice, "authorization"), (said, USER_KEY)] {
            assert_eq!(read(&found).unwrap_err().violations[0].field, field);
        }
    }
}
