//! `audit` and `seen`: who did what, and what agents saw.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use prost_reflect::{DynamicMessage, Value as Field};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Client, Error, Format, Io, Result,
    output::{self, cell, table},
};

/// Headings of a table of audit entries.
const HEADINGS: [&str; 8] =
    ["TIME", "ACTOR", "SCOPE", "ADDRESS", "OPERATION", "RESOURCE", "OUTCOME", "REASON"];
/// Headings of a table of deliveries.
const SEEN: [&str; 8] =
    ["TIME", "USER", "APP", "CLIENT", "PROFILE", "METHOD", "REVISION", "DIGEST"];
/// Resources that a row of a table names.
const SHOWN: usize = 3;
/// Rows of a page that asks for no other number.
const PAGE: u32 = 1_000;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Most entries to show, newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Writes all entries as JSON lines, newest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// File to write; standard output when not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// What clients were sent, instead of who did what; takes --since and --until.
        #[arg(long)]
        resolution_log: bool,
    },
}

/// Which entries; all when nothing is given.
#[derive(Debug, Clone, Default, clap::Args)]
struct Filter {
    /// Only entries at or after this time, e.g. `2026-03-01T08:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    since: Option<String>,
    /// Only entries before this time.
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    until: Option<String>,
    /// Only entries of this caller.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only entries about this resource, e.g. `profiles/contoso_rep`.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Only entries of this operation, e.g. `SetDefault`.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Only entries that ended so.
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Outcome {
    /// Writes.
    Committed,
    /// Reads that were answered.
    Answered,
    /// Refusals because of who called.
    Denied,
    /// Reads that failed otherwise.
    Failed,
}

/// Arguments of `seen`.
#[derive(Debug, clap::Args)]
pub(super) struct SeenArgs {
    /// The user whose desktop it is.
    #[arg(value_name = "USER")]
    of: String,
    /// When, e.g. `2026-03-01T10:42:00Z`; now when not given.
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    at: Option<String>,
    /// App that the user worked in, e.g. `workspace`.
    #[arg(long)]
    app: Option<String>,
    /// Client that was looked at.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
}

/// Checks a point in time.
fn point_in_time(text: &str) -> Result<String, String> {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("`{text}` is no time such as 2026-03-01T08:00:00Z")),
    }
}

/// Shows entries, or writes them to a file.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    match args.action {
        Some(Action::Export { filter, out, resolution_log }) => {
            let list = if resolution_log { filter.resolution_log()? } else { filter.audit() };
            match out {
                None => export(client, list, &mut *io.out).await,
                Some(path) => {
                    let named = |error: std::io::Error| {
                        Error::Usage(format!("{}: {error}", path.display()))
                    };
                    let mut file = BufWriter::new(File::create(&path).map_err(named)?);
                    export(client, list, &mut file).await?;
                    Ok(file.flush()?)
                }
            }
        }
        None => show(client, args.filter.audit(), args.limit, format, io).await,
    }
}

/// Shows what a user saw at a time.
pub(super) async fn seen(
    client: &Client,
    args: SeenArgs,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let SeenArgs { of, at, app, client: id } = args;
    let app = app.map(|app| format!("APP_{}", app.to_ascii_uppercase().replace('-', "_")));
    let request = json!({ "user": of, "asOfTime": at, "app": app, "clientId": id, "pageSize": 1 });
    let mut pages = Pages::new(client, List { method: "ListResolutionLog", request });
    let Some(entry) = pages.next().await? else {
        let until = at.as_deref().unwrap_or("now");
        return Err(Error::Partly(format!(
            "nothing is known to have been sent to {of} up to {until}"
        )));
    };
    match format {
        Format::Table => io.line(table(&SEEN, [delivery(&entry)])),
        _ => io.value(format, &output::message(&entry)?),
    }
}

async fn show(
    client: &Client,
    list: List,
    limit: usize,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let (mut pages, mut found) = (Pages::new(client, list), Vec::new());
    let mut more = false;
    while let Some(entry) = pages.next().await? {
        if found.len() == limit {
            more = true;
            break;
        }
        found.push(entry);
    }
    match format {
        Format::Table => io.line(table(&HEADINGS, found.iter().map(row)))?,
        Format::Json => {
            let all: Result<Vec<_>> = found.iter().map(output::message).collect();
            io.value(format, &all?)?;
        }
        Format::Yaml => {
            for entry in &found {
                io.value(format, &output::message(entry)?)?;
            }
        }
    }
    match more {
        true => {
            io.note(format!("there are more than these {limit}; see --limit and `audit export`"))
        }
        false => Ok(()),
    }
}

async fn export(client: &Client, list: List, out: &mut (dyn std::io::Write + Send)) -> Result<()> {
    let mut pages = Pages::new(client, list);
    while let Some(entry) = pages.next().await? {
        writeln!(out, "{}", serde_json::to_string(&output::message(&entry)?)?)?;
    }
    Ok(())
}

/// A list to read.
struct List {
    method: &'static str,
    request: Value,
}

/// The entries of a list, page by page.
struct Pages<'a> {
    client: &'a Client,
    list: List,
    ready: std::vec::IntoIter<DynamicMessage>,
    /// Token of the next page; none after the last.
    next: Option<String>,
}

// === impl Filter ===

impl Filter {
    fn audit(self) -> List {
        let outcome = self.outcome.map(|outcome| match outcome {
            Outcome::Committed => "AUDIT_OUTCOME_COMMITTED",
            Outcome::Answered => "AUDIT_OUTCOME_ANSWERED",
            Outcome::Denied => "AUDIT_OUTCOME_DENIED",
            Outcome::Failed => "AUDIT_OUTCOME_FAILED",
        });
        let request = json!({
            "startTime": self.since,
            "endTime": self.until,
            "actor": self.actor,
            "resource": self.resource,
            "operation": self.operation,
            "outcome": outcome,
        });
        List { method: "ListAuditEntries", request }
    }

    fn resolution_log(self) -> Result<List> {
        let Self { since, until, actor, resource, operation, outcome } = self;
        if actor.is_some() || operation.is_some() || outcome.is_some() || resource.is_some() {
            let why = "--resolution-log takes --since and --until of these options only";
            return Err(Error::Usage(why.to_owned()));
        }
        let request = json!({ "startTime": since, "endTime": until });
        Ok(List { method: "ListResolutionLog", request })
    }
}

// === impl Pages ===

impl<'a> Pages<'a> {
    fn new(client: &'a Client, list: List) -> Self {
        Self { client, list, ready: Vec::new().into_iter(), next: Some(String::new()) }
    }

    /// The next entry; pages without any are passed over.
    async fn next(&mut self) -> Result<Option<DynamicMessage>> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Ok(Some(entry));
            }
            let Some(token) = self.next.take() else { return Ok(None) };
            let mut request = self.list.request.clone();
            if let Some(fields) = request.as_object_mut() {
                fields.entry("pageSize").or_insert(json!(PAGE));
                fields.insert("pageToken".to_owned(), json!(token));
            }
            let page = self.client.call("AuditService", self.list.method, request).await?;
            let token = cell(&page, "next_page_token");
            self.next = (!token.is_empty()).then_some(token);
            let entries = page.get_field_by_name("entries");
            let entries = entries.as_deref().and_then(Field::as_list).unwrap_or_default();
            let entries = entries.iter().filter_map(|entry| entry.as_message().cloned());
            self.ready = entries.collect::<Vec<_>>().into_iter();
        }
    }
}

/// A row of the table of audit entries.
fn row(entry: &DynamicMessage) -> [String; 8] {
    let of = |path| cell(entry, path);
    let resources = entry.get_field_by_name("resources");
    let resources = resources.as_deref().and_then(Field::as_list).unwrap_or_default();
    let mut shown: Vec<_> =
        resources.iter().filter_map(Field::as_str).take(SHOWN).map(str::to_owned).collect();
    let count: usize = of("resource_count").parse().unwrap_or(0);
    if count > shown.len() {
        shown.push(format!("and {} more", count - shown.len()));
    }
    let repeats = of("repeats");
    let outcome = match (of("error_reason"), repeats.as_str()) {
        (reason, "" | "0") => format!("{} {reason}", of("outcome")),
        (reason, more) => format!("{} {reason} (and {more} more)", of("outcome")),
    };
    [
        of("time"),
        of("actor"),
        of("scope"),
        of("address"),
        of("operation"),
        shown.join(", "),
        outcome.trim_end().to_owned(),
        of("reason"),
    ]
}

/// A row of the table of deliveries.
fn delivery(entry: &DynamicMessage) -> [String; 8] {
    ["time", "user", "app", "client_id", "profile", "method", "revision", "digest"]
        .map(|path| cell(entry, path))
}
