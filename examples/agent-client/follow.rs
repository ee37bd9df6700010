//! The stream of a profile, over reconnects (SPEC §10.3, §10.4).

use std::{sync::Arc, time::Duration};

use deskplane_proto::v1::{self, watch_profile_response::Event};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    desktop::{Desktop, Profile, Taken},
    token::Client,
};

/// Shortest wait before another stream.
const FLOOR: Duration = Duration::from_millis(500);
/// Longest wait, unless the server names a longer one.
const CEILING: Duration = Duration::from_secs(30);
/// A server says something every 30 seconds; after three times that the stream counts as lost.
const SILENCE: Duration = Duration::from_secs(90);

/// Whose profile is followed, and under which name.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// Id of the user.
    pub(super) user: String,
    /// Name of this client, stable over reconnects.
    pub(super) client_id: String,
}

/// Follows the profile for as long as the server allows; answers the status that ended it for good.
/// `say` gets a line for whatever happens.
pub(super) async fn follow(
    mut client: Client,
    stream: Stream,
    desktop: Arc<Desktop>,
    mut say: impl FnMut(String),
) -> Status {
    let mut failures = 0;
    loop {
        let opened = Instant::now();
        let mut reconnect_after = Duration::ZERO;
        let end = one(&mut client, &stream, &desktop, &mut reconnect_after, &mut say).await;
        if !comes_back(&end) {
            return end;
        }
        // A stream that lasted is no failure.
        failures = if opened.elapsed() >= CEILING { 0 } else { failures + 1 };
        let named = end.get_error_details().retry_info().and_then(|info| info.retry_delay);
        let wait = wait(failures, reconnect_after.max(named.unwrap_or_default()));
        say(format!("lost      {}; back in {wait:.1?}", reason(&end)));
        sleep(wait).await;
    }
}

/// One stream, from its opening to its end.
async fn one(
    client: &mut Client,
    stream: &Stream,
    desktop: &Desktop,
    reconnect_after: &mut Duration,
    say: &mut impl FnMut(String),
) -> Status {
    let (resume_token, digest) = desktop.position();
    let request = v1::WatchProfileRequest {
        user: stream.user.clone(),
        client_id: stream.client_id.clone(),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        resume_token,
        digest,
        ..Default::default()
    };
    let lost = || Status::unavailable("nothing came in time");
    let mut messages = match timeout(SILENCE, client.watch_profile(request)).await {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return status,
        Err(_) => return lost(),
    };
    loop {
        let event = match timeout(SILENCE, messages.message()).await {
            Ok(Ok(Some(message))) => message.event,
            // A clean end has no reason; it counts as UNAVAILABLE.
            Ok(Ok(None)) => return Status::unavailable("without a reason"),
            Ok(Err(status)) => return status,
            Err(_) => return lost(),
        };
        match event {
            Some(Event::Snapshot(snapshot)) => {
                let causes: Vec<_> =
                    snapshot.causes.iter().map(|cause| cause.cause().as_str_name()).collect();
                let causes = causes.join(" ");
                match desktop.take(snapshot) {
                    Taken::Applied => {
                        if let Some(profile) = desktop.profile() {
                            say(format!("profile   {} ({causes})", described(&profile)));
                        }
                    }
                    Taken::Older => say("older     a snapshot was passed over".to_owned()),
                    Taken::Rejected(why) => {
                        say(format!("rejected  a snapshot: {why}; the last good one stays"));
                    }
                }
            }
            Some(Event::InSync(at)) => {
                desktop.resume_from(at.resume_token);
                say(format!("in sync   what is kept is current at revision {}", at.revision));
            }
            Some(Event::Bookmark(at)) => desktop.resume_from(at.resume_token),
            Some(Event::ProviderHealth(health)) => {
                say(format!("phone     {} is {}", health.provider, health.state().as_str_name()));
            }
            Some(Event::Drain(drain)) => {
                let delay = drain.reconnect_after.and_then(|delay| delay.try_into().ok());
                *reconnect_after = delay.unwrap_or_default();
            }
            // A newer server may say more than this client knows.
            None => {}
        }
    }
}

/// What a desktop is made of, in a few words.
pub(super) fn described(profile: &Profile) -> String {
    let content = profile.content();
    format!(
        "{} of revision {}: {} record types, {} work streams, {} tools",
        profile.name(),
        profile.revision(),
        content.session_templates.len(),
        content.workstreams.len(),
        content.pane.as_ref().map_or(0, |pane| pane.tools.len()),
    )
}

/// Whether a client comes back after this end. A connection that breaks ends its streams as the
/// transport noticed it; a token that ended is renewed by then.
fn comes_back(end: &Status) -> bool {
    let expired = end.code() == Code::Unauthenticated && reason(end) == "TOKEN_EXPIRED";
    expired
        || matches!(
            end.code(),
            Code::Unavailable
                | Code::ResourceExhausted
                | Code::Internal
                | Code::Unknown
                | Code::Cancelled
                | Code::DeadlineExceeded
        )
}

/// Full jitter in a range that doubles with every failure in a row; never less than what the server
/// asks for.
fn wait(failures: u32, asked: Duration) -> Duration {
    let range = FLOOR.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(CEILING);
    (FLOOR + (range - FLOOR).mul_f64(fastrand::f64())).max(asked)
}

/// The reason of an end: what the server says, or what the transport noticed.
fn reason(end: &Status) -> String {
    match end.get_error_details().error_info() {
        Some(info) => info.reason.clone(),
        None => end.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_their_range() {
        for failures in 0..40 {
            let wait = wait(failures, Duration::ZERO);
            assert!((FLOOR..=CEILING).contains(&wait), "{failures}: {wait:?}");
        }
        assert_eq!(wait(0, Duration::from_secs(45)), Duration::from_secs(45));
    }

    #[test]
    fn a_client_comes_back_but_where_that_would_harm() {
        for code in [Code::NotFound, Code::FailedPrecondition, Code::PermissionDenied] {
            assert!(!comes_back(&Status::new(code, "")));
        }
        // REPLACED: coming back would throw out the newer stream.
        assert!(!comes_back(&Status::new(Code::Aborted, "")));
        assert!(comes_back(&Status::new(Code::Unavailable, "")));
    }
}
