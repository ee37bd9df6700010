//! What each signal asks of a server. `docs/operations.md` has the same table.
//!
//! A signal without a handler kills the process: no drain, and the store is left as a crash leaves
//! it. So every signal whose default action does that has a row here, whether or not it asks for
//! anything. What is absent keeps its default action: KILL and STOP cannot be caught; ABRT, SEGV and
//! their like report a fault; CHLD, CONT, URG and WINCH do nothing; TSTP, TTIN and TTOU suspend; and
//! PIPE is ignored by the runtime of Rust, so that a write to a closed pipe is an error.

use std::{future::poll_fn, io, task::Poll};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Drain and end; asked again, end at once.
    End,
    /// End at once.
    EndNow,
    /// Read the configuration again.
    Reload,
    /// Nothing.
    Nothing,
}

/// Signals that are handled, with their names.
const TABLE: &[(Number, &str, Request)] = &[
    (Number::TERM, "SIGTERM", Request::End),
    (Number::INT, "SIGINT", Request::End),
    (Number::XCPU, "SIGXCPU", Request::End),
    #[cfg(target_os = "linux")]
    (Number::POWER, "SIGPWR", Request::End),
    (Number::QUIT, "SIGQUIT", Request::EndNow),
    (Number::HUP, "SIGHUP", Request::Reload),
    (Number::USR1, "SIGUSR1", Request::Nothing),
    (Number::USR2, "SIGUSR2", Request::Nothing),
    (Number::ALARM, "SIGALRM", Request::Nothing),
    (Number::VTALARM, "SIGVTALRM", Request::Nothing),
    (Number::PROF, "SIGPROF", Request::Nothing),
    (Number::IO, "SIGIO", Request::Nothing),
    // The write that would pass the limit of the size of a file fails instead.
    (Number::XFSZ, "SIGXFSZ", Request::Nothing),
    #[cfg(target_os = "linux")]
    (Number::STKFLT, "SIGSTKFLT", Request::Nothing),
];

/// The signals of this process, from the moment of [`Signals::listen`] on.
#[derive(Debug)]
pub struct Signals(Vec<(Signal, &'static str, Request)>);

impl Signals {
    /// Handles the signals of the table. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let handled = TABLE.iter().map(|(number, name, request)| {
            Ok((signal(SignalKind::from_raw(number.as_raw()))?, *name, *request))
        });
        handled.collect::<io::Result<_>>().map(Self)
    }

    /// The next signal: its name, and what it asks for. Signals of one kind that arrive before they
    /// are taken count as one, as they do in the kernel.
    pub async fn next(&mut self) -> (&'static str, Request) {
        poll_fn(|cx| {
            for (signal, name, request) in &mut self.0 {
                if signal.poll_recv(cx) == Poll::Ready(Some(())) {
                    return Poll::Ready((*name, *request));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for a signal that ends a command which has nothing to read again: SIGHUP says that its
    /// terminal is gone. Returns the name of the signal.
    pub async fn end(&mut self) -> &'static str {
        loop {
            match self.next().await {
                (_, Request::Nothing) => {}
                (name, _) => return name,
            }
        }
    }
}
