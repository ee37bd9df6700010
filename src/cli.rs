//! The command line: a server to start, and a client of the public API like any other.

use std::pin::Pin;

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::{OsStr, Resettable},
};

use crate::{process::environment, telemetry};

mod address;
mod apply;
mod audit;
mod backoff;
mod backup;
mod calls;
mod changes;
mod client;
#[cfg(feature = "external")]
mod conformance;
mod demo;
mod descriptors;
mod diff;
mod doctor;
mod error;
mod explain;
mod findings;
mod fleet;
mod health;
mod kind;
mod manual;
mod output;
mod preview;
mod providers;
mod read;
mod render;
mod resolve;
mod restore;
mod revisions;
mod rollback;
mod secrets;
mod serve;
mod stream;
mod token;
mod transfer;
mod tree;
mod users;
mod watch;
mod whoami;

pub use client::{Api, Bearer, Client, Connection, TlsFiles, WriteOptions};
pub use error::{Error, Result};
pub use output::{Format, Io};

/// Heading of the options of every command.
const GLOBAL: &str = "Global options";

/// Ends the help of the program.
const EXIT_CODES: &str = "Exit codes:
  0   done
  1   refused by the server, or failed
  2   the command line or a document makes no sense; doctor: the store would not start
  64  the configuration of the server cannot be used";

/// Experience profiles for agent desktops: resolved, explained and pushed live.
#[derive(Debug, Parser)]
#[command(name = "deskplane", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    connection: Connection,
    /// Form of the output.
    #[arg(
        short,
        long,
        global = true,
        help_heading = GLOBAL,
        value_enum,
        default_value_t,
        value_name = "FORM"
    )]
    output: Format,
    /// What to log to standard error: a level, or directives such as `warn,deskplane=debug`.
    /// Default: `info` for serve, `warn` for all else.
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "DESKPLANE_LOG",
        value_name = "LEVEL"
    )]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Args),
    /// Copies a store while a server uses it.
    Backup(backup::Args),
    /// Makes a data directory from a backup.
    Restore(restore::Args),
    /// Examines the data directory of a stopped server, and repairs it on request.
    Doctor(doctor::Args),
    /// Looks after the keys that seal the secrets of providers.
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Makes, lists and revokes tokens for callers.
    #[command(subcommand)]
    Token(token::Command),
    /// Shows the product in a minute: a server of its own, an example, a live update.
    Demo(demo::Args),
    /// Shows who the server takes the caller for.
    Whoami(whoami::Args),
    /// Shows one resource.
    Get(read::GetArgs),
    /// Lists the resources of a kind.
    List(read::ListArgs),
    /// Creates or changes resources as YAML or JSON documents describe them.
    Apply(apply::Args),
    /// Shows what applying documents would change, and for whom; commits nothing.
    Preview(preview::Args),
    /// Shows where documents differ from what the server holds, or two revisions of a resource.
    Diff(diff::Args),
    /// Lists what is odd about the configuration.
    Findings(findings::Args),
    /// Writes profiles and library objects to a bundle.
    Export(transfer::ExportArgs),
    /// Writes what a bundle holds, all of it or nothing.
    Import(transfer::ImportArgs),
    /// Removes what a managed import of a bundle brought.
    Uninstall(transfer::UninstallArgs),
    /// Gives resources the state that they had at an earlier revision.
    Rollback(rollback::Args),
    /// Shows the profile that applies to a user.
    Resolve(resolve::Args),
    /// Shows what opens for a user when a record is opened or work arrives.
    Render(render::Args),
    /// Shows why a profile applies to a user, and what lost.
    Explain(explain::Args),
    /// Shows the profile of a user whenever it changes.
    Watch(watch::Args),
    /// Shows who did what, newest first, or writes it to a file.
    Audit(audit::Args),
    /// Shows what a user saw at a time.
    Seen(audit::SeenArgs),
    /// Imports users from a file.
    #[command(subcommand)]
    Users(users::Command),
    /// Shows which clients work with the profile that they should work with.
    Fleet(fleet::Args),
    /// Shows what was committed, once or as it happens.
    Changes(changes::Args),
    /// Shows the revisions of a resource, or one of them.
    History(revisions::Args),
    /// Checks voice providers, and shows what adapters take.
    Providers(providers::Args),
    /// Starts, lists and watches calls.
    Calls(calls::Args),
    /// Checks a voice plug-in against the contract of adapters.
    #[cfg(feature = "external")]
    Conformance(conformance::Args),
    /// Asks whether a server serves, for probes of containers and scripts.
    Health(health::Args),
    /// Writes the definition of the API for proxies and generators.
    Descriptors(descriptors::Args),
    /// Writes the completions of a shell.
    Completions(manual::CompletionsArgs),
    /// Writes the manual page, or one for each command.
    Man(manual::ManArgs),
}

/// Reads the command line of this process and the variables that stand for flags. Where it makes no
/// sense, or asks for help, the process ends.
pub fn parse() -> Cli {
    let matches = without_blank_variables(Cli::command()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command with arguments that are not read from a variable which is set to nothing.
fn without_blank_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.get_env().is_some_and(environment::is_blank) {
        true => arg.env(Resettable::<OsStr>::Reset),
        false => arg,
    });
    command.mut_subcommands(without_blank_variables)
}

/// Runs one command and prints its error; answers the exit code of the program.
///
/// The future is boxed here so that it is compiled with the library, on all cores, and not once more
/// in each program that waits for it.
pub fn run<'a>(cli: Cli, io: &'a mut Io<'_>) -> Pin<Box<dyn Future<Output = u8> + 'a>> {
    Box::pin(async move {
        let Err(error) = dispatch(cli, io).await else { return 0 };
        let code = error.exit_code();
        if code != 0 {
            // When not even that can be written, the exit code has to do.
            io.note(&error).ok();
        }
        code
    })
}

async fn dispatch(cli: Cli, io: &mut Io<'_>) -> Result<()> {
    let Cli { connection, output, log, command } = cli;
    if let Command::Serve(args) = command {
        return serve::run(args, log, output, io).await;
    }
    telemetry::start(log.as_deref().unwrap_or("warn"))?;
    let command = match command {
        Command::Demo(args) => return Box::pin(demo::run(args, io)).await,
        Command::Backup(args) => return backup::run(args, io),
        Command::Restore(args) => return restore::run(args, io),
        Command::Doctor(args) => return doctor::run(args, output, io),
        #[cfg(feature = "external")]
        Command::Conformance(args) => return conformance::run(args, io).await,
        Command::Secrets(secrets::Command::NewKey(args)) => return secrets::new_key(args, io),
        Command::Token(command) => return token::run(command, output, io),
        Command::Health(args) => return health::run(&connection, args, output, io).await,
        Command::Descriptors(args) => return descriptors::run(args, io),
        Command::Completions(args) => return manual::completions(args, Cli::command(), io),
        Command::Man(args) => return manual::man(args, Cli::command(), io),
        other => other,
    };
    // Documents are checked first: a mistake in them needs no server.
    let documents = match &command {
        Command::Apply(args) => apply::prepare(args, io)?,
        Command::Preview(args) => preview::prepare(&args.files)?,
        Command::Diff(args) if args.name.is_none() => preview::prepare(&args.files)?,
        _ => Vec::new(),
    };
    let bundle = match &command {
        Command::Import(args) => transfer::read(args)?,
        _ => Vec::new(),
    };
    let client = Client::connect(&connection).await?;
    for warning in client.warnings(&connection) {
        io.note(warning)?;
    }
    match command {
        Command::Whoami(args) => whoami::run(&client, args, output, io).await,
        Command::Get(args) => read::get(&client, args, output, io).await,
        Command::List(args) => read::list(&client, args, output, io).await,
        Command::Apply(args) => apply::run(client, args, documents, output, io).await,
        Command::Preview(args) => preview::run(&client, args, documents, output, io).await,
        Command::Diff(args) => diff::run(&client, args, documents, output, io).await,
        Command::Findings(args) => findings::run(&client, args, output, io).await,
        Command::Export(args) => transfer::export(&client, args, io).await,
        Command::Import(args) => transfer::import(client, args, bundle, output, io).await,
        Command::Uninstall(args) => transfer::uninstall(client, args, output, io).await,
        Command::Rollback(args) => rollback::run(client, args, output, io).await,
        Command::Resolve(args) => resolve::run(&client, args, output, io).await,
        Command::Render(args) => render::run(&client, args, output, io).await,
        Command::Explain(args) => explain::run(&client, args, output, io).await,
        Command::Watch(args) => watch::run(&client, args, output, io).await,
        Command::Audit(args) => audit::run(&client, args, output, io).await,
        Command::Seen(args) => audit::seen(&client, args, output, io).await,
        Command::Users(command) => users::run(&client, command, io).await,
        Command::Fleet(args) => fleet::run(&client, args, output, io).await,
        Command::Changes(args) => changes::run(&client, args, output, io).await,
        Command::History(args) => revisions::run(&client, args, output, io).await,
        Command::Providers(args) => providers::run(&client, args, output, io).await,
        Command::Calls(args) => calls::run(&client, args, output, io).await,
        Command::Secrets(secrets::Command::Rotate(args)) => {
            secrets::rotate(client, args, output, io).await
        }
        Command::Secrets(secrets::Command::NewKey(_))
        | Command::Serve(_)
        | Command::Token(_)
        | Command::Demo(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Doctor(_)
        | Command::Health(_)
        | Command::Descriptors(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
        #[cfg(feature = "external")]
        Command::Conformance(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::is_known_variable;

    #[test]
    fn no_variable_of_the_command_line_stops_a_server() {
        let mut names = Vec::new();
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            let read = command.get_arguments().filter_map(clap::Arg::get_env);
            names.extend(read.filter_map(|name| name.to_str()).map(str::to_owned));
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(names.len() > 4, "{names:?}");
        for name in names {
            assert!(is_known_variable(&name), "{name} is neither a setting nor named as none");
        }
    }
}
