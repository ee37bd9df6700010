//! Imports users: rows in, batches out, several on their way at a time.

mod csv;
mod journal;
mod json;
mod progress;
mod rows;
mod send;
#[cfg(test)]
mod tests;
mod user;

use std::{
    io::{IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use self::{
    journal::Journal,
    progress::Progress,
    rows::{FileFormat, Input, Rows},
    send::{Batch, Sender, Sent},
};
use crate::cli::{Client, Error, Io, Result, WriteOptions};

/// Rows of a call.
const BATCH: usize = 1_000;
/// What stands for standard input.
const STDIN: &str = "-";

/// Arguments of `users import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A row replaces the user as it is; columns that the file does not have are \
emptied. Columns: id (required), display_name, email, kind (human, application), business_unit, \
roles (separated by blanks, `;` or `|`), profile (a direct link; empty leaves links as they are). \
CSV is UTF-8 with commas, semicolons or tabs; JSON lines have the same names.\n\n\
Every refused row is one line on standard error, with its line in the file, and the exit code is 1. \
An import that was interrupted goes on with --resume: FILE.import remembers how far it came."
)]
pub(in crate::cli) struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// What the file is; by its name when not given: `.jsonl` and `.ndjson` are JSON lines.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Let the server check every row and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Go on where an import of this file was interrupted.
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,
    /// Calls that are on their way at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 4,
          value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// Why the users are imported, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Imports the users of a file.
pub(super) async fn run(client: &Client, args: Args, io: &mut Io<'_>) -> Result<()> {
    let options = WriteOptions { validate_only: args.dry_run, reason: args.reason.clone() };
    let client = client.clone().with(&options);
    let input = open(&args.file)?;
    let (size, read) = (input.size, input.read());
    let mut rows = Rows::open(input, args.format.unwrap_or_else(|| by_name(&args.file)))?;
    let mut journal = match args.dry_run || is_stdin(&args.file) {
        true if args.resume => {
            return Err(Error::Usage("standard input cannot be resumed".to_owned()));
        }
        true => Journal::none(),
        false => Journal::open(&args.file, args.resume)?,
    };
    if let Some(emptied) = rows.emptied() {
        io.note(format!("the file has no column {emptied}: these fields are emptied"))?;
    }
    let progress = Progress::new(std::io::stderr().is_terminal(), size);
    let sender = Sender::new(client, journal.run());
    let mut import = Import { rows: &mut rows, journal: &mut journal, progress, number: 0 };
    let done = import.all(&sender, usize::from(args.parallel), &read, io).await;
    import.progress.clear(io)?;
    let (imported, refused) = (journal.imported(), journal.refused());
    if let Err(error) = done {
        journal.save()?;
        if let Some(line) = journal.done() {
            io.note(format!("stopped after line {line}; --resume goes on there"))?;
        }
        return Err(error);
    }
    journal.finish()?;
    let verb = if args.dry_run { "would be imported" } else { "imported" };
    io.line(format!("{imported} users {verb}, {refused} rows refused"))?;
    match refused {
        0 => Ok(()),
        _ => Err(Error::Partly(format!("{refused} rows were refused"))),
    }
}

/// An import under way.
struct Import<'a> {
    rows: &'a mut Rows,
    journal: &'a mut Journal,
    progress: Progress,
    /// Number of the next batch.
    number: u64,
}

// === impl Import ===

impl Import<'_> {
    async fn all(
        &mut self,
        sender: &Sender,
        parallel: usize,
        read: &rows::Count,
        io: &mut Io<'_>,
    ) -> Result<()> {
        let mut sending = FuturesUnordered::new();
        loop {
            while sending.len() < parallel
                && let Some(batch) = self.batch(io)?
            {
                self.journal.begin(batch.number, batch.last_line);
                sending.push(sender.send(batch));
            }
            let Some(sent) = sending.next().await else { return Ok(()) };
            self.sent(sent?, io)?;
            self.progress.draw(
                io,
                self.journal.imported() + self.journal.refused(),
                read.bytes(),
            )?;
        }
    }

    /// The next rows that are not done yet; none at the end. Rows that cannot be read are refused at
    /// once.
    fn batch(&mut self, io: &mut Io<'_>) -> Result<Option<Batch>> {
        let mut batch = Batch { number: self.number, last_line: 0, rows: Vec::new(), unread: 0 };
        while batch.rows.len() < BATCH {
            let Some(row) = self.rows.next() else { break };
            let line = match &row {
                Ok(row) => row.line,
                Err(bad) if bad.fatal => return Err(Error::Usage(bad.to_string())),
                Err(bad) => bad.line,
            };
            if self.journal.is_done(line) {
                continue;
            }
            batch.last_line = line;
            match row {
                Ok(row) => batch.rows.push(row),
                Err(bad) => {
                    batch.unread += 1;
                    self.refuse(&bad.to_string(), io)?;
                }
            }
        }
        if batch.rows.is_empty() && batch.unread == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(batch))
    }

    fn sent(&mut self, sent: Sent, io: &mut Io<'_>) -> Result<()> {
        for (line, why) in &sent.refused {
            self.refuse(&format!("line {line}: {why}"), io)?;
        }
        self.journal.end(&sent)
    }

    fn refuse(&mut self, text: &str, io: &mut Io<'_>) -> Result<()> {
        self.progress.clear(io)?;
        io.note(text)
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

fn by_name(path: &Path) -> FileFormat {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => FileFormat::Jsonl,
        _ => FileFormat::Csv,
    }
}

fn open(path: &Path) -> Result<Input> {
    let named = |why: std::io::Error| Error::Usage(format!("{}: {why}", path.display()));
    let name = path.display().to_string();
    if is_stdin(path) {
        return Ok(Input::new(name, Box::new(std::io::stdin()), None));
    }
    let file = std::fs::File::open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if metadata.is_dir() {
        return Err(Error::Usage(format!("{name}: is a folder")));
    }
    let source: Box<dyn Read + Send> = Box::new(file);
    Ok(Input::new(name, source, Some(metadata.len())))
}
