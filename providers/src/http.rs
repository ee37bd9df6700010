//! The only way to a vendor.
//!
//! Which address may be reached is decided where a connection is made, after names were resolved,
//! so neither a name nor a literal address nor another port leads around it. Redirects are not
//! followed and proxies of the environment are not asked. An answer has a limit, and a failure says
//! whether the request may have been carried out.

mod answer;
mod connect;
mod policy;
#[cfg(test)]
mod tests;
mod tracer;

use std::{
    fmt,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::{TcpStream, UnixStream};

use self::connect::{Connector, Failed};
pub use self::{
    answer::{Answer, retry_after},
    connect::CONNECT_TIMEOUT,
    policy::Policy,
    tracer::{Exchange, Outcome, Outgoing, Protocol, RequestTracer},
};
use crate::{Effect, Error, ErrorKind, Result};

/// Most bytes of an answer.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A certificate with what it was signed by, and its key: who we are to the other side of TLS.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The way to vendors; a clone shares its connections.
#[derive(Clone)]
pub struct Network {
    policy: Arc<Policy>,
    connections: Arc<LazyLock<Connections, MakeConnections>>,
    tracer: Option<Arc<dyn RequestTracer>>,
}

/// What connections are made with. The first request makes it: reading the machine's certificates
/// takes milliseconds, and a server may call no vendor at all.
struct Connections {
    roots: Arc<RootCertStore>,
    tls: Arc<ClientConfig>,
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
}

type MakeConnections = Box<dyn FnOnce() -> Connections + Send>;

impl Network {
    /// A way to the addresses that the policy allows, trusting the machine's certificates and
    /// those given beside.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when a certificate that was given cannot be read.
    pub fn new(policy: Policy, roots: &[CertificateDer<'static>]) -> Result<Self> {
        let policy = Arc::new(policy);
        let (given, tls) = (trusted(roots)?, tls()?);
        let connector = Connector::new(Arc::clone(&policy));
        let make: MakeConnections = Box::new(|| Connections::new(given, tls, connector));
        Ok(Self { policy, connections: Arc::new(LazyLock::new(make)), tracer: None })
    }

    /// The same way, whose requests are traced.
    pub fn traced(self, tracer: Arc<dyn RequestTracer>) -> Self {
        Self { tracer: Some(tracer), ..self }
    }

    /// Begins to trace a request, if requests are traced.
    pub(crate) fn begin(
        &self,
        request: Outgoing<'_>,
        headers: &mut HeaderMap,
    ) -> Option<Box<dyn Exchange>> {
        self.tracer.as_ref()?.begin(request, headers)
    }

    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when no connection was made ([`Effect::None`]) or it broke
    /// ([`Effect::Unknown`]); [`ErrorKind::InvalidConfig`] when the address is not allowed;
    /// [`ErrorKind::Protocol`] when the answer is cut off, larger than 1 MiB or a redirect. Any
    /// other status is an answer.
    pub async fn send(&self, mut request: http::Request<Bytes>) -> Result<Answer> {
        let exchange = self.begin_http(&mut request);
        let answer = self.exchange(request).await;
        if let Some(exchange) = exchange {
            exchange.end(match &answer {
                Ok(answer) => Outcome::Status(answer.status.as_u16()),
                Err(_) => Outcome::Failed,
            });
        }
        answer
    }

    fn begin_http(&self, request: &mut http::Request<Bytes>) -> Option<Box<dyn Exchange>> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let server = uri.host().map(|host| (host, uri.port_u16()));
        let outgoing = Outgoing { protocol: Protocol::Http, method: method.as_str(), server };
        self.begin(outgoing, request.headers_mut())
    }

    async fn exchange(&self, request: http::Request<Bytes>) -> Result<Answer> {
        let answer = self.connections.client.request(request.map(Full::new)).await;
        let (head, body) = answer.map_err(unsent)?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| {
            let what =
                if error.is::<LengthLimitError>() { "is larger than 1 MiB" } else { "was cut off" };
            Error::new(ErrorKind::Protocol, format!("the answer {what}"))
        })?;
        if head.status.is_redirection() {
            let moved = matches!(head.status.as_u16(), 301 | 307 | 308);
            let message = format!("status {}: redirects are not followed", head.status.as_u16());
            let effect = if moved { Effect::None } else { Effect::Unknown };
            return Err(Error::new(ErrorKind::Protocol, message).with_effect(effect));
        }
        Ok(Answer::new(head.status, head.headers, body.to_bytes()))
    }

    /// Opens a connection of one's own, e.g. for a WebSocket.
    ///
    /// # Errors
    /// Those of [`Network::send`]; the effect is always none.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream> {
        connect::open(&self.policy, host, port).await.map_err(Failed::into_error)
    }

    /// Opens a connection to a socket of this machine; only where the policy allows it.
    ///
    /// # Errors
    /// Those of [`Network::connect`].
    pub async fn connect_unix(&self, path: &Path) -> Result<UnixStream> {
        connect::open_unix(&self.policy, path).await.map_err(Failed::into_error)
    }

    /// What TLS over such a connection trusts.
    pub fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.connections.tls)
    }

    /// TLS for one vendor: trusts nobody but `roots` when there are any, and shows an identity.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when a certificate or the key cannot be used.
    pub fn tls_with(
        &self,
        roots: &[CertificateDer<'static>],
        identity: Option<Identity>,
    ) -> Result<ClientConfig> {
        let roots = match roots {
            [] => Arc::clone(&self.connections.roots),
            roots => Arc::new(trusted(roots)?),
        };
        let config = tls()?.with_root_certificates(roots);
        let Some((certificates, key)) = identity else { return Ok(config.with_no_client_auth()) };
        config.with_client_auth_cert(certificates, key).map_err(|error| {
            let message = format!("the client certificate and its key cannot be used: {error}");
            Error::new(ErrorKind::InvalidConfig, message)
        })
    }
}

impl Connections {
    /// Connections to those whom the machine trusts, and to those with one of these roots.
    fn new(mut roots: RootCertStore, tls: Tls, connector: Connector) -> Self {
        let native = rustls_native_certs::load_native_certs();
        let (known, _) = roots.add_parsable_certificates(native.certs);
        if known == 0 {
            tracing::warn!(
                "this machine has no root certificates: vendors behind TLS cannot be reached"
            );
        }
        let roots = Arc::new(roots);
        let tls = tls.with_root_certificates(Arc::clone(&roots)).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Self { roots, tls: Arc::new(tls), client }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Those alone who have one of these roots.
fn trusted(given: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let unusable = |error| {
        let message = format!("a root certificate cannot be used: {error}");
        Error::new(ErrorKind::InvalidConfig, message)
    };
    given.iter().try_for_each(|root| roots.add(root.clone()).map_err(unusable))?;
    Ok(roots)
}

type Tls = ConfigBuilder<ClientConfig, WantsVerifier>;

/// TLS of our versions and ciphers, before it is known whom it trusts.
fn tls() -> Result<Tls> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

/// Why there is no answer. What broke after the connection was made may have been carried out.
fn unsent(error: hyper_util::client::legacy::Error) -> Error {
    if let Some(failed) = source::<Failed>(&error) {
        return failed.clone().into_error();
    }
    if error.is_connect() {
        let why = source::<std::io::Error>(&error)
            .map_or_else(|| "TLS failed".to_owned(), ToString::to_string);
        return Error::new(ErrorKind::Unavailable, format!("no connection: {why}"));
    }
    let protocol = source::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse);
    if protocol {
        return Error::new(ErrorKind::Protocol, "the answer is no HTTP");
    }
    Error::new(ErrorKind::Unavailable, "the connection broke").with_effect(Effect::Unknown)
}

/// The first error of a kind among the causes of another.
pub(crate) fn source<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
