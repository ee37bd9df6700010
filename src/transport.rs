//! The main port: from a listener to calls of a service.
//!
//! ```text
//! listener ─ admission ─┬─ event loop ─┬─ connection: greeting, coalescing, HTTP/1.1 or HTTP/2
//!  (cap, back-off)      │  (one a core) └─ …
//!                       └─ event loop ─ …
//! ```
//!
//! One task accepts, on the executor of the caller, for all listeners (TCP, Unix domain sockets, those
//! that the service manager hands over), and gives each connection to the event loop that serves the
//! fewest. A loop is a thread with an executor of its own, so a connection, its handshake of TLS, its
//! calls and its streams stay on one core. What a service answers is written by one system call for
//! each poll of the connection (`coalesce`). Everything behind is a tower service that knows nothing
//! of this; requests carry tonic's `TcpConnectInfo` or `UdsConnectInfo`, as they do with tonic's own
//! server, and [`ClientCertificates`](crate::auth::ClientCertificates) where the client showed some.

mod accept;
mod answer;
mod body;
mod coalesce;
mod connection;
mod endpoint;
mod frames;
mod limits;
mod listen;
mod loops;
mod meters;
mod room;
mod socket;
mod tls;

use std::{convert::Infallible, io, sync::Arc};

use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

pub(crate) use self::accept::is_of_peer;
use self::{accept::Admission, connection::Protocols, loops::Loops};
pub use self::{
    body::{Fault, Refuse},
    endpoint::{Endpoint, ParseError},
    limits::Limits,
    listen::{BindError, Listener, Listeners},
    meters::ConnectionMeters,
    tls::{LoadError, Tls, TlsSettings},
};
use crate::tasks::{OnPanic, Tasks};

/// What a port is made of.
#[derive(Debug)]
pub struct Port {
    /// Where connections come from.
    pub listeners: Listeners,
    /// What connections of TCP speak, if not clear text.
    pub tls: Option<Tls>,
    /// Limits of all listeners together.
    pub limits: Limits,
    /// Where the figures of connections go.
    pub meters: ConnectionMeters,
    /// Makes the status of a request whose body is not read to its end.
    pub refuse: Refuse,
}

/// Serves the connections of a port until `stop` completes, then ends them as they permit: each
/// takes no further call, and is closed when those that it has are answered. Completes when all
/// are closed. Dropped earlier, it cuts those that are left.
///
/// # Errors
/// When the operating system grants no thread, or no executor, for an event loop.
pub async fn serve<S>(
    tasks: &Tasks,
    port: Port,
    service: S,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let Port { listeners, tls, limits, meters, refuse } = port;
    let drain = CancellationToken::new();
    let protocols = Arc::new(Protocols::new(limits.clone(), meters.clone(), refuse, drain.clone()));
    if let Some(tls) = &tls {
        tasks.spawn("transport.tls", OnPanic::EndProcess, tls.clone().follow(meters.clone()));
    }
    let mut admission = Admission::new(listeners, tls, &limits, meters);
    let loops = Loops::start(tasks, limits.loops, protocols, service)?;
    tokio::pin!(stop);
    loop {
        let admitted = tokio::select! {
            admitted = admission.next() => admitted,
            () = &mut stop => break,
        };
        if !loops.hand_over(admitted).await {
            break;
        }
    }
    // Closes the listeners: a client that connects now had better go elsewhere than wait.
    drop(admission);
    drain.cancel();
    loops.ended().await;
    Ok(())
}

#[cfg(test)]
mod tests;
