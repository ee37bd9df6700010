//! `apply`: makes resources as documents describe them, as often as one likes.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    path::PathBuf,
};

use prost_reflect::DynamicMessage;
use serde::Serialize;
use tonic::Code;

use super::{
    Api, Client, Error, Format, Io, Result, WriteOptions,
    error::{lines, reason},
    output::cell,
    read,
};

mod calls;
pub(super) mod document;
mod flags;
pub(super) mod input;

#[cfg(test)]
mod tests;

use calls::{Call, Calls};
use document::Document;
pub(super) use flags::Flags;

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A document is the YAML or JSON form of a resource with its kind beside it, \
as `get -o yaml` shows it; the own kind of a user is called userKind, that of a \
queue queueKind, that of a channel channelKind. Only fields that the document \
holds are changed. A Profile may list `users`, a User name a `profile`. Documents are sent in an \
order in which one finds what it refers to. All files are checked before anything is sent: what is \
said twice, in one file or in several, is refused with both places."
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
    #[arg(long)]
    fail_fast: bool,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// `profile/contoso_rep`.
    pub name: String,
    /// What happened.
    pub outcome: Outcome,
    /// Highest revision that a change of it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Users who got another profile.
    pub affected: i64,
    /// Remarks and findings of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The refusal, and its details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusal: Vec<String>,
}

/// What became of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It is new.
    Created,
    /// It was different before.
    Changed,
    /// It already was as described.
    Unchanged,
    /// The server did not do it, or not all of it.
    Refused,
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
    let documents = document::read_all(&Api::read()?, &sources)?;
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
    let output = match format {
        Format::Table => Some(&mut *io),
        _ => None,
    };
    let dry = args.write.validate_only;
    let reports = all(&client, documents, &args.flags, dry, args.fail_fast, output).await?;
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
    let mut jobs: VecDeque<_> = documents.into_iter().map(Job::new).collect();
    let mut later = BTreeSet::new();
    for at in (0..jobs.len()).rev() {
        if jobs.get(at + 1).is_some_and(|next| next.document.kind != jobs[at].document.kind) {
            later.clear();
        }
        if jobs[at].document.kind.refers_to_own {
            jobs[at].later.clone_from(&later);
            later.insert(jobs[at].document.id.to_ascii_lowercase());
        }
    }
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
    fn new(document: Document) -> Self {
        let report = Report {
            name: document.kind.label(&document.id),
            outcome: Outcome::Unchanged,
            revision: None,
            affected: 0,
            remarks: Vec::new(),
            refusal: Vec::new(),
        };
        Self { document, later: BTreeSet::new(), report, links: Vec::new() }
    }

    /// Makes the resource itself; what links it to others is left for later.
    async fn start(&mut self, client: &Client, flags: &Flags, dry: bool) -> Result<()> {
        let existing = match read::read(client, self.document.kind, &self.document.id).await {
            Ok(found) => Some(found),
            // The write reports what is wrong with a name, together with all other mistakes.
            Err(Error::Refused(status))
                if matches!(status.code(), Code::NotFound | Code::InvalidArgument) =>
            {
                None
            }
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
        let Some(write) = answer.get_field_by_name("write") else { return };
        let Some(write) = write.as_message() else { return };
        for list in ["warnings", "findings"] {
            let field = write.get_field_by_name(list);
            for remark in field.as_deref().and_then(|list| list.as_list()).unwrap_or_default() {
                let Some(remark) = remark.as_message() else { continue };
                let part = |name| cell(remark, name);
                let (code, subject, text) = (part("code"), part("subject"), part("message"));
                report.remarks.push(format!("{code} {subject}: {text}"));
            }
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

impl Report {
    fn write(&self, io: &mut Io<'_>) -> Result<()> {
        let outcome = match self.outcome {
            Outcome::Created => "created",
            Outcome::Changed => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::Refused => "refused",
        };
        let affected = match self.affected {
            0 => String::new(),
            1 => ", 1 user gets another profile".to_owned(),
            many => format!(", {many} users get another profile"),
        };
        io.line(format!("{} {outcome}{affected}", self.name))?;
        self.refusal.iter().chain(&self.remarks).try_for_each(|line| io.line(format!("  {line}")))
    }
}
