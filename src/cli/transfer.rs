//! `export`, `import` and `uninstall`: configuration from one organisation to another.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

use deskplane_proto::v1;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use super::{
    Client, Error, Format, Io, Result, WriteOptions,
    output::{self, table},
};

/// What stands for standard input and output in the place of a file.
const STREAM: &str = "-";
/// Most bytes of a bundle.
const MAX_BUNDLE_BYTES: u64 = 64 << 20;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true)]
pub(super) struct ExportArgs {
    /// Profiles to export with what they refer to; without any: all custom and managed objects.
    profiles: Vec<String>,
    /// Name of the bundle, such as contoso_base.
    #[arg(long)]
    name: String,
    /// Version of the bundle, such as 1.4.0.
    #[arg(long)]
    version: String,
    /// An installed bundle whose objects are exported.
    #[arg(long, value_name = "BUNDLE", conflicts_with = "profiles")]
    installed: Option<String>,
    /// File for the bundle; `-` writes it to standard output.
    #[arg(long, value_name = "FILE|-")]
    out: PathBuf,
}

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The bundle; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// What happens to an object whose name is taken.
    #[arg(long, value_parser = ["fail", "skip", "overwrite"])]
    on_existing: Option<String>,
    /// What happens to a profile whose rank is held.
    #[arg(long, value_parser = ["fail", "rerank", "keep"])]
    on_rank_conflict: Option<String>,
    /// What happens to a default while there is another one.
    #[arg(long, value_parser = ["keep-incumbent", "replace", "keep-both", "fail"])]
    on_default_conflict: Option<String>,
    /// What happens to a role that does not exist.
    #[arg(long, value_parser = ["report", "fail"])]
    on_unknown_role: Option<String>,
    /// What happens to another URL of a provider whose URL is pinned.
    #[arg(long, value_parser = ["keep", "fail"])]
    on_pinned_url: Option<String>,
    /// Let built-in profiles take the settings that the bundle has for them.
    #[arg(long)]
    adopt_built_in: bool,
    /// Lock what is imported, with the name and version of the bundle.
    #[arg(long)]
    managed: bool,
    #[command(flatten)]
    write: WriteOptions,
}

/// Arguments of `uninstall`.
#[derive(Debug, clap::Args)]
pub(super) struct UninstallArgs {
    /// Name of the bundle.
    bundle: String,
    /// Remove what is in use as well, with the references of other objects.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    write: WriteOptions,
}

/// Writes a bundle to a file.
pub(super) async fn export(client: &Client, args: ExportArgs, io: &mut Io<'_>) -> Result<()> {
    let ExportArgs { profiles, name, version, installed, out } = args;
    let request = json!({
        "bundle": name, "bundle_version": version, "profiles": profiles,
        "installed_bundle": installed.unwrap_or_default(),
    });
    let mut chunks = client.stream("TransferService", "Export", request).await?;
    // A file of that name is a whole bundle or not there.
    let part = part_of(&out);
    let mut file = if is_stream(&out) { None } else { Some(File::create(&part)?) };
    let (mut bytes, mut revision) = (0, 0);
    while let Some(message) = chunks.message().await? {
        let message = message.transcode_to::<v1::ExportResponse>()?;
        let to: &mut dyn Write = match &mut file {
            Some(file) => file,
            None => &mut *io.out,
        };
        to.write_all(&message.chunk)?;
        (bytes, revision) = (bytes + message.chunk.len(), message.revision);
    }
    let done = format!("bundle {name} {version} at revision {revision}: {bytes} bytes");
    match file {
        None => io.note(done),
        Some(file) => {
            file.sync_all()?;
            fs::rename(&part, &out)?;
            io.line(done)
        }
    }
}

fn is_stream(path: &Path) -> bool {
    path == Path::new(STREAM)
}

/// The name of a file while it is written.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Reads a bundle, before a connection is made.
pub(super) fn read(args: &ImportArgs) -> Result<Vec<u8>> {
    let shown = args.file.display();
    let mut bundle = Vec::new();
    let failed = |error: io::Error| Error::Usage(format!("{shown}: {error}"));
    let limit = MAX_BUNDLE_BYTES + 1;
    match is_stream(&args.file) {
        true => io::stdin().take(limit).read_to_end(&mut bundle),
        false => File::open(&args.file).and_then(|file| file.take(limit).read_to_end(&mut bundle)),
    }
    .map_err(failed)?;
    if bundle.len() as u64 >= limit {
        return Err(Error::Usage(format!(
            "{shown}: a bundle has at most {MAX_BUNDLE_BYTES} bytes"
        )));
    }
    Ok(bundle)
}

/// Imports a bundle.
pub(super) async fn import(
    client: Client,
    args: ImportArgs,
    bundle: Vec<u8>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let client = client.with(&args.write);
    let word = |field: &str, given: &Option<String>| {
        let given = given.as_ref()?;
        Some(format!("{field}_{given}").replace('-', "_").to_uppercase())
    };
    let mut options = json!({"adopt_built_in": args.adopt_built_in, "managed": args.managed});
    for (field, given) in [
        ("on_existing", &args.on_existing),
        ("on_rank_conflict", &args.on_rank_conflict),
        ("on_default_conflict", &args.on_default_conflict),
        ("on_unknown_role", &args.on_unknown_role),
        ("on_pinned_url", &args.on_pinned_url),
    ] {
        if let Some(word) = word(field, given) {
            options[field] = Value::String(word);
        }
    }
    let first = json!({"options": options});
    let answer = client.upload("TransferService", "Import", first, bundle.into()).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    let did = answer.transcode_to::<v1::ImportResponse>()?;
    let would = if args.write.validate_only { "would be " } else { "" };
    io.line(format!(
        "bundle {} {}: {would}{} created, {} updated, {} unchanged, {} skipped",
        did.bundle, did.bundle_version, did.created, did.updated, did.unchanged, did.skipped
    ))?;
    written(&answer, did.write.unwrap_or_default(), io)
}

/// Removes what a bundle brought.
pub(super) async fn uninstall(
    client: Client,
    args: UninstallArgs,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let client = client.with(&args.write);
    let request = json!({"bundle": args.bundle, "force": args.force});
    let answer = client.call("TransferService", "UninstallBundle", request).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    let would = if args.write.validate_only { "would be " } else { "" };
    io.line(format!("bundle {}: {would}removed", args.bundle))?;
    let did = answer.transcode_to::<v1::UninstallBundleResponse>()?;
    written(&answer, did.write.unwrap_or_default(), io)
}

/// Shows what a write meant and found.
fn written(answer: &DynamicMessage, write: v1::WriteResult, io: &mut Io<'_>) -> Result<()> {
    let users = write.affected.unwrap_or_default().total_count;
    io.line(format!("revision {}, {users} users get another profile", write.revision))?;
    if write.findings.is_empty() {
        return Ok(());
    }
    let codes = output::cell(answer, "write.findings.code");
    let rows = codes
        .split(", ")
        .zip(&write.findings)
        .map(|(code, finding)| [code.to_owned(), finding.subject.clone(), finding.message.clone()]);
    io.line(table(&["FINDING", "SUBJECT", "MESSAGE"], rows))
}
