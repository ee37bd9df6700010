//! `fleet`: which clients work with the profile that they should work with.

use deskplane_proto::v1;
use serde_json::json;

use super::{
    Client, Format, Io, Result,
    output::{self, short, table},
};

/// Headings of a table of clients.
const HEADINGS: [&str; 8] = ["USER", "APP", "CLIENT", "STATE", "SENT", "APPLIED", "PROFILE", "LAG"];

/// Arguments of `fleet`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Clients of this profile only.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Clients in this state only.
    #[arg(long, value_name = "STATE", value_parser = [
        "current", "pending", "stale", "rejected", "unknown", "disconnected",
    ])]
    state: Option<String>,
    /// Connected clients that are not on this revision; with --summary, whether all are on it.
    #[arg(long, value_name = "REVISION")]
    revision: Option<i64>,
    /// Which ones, e.g. `user = "john.doe"`.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Counts by profile and state instead of the clients.
    #[arg(long)]
    summary: bool,
}

impl Args {
    /// The filter of the call.
    fn filter(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let profile = self.profile.as_ref().map(|name| format!("profile = \"{}\"", quoted(name)));
        let state = self.state.as_ref().map(|state| format!("state = \"{}\"", quoted(state)));
        let behind = self.revision.filter(|_| !self.summary);
        let behind = behind.map(|revision| format!("connected = true AND revision < {revision}"));
        let all = [self.filter.clone(), profile, state, behind];
        all.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }
}

/// Shows clients, or counts them.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    if args.summary {
        let request = json!({ "filter": args.filter(), "onRevision": args.revision });
        let answer = client.call("FleetService", "GetFleetSummary", request).await?;
        return match format {
            Format::Table => summary(&answer.transcode_to()?, io),
            _ => io.value(format, &output::message(&answer)?),
        };
    }
    let mut token = String::new();
    let mut rows = Vec::new();
    loop {
        let request = json!({ "filter": args.filter(), "pageSize": 1_000, "pageToken": token });
        let answer = client.call("FleetService", "ListFleetStatus", request).await?;
        let page = answer.transcode_to::<v1::ListFleetStatusResponse>()?;
        match format {
            Format::Table => rows.extend(page.clients.iter().map(row)),
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

fn row(client: &v1::ClientStatus) -> [String; 8] {
    let held = |held: &Option<v1::HeldContent>| {
        held.as_ref().map(|held| held.revision.to_string()).unwrap_or_default()
    };
    let sent = client.sent.as_ref().or(client.applied.as_ref());
    let app = match client.app() {
        v1::App::Unspecified => String::new(),
        app => short(app.as_str_name(), "App").to_owned(),
    };
    let lag = client.lag.filter(|lag| lag.seconds > 0 || lag.nanos > 0);
    [
        client.user.rsplit('/').next().unwrap_or_default().to_owned(),
        app,
        client.client_id.clone(),
        short(client.state().as_str_name(), "ClientState").to_owned(),
        held(&client.sent),
        held(&client.applied),
        sent.map(|held| held.profile.clone()).unwrap_or_default(),
        lag.map(|lag| format!("{}s", lag.seconds)).unwrap_or_default(),
    ]
}

fn summary(answer: &v1::GetFleetSummaryResponse, io: &mut Io<'_>) -> Result<()> {
    let headings = [
        "PROFILE",
        "CLIENTS",
        "CURRENT",
        "PENDING",
        "STALE",
        "REJECTED",
        "UNKNOWN",
        "DISCONNECTED",
    ];
    let row = |name: &str, counts: &Option<v1::FleetCounts>| {
        let c = counts.unwrap_or_default();
        let counts =
            [c.total, c.current, c.pending, c.stale, c.rejected, c.unknown, c.disconnected];
        let counts = counts.map(|count| count.to_string());
        [vec![name.to_owned()], counts.to_vec()].concat()
    };
    let profiles = answer.profiles.iter().map(|of| match of.profile.as_str() {
        "" => row("(not known)", &of.counts),
        name => row(name, &of.counts),
    });
    io.line(table(&headings, profiles.chain([row("all", &answer.all)])))?;
    let revision = answer.on_revision;
    match answer.all_on_revision {
        true => io.line(format!("\nevery connected client is on revision {revision}")),
        false => io.line(format!("\n{} connected not on revision {revision}", answer.behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_one_filter() {
        let none =
            Args { profile: None, state: None, revision: None, filter: None, summary: false };
        assert_eq!(none.filter(), "");
        let all = Args {
            profile: Some("contoso_\"rep".to_owned()),
            state: Some("stale".to_owned()),
            revision: Some(42),
            filter: Some("user = \"ann\"".to_owned()),
            summary: false,
        };
        assert_eq!(
            all.filter(),
            "user = \"ann\" AND profile = \"contoso_\\\"rep\" AND state = \"stale\" AND \
             connected = true AND revision < 42"
        );
        let summary = Args { profile: None, state: None, filter: None, summary: true, ..all };
        assert_eq!(summary.filter(), "");
    }
}
