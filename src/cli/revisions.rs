//! `history` and `diff`: the revisions of one resource.

use deskplane_proto::v1;
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::{
    Client, Error, Format, Io, Result,
    changes::{happened, operation, time},
    output::{self, table},
};

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Resource name, e.g. profiles/contoso_rep, users/john.doe, organizationSettings.
    name: String,
    /// The resource as it was at this revision of the store, instead of the list.
    #[arg(long, value_name = "REVISION", conflicts_with = "all")]
    at: Option<i64>,
    /// All pages instead of the first.
    #[arg(long)]
    all: bool,
}

/// Shows the revisions of a resource, or one of them.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    if let Some(revision) = args.at {
        return one(client, &args.name, revision, format, io).await;
    }
    let (mut token, mut rows) = (String::new(), Vec::new());
    loop {
        let request = json!({ "name": args.name, "pageToken": token });
        let answer = client.call("HistoryService", "ListRevisions", request).await?;
        let page = answer.transcode_to::<v1::ListRevisionsResponse>()?;
        match format {
            Format::Table => rows.extend(page.revisions.iter().map(row)),
            _ => io.value(format, &output::message(&answer)?)?,
        }
        token = page.next_page_token;
        if token.is_empty() || !args.all {
            break;
        }
    }
    let shown = rows.len();
    if format == Format::Table {
        let headings = ["REVISION", "TIME", "ACTOR", "OPERATION", "STATE", "REASON"];
        io.line(table(&headings, rows))?;
    }
    match token.is_empty() {
        true => Ok(()),
        false => io.note(format!("there are more than these {shown}; --all shows every one")),
    }
}

fn row(revision: &v1::ResourceRevision) -> [String; 6] {
    [
        revision.revision.to_string(),
        time(revision.commit_time.as_ref()),
        revision.actor.clone(),
        operation(&revision.operation, &revision.flags),
        happened(revision.r#type()),
        revision.reason.clone(),
    ]
}

/// Shows a resource as it was.
async fn one(
    client: &Client,
    name: &str,
    revision: i64,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let request = json!({ "name": name, "revision": revision });
    let answer = client.call("HistoryService", "GetRevision", request).await?;
    let found = answer.transcode_to::<v1::GetRevisionResponse>()?;
    let Some(resource) = found.resource else {
        let at = found.revision.unwrap_or_default().revision;
        return io.note(format!("{name} was deleted at revision {at}"));
    };
    let kind = resource.type_url.rsplit('.').next().unwrap_or_default();
    let message = client.api().message(kind)?;
    let resource = DynamicMessage::decode(message, resource.value.as_slice())?;
    let format = if format == Format::Table { Format::Yaml } else { format };
    io.value(format, &output::message(&resource)?)
}

/// Shows what differs between two revisions of a resource; that something does is an error, so that
/// scripts can test the exit code.
pub(super) async fn diff(
    client: &Client,
    (name, old, new): (&str, i64, Option<i64>),
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let request = json!({ "name": name, "oldRevision": old, "newRevision": new });
    let answer = client.call("HistoryService", "DiffRevisions", request).await?;
    let found = answer.transcode_to::<v1::DiffRevisionsResponse>()?;
    match format {
        Format::Table if found.differences.is_empty() => {}
        Format::Table => {
            let shown =
                |value: &str| if value.is_empty() { "-".to_owned() } else { value.to_owned() };
            let rows = found.differences.iter().map(|difference| {
                let field = difference.field.clone();
                [field, shown(&difference.old_value), shown(&difference.new_value)]
            });
            io.line(table(&["FIELD", "OLD", "NEW"], rows))?;
        }
        _ => io.value(format, &output::message(&answer)?)?,
    }
    match found.differences.len() {
        0 => Ok(()),
        count => Err(Error::Partly(format!("{count} fields of {name} differ"))),
    }
}
