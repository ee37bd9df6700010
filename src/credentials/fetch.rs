//! Where the keys of an issuer come from: a file, a URL, or what the issuer says of itself (OpenID
//! Connect Discovery 1.0).

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use deskplane_providers::http::{Answer, Network};
use http::{
    HeaderMap, Request, StatusCode, Uri,
    header::{ACCEPT, CACHE_CONTROL},
};
use serde::Deserialize;
use tokio::{task::spawn_blocking, time::timeout};

use crate::secrets::file::{self, Access, FileError};

/// Longest time for one answer of an issuer.
const ANSWER: Duration = Duration::from_secs(4);
/// Most bytes of a file of keys.
const MAX_FILE: u64 = 1 << 20;

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Where the issuer says: its `jwks_uri`.
    Discovery,
    /// A key set at that address.
    Url(Uri),
    /// A key set in a file.
    File(PathBuf),
}

/// A key set as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) text: Bytes,
    /// How long the issuer says that it may be used.
    pub(super) max_age: Option<Duration>,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the file of keys was not read to its end")]
    Interrupted,
    #[error("{0}: {1}")]
    Network(String, deskplane_providers::Error),
    #[error("{0} answered with status {1}")]
    Status(String, StatusCode),
    #[error("{0} did not answer in time")]
    Late(String),
    #[error("the discovery document of {0} names `{1}` as its issuer")]
    OtherIssuer(String, String),
    #[error("the discovery document of {0} names a `jwks_uri` that is not https")]
    Insecure(String),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the keys of an issuer.
pub(super) async fn fetch(
    issuer: &str,
    source: &KeySource,
    network: &Network,
) -> Result<Fetched, FetchError> {
    match source {
        KeySource::File(path) => read(path.clone()).await,
        KeySource::Url(uri) => get(uri.clone(), network).await.map(fetched),
        KeySource::Discovery => {
            let uri = discover(issuer, network).await?;
            get(uri, network).await.map(fetched)
        }
    }
}

/// Whether keys may be fetched from there: nobody in between can exchange them.
pub fn is_secure(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback,
        _ => false,
    }
}

/// The address of the keys, by the issuer's own word.
async fn discover(issuer: &str, network: &Network) -> Result<Uri, FetchError> {
    let insecure = || FetchError::Insecure(issuer.to_owned());
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let uri: Uri = address.parse().map_err(|_| insecure())?;
    let answer = get(uri, network).await?;
    let document: Discovery =
        answer.json().map_err(|why| FetchError::Network(address.clone(), why))?;
    if document.issuer != issuer {
        let shown = document.issuer.chars().take(200).collect();
        return Err(FetchError::OtherIssuer(issuer.to_owned(), shown));
    }
    document.jwks_uri.parse().ok().filter(is_secure).ok_or_else(insecure)
}

async fn get(uri: Uri, network: &Network) -> Result<Answer, FetchError> {
    let shown = uri.to_string();
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static("application/json"));
    let answer = timeout(ANSWER, network.send(request)).await;
    let answer = answer.map_err(|_| FetchError::Late(shown.clone()))?;
    let answer = answer.map_err(|why| FetchError::Network(shown.clone(), why))?;
    match answer.status {
        StatusCode::OK => Ok(answer),
        status => Err(FetchError::Status(shown, status)),
    }
}

fn fetched(answer: Answer) -> Fetched {
    Fetched { max_age: max_age(&answer.headers), text: answer.body }
}

/// What `Cache-Control` says (RFC 9111 §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let directives = text.split(',').map(str::trim);
    let ages = directives.filter_map(|directive| directive.strip_prefix("max-age="));
    ages.filter_map(|age| age.parse().ok()).map(Duration::from_secs).next()
}

/// Reads a file, on a thread that may wait for it.
async fn read(path: PathBuf) -> Result<Fetched, FetchError> {
    let read = spawn_blocking(move || file::read(&path, Access::Trusted, MAX_FILE)).await;
    let text = read.map_err(|_| FetchError::Interrupted)??;
    Ok(Fetched { text: Bytes::copy_from_slice(&text), max_age: None })
}
