//! The program `deskplane`: a server, and a command line that speaks to one.

use std::{io, process::ExitCode};

use clap::Parser;
use deskplane::cli::{self, Cli, Io};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    ExitCode::from(cli::run(cli, &mut Io::new(&mut out, &mut err)).await)
}
