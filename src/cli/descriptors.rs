//! `descriptors`: the definition of the API as a file, for proxies, generators and generic clients.

use std::{fs, io::IsTerminal as _, path::PathBuf};

use deskplane_proto::FILE_DESCRIPTOR_SET;

use super::{Error, Io, Result};

/// Arguments of `descriptors`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is a serialized google.protobuf.FileDescriptorSet with everything \
that it imports and with comments, as Envoy's JSON transcoder, buf and grpcurl -protoset read it."
)]
pub(super) struct Args {
    /// File to write. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the descriptor set that this program was built with.
pub(super) fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    let Some(path) = args.out else {
        if std::io::stdout().is_terminal() {
            let why = "standard output is a terminal, and descriptors are not text: name a file \
                       with --out";
            return Err(Error::Usage(why.to_owned()));
        }
        return Ok(io.out.write_all(FILE_DESCRIPTOR_SET)?);
    };
    let failed = |why| Error::start(&format!("write {}", path.display()), why);
    fs::write(&path, FILE_DESCRIPTOR_SET).map_err(failed)
}
