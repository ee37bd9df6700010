//! Event loops: threads with an executor of their own, each of which serves its connections.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tower::Service;

use super::{accept::Admitted, connection::Protocols};
use crate::{
    executor::Inbox,
    tasks::{OnPanic, Tasks},
};

/// Connections that wait for a loop to take them; beyond that no further one is accepted.
const HANDED_OVER: usize = 64;

/// The loops of a listener. Dropped, they cut what they serve.
#[derive(Debug)]
pub(super) struct Loops {
    loops: Vec<Loop>,
    _cut: DropGuard,
}

/// One loop, as the acceptor knows it.
#[derive(Debug)]
struct Loop {
    connections: mpsc::Sender<Handed>,
    /// Connections that it serves.
    load: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
}

/// A connection that counts for its loop.
#[derive(Debug)]
struct Handed {
    admitted: Admitted,
    load: Load,
}

#[derive(Debug)]
struct Load(Arc<AtomicUsize>);

impl Load {
    fn on(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Loops {
    /// Starts so many loops, at least one.
    pub(super) fn start<S>(
        tasks: &Tasks,
        count: usize,
        protocols: Arc<Protocols>,
        service: S,
    ) -> io::Result<Self>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let cut = CancellationToken::new();
        let mut loops = Vec::new();
        for _ in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (connections, handed) = mpsc::channel(HANDED_OVER);
            let (end, ended) = oneshot::channel();
            let (cut, protocols, service) = (cut.clone(), Arc::clone(&protocols), service.clone());
            let connection_tasks = tasks.child();
            tasks.thread("transport.loop", OnPanic::EndProcess, move || {
                run(runtime, handed, &cut, &connection_tasks, &protocols, service);
                drop(end);
            })?;
            loops.push(Loop { connections, load: Arc::default(), ended });
        }
        Ok(Self { loops, _cut: cut.drop_guard() })
    }

    /// Hands a connection to the loop that serves the fewest; false when that has ended, which only
    /// a panic brings about.
    pub(super) async fn hand_over(&self, admitted: Admitted) -> bool {
        let least = self.loops.iter().min_by_key(|l| l.load.load(Ordering::Relaxed));
        let Some(least) = least else { return false };
        let handed = Handed { admitted, load: Load::on(&least.load) };
        least.connections.send(handed).await.is_ok()
    }

    /// Takes no further connection, and completes when all are closed.
    pub(super) async fn ended(self) {
        for Loop { connections, ended, .. } in self.loops {
            drop(connections);
            // The other end is dropped with the thread.
            let _ = ended.await;
        }
    }
}

/// Serves connections until there will be no further one and all are closed, or they are cut.
fn run<S>(
    runtime: Runtime,
    mut handed: mpsc::Receiver<Handed>,
    cut: &CancellationToken,
    tasks: &Tasks,
    protocols: &Arc<Protocols>,
    service: S,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let inbox = Inbox::default();
    inbox.install();
    let serving = async {
        let here = Handle::current();
        while let Some(Handed { admitted, load }) = handed.recv().await {
            let (protocols, service) = (Arc::clone(protocols), service.clone());
            tasks.spawn_on(&here, "transport.connection", OnPanic::Report, async move {
                if let Ok(connection) = admitted.open().await {
                    protocols.serve(connection, service).await;
                }
                drop(load);
            });
        }
        tasks.ended().await;
    };
    runtime.block_on(async {
        tokio::select! {
            () = serving => {}
            () = cut.cancelled() => {}
            () = inbox.deliver() => {}
        }
    });
    // The usual end waits for every blocking call, and one may hang.
    runtime.shutdown_background();
}
