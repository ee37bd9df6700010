//! The program `deskplane`: a server, and a command line that speaks to one.

use std::{
    io::{self, IsTerminal as _},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
};

use deskplane::cli::{self, Io};
use tokio::runtime::Runtime;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let asks = io::stdin().is_terminal() && err.is_terminal();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(cli::run(cli, &mut Io::new(&mut out, &mut err).asking(asks)))
    }));
    // The usual end of a runtime waits for every blocking call, and one may hang.
    runtime.shutdown_background();
    ended.map_or_else(|panic| resume_unwind(panic), ExitCode::from)
}
