//! `watch`: the profile of a user, whenever it changes.

use deskplane_proto::v1::{self, watch_profile_response::Event};
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};
use tonic::Status;

use super::{
    Client, Error, Format, Io, Result,
    output::short,
    resolve::Subject,
    stream::{self, Feed, Read},
};

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Name of this client, stable over reconnects; a new stream of the same name ends the old one.
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// Report each profile as received and applied, as a client of the user does; needs the rights of
    /// an agent and --client-id.
    #[arg(long, requires = "client_id")]
    report: bool,
    /// End after the first event.
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// End after so many events.
    #[arg(short = 'n', long)]
    count: Option<u64>,
    #[command(flatten)]
    silence: stream::Silence,
}

/// The stream of a user's profile.
struct Profiles {
    request: Value,
    /// Whether each profile is reported as applied.
    report: bool,
}

/// Shows events until there were enough, or the server ends the stream for good.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut request = args.subject.request(client)?;
    request["clientId"] = json!(args.client_id);
    request["clientVersion"] = json!(concat!("deskplane ", env!("CARGO_PKG_VERSION")));
    let left = if args.once { 1 } else { args.count.unwrap_or(u64::MAX) };
    let profiles = Profiles { request, report: args.report };
    stream::print(client, profiles, (format, left), args.silence.limit(), io).await
}

impl Feed for Profiles {
    type Message = v1::WatchProfileResponse;

    const SERVICE: &'static str = "AgentService";
    const METHOD: &'static str = "WatchProfile";

    fn request(&self) -> Value {
        self.request.clone()
    }

    async fn received(&self, client: &Client, message: &DynamicMessage) -> Result<(), Status> {
        match self.report {
            true => self.report(client, message).await,
            false => Ok(()),
        }
    }

    fn read(&mut self, message: &v1::WatchProfileResponse) -> Read {
        if let Some(token) = resume_token(message) {
            self.request["resumeToken"] = json!(token);
        }
        Read {
            shown: true,
            in_step: matches!(message.event, Some(Event::Bookmark(_))),
            reconnect_after: match &message.event {
                Some(Event::Drain(drain)) => drain.reconnect_after,
                _ => None,
            },
        }
    }

    fn line(message: &v1::WatchProfileResponse) -> Result<String> {
        line(message)
    }
}

impl Profiles {
    /// Reports a profile that came, or that the client holds already, as received and applied.
    async fn report(&self, client: &Client, message: &DynamicMessage) -> Result<(), Status> {
        let failed = |error: &dyn std::fmt::Display| Status::internal(error.to_string());
        let event = message.transcode_to::<v1::WatchProfileResponse>();
        let (revision, digest) = match event.map_err(|error| failed(&error))?.event {
            Some(Event::Snapshot(snapshot)) => {
                let profile = snapshot.profile.unwrap_or_default();
                (profile.revision, profile.digest)
            }
            Some(Event::InSync(in_sync)) => (in_sync.revision, in_sync.digest),
            _ => return Ok(()),
        };
        for status in ["REPORTED_STATUS_RECEIVED", "REPORTED_STATUS_APPLIED"] {
            let report = json!({
                "user": self.request["user"],
                "app": self.request["app"],
                "clientId": self.request["clientId"],
                "revision": revision.to_string(),
                "digest": digest,
                "status": status,
            });
            let sent = client.call("AgentService", "ReportProfileStatus", report).await;
            sent.map_err(|error| match error {
                Error::Refused(status) => *status,
                other => failed(&other),
            })?;
        }
        Ok(())
    }
}

/// What the next stream resumes from.
fn resume_token(message: &v1::WatchProfileResponse) -> Option<&str> {
    match &message.event {
        Some(Event::Snapshot(snapshot)) => Some(&snapshot.resume_token),
        Some(Event::InSync(in_sync)) => Some(&in_sync.resume_token),
        Some(Event::Bookmark(bookmark)) => Some(&bookmark.resume_token),
        Some(Event::ProviderHealth(_) | Event::Drain(_)) | None => None,
    }
}

/// One event in one line: time, kind, revision, profile, digest, causes.
pub(super) fn line(message: &v1::WatchProfileResponse) -> Result<String> {
    let clock = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
    let now = OffsetDateTime::now_utc().format(clock).unwrap_or_default();
    let event = match &message.event {
        Some(Event::Snapshot(snapshot)) => self::snapshot(snapshot)?,
        Some(Event::InSync(at)) => {
            format!("in sync   revision {}  {}", at.revision, abridged(&at.digest))
        }
        Some(Event::Bookmark(at)) => format!("bookmark  revision {}", at.revision),
        Some(Event::ProviderHealth(health)) => {
            let state = short(health.state().as_str_name(), "HealthState");
            format!("health    {} {state}", health.provider)
        }
        Some(Event::Drain(drain)) => {
            let after = drain.reconnect_after.unwrap_or_default();
            format!("drain     reconnect after {after}")
        }
        None => "an event that this client does not know".to_owned(),
    };
    Ok(format!("{now}  {event}"))
}

fn snapshot(snapshot: &v1::Snapshot) -> Result<String> {
    let profile = snapshot.profile.clone().unwrap_or_default();
    let content = v1::ProfileContent::decode(profile.content)?;
    let causes = snapshot
        .causes
        .iter()
        .map(|cause| format!("{}@{}", short(cause.cause().as_str_name(), "Cause"), cause.revision));
    Ok(format!(
        "snapshot  revision {}  {}  {}  {}",
        profile.revision,
        content.profile.unwrap_or_default().unique_name,
        abridged(&profile.digest),
        causes.collect::<Vec<_>>().join(" "),
    ))
}

/// The beginning of a digest, enough to compare at a glance.
fn abridged(digest: &str) -> &str {
    digest.get(..15).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_one_line() {
        let content = v1::ProfileContent {
            profile: Some(v1::ProfileIdentity {
                unique_name: "contoso_rep".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let event = Event::Snapshot(v1::Snapshot {
            profile: Some(v1::ResolvedProfile {
                content: content.encode_to_vec().into(),
                digest: "d1:0123456789abcdef".into(),
                revision: 7,
                ..Default::default()
            }),
            causes: vec![v1::ChangeCause {
                cause: v1::Cause::DefaultChanged.into(),
                revision: 7,
                ..Default::default()
            }],
            ..Default::default()
        });
        let line = line(&v1::WatchProfileResponse { event: Some(event) }).unwrap();
        let (_, event) = line.split_once("  ").unwrap();
        assert_eq!(event, "snapshot  revision 7  contoso_rep  d1:0123456789ab  DEFAULT_CHANGED@7");
    }

    #[test]
    fn a_stream_goes_on_where_the_last_one_stood() {
        let token = |event| {
            let message = v1::WatchProfileResponse { event: Some(event) };
            resume_token(&message).map(str::to_owned)
        };
        let (resume_token, revision) = ("t3".to_owned(), 3);
        let bookmark = v1::Bookmark { revision, resume_token: resume_token.clone() };
        assert_eq!(token(Event::Bookmark(bookmark)).as_deref(), Some("t3"));
        let in_sync = v1::InSync { resume_token, ..Default::default() };
        assert_eq!(token(Event::InSync(in_sync)).as_deref(), Some("t3"));
        assert_eq!(token(Event::Drain(v1::Drain::default())), None);
    }
}
