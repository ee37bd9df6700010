//! Connections to a plug-in, each through the guarded network.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint as Target};

use super::config::{Config, Endpoint};
use crate::{
    Error, ErrorKind, Result,
    http::{CONNECT_TIMEOUT, Identity, Network},
};

/// What HTTP/2 is spoken over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections to one plug-in.
#[derive(Clone)]
pub(super) struct Dialler {
    network: Network,
    endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    target: Target,
}

impl Dialler {
    pub(super) fn new(
        config: &Config,
        endpoint: Endpoint,
        identity: Option<Identity>,
        network: &Network,
    ) -> Result<Self> {
        let host = match &endpoint {
            Endpoint::Tcp { host, .. } => host.trim_matches(['[', ']']),
            Endpoint::Unix(_) => "localhost",
        };
        let authority = match &endpoint {
            Endpoint::Tcp { host, port, .. } => format!("{host}:{port}"),
            Endpoint::Unix(_) => "localhost".to_owned(),
        };
        let tls = if endpoint.is_tls() {
            let mut trust = network.tls_with(&config.roots()?, identity)?;
            trust.alpn_protocols = vec![b"h2".to_vec()];
            let name = config.server_name.as_deref().unwrap_or(host).to_owned();
            let name = ServerName::try_from(name).map_err(wrong)?;
            Some((TlsConnector::from(Arc::new(trust)), name))
        } else {
            None
        };
        // TLS is below this connection, so the library gets none; what the plug-in sees as
        // the scheme is right.
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin: Uri = format!("{scheme}://{authority}").parse().map_err(wrong)?;
        let target = Target::from_shared(format!("http://{authority}")).map_err(wrong)?;
        let target = target.origin(origin).user_agent("deskplane").map_err(wrong)?;
        Ok(Self { network: network.clone(), endpoint, tls, target })
    }

    /// One connection that is made when it is needed, and made again when it broke. `greeted` turns
    /// false with every new one. Needs a running executor.
    pub(super) fn channel(&self, greeted: &Arc<AtomicBool>) -> Channel {
        let (dialler, greeted) = (self.clone(), Arc::clone(greeted));
        self.target.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (dialler, greeted) = (dialler.clone(), Arc::clone(&greeted));
            async move {
                let stream = dialler.open().await?;
                greeted.store(false, Ordering::Release);
                Ok::<_, Error>(TokioIo::new(stream))
            }
        }))
    }

    async fn open(&self) -> Result<Box<dyn Stream>> {
        let (host, port) = match &self.endpoint {
            Endpoint::Unix(path) => return Ok(Box::new(self.network.connect_unix(path).await?)),
            Endpoint::Tcp { host, port, .. } => (host, *port),
        };
        let stream = self.network.connect(host, port).await?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let failed = |why: String| Error::new(ErrorKind::Unavailable, format!("TLS failed: {why}"));
        match timeout(CONNECT_TIMEOUT, tls.connect(name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("no answer in time".to_owned())),
        }
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("config.endpoint cannot be used: {error}"))
}
