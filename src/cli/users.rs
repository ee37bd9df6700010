//! `users import`: users from a CSV file or JSON lines, a thousand a call.

mod import;

use super::{Client, Io, Result};

/// What is done with many users at once.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Creates or replaces users from a CSV file with a header, or from JSON lines.
    Import(import::Args),
}

/// Runs one of them.
pub(super) async fn run(client: &Client, command: Command, io: &mut Io<'_>) -> Result<()> {
    match command {
        Command::Import(args) => import::run(client, args, io).await,
    }
}
