//! What the program says about itself, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

pub use tracing_subscriber::filter::ParseError;

/// Reads a log setting: a level such as `info`, or directives such as `warn,deskplane=debug`.
pub fn filter(log: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(log)
}

/// Starts to write the log; the first call counts, a later one changes nothing.
pub fn start(log: &str) -> Result<(), ParseError> {
    let colour = io::stderr().is_terminal();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter(log)?).with_writer(io::stderr);
    // Refused only when somebody else in the process already listens, as tests do.
    subscriber.with_ansi(colour).try_init().ok();
    Ok(())
}
