//! `secrets`: the keys that seal the secrets of providers.

use serde_json::json;
use uuid::Uuid;

use super::{Client, Error, Format, Io, Result, WriteOptions, output};
use crate::secrets::vault;

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints a line of a key ring with a new random key.
    NewKey(NewKey),
    /// Has the server read its key ring again and put all secrets under its first key.
    Rotate(Rotate),
}

/// Arguments of `secrets new-key`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The line is a secret: with it and the data folder anyone has every secret \
of every provider. Put it into the key ring, and keep a copy where no backup of the data is."
)]
pub(super) struct NewKey {
    /// Id of the key: 1 to 64 letters, digits, dots, dashes or underscores. Default: a random one.
    #[arg(long)]
    id: Option<String>,
}

/// Arguments of `secrets rotate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Put the new key first in the key ring, keep the old ones below it, rotate, \
and remove the old ones once a further rotation finds nothing to do."
)]
pub(super) struct Rotate {
    #[command(flatten)]
    write: WriteOptions,
}

/// Prints a new key.
pub(super) fn new_key(args: NewKey, io: &mut Io<'_>) -> Result<()> {
    let random = || format!("key-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let id = args.id.unwrap_or_else(random);
    let line = vault::new_key(&id).map_err(|why| Error::start("make a key", why))?;
    let line = line.ok_or_else(|| Error::Usage(format!("`{id}` can be no id of a key")))?;
    io.line(line.as_str())
}

/// Rotates the keys of the server.
pub(super) async fn rotate(
    client: Client,
    args: Rotate,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let client = client.with(&args.write);
    let answer = client.call("ProviderService", "RotateSecretKeys", json!({})).await?;
    match format {
        Format::Table => {
            let answer = serde_json::to_value(&answer)?;
            let count = answer["resealed"].as_i64().unwrap_or_default();
            io.line(format!("secrets under another key now: {count}"))
        }
        _ => io.value(format, &output::message(&answer)?),
    }
}
