//! Connections, each to an address that was looked at.

use std::{
    future::Future,
    io,
    net::IpAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    time::{error::Elapsed, timeout},
};

use super::policy::Policy;
use crate::{Error, ErrorKind};

/// Time in which a connection must be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Makes connections for the HTTP client.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    policy: Arc<Policy>,
}

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failed {
    /// The address may not be reached.
    #[error("{0} is no public address; the server can be started with --allow-provider-net")]
    Refused(IpAddr),
    /// Sockets of this machine may not be reached.
    #[error("sockets of this machine are not allowed; the server's operator can allow them")]
    UnixRefused,
    /// It could not be made.
    #[error("no connection: {0}")]
    Unreachable(String),
}

impl Failed {
    pub(super) fn into_error(self) -> Error {
        let kind = match self {
            Self::Refused(_) | Self::UnixRefused => ErrorKind::InvalidConfig,
            Self::Unreachable(_) => ErrorKind::Unavailable,
        };
        Error::new(kind, self.to_string())
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl Connector {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self { policy }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let port =
                uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
            Ok(TokioIo::new(open(&policy, host, port).await?))
        })
    }
}

/// Connects to a socket of this machine, if that is allowed.
pub(super) async fn open_unix(policy: &Policy, path: &Path) -> Result<UnixStream, Failed> {
    if !policy.allows_unix() {
        return Err(Failed::UnixRefused);
    }
    Ok(timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await.unwrap_or_else(late)?)
}

/// Resolves a name and connects to the first of its addresses that is allowed and answers.
pub(super) async fn open(policy: &Policy, host: &str, port: u16) -> Result<TcpStream, Failed> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let attempt = async {
        let mut failed = Failed::Unreachable("the name has no address".to_owned());
        for address in lookup_host((host, port)).await? {
            if !policy.allows(address.ip()) {
                failed = Failed::Refused(address.ip());
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    };
    timeout(CONNECT_TIMEOUT, attempt).await.unwrap_or_else(late)
}

fn late<T, E: From<io::Error>>(_: Elapsed) -> Result<T, E> {
    let limit = format!("nothing within {} s", CONNECT_TIMEOUT.as_secs());
    Err(io::Error::new(io::ErrorKind::TimedOut, limit).into())
}
