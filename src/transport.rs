//! The main port: from a listener to calls of a service.
//!
//! ```text
//! listener ─ admission ─┬─ event loop ─┬─ connection: greeting, coalescing, HTTP/1.1 or HTTP/2
//!  (cap, back-off)      │  (one a core) └─ …
//!                       └─ event loop ─ …
//! ```
//!
//! One task accepts, on the executor of the caller, and hands each connection to the event loop that
//! serves the fewest. A loop is a thread with an executor of its own, so a connection, its calls and
//! its streams stay on one core. What a service answers is written by one system call for each poll
//! of the connection (`coalesce`). Everything behind is a tower service that knows nothing of this;
//! requests carry tonic's `TcpConnectInfo`, as they do with tonic's own server.

mod accept;
mod body;
mod coalesce;
mod connection;
mod limits;
mod loops;

use std::{convert::Infallible, io, sync::Arc};

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

pub(crate) use self::accept::is_of_peer;
use self::{accept::Admission, connection::Protocols, loops::Loops};
pub use self::{
    accept::ConnectionMeters,
    body::{Fault, Refuse},
    limits::Limits,
};
use crate::tasks::Tasks;

/// Serves the connections of a listener until `stop` completes, then ends them as they permit: each
/// takes no further call, and is closed when those that it has are answered. Completes when all
/// are closed. Dropped earlier, it cuts those that are left. `refuse` makes the status of a request
/// whose body is not read to its end.
///
/// # Errors
/// When the operating system grants no thread, or no executor, for an event loop.
pub async fn serve<S>(
    tasks: &Tasks,
    listener: TcpListener,
    limits: Limits,
    meters: ConnectionMeters,
    service: S,
    refuse: Refuse,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let drain = CancellationToken::new();
    let protocols = Arc::new(Protocols::new(limits.clone(), refuse, drain.clone()));
    let mut admission = Admission::new(listener, limits.connections, meters);
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
    // Closes the listener: a client that connects now had better go elsewhere than wait.
    drop(admission);
    drain.cancel();
    loops.ended().await;
    Ok(())
}

#[cfg(test)]
mod tests;
