//! Whether Twilio sent a request: HMAC-SHA1 with the auth token, or HMAC-SHA256 with a shared key.
//!
//! Signed are the URL and, behind it, every parameter of the form. A body that is no form is covered
//! by its digest in the URL. Whether the URL was signed with its port, or with `'` as it is or
//! escaped, differs at Twilio, and whether as it was written or in its normal form is not said, so
//! each way counts.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest,
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::CONTENT_TYPE};
use url::form_urlencoded;

use crate::{ExposeSecret as _, Secret, Webhook, WebhookRefused, urls::normal};

/// Header with the signature.
pub(super) const SIGNATURE: &str = "x-twilio-signature";
/// Header that says how it was made; none for HMAC-SHA1.
pub(super) const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
/// Digest of a body that is no form, a parameter of the URL.
const BODY_DIGEST: &str = "bodySHA256";

/// Parameters of a form as they came.
pub(super) type Params = Vec<(String, String)>;

/// What Twilio signs with.
#[derive(Debug)]
pub(super) struct Keys {
    auth_token: Secret,
    shared: Option<Secret>,
    shared_sid: Option<String>,
}

impl Keys {
    pub(super) fn new(
        auth_token: Secret,
        shared: Option<Secret>,
        shared_sid: Option<String>,
    ) -> Self {
        Self { auth_token, shared, shared_sid }
    }

    /// The form of a request that Twilio certainly sent; empty when its body is no form.
    pub(super) fn verify(&self, webhook: &Webhook<'_>) -> Result<Params, WebhookRefused> {
        let signature = webhook.headers.get(SIGNATURE).ok_or(WebhookRefused::Unsigned)?;
        let key = self.key(webhook.headers)?;
        let params = match is_form(webhook.headers) {
            true => form_urlencoded::parse(webhook.body).into_owned().collect(),
            false => Params::new(),
        };
        let mut right = false;
        for url in spellings(webhook.url) {
            let expected = STANDARD.encode(hmac::sign(&key, &signed(&url, &params)));
            right |= verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).is_ok();
        }
        let covered = is_form(webhook.headers) || body_is_covered(webhook);
        if right && covered { Ok(params) } else { Err(WebhookRefused::BadSignature) }
    }

    /// The key that the request says it was signed with, if it is one of ours.
    fn key(&self, headers: &HeaderMap) -> Result<hmac::Key, WebhookRefused> {
        let settings = headers.get(SETTINGS).map_or(Ok(""), |value| value.to_str());
        let settings = settings.map_err(|_| WebhookRefused::BadSignature)?;
        let setting = |wanted: &str| {
            let mut pairs = settings.split(',').filter_map(|part| part.split_once('='));
            let value = pairs.find(|(name, _)| name.trim() == wanted)?.1.trim();
            Some(value).filter(|value| !value.is_empty())
        };
        let algorithm = setting("algorithm").unwrap_or("HMAC_SHA1");
        if algorithm.eq_ignore_ascii_case("HMAC_SHA1") {
            let key = self.auth_token.expose_secret().as_bytes();
            return Ok(hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
        }
        let known = self.shared_sid.is_none() || self.shared_sid.as_deref() == setting("key");
        match &self.shared {
            Some(shared) if known && algorithm.eq_ignore_ascii_case("HMAC_SHA256") => {
                Ok(hmac::Key::new(HMAC_SHA256, shared.expose_secret().as_bytes()))
            }
            _ => Err(WebhookRefused::BadSignature),
        }
    }
}

/// The bytes under a signature: the URL, then for each name in order each distinct value in order.
pub(super) fn signed(url: &str, params: &[(String, String)]) -> Vec<u8> {
    let mut sorted = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (name, value) in params {
        sorted.entry(name).or_default().insert(value);
    }
    let mut bytes = url.as_bytes().to_vec();
    for (name, values) in sorted {
        for value in values {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
    }
    bytes
}

fn is_form(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether the URL names the digest of the body.
fn body_is_covered(webhook: &Webhook<'_>) -> bool {
    let query = webhook.url.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let Some((_, named)) = pairs.find(|(name, _)| name == BODY_DIGEST) else { return false };
    let digest = digest::digest(&digest::SHA256, webhook.body);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    verify_slices_are_equal(hex.as_bytes(), named.as_bytes()).is_ok()
}

/// The ways in which Twilio may have written the URL that it signed: as it is configured here or in
/// its normal form, with the port or without it.
pub(super) fn spellings(url: &str) -> BTreeSet<String> {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (url, None),
    };
    let mut all = BTreeSet::new();
    // The normal form drops a fragment; what is signed with one is another text.
    let normal = normal(address).filter(|_| !address.contains('#'));
    for address in [Some(address.to_owned()), normal].into_iter().flatten() {
        let (bare, with_port) = ports(&address);
        for address in [bare, with_port] {
            let Some(query) = query else {
                all.insert(address);
                continue;
            };
            for query in [query, &query.replace('\'', "%27"), &query.replace("%27", "'")] {
                all.insert(format!("{address}?{query}"));
            }
        }
    }
    all
}

/// The URL without its port, and with the one that it has or is usual. Nothing else is touched: the
/// signature covers it byte for byte.
fn ports(url: &str) -> (String, String) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), url.to_owned());
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host_begins = authority.rfind(['@', ']']).map_or(0, |at| at + 1);
    let port_begins = authority[host_begins..].find(':').map(|at| host_begins + at);
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let (host, port) = authority.split_at(port_begins.unwrap_or(authority.len()));
    let port = if port.is_empty() { usual } else { port };
    (format!("{scheme}://{host}{path}"), format!("{scheme}://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_signed_with_and_without_its_port() {
        for (url, bare, with_port) in [
            ("https://a.example/x?y=1", "https://a.example/x?y=1", "https://a.example:443/x?y=1"),
            ("http://a.example:81//x", "http://a.example//x", "http://a.example:81//x"),
            ("HTTPS://a.example", "HTTPS://a.example", "HTTPS://a.example:443"),
            ("https://u:p@a.example/x", "https://u:p@a.example/x", "https://u:p@a.example:443/x"),
            ("http://[::1]/x:9", "http://[::1]/x:9", "http://[::1]:80/x:9"),
            ("http://[::1]:8080?x", "http://[::1]?x", "http://[::1]:8080?x"),
            ("nonsense", "nonsense", "nonsense"),
        ] {
            assert_eq!(ports(url), (bare.to_owned(), with_port.to_owned()));
        }
    }

    #[test]
    fn an_apostrophe_in_a_query_may_be_escaped() {
        let all = spellings("https://a.example/o'k?name=o'k&x=%27");
        for query in ["name=o'k&x=%27", "name=o%27k&x=%27", "name=o'k&x='"] {
            assert!(all.contains(&format!("https://a.example/o'k?{query}")), "{query}");
        }
        assert_eq!(all.len(), 6);
        assert_eq!(spellings("https://a.example/x").len(), 2);
        assert!(!spellings("https://a.example/x#").contains("https://a.example/x"));
    }

    #[test]
    fn a_url_is_signed_as_written_or_in_its_normal_form() {
        let all = spellings("HTTPS://Desk.Example.com:443/d%65sk/webhooks/x?y=A%7e");
        for url in [
            "HTTPS://Desk.Example.com:443/d%65sk/webhooks/x?y=A%7e",
            "HTTPS://Desk.Example.com/d%65sk/webhooks/x?y=A%7e",
            "https://desk.example.com/desk/webhooks/x?y=A%7e",
            "https://desk.example.com:443/desk/webhooks/x?y=A%7e",
        ] {
            assert!(all.contains(url), "{url}: {all:?}");
        }
        assert_eq!(all.len(), 4, "the query stays as it came");
    }
}
