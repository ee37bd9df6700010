//! `apply`: makes resources as documents describe them, as often as one likes.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    path::PathBuf,
};

use prost_reflect::DynamicMessage;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{
    Api, Client, Error, Format, Io, Result, WriteOptions,
    error::{lines, reason},
    output::cell,
    preview,
};

mod calls;
pub(super) mod document;
mod flags;
pub(super) mod input;
pub(super) mod list;
mod prune;
mod report;

#[cfg(test)]
mod tests;

use calls::{Call, Calls};
use document::Document;
pub(super) use flags::Flags;
use list::{List, later};
use prune::Prune;
pub(super) use report::{Outcome, Report};

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A document is the YAML or JSON form of a resource with its kind beside it, \
as `get -o yaml` shows it; the own kind of a user is called userKind, that of a \
queue queueKind, that of a channel channelKind. Only fields that the document \
holds are changed. A Profile may list `users`, a User name a `profile`. Documents are sent in an \
order in which one finds what it refers to. All files are checked before anything is sent: what is \
said twice, in one file or in several, is refused with both places. Up to 50 writes are committed \
together, as one revision; where the server refuses that, or there are more, documents are sent one \
after the other, unless --atomic is given."
)]
pub(super) struct Args {
    /// File to read, `-` for standard input; may be given more than once.
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    write: WriteOptions,
    #[command(flatten)]
    flags: Flags,
    /// Stop at the first refusal.
    #[arg(long, conflicts_with = "atomic")]
    fail_fast: bool,
    /// Commit all documents together or none of them; at most 50 writes.
    #[arg(long)]
    atomic: bool,
    /// Delete what has this `owner`, or with `bundle:NAME` what that bundle brought as managed, where
    /// it is of a library kind that the files describe and in none of them; implies --atomic.
    #[arg(
        long,
        value_name = "OWNER|bundle:NAME",
        value_parser = Prune::read,
        conflicts_with = "fail_fast"
    )]
    prune: Option<Prune>,
    /// Do not ask before something is written. Only a terminal is asked.
    #[arg(short, long)]
    yes: bool,
}

/// A document on its way.
struct Job {
    document: Document,
    /// Names of documents of the same kind that are sent later.
    later: BTreeSet<String>,
    report: Report,
    links: Vec<Call>,
}

/// Reads the files of a call and checks all their documents; nothing is sent.
pub(super) fn prepare(args: &Args, io: &mut Io<'_>) -> Result<Vec<Document>> {
    let sources = input::read(&args.files, &mut io::stdin().lock())?;
    let documents = document::read_all(&Api::of_this_build(), &sources)?;
    if documents.is_empty() {
        io.note("nothing to apply: no file holds a document")?;
    }
    Ok(documents)
}

/// Applies documents that were checked.
pub(super) async fn run(
    client: Client,
    args: Args,
    documents: Vec<Document>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let client = client.with(&args.write);
    let reports = match together(&client, &args, documents.clone(), io).await? {
        Together::Done(reports) => reports,
        Together::Declined => return io.note("nothing was applied"),
        Together::OneByOne => {
            let output = (format == Format::Table).then_some(&mut *io);
            let dry = args.write.validate_only;
            let reports = all(&client, documents, &args.flags, dry, args.fail_fast, output).await?;
            return end(&reports, format, format != Format::Table, io);
        }
    };
    end(&reports, format, true, io)
}

/// What became of the attempt to commit all documents together.
enum Together {
    /// It was answered.
    Done(Vec<Report>),
    /// A person said no.
    Declined,
    /// They have to be sent one after the other.
    OneByOne,
}

/// Commits all documents as one list of writes, once a person at a terminal agrees.
async fn together(
    client: &Client,
    args: &Args,
    documents: Vec<Document>,
    io: &mut Io<'_>,
) -> Result<Together> {
    let asks = io.asks && !args.yes && !args.write.validate_only;
    let mut atomic = args.atomic || args.prune.is_some();
    let mut list = match List::read(client, documents, &args.flags).await {
        Ok(list) => list,
        // Each document is answered for itself.
        Err(Error::Refused(_)) if !atomic => return one_by_one(asks, io),
        Err(other) => return Err(other),
    };
    if let Some(prune) = &args.prune {
        list.prune(client, prune).await?;
    }
    if list.is_empty() {
        return Ok(Together::OneByOne);
    }
    if !list.fits() && !atomic {
        return one_by_one(asks, io);
    }
    let mut request = list.request()?;
    if asks {
        let answer = match preview::ask(client, &list, "").await {
            Ok(answer) => answer,
            Err(Error::Refused(status)) if !atomic && falls_back(&status) => {
                return one_by_one(asks, io);
            }
            Err(other) => return Err(other),
        };
        preview::show(&list, &answer, io)?;
        if !agreed(io)? {
            return Ok(Together::Declined);
        }
        // What was agreed to happens, or nothing.
        request["expected_revision"] = serde_json::json!(cell(&answer, "revision"));
        atomic = true;
    }
    match client.call("ChangeService", "ApplyChanges", request).await {
        Ok(answer) => Ok(Together::Done(list.reports(&answer))),
        Err(Error::Refused(status)) if falls_back(&status) => Ok(match atomic {
            true => Together::Done(list.refused(&status, index(&status))),
            false => Together::OneByOne,
        }),
        Err(other) => Err(other),
    }
}

/// Documents that do not go together, once a person at a terminal agrees.
fn one_by_one(asks: bool, io: &mut Io<'_>) -> Result<Together> {
    if !asks {
        return Ok(Together::OneByOne);
    }
    io.note("not all of it can be committed together; documents are sent one after the other")?;
    Ok(if agreed(io)? { Together::OneByOne } else { Together::Declined })
}

/// Whether nothing was done, so that documents may be sent one after the other.
fn falls_back(status: &tonic::Status) -> bool {
    !matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Unauthenticated | Code::Unknown
    )
}

/// The write of a list that is to blame for its refusal.
fn index(status: &tonic::Status) -> Option<usize> {
    let info = status.get_details_error_info()?;
    info.metadata.get("operation_index")?.parse().ok()
}

/// Asks the person at the terminal.
fn agreed(io: &mut Io<'_>) -> Result<bool> {
    write!(io.err, "apply this? [y/N] ")?;
    io.err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Writes what was not written on the way, and counts the refused.
fn end(reports: &[Report], format: Format, write: bool, io: &mut Io<'_>) -> Result<()> {
    if format == Format::Table && write {
        reports.iter().try_for_each(|report| report.write(io))?;
    }
    if format != Format::Table {
        io.value(format, &reports)?;
    }
    match reports.iter().filter(|report| report.outcome == Outcome::Refused).count() {
        0 => Ok(()),
        refused => Err(Error::Partly(format!("{refused} of {} refused", reports.len()))),
    }
}

/// Applies documents: first each by itself, then the links between them.
pub(super) async fn all(
    client: &Client,
    mut documents: Vec<Document>,
    flags: &Flags,
    dry: bool,
    fail_fast: bool,
    mut output: Option<&mut Io<'_>>,
) -> Result<Vec<Report>> {
    documents.sort_by_key(|document| document.kind.stage());
    let later = later(&documents);
    let jobs = documents.into_iter().zip(later).map(|(document, later)| Job::new(document, later));
    let mut jobs: VecDeque<_> = jobs.collect();
    let (mut waiting, mut done) = (VecDeque::new(), Vec::new());
    loop {
        let mut job = match jobs.pop_front() {
            Some(mut job) => {
                job.start(client, flags, dry).await?;
                if !job.links.is_empty() {
                    waiting.push_back(job);
                    continue;
                }
                job
            }
            None => match waiting.pop_front() {
                Some(job) => job,
                None => return Ok(done),
            },
        };
        for call in std::mem::take(&mut job.links) {
            job.send(client, call).await?;
        }
        if let Some(io) = &mut output {
            job.report.write(io)?;
        }
        let refused = job.report.outcome == Outcome::Refused;
        done.push(job.report);
        if refused && fail_fast {
            for mut job in waiting {
                job.report.remarks.push("stopped before users were linked".to_owned());
                if let Some(io) = &mut output {
                    job.report.write(io)?;
                }
                done.push(job.report);
            }
            return Ok(done);
        }
    }
}

impl Job {
    fn new(document: Document, later: BTreeSet<String>) -> Self {
        let report = Report::of(&document);
        Self { document, later, report, links: Vec::new() }
    }

    /// Makes the resource itself; what links it to others is left for later.
    async fn start(&mut self, client: &Client, flags: &Flags, dry: bool) -> Result<()> {
        let existing = match list::existing(client, &self.document).await {
            Ok(existing) => existing,
            Err(Error::Refused(status)) => return self.refuse(&status),
            Err(other) => return Err(other),
        };
        let Calls { mut own, links } =
            calls::plan(client.api(), &self.document, existing.as_ref(), &self.later, flags)?;
        if existing.is_none() && dry {
            // What follows a creation cannot be validated when nothing is created.
            own.truncate(1);
        } else {
            self.links = links;
        }
        for (at, call) in own.into_iter().enumerate() {
            self.send(client, call).await?;
            if at == 0 && existing.is_none() && self.report.outcome == Outcome::Changed {
                self.report.outcome = Outcome::Created;
            }
        }
        if self.report.outcome == Outcome::Refused {
            self.links.clear();
        }
        Ok(())
    }

    /// Sends one call, unless one before was refused.
    async fn send(&mut self, client: &Client, call: Call) -> Result<()> {
        if self.report.outcome == Outcome::Refused {
            return Ok(());
        }
        match client.call(call.service, &call.method, call.request).await {
            Ok(answer) => self.record(&answer),
            Err(Error::Refused(status)) => return self.refuse(&status),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn record(&mut self, answer: &DynamicMessage) {
        let report = &mut self.report;
        if cell(answer, "write.changed") == "yes" {
            report.revision = cell(answer, "write.revision").parse().ok();
            if report.outcome == Outcome::Unchanged {
                report.outcome = Outcome::Changed;
            }
        }
        report.affected += cell(answer, "write.affected.total_count").parse().unwrap_or(0);
        if let Some(write) = answer.get_field_by_name("write").as_deref()
            && let Some(write) = write.as_message()
        {
            report.note(write);
        }
    }

    fn refuse(&mut self, status: &tonic::Status) -> Result<()> {
        self.report.outcome = Outcome::Refused;
        self.report.refusal = lines(status);
        if reason(status).is_empty() && status.code() == Code::Unavailable {
            return Err(status.clone().into());
        }
        Ok(())
    }
}
