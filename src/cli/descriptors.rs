//! `descriptors`: the definition of the API as a file, for proxies, generators and generic clients.

use std::{fs, io::IsTerminal as _, path::PathBuf};

use super::{Error, Io, Result};
use crate::descriptors;

/// Arguments of `descriptors`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is a serialized google.protobuf.FileDescriptorSet with everything \
that it imports, with comments, health and the details of errors, as Envoy's JSON transcoder, buf and grpcurl -protoset read it."
)]
pub(super) struct Args {
    /// File to write. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The API, its errors and its health, with everything that they import.
fn encoded() -> Result<Vec<u8>> {
    let mut pool = descriptors::api().clone();
    // Proxies read the details of an error by their definition.
    pool.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    pool.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)?;
    Ok(pool.encode_to_vec())
}

/// Writes the descriptor set that this program was built with.
pub(super) fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    let Some(path) = args.out else {
        if std::io::stdout().is_terminal() {
            let why = "standard output is a terminal, and descriptors are not text: name a file \
                       with --out";
            return Err(Error::Usage(why.to_owned()));
        }
        return Ok(io.out.write_all(&encoded()?)?);
    };
    let failed = |why| Error::start(&format!("write {}", path.display()), why);
    fs::write(&path, encoded()?).map_err(failed)
}
