//! `diff`: where documents differ from what the server holds, or two revisions of a resource.

use std::path::PathBuf;

use prost_reflect::DynamicMessage;
use serde_json::Value;

use super::{
    Client, Error, Format, Io, Result,
    apply::{
        Flags, Outcome,
        document::Document,
        list::{Entry, List},
    },
    client,
    output::cell,
    preview, revisions,
};

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with exit code 1 when applying the files would change something, or when the revisions differ."
)]
pub(super) struct Args {
    /// File to read, `-` for standard input; may be given more than once.
    #[arg(
        short,
        long = "file",
        required_unless_present = "name",
        conflicts_with = "name",
        value_name = "FILE"
    )]
    pub files: Vec<PathBuf>,
    /// Resource name, e.g. profiles/contoso_rep, of which two revisions are compared.
    #[arg(requires = "old")]
    pub name: Option<String>,
    /// Revision of the store of the old state.
    old: Option<i64>,
    /// Revision of the store of the new state. Default: the newest.
    new: Option<i64>,
    #[command(flatten)]
    flags: Flags,
}

/// A document that differs, and where.
#[derive(Debug, serde::Serialize)]
struct Difference {
    /// `profile/contoso_rep`.
    name: String,
    /// Whether the server has no such resource.
    new: bool,
    /// Fields that differ.
    fields: Vec<Field>,
}

/// A field that differs, its values in words.
#[derive(Debug, serde::Serialize)]
struct Field {
    field: String,
    server: String,
    file: String,
}

/// Compares documents that were checked. The server says whether they differ: it knows what a write
/// would change.
pub(super) async fn run(
    client: &Client,
    args: Args,
    documents: Vec<Document>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    if let Some((name, old)) = args.name.zip(args.old) {
        return revisions::diff(client, (&name, old, args.new), format, io).await;
    }
    let list = List::read(client, documents, &args.flags).await?;
    let mut found = Vec::new();
    if !list.is_empty() {
        let answer = preview::ask(client, &list, "").await?;
        let reports = list.reports(&answer).into_iter();
        let changed = reports.filter(|report| report.outcome != Outcome::Unchanged);
        for name in changed.map(|report| report.name) {
            let named = |entry: &&Entry| entry.document.kind.label(&entry.document.id) == name;
            let entry = list.entries.iter().find(named);
            let fields = entry.map(|entry| fields(client, entry)).transpose()?.unwrap_or_default();
            let new = entry.is_some_and(|entry| entry.existing.is_none());
            found.push(Difference { name, new, fields });
        }
    }
    if format == Format::Table {
        found.iter().try_for_each(|difference| show(difference, io))?;
    } else {
        io.value(format, &found)?;
    }
    match found.len() {
        0 => Ok(()),
        count => Err(Error::Partly(format!("{count} of {} differ", list.entries.len()))),
    }
}

/// The fields of a document whose value on the server is another one.
fn fields(client: &Client, Entry { document, existing, .. }: &Entry) -> Result<Vec<Field>> {
    let descriptor = client.api().message(document.kind.name)?;
    let wanted = client::message(&descriptor, Value::Object(document.fields.clone()))?;
    let value = |message: Option<&DynamicMessage>, name: &str| {
        message.map(|message| cell(message, name)).unwrap_or_default()
    };
    let names = document.fields.keys().filter(|name| document.kind.id != Some(name.as_str()));
    let fields = names.map(|name| Field {
        field: name.clone(),
        server: value(existing.as_ref(), name),
        file: cell(&wanted, name),
    });
    let mut fields: Vec<_> = fields.filter(|field| field.server != field.file).collect();
    for (name, given) in [
        ("users", document.users.as_ref().map(|users| users.join(", "))),
        ("profile", document.profile.clone()),
    ] {
        let file = given.unwrap_or_default();
        if !file.is_empty() {
            let server = if name == "profile" {
                value(existing.as_ref(), "direct.profile")
            } else {
                String::new()
            };
            fields.push(Field { field: name.to_owned(), server, file });
        }
    }
    Ok(fields)
}

fn show(difference: &Difference, io: &mut Io<'_>) -> Result<()> {
    let is_new = if difference.new { " (new)" } else { "" };
    io.line(format!("{}{is_new}", difference.name))?;
    for Field { field, server, file } in &difference.fields {
        if !server.is_empty() {
            io.line(format!("- {field}: {server}"))?;
        }
        if !file.is_empty() {
            io.line(format!("+ {field}: {file}"))?;
        }
    }
    Ok(())
}
