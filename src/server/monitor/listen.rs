//! Admission of connections for probes and metrics.
//!
//! A probe must be answered beside any number of other connections. So each connection is good for
//! one request, for a few seconds; none waits for a place, and when there are too many the oldest is cut. To keep
//! a probe from being answered somebody has to open [`CONNECTIONS`] others in the milliseconds that
//! an answer takes.

use std::{collections::VecDeque, convert::Infallible, io, net, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Counter;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet, spawn_blocking},
    time,
};

use super::{answer::Answers, shared::Shared};
use crate::{
    tasks::{OnPanic, Tasks},
    transport::is_of_peer,
};

/// Connections at a time. Probes and collectors need few; these are part of the handles that
/// [`crate::process::handles::RESERVE`] sets aside.
const CONNECTIONS: usize = 64;
/// Time in which the head of a request must be there.
const HEAD: Duration = Duration::from_secs(5);
/// Time for a whole connection.
const LIFE: Duration = Duration::from_secs(10);
/// Most bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// How often histograms are folded.
const FOLD: Duration = Duration::from_secs(5);
/// Rest after a failed accept that leaves no connection to be cut, doubled up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Answers on a listener for ever.
///
/// # Errors
/// When the listener cannot be used.
pub(super) async fn run(
    listener: net::TcpListener,
    shared: Arc<Shared>,
    supervisor: Tasks,
    accept_errors: Counter,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let folded = Arc::clone(&shared);
    let fold = async {
        loop {
            time::sleep(FOLD).await;
            let shared = Arc::clone(&folded);
            spawn_blocking(move || shared.figures.fold()).await.ok();
        }
    };
    let connections = Connections::new(Answers::of(shared), supervisor, accept_errors);
    tokio::select! {
        ended = connections.serve(&listener) => ended,
        () = fold => Ok(()),
    }
}

/// The open connections, the oldest first.
struct Connections {
    answers: Answers,
    open: VecDeque<AbortHandle>,
    tasks: JoinSet<()>,
    supervisor: Tasks,
    accept_errors: Counter,
    back_off: Duration,
}

impl Connections {
    fn new(answers: Answers, supervisor: Tasks, accept_errors: Counter) -> Self {
        let (open, tasks, back_off) = (VecDeque::new(), JoinSet::new(), BACK_OFF.0);
        Self { answers, open, tasks, supervisor, accept_errors, back_off }
    }

    async fn serve(mut self, listener: &TcpListener) -> ! {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = self.tasks.join_next() => {
                    self.open.retain(|connection| !connection.is_finished());
                    continue;
                }
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if is_of_peer(&error) => {}
                Err(error) => self.failed(&error).await,
            }
        }
    }

    fn admit(&mut self, stream: TcpStream) {
        self.back_off = BACK_OFF.0;
        if self.open.len() >= CONNECTIONS {
            self.cut_oldest();
        }
        let answers = self.answers.clone();
        let connection = async move {
            // A client that is cut or goes has had its answer, or asks again.
            time::timeout(LIFE, talk(stream, &answers)).await.ok();
        };
        let connection = self.supervisor.guard("probe", OnPanic::Report, connection);
        self.open.push_back(self.tasks.spawn(connection.map(drop)));
    }

    fn cut_oldest(&mut self) -> bool {
        let oldest = self.open.pop_front();
        oldest.inspect(AbortHandle::abort).is_some()
    }

    /// When handles run out, a connection of its own gives one back; only without one is there a
    /// reason to wait.
    async fn failed(&mut self, error: &io::Error) {
        self.accept_errors.increment(1);
        if self.back_off == BACK_OFF.0 {
            tracing::warn!(%error, "connections for probes cannot be accepted");
        }
        if !self.cut_oldest() {
            time::sleep(self.back_off).await;
        } else {
            // The handle is closed when the task is dropped.
            self.tasks.join_next().await;
            self.open.retain(|connection| !connection.is_finished());
        }
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
    }
}

/// Answers one request.
async fn talk(stream: TcpStream, answers: &Answers) -> hyper::Result<()> {
    // Without it an answer may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request: Request<Incoming>| async move {
        // Its body is not read: what is left of it ends with the connection.
        Ok::<_, Infallible>(answers.answer(&request).await)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}
