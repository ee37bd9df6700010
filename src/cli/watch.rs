//! `watch`: the profile of a user, whenever it changes.

use std::time::Duration;

use deskplane_proto::v1::{self, watch_profile_response::Event};
use prost::Message;
use serde_json::json;
use time::{OffsetDateTime, macros::format_description};
use tonic::Code;

use super::{
    Client, Error, Format, Io, Result,
    error::reason,
    output::{self, short},
    resolve::Subject,
};

/// Shortest and longest wait before a stream is opened again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Name of this client, stable over reconnects; a new stream of the same name ends the old one.
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// End after the first event.
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// End after so many events.
    #[arg(short = 'n', long)]
    count: Option<u64>,
}

/// Where a stream stands, over reconnects.
#[derive(Debug)]
struct Progress {
    left: u64,
    failures: u32,
    resume_token: String,
    reconnect_after: Option<Duration>,
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
    let mut progress = Progress {
        left: if args.once { 1 } else { args.count.unwrap_or(u64::MAX) },
        failures: 0,
        resume_token: String::new(),
        reconnect_after: None,
    };
    while progress.left > 0 {
        request["resumeToken"] = json!(progress.resume_token);
        let Err(error) = follow(client, &request, format, &mut progress, io).await else {
            continue;
        };
        let again = error.status().filter(|status| reconnects(status));
        let Some(status) = again else { return Err(error) };
        let wait = progress.reconnect_after.take().unwrap_or_else(|| back_off(progress.failures));
        progress.failures += 1;
        let why = Some(reason(status)).filter(|reason| !reason.is_empty());
        let why = why.unwrap_or_else(|| status.message().to_owned());
        io.note(format!("stream ended ({why}); reconnecting in {wait:.1?}"))?;
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// Whether the end of a stream is one after which a client comes back.
fn reconnects(status: &tonic::Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::Internal)
}

/// Full jitter within a range that doubles with every failure in a row.
fn back_off(failures: u32) -> Duration {
    let (least, most) = BACK_OFF;
    let range = least.saturating_mul(1 << failures.min(6)).min(most);
    least.max(range.mul_f64(fastrand::f64()))
}

/// Follows one stream to its end.
async fn follow(
    client: &Client,
    request: &serde_json::Value,
    format: Format,
    progress: &mut Progress,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut stream = client.stream("AgentService", "WatchProfile", request.clone()).await?;
    while let Some(message) = stream.message().await? {
        match format {
            Format::Table => io.line(line(&message.transcode_to()?)?)?,
            Format::Json => io.line(serde_json::to_string(&output::message(&message)?)?)?,
            Format::Yaml => io.value(format, &output::message(&message)?)?,
        }
        progress.failures = 0;
        progress.learn(&message.transcode_to()?);
        progress.left -= 1;
        if progress.left == 0 {
            return Ok(());
        }
    }
    Err(Error::from(tonic::Status::unavailable("without a reason")))
}

impl Progress {
    /// Keeps what the next stream needs.
    fn learn(&mut self, message: &v1::WatchProfileResponse) {
        let token = match &message.event {
            Some(Event::Snapshot(snapshot)) => &snapshot.resume_token,
            Some(Event::InSync(in_sync)) => &in_sync.resume_token,
            Some(Event::Bookmark(bookmark)) => &bookmark.resume_token,
            Some(Event::Drain(drain)) => {
                let after = drain.reconnect_after.and_then(|after| after.try_into().ok());
                self.reconnect_after = after;
                return;
            }
            Some(Event::ProviderHealth(_)) | None => return,
        };
        self.resume_token.clone_from(token);
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

/// As much of a digest as tells one from another at a glance.
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
    fn the_wait_grows_and_stays_within_its_bounds() {
        for failures in [0, 1, 6, 40] {
            let wait = back_off(failures);
            assert!((BACK_OFF.0..=BACK_OFF.1).contains(&wait), "{wait:?}");
        }
        assert_eq!(back_off(0), BACK_OFF.0);
    }

    #[test]
    fn a_stream_goes_on_where_the_last_one_stood() {
        let mut progress =
            Progress { left: 1, failures: 0, resume_token: String::new(), reconnect_after: None };
        let bookmark = v1::Bookmark { revision: 3, resume_token: "t3".into() };
        progress.learn(&v1::WatchProfileResponse { event: Some(Event::Bookmark(bookmark)) });
        let after = Some(prost_types::Duration { seconds: 2, nanos: 0 });
        let drain = v1::Drain { reconnect_after: after, deadline: None };
        progress.learn(&v1::WatchProfileResponse { event: Some(Event::Drain(drain)) });
        assert_eq!(progress.resume_token, "t3");
        assert_eq!(progress.reconnect_after, Some(Duration::from_secs(2)));
    }
}
