//! `backup`: what a store holds, while a server uses it.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{Error, Io, Result};
use crate::{
    clock::Clock,
    store::durable::{self, Part, Target},
};

/// What stands for a stream in the place of a folder.
pub(super) const STREAM: &str = "-";

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The server may be running; it is not disturbed. The backup holds every \
write that was acknowledged before the command, and is whole once it has a manifest.json. Calls, and \
the logs of reads and deliveries (`log/`), are not in it: see `deskplane audit export`.")]
pub(super) struct Args {
    /// Folder of the store.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Folder for the backup, new or empty; `-` writes one stream to standard output.
    #[arg(long, value_name = "FOLDER|-")]
    to: PathBuf,
}

/// Writes a backup.
pub(super) fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    let Args { data_dir, to } = args;
    let stream = to == Path::new(STREAM);
    if stream && std::io::stdout().is_terminal() {
        let why = "standard output is a terminal, and a backup is not text: name a folder, or send \
                   it on, as in `deskplane backup --data-dir DIR --to - > backup.dpbk`";
        return Err(Error::Usage(format!("`--to -`: {why}")));
    }
    let time = Clock::system().now();
    let done = {
        let err = &mut *io.err;
        let mut progress = |part: &Part| {
            // Progress is best effort.
            writeln!(err, "copied {}, {} bytes", part.name, part.size).ok();
        };
        let target = if stream { Target::Stream(&mut *io.out) } else { Target::Folder(&to) };
        durable::backup(&data_dir, target, time, &mut progress)
    };
    let manifest = done.map_err(|why| Error::start("make a backup", why))?;
    let bytes: u64 = manifest.files.iter().map(|part| part.size).sum();
    let (revision, files) = (manifest.revision, manifest.files.len());
    let line = format!("backup at revision {revision}: {files} files, {bytes} bytes");
    // Standard output is the backup.
    if stream { io.note(line) } else { io.line(line) }
}
