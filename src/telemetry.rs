//! What the program says about itself: the log on standard error, and traces.

mod foreign;
mod line;
pub mod traces;

use std::{
    io::{self, IsTerminal, Write},
    sync::OnceLock,
};

use tracing_subscriber::{
    EnvFilter, filter::FilterFn, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

pub use tracing_subscriber::filter::ParseError;

use self::line::Line;
use crate::process::environment;

/// Puts another filter in the place of the one that [`start`] began with.
type Reload = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

/// Whether the program can export traces.
pub const OTLP: bool = cfg!(feature = "otlp");

static RELOAD: OnceLock<Box<Reload>> = OnceLock::new();

/// Reads a log setting: a level such as `info`, or directives such as `warn,deskplane=debug`.
pub fn filter(log: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(log)
}

/// Starts to write the log; the first call counts, a later one changes nothing.
pub fn start(log: &str) -> Result<(), ParseError> {
    let colour = io::stderr().is_terminal() && environment::var("NO_COLOR").is_none();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(log)?)
        .with_writer(|| Unfailing(io::stderr()))
        .log_internal_errors(false)
        .with_ansi(colour)
        .event_format(Line::new(colour))
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    // Refused only when somebody else in the process already listens, as tests do.
    let subscriber = subscriber.finish().with(FilterFn::new(foreign::may_log));
    if subscriber.try_init().is_ok() {
        RELOAD.set(Box::new(move |filter| handle.reload(filter))).ok();
    }
    Ok(())
}

/// Changes what is logged from now on.
///
/// # Errors
/// When the setting cannot be read; what is logged stays as it is.
pub fn reload(log: &str) -> Result<(), ParseError> {
    let filter = filter(log)?;
    if let Some(reload) = RELOAD.get() {
        // Fails only when the subscriber is gone, and then there is no log.
        reload(filter).ok();
    }
    Ok(())
}

/// A writer whose errors concern nobody. When the reader of the log is gone or its disk is full,
/// lines are lost; the subscriber would report that on standard error and panic, for it is the same
/// one that fails.
#[derive(Debug)]
struct Unfailing<W>(W);

impl<W: Write> Write for Unfailing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().ok();
        Ok(())
    }
}
