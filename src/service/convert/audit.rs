//! Audit and resolution log.

use deskplane_proto::v1;

use super::{Reader, Reference, timestamp};
use crate::{
    audit::{AuditQuery, DeliveryQuery, Entry, Outcome, OutcomeKind, named},
    content::wire::Coded as _,
    domain::{Delivery, Kind, ObjectKey, Scope, Time, check},
};

type Timestamp = prost_types::Timestamp;

/// Longest text that is asked for.
const LONGEST: usize = 256;

/// Reads a ListAuditEntries.
pub(in crate::service) fn audit_query(
    q: &v1::ListAuditEntriesRequest,
    r: &mut Reader<'_>,
) -> AuditQuery {
    let (since, until) = span(r, q.start_time, q.end_time);
    for (field, text) in [("actor", &q.actor), ("operation", &q.operation)] {
        check::line(&mut r.v, field, text, 0..=LONGEST);
    }
    AuditQuery {
        since,
        until,
        actor: q.actor.clone(),
        resource: (!q.resource.is_empty()).then(|| resource(r, &q.resource)),
        operation: q.operation.clone(),
        outcome: outcome(r, q.outcome),
    }
}

/// Reads a ListResolutionLog.
pub(in crate::service) fn delivery_query(
    q: &v1::ListResolutionLogRequest,
    r: &mut Reader<'_>,
) -> DeliveryQuery {
    let (since, mut until) = span(r, q.start_time, q.end_time);
    if let Some(at) = time(r, "as_of_time", q.as_of_time) {
        if since.is_some() || until.is_some() {
            r.v.invalid("as_of_time", "stands alone: without `start_time` and `end_time`");
        }
        until = Some(Time::from_micros(at.micros().saturating_add(1)));
    }
    check::line(&mut r.v, "client_id", &q.client_id, 0..=LONGEST);
    DeliveryQuery {
        since,
        until,
        user: (!q.user.is_empty()).then(|| r.user("user", &q.user)),
        app: r.choice("app", q.app),
        client_id: (!q.client_id.is_empty()).then(|| q.client_id.clone()),
    }
}

/// The times of a request as one argument of its page tokens.
pub(in crate::service) fn bounds(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    as_of: Option<Timestamp>,
) -> String {
    let text = |time: Option<Timestamp>| {
        time.map_or_else(String::new, |time| format!("{}.{}", time.seconds, time.nanos))
    };
    [start, end, as_of].map(text).join("/")
}

/// An entry of the audit as the API shows it.
pub(in crate::service) fn audit_entry(entry: Entry) -> v1::AuditEntry {
    let (outcome, error_reason) = match entry.outcome {
        Outcome::Committed => (v1::AuditOutcome::Committed, String::new()),
        Outcome::Answered => (v1::AuditOutcome::Answered, String::new()),
        Outcome::Denied(reason) => (v1::AuditOutcome::Denied, reason),
        Outcome::Failed(reason) => (v1::AuditOutcome::Failed, reason),
    };
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    v1::AuditEntry {
        time: Some(timestamp(entry.time)),
        revision: entry.revision,
        actor: entry.actor,
        scope: entry.provenance.scope.map(Scope::as_str).unwrap_or_default().to_owned(),
        address: entry.provenance.address,
        operation: entry.operation,
        resources: entry.resources,
        resource_count: count(entry.resource_count),
        flags: entry.flags,
        request_id: entry.request_id,
        reason: entry.reason,
        outcome: outcome.into(),
        error_reason,
        repeats: count(entry.repeats),
    }
}

/// An entry of the resolution log as the API shows it.
pub(in crate::service) fn resolution_log_entry(delivery: Delivery) -> v1::ResolutionLogEntry {
    v1::ResolutionLogEntry {
        user: delivery.user.to_string(),
        app: delivery.app.wire().into(),
        client_id: delivery.client_id,
        time: Some(timestamp(delivery.time)),
        revision: delivery.revision,
        digest: delivery.digest,
        profile: delivery.profile.to_string(),
        method: delivery.method.wire().into(),
    }
}

/// The key and the full name of a resource of any kind.
fn resource(r: &mut Reader<'_>, text: &str) -> (ObjectKey, String) {
    let collection = Reference::parse(text).ok().and_then(|reference| reference.collection);
    let is = |kind: &Kind| match kind {
        Kind::Settings => text == kind.collection(),
        _ => Some(kind.collection()) == collection,
    };
    let Some(kind) = Kind::all().find(is) else {
        r.v.invalid("resource", "must be a resource name, e.g. `profiles/contoso_rep`");
        return (ObjectKey { kind: Kind::Settings, name: String::new() }, String::new());
    };
    let key = r.key("resource", kind, text);
    let full = named(kind, &key.name);
    (key, full)
}

fn outcome(r: &mut Reader<'_>, number: i32) -> Option<OutcomeKind> {
    match v1::AuditOutcome::try_from(number) {
        Ok(v1::AuditOutcome::Unspecified) => None,
        Ok(v1::AuditOutcome::Committed) => Some(OutcomeKind::Committed),
        Ok(v1::AuditOutcome::Answered) => Some(OutcomeKind::Answered),
        Ok(v1::AuditOutcome::Denied) => Some(OutcomeKind::Denied),
        Ok(v1::AuditOutcome::Failed) => Some(OutcomeKind::Failed),
        Err(_) => {
            r.v.invalid("outcome", format!("has no value {number}"));
            None
        }
    }
}

fn span(
    r: &mut Reader<'_>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> (Option<Time>, Option<Time>) {
    let (since, until) = (time(r, "start_time", start), time(r, "end_time", end));
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        r.v.invalid("end_time", "must not be before `start_time`");
    }
    (since, until)
}

/// A point in time; what is no legal timestamp is refused.
fn time(r: &mut Reader<'_>, field: &str, time: Option<Timestamp>) -> Option<Time> {
    /// Seconds of the years 1970 to 9999: nothing was logged before.
    const LEGAL: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;
    let time = time?;
    if !LEGAL.contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        r.v.invalid(field, "is no time between the years 1970 and 9999");
        return None;
    }
    Some(Time::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000))
}
