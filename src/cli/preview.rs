//! `preview`: what documents would change, for whom, and which findings would come and go.

use std::{io, path::PathBuf};

use deskplane_proto::v1;
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::{
    Api, Client, Format, Io, Result,
    apply::{Flags, Outcome, document, document::Document, input, list::List},
    output::{self, short, table},
};

/// Arguments of `preview`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to read, `-` for standard input; may be given more than once.
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// List every user who would get another profile.
    #[arg(long)]
    users: bool,
}

/// Reads the files of a call and checks all their documents; nothing is sent.
pub(super) fn prepare(files: &[PathBuf]) -> Result<Vec<Document>> {
    document::read_all(&Api::of_this_build(), &input::read(files, &mut io::stdin().lock())?)
}

/// Previews documents that were checked.
pub(super) async fn run(
    client: &Client,
    args: Args,
    documents: Vec<Document>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let list = List::read(client, documents, &args.flags).await?;
    if list.is_empty() {
        return io.note("nothing would change");
    }
    let answer = ask(client, &list, "").await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    show(&list, &answer, io)?;
    if args.users { all_users(client, &list, answer, io).await } else { Ok(()) }
}

/// Lists the users whom a list would lead elsewhere, page by page.
async fn all_users(
    client: &Client,
    list: &List,
    mut answer: DynamicMessage,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut headings: &[&str] = &["USER", "FROM", "TO"];
    loop {
        let page: v1::PreviewChangesResponse = answer.transcode_to()?;
        let row = |user: &v1::AffectedUser| [user.user.clone(), user.from.clone(), user.to.clone()];
        if !page.affected.is_empty() {
            io.line(table(headings, page.affected.iter().map(row)))?;
            headings = &[];
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        answer = ask(client, list, &page.next_page_token).await?;
    }
}

/// Asks what a list would do: a page of users behind a token.
pub(super) async fn ask(client: &Client, list: &List, token: &str) -> Result<DynamicMessage> {
    let mut request = list.request()?;
    request["page_token"] = json!(token);
    client.call("ChangeService", "PreviewChanges", request).await
}

/// Shows what a list would do, users aside.
pub(super) fn show(list: &List, answer: &DynamicMessage, io: &mut Io<'_>) -> Result<()> {
    let mut changes = 0;
    for report in list.reports(answer) {
        let what = match report.outcome {
            Outcome::Created => "would be created",
            Outcome::Changed => "would change",
            Outcome::Deleted => "would be deleted",
            Outcome::Unchanged | Outcome::Refused => continue,
        };
        changes += 1;
        io.line(format!("{} {what}", report.name))?;
        report.remarks.iter().try_for_each(|line| io.line(format!("  {line}")))?;
    }
    if changes == 0 {
        return io.line("nothing would change");
    }
    let answer: v1::PreviewChangesResponse = answer.transcode_to()?;
    io.line(format!("{} would get another profile", users(answer.total_count)))?;
    if !answer.moves.is_empty() {
        let row = |pair: &v1::ProfileMove| {
            [pair.from.clone(), pair.to.clone(), pair.user_count.to_string()]
        };
        io.line(table(&["FROM", "TO", "USERS"], answer.moves.iter().map(row)))?;
    }
    for (count, what) in [
        (answer.method_only, "would keep their profile by another method"),
        (answer.content_only, "would keep their profile with other content"),
    ] {
        if count > 0 {
            io.line(format!("{} {what}", users(count)))?;
        }
    }
    for (sign, findings) in
        [("+", &answer.appearing_findings), ("-", &answer.disappearing_findings)]
    {
        for finding in findings {
            let code = short(finding.code().as_str_name(), "FindingCode");
            io.line(format!("{sign} {code} {}: {}", finding.subject, finding.message))?;
        }
    }
    Ok(())
}

/// `1 user`, `3 users`.
fn users(count: i64) -> String {
    format!("{count} {}", if count == 1 { "user" } else { "users" })
}
