//! The fleet: reports of clients, and clients as they are listed.

use std::borrow::Cow;

use deskplane_proto::v1;

use super::{Reader, resource_name, timestamp};
use crate::{
    content::wire::{Coded as _, coded},
    domain::{
        App, Kind, UserId, Violations,
        check::{self, Controls},
        field::Value,
    },
    live::{
        ClientState, ClientStatus, Counts, Held, Place, RejectReason, Report, ReportStatus, Summary,
    },
    service::{
        filter::{
            FieldType::{self, Bool, Name, Number, Text, Time},
            Fields,
        },
        page::Position,
    },
};

coded! {
    ClientState => ClientState { Disconnected, Rejected, Current, Pending, Unknown, Stale }
    RejectReason => RejectReason {
        UnsupportedTemplate, ProviderFailed, InvalidContent, ClientTooOld, Timeout, Other,
    }
}

/// Revisions stay below this, so that every client can hold them.
const MAX_REVISION: i64 = 1 << 53;

/// Notes a revision that is below `least`, or larger than any.
pub(in crate::service) fn check_revision(
    v: &mut Violations,
    field: &str,
    revision: i64,
    least: i64,
) {
    if !(least..MAX_REVISION).contains(&revision) {
        let text = format!("must be {least} or above, and below 2^53; is {revision}");
        v.invalid(field, text);
    }
}

/// The name of a client, checked; none when it is empty.
pub(in crate::service) fn client_id(text: &str, r: &mut Reader<'_>) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.len() > 64 || !text.chars().all(legal) {
        r.v.invalid("client_id", "must be 1 to 64 letters, digits, `.`, `_` or `-`");
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// What a client reports, apart from whose profile it is.
#[derive(Debug)]
pub(in crate::service) struct StatusReport {
    client_id: String,
    revision: i64,
    digest: String,
    status: ReportStatus,
}

impl StatusReport {
    /// The report on the profile of a user in an app.
    pub(in crate::service) fn of(self, user: UserId, app: App) -> Report {
        let Self { client_id, revision, digest, status } = self;
        Report { user, app, client_id, revision, digest, status }
    }
}

/// Reads a ReportProfileStatus; it is of use only when no field was bad.
pub(in crate::service) fn status_report(
    q: v1::ReportProfileStatusRequest,
    r: &mut Reader<'_>,
) -> StatusReport {
    if q.client_id.is_empty() {
        r.v.invalid("client_id", "is required");
    }
    let client_id = client_id(&q.client_id, r).unwrap_or_default();
    check_revision(&mut r.v, "revision", q.revision, 1);
    check::line(&mut r.v, "digest", &q.digest, 1..=128);
    check::text(&mut r.v, "detail", &q.detail, 0..=1_000, Controls::TabAndNewline);
    let status = reported(&q, r);
    StatusReport { client_id, revision: q.revision, digest: q.digest, status }
}

fn reported(q: &v1::ReportProfileStatusRequest, r: &mut Reader<'_>) -> ReportStatus {
    let reason: Option<RejectReason> = r.choice("reason", q.reason);
    let status = v1::ReportedStatus::try_from(q.status);
    let rejects = status == Ok(v1::ReportedStatus::Rejected);
    if rejects && q.reason == 0 {
        r.v.invalid("reason", "is required with REJECTED");
    }
    if !rejects && q.reason != 0 {
        r.v.invalid("reason", "goes with REJECTED only");
    }
    match status {
        Ok(v1::ReportedStatus::Received) => ReportStatus::Received,
        Ok(v1::ReportedStatus::Applied) => ReportStatus::Applied,
        Ok(v1::ReportedStatus::Rejected) => ReportStatus::Rejected {
            reason: reason.unwrap_or(RejectReason::Other),
            detail: q.detail.clone(),
        },
        Ok(v1::ReportedStatus::Unspecified) => {
            r.v.invalid("status", "is required");
            ReportStatus::Received
        }
        Err(_) => {
            r.v.invalid("status", format!("has no value {}", q.status));
            ReportStatus::Received
        }
    }
}

fn held(held: &Held) -> v1::HeldContent {
    let profile = held.content.profile.as_ref();
    v1::HeldContent {
        revision: held.revision,
        digest: held.content.digest.clone(),
        profile: profile.map(|name| name.as_str().to_owned()).unwrap_or_default(),
    }
}

/// A client as it is listed.
pub(in crate::service) fn client_status(status: &ClientStatus) -> v1::ClientStatus {
    let rejected = status.rejected.as_ref();
    v1::ClientStatus {
        user: resource_name(Kind::User, status.user.as_str()),
        app: status.app.wire().into(),
        client_id: status.client_id.clone(),
        state: status.state.wire().into(),
        connected: status.is_connected(),
        since_time: Some(timestamp(status.since)),
        sent: status.sent.as_ref().map(held),
        sent_time: status.sent_time.map(timestamp),
        received: status.received.as_ref().map(held),
        applied: status.applied.as_ref().map(held),
        rejected: rejected.map(|rejection| held(&rejection.held)),
        reject_reason: rejected.map(|r| r.reason.wire().into()).unwrap_or_default(),
        reject_detail: rejected.map(|r| r.detail.clone()).unwrap_or_default(),
        lag: prost_types::Duration::try_from(status.lag).ok(),
        current_revision: status.current_at,
    }
}

/// Where a client stands in the list.
pub(in crate::service) fn position(status: &ClientStatus) -> Position {
    let (user, app) = (status.user.folded(), i32::from(status.app.wire()));
    // Neither part holds a blank.
    Position::exact(format!("{user} {app} {}", status.client_id))
}

/// The place that a position stands for.
pub(in crate::service) fn place(position: &Position) -> Option<Place> {
    let mut parts = position.name().splitn(3, ' ');
    let user = UserId::parse(parts.next()?).ok()?;
    let app = App::read(parts.next()?.parse().ok()?).unwrap_or_default();
    Some(Place { user, app, client_id: parts.next()?.to_owned() })
}

fn counts(counts: &Counts) -> v1::FleetCounts {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let of = |state| number(counts.of(state));
    v1::FleetCounts {
        total: number(counts.total()),
        disconnected: of(ClientState::Disconnected),
        rejected: of(ClientState::Rejected),
        current: of(ClientState::Current),
        pending: of(ClientState::Pending),
        unknown: of(ClientState::Unknown),
        stale: of(ClientState::Stale),
    }
}

/// The fleet in numbers, judged by a revision.
pub(in crate::service) fn fleet_summary(
    summary: &Summary,
    revision: i64,
) -> v1::GetFleetSummaryResponse {
    let profiles = summary.profiles.iter().map(|(profile, of_profile)| v1::ProfileCounts {
        profile: profile.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        counts: Some(counts(of_profile)),
    });
    v1::GetFleetSummaryResponse {
        all: Some(counts(&summary.all)),
        profiles: profiles.collect(),
        on_revision: revision,
        all_on_revision: summary.behind == 0,
        behind: i64::try_from(summary.behind).unwrap_or(i64::MAX),
        ..v1::GetFleetSummaryResponse::default()
    }
}

/// The fields that clients can be filtered by.
pub(in crate::service) const FLEET_FIELDS: &[(&str, FieldType)] = &[
    ("user", Name(Kind::User)),
    ("app", Text),
    ("client_id", Text),
    ("connected", Bool),
    ("state", Text),
    ("profile", Name(Kind::Profile)),
    ("applied_profile", Name(Kind::Profile)),
    ("since_time", Time),
    ("revision", Number),
];

/// A client in a list.
#[derive(Debug)]
pub(in crate::service) struct FleetRow<'a>(pub &'a ClientStatus);

impl Fields for FleetRow<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let status = self.0;
        let applied = || status.applied.as_ref()?.content.profile.as_ref();
        match name {
            "user" => Some(Value::Name(Cow::Borrowed(status.user.as_str()))),
            "app" => Some(Value::Text(Cow::Borrowed(status.app.as_str()))),
            "client_id" => Some(Value::Text(Cow::Borrowed(&status.client_id))),
            "connected" => Some(Value::Bool(status.is_connected())),
            "state" => Some(Value::Text(Cow::Borrowed(status.state.as_str()))),
            "profile" => status.profile().map(|name| Value::Name(Cow::Borrowed(name.as_str()))),
            "applied_profile" => applied().map(|name| Value::Name(Cow::Borrowed(name.as_str()))),
            "since_time" => Some(Value::Time(status.since.micros())),
            "revision" => Some(Value::Number(Some(status.current_at))),
            _ => None,
        }
    }
}
