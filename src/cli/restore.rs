//! `restore`: a new data directory from a backup.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{Error, Io, Result, backup::STREAM};
use crate::store::durable::{self, Part, Source};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Every byte of the backup is checked; when one is wrong, nothing is left \
behind. The restored store is a new incarnation: clients that resume get everything afresh.")]
pub(super) struct Args {
    /// Folder of the backup; `-` reads a stream from standard input.
    #[arg(long, value_name = "FOLDER|-")]
    from: PathBuf,
    /// Folder for the store, new or empty.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Restores a backup.
pub(super) fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    let Args { from, data_dir } = args;
    let stream = from == Path::new(STREAM);
    if stream && std::io::stdin().is_terminal() {
        let why = "standard input is a terminal: name the folder of a backup, or read one, as in \
                   `deskplane restore --from - --data-dir DIR < backup.dpbk`";
        return Err(Error::Usage(format!("`--from -`: {why}")));
    }
    let done = {
        let mut progress = |part: &Part| {
            // Progress is best effort.
            writeln!(io.err, "restored {}, {} bytes", part.name, part.size).ok();
        };
        let mut input = std::io::stdin();
        let source = if stream { Source::Stream(&mut input) } else { Source::Folder(&from) };
        durable::restore(source, &data_dir, &mut progress)
    };
    let restored = done.map_err(|why| Error::start("restore", why))?;
    let (revision, store) = (restored.manifest.revision, restored.manifest.store);
    let folder = data_dir.display();
    io.line(format!("restored revision {revision} of store {store} to {folder}"))
}
