//! Request ids: the caller's own, or random ones.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header with the request id, of requests and of refusals. It is no idempotency key: that is the
/// field `request_id` of writes.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a caller may choose.
const LONGEST: usize = 64;

/// The id of one request: 1 to 64 visible characters of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id that a caller chose, if it is well-formed.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(REQUEST_ID)?;
        let bytes = value.as_bytes();
        let well_formed = (1..=LONGEST).contains(&bytes.len()) && bytes.is_ascii();
        let visible = well_formed && bytes.iter().all(u8::is_ascii_graphic);
        visible.then(|| Self(value.clone()))
    }

    /// A random id, 32 hexadecimal digits.
    pub fn random() -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("0")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of a header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(value).unwrap();
        let headers = HeaderMap::from_iter([(REQUEST_ID, value)]);
        RequestId::sent(&headers).map(|id| id.to_string())
    }

    #[test]
    fn an_id_of_1_to_64_visible_characters_is_taken() {
        for id in ["a", "!~", "0b7c61d8-93f8-4ddb-a6c3-e94d97f2a5f5", &"x".repeat(64)] {
            assert_eq!(sent(id.as_bytes()).as_deref(), Some(id));
        }
    }

    #[test]
    fn any_other_is_replaced() {
        for id in ["", "a b", "a\tb", &"x".repeat(65), "\u{e9}t\u{e9}"] {
            assert_eq!(sent(id.as_bytes()), None, "{id:?}");
        }
        assert_eq!(RequestId::sent(&HeaderMap::new()), None);
        let random = RequestId::random();
        assert_eq!(sent(random.as_str().as_bytes()).as_deref(), Some(random.as_str()));
        assert_ne!(random, RequestId::random());
    }
}
