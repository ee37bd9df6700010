//! `doctor`: what is in a data directory, what the next start would do, and what to do about it.

use std::path::PathBuf;

use super::{Error, Format, Io, Result, output::table};
use crate::store::durable::{self, Examined, Health, Report};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The server must be stopped. Nothing is changed without --repair.

Exit codes: 0 healthy, 1 needs attention or failed, 2 the next start would be refused")]
pub(super) struct Args {
    /// Folder of the store.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Cut the journal before its first damage, put damaged files aside as `*.damaged`.
    #[arg(long)]
    repair: bool,
}

/// Examines a data directory.
pub(super) fn run(args: Args, format: Format, io: &mut Io<'_>) -> Result<()> {
    let examined = durable::examine(&args.data_dir, args.repair);
    let report = examined
        .map_err(|why| Error::start(&format!("examine {}", args.data_dir.display()), why))?;
    match format {
        Format::Table => show(&report, io)?,
        _ => io.value(format, &report)?,
    }
    match report.health {
        Health::Healthy => Ok(()),
        Health::NeedsAttention => Err(Error::Partly("the store needs attention".to_owned())),
        Health::RefusesToStart => Err(Error::Sick("the store would not start".to_owned())),
    }
}

fn show(report: &Report, io: &mut Io<'_>) -> Result<()> {
    let row = |file: &Examined| {
        let revisions = file.revisions.map(|(first, last)| format!("{first}..{last}"));
        let records = file.records.map(|records| records.to_string());
        [
            file.file.clone(),
            revisions.unwrap_or_default(),
            records.unwrap_or_default(),
            file.bytes.to_string(),
            file.state.clone(),
        ]
    };
    let headings = ["FILE", "REVISIONS", "RECORDS", "BYTES", "STATE"];
    io.line(table(&headings, report.files.iter().map(row)))?;
    io.line("")?;
    for done in &report.repaired {
        io.line(format!("repaired: {done}"))?;
    }
    io.line(format!("next start: {}", report.next_start))?;
    for advice in &report.advice {
        io.line(format!("advice: {advice}"))?;
    }
    Ok(())
}
