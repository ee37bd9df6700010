//! `get` and `list`: one mechanism over the table of kinds.

use prost_reflect::{DynamicMessage, ReflectMessage};
use serde_json::json;

use super::{
    Client, Error, Format, Io, Result,
    apply::document,
    kind::Kind,
    output::{cell, table},
};

/// Arguments of `get`.
#[derive(Debug, clap::Args)]
pub(super) struct GetArgs {
    /// Kind, e.g. profile, session-template, tab-template, tool, provider, user, role, team,
    /// settings.
    kind: String,
    /// Unique name or id; the settings have none.
    name: Option<String>,
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Kind, e.g. profiles, session-templates, tab-templates, tools, providers, users, roles,
    /// teams.
    kind: String,
    /// Which ones, e.g. `origin = "CUSTOM" AND rank <= 10`.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Order, e.g. `update_time desc`.
    #[arg(long, value_name = "FIELD")]
    order_by: Option<String>,
    /// Rows per page, at most 1000.
    #[arg(long, value_name = "COUNT")]
    page_size: Option<i32>,
    /// All pages instead of the first.
    #[arg(long)]
    all: bool,
}

/// Shows one resource.
pub(super) async fn get(
    client: &Client,
    args: GetArgs,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let kind = Kind::find(&args.kind)?;
    let name = match (args.name, kind.id) {
        (Some(name), _) => name,
        (None, None) => String::new(),
        (None, Some(_)) => {
            return Err(Error::Usage(format!("which {}? A name is missing", kind.names[0])));
        }
    };
    let found = read(client, kind, &name).await?;
    match format {
        Format::Table => {
            let fields = found.descriptor();
            let rows = fields.fields().filter(|field| found.has_field(field));
            let rows = rows.map(|field| [field.name().to_owned(), cell(&found, field.name())]);
            io.line(table(&["FIELD", "VALUE"], rows))
        }
        _ => io.value(format, &document::show(kind, &found)?),
    }
}

/// Reads one resource.
pub(super) async fn read(client: &Client, kind: &Kind, name: &str) -> Result<DynamicMessage> {
    client.call(&kind.service, &kind.get, json!({ "name": kind.resource_name(name) })).await
}

/// Lists resources.
pub(super) async fn list(
    client: &Client,
    args: ListArgs,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let kind = Kind::find(&args.kind)?;
    let Some((method, rows)) = &kind.list else {
        return Err(Error::Usage(format!("there is only one: use `get {}`", kind.names[0])));
    };
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let request = json!({
            "filter": args.filter,
            "orderBy": args.order_by,
            "pageSize": args.page_size,
            "pageToken": token,
        });
        let page = client.call(&kind.service, method, request).await?;
        if let Some(list) = page.get_field_by_name(rows).as_deref().and_then(|v| v.as_list()) {
            found.extend(list.iter().filter_map(|row| row.as_message().cloned()));
        }
        token = cell(&page, "next_page_token");
        if token.is_empty() || !args.all {
            break;
        }
    }
    match format {
        Format::Table => {
            let headings: Vec<_> = kind.columns.iter().map(|(heading, _)| *heading).collect();
            let row = |found| kind.columns.iter().map(move |(_, path)| cell(found, path));
            io.line(table(&headings, found.iter().map(row)))?;
        }
        Format::Json => {
            let all: Result<Vec<_>> = found.iter().map(|m| document::show(kind, m)).collect();
            io.value(format, &all?)?;
        }
        Format::Yaml => {
            for message in &found {
                io.value(format, &document::show(kind, message)?)?;
            }
        }
    }
    if token.is_empty() {
        return Ok(());
    }
    io.note(format!("there are more than these {}; --all shows every one", found.len()))
}
