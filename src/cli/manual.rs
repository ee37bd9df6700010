//! `completions` and `man`: what a shell and a manual know of the command line, made from it.

use std::{fs, path::PathBuf};

use clap_complete::Shell;

use super::{Error, Io, Result};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "For bash: deskplane completions bash > \
/etc/bash_completion.d/deskplane")]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Folder that gets a page for each command, `deskplane-serve.1` among them; it is made when it is
    /// not there. Default: the page of the program, to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Writes the completions of a shell.
pub(super) fn completions(
    args: CompletionsArgs,
    mut command: clap::Command,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(io.out.write_all(&script)?)
}

/// Writes the manual.
pub(super) fn man(args: ManArgs, command: clap::Command, io: &mut Io<'_>) -> Result<()> {
    let Some(folder) = args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return Ok(io.out.write_all(&page)?);
    };
    let written = fs::create_dir_all(&folder);
    let written = written.and_then(|()| clap_mangen::generate_to(command, &folder));
    written.map_err(|why| Error::start(&format!("write manual pages to {}", folder.display()), why))
}
