//! `changes`: what was committed, once or as it happens.

use deskplane_proto::v1::{self, watch_changes_response::Event};
use serde_json::{Value, json};

use super::{
    Client, Format, Io, Result,
    output::{self, short, table},
    stream::{self, Feed, Read},
};

/// Headings of a table of changes.
pub(super) const HEADINGS: [&str; 6] = ["REVISION", "TIME", "ACTOR", "OPERATION", "WHAT", "REASON"];

/// Arguments of `changes`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// First revision to show. Default: the oldest that is kept; with --watch, the next one.
    #[arg(long, value_name = "REVISION")]
    from: Option<i64>,
    /// Goes on with every change as it is committed.
    #[arg(long)]
    watch: bool,
    /// End after so many changes.
    #[arg(short = 'n', long)]
    count: Option<u64>,
    #[command(flatten)]
    silence: stream::Silence,
}

/// Shows changes.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let left = args.count.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(());
    }
    if !args.watch {
        return list(client, &args, format, io).await;
    }
    let changes = Changes { request: json!({ "fromRevision": args.from }) };
    stream::print(client, changes, (format, left), args.silence.limit(), io).await
}

async fn list(client: &Client, args: &Args, format: Format, io: &mut Io<'_>) -> Result<()> {
    let (mut token, mut rows) = (String::new(), Vec::new());
    let mut left = usize::try_from(args.count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    while left > 0 {
        let request = json!({
            "fromRevision": args.from,
            "pageSize": left.min(1_000),
            "pageToken": token,
        });
        let answer = client.call("HistoryService", "ListChanges", request).await?;
        let page = answer.transcode_to::<v1::ListChangesResponse>()?;
        left = left.saturating_sub(page.changes.len());
        match format {
            Format::Table => rows.extend(page.changes.iter().map(row)),
            _ => io.value(format, &output::message(&answer)?)?,
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    match format {
        Format::Table => io.line(table(&HEADINGS, rows)),
        _ => Ok(()),
    }
}

/// The changes as they are committed.
struct Changes {
    request: Value,
}

impl Feed for Changes {
    type Message = v1::WatchChangesResponse;

    const SERVICE: &'static str = "HistoryService";
    const METHOD: &'static str = "WatchChanges";

    fn request(&self) -> Value {
        self.request.clone()
    }

    fn read(&mut self, message: &v1::WatchChangesResponse) -> Read {
        self.request = json!({ "resumeToken": message.resume_token });
        match &message.event {
            Some(Event::Change(_)) => Read { shown: true, in_step: true, ..Read::default() },
            Some(Event::Drain(drain)) => {
                Read { reconnect_after: drain.reconnect_after, ..Read::default() }
            }
            Some(Event::Bookmark(_)) | None => Read { in_step: true, ..Read::default() },
        }
    }

    fn line(message: &v1::WatchChangesResponse) -> Result<String> {
        Ok(match &message.event {
            Some(Event::Change(change)) => row(change).join("  "),
            _ => String::new(),
        })
    }
}

/// A time as tables show it.
pub(super) fn time(at: Option<&prost_types::Timestamp>) -> String {
    at.map(ToString::to_string).unwrap_or_default()
}

fn row(change: &v1::ChangeRecord) -> [String; 6] {
    [
        change.revision.to_string(),
        time(change.commit_time.as_ref()),
        change.actor.clone(),
        operation(&change.operation, &change.flags),
        what(change),
        change.reason.clone(),
    ]
}

/// An operation with its flags.
pub(super) fn operation(name: &str, flags: &[String]) -> String {
    match flags {
        [] => name.to_owned(),
        flags => format!("{name} ({})", flags.join(", ")),
    }
}

/// The first resources of a change, and how many others there are.
fn what(change: &v1::ChangeRecord) -> String {
    const SHOWN: usize = 3;
    let shown = change.resources.iter().take(SHOWN).map(|resource| {
        let sign = match resource.r#type() {
            v1::ChangeType::Created => "+",
            v1::ChangeType::Deleted => "-",
            _ => "",
        };
        format!("{sign}{}", resource.name)
    });
    let shown: Vec<_> = shown.collect();
    let others = usize::try_from(change.resource_count).unwrap_or_default();
    match others.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        others => format!("{} and {others} more", shown.join(", ")),
    }
}

/// What happened to a resource, in a word.
pub(super) fn happened(kind: v1::ChangeType) -> String {
    short(kind.as_str_name(), "ChangeType").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_its_first_resources_and_counts_the_others() {
        let named = |name: &str, kind: v1::ChangeType| v1::ChangedResource {
            kind: String::new(),
            name: name.to_owned(),
            r#type: kind.into(),
        };
        let mut change = v1::ChangeRecord {
            operation: "DeleteProfile".to_owned(),
            flags: vec!["force".to_owned()],
            resources: vec![
                named("profiles/a", v1::ChangeType::Deleted),
                named("users/b", v1::ChangeType::Updated),
            ],
            resource_count: 2,
            ..v1::ChangeRecord::default()
        };
        let shown = row(&change);
        assert_eq!((&*shown[3], &*shown[4]), ("DeleteProfile (force)", "-profiles/a, users/b"));
        change.resource_count = 1_000;
        assert_eq!(what(&change), "-profiles/a, users/b and 998 more");
    }
}
