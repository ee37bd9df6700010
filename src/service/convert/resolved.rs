//! Resolved profiles: the shared content in the envelope of one user.

use deskplane_proto::v1;

use super::{finding, provider::provider_health, timestamp};
use crate::{
    content::wire::{Coded as _, coded},
    domain::{App, Finding, Time},
    live::{self, Hub},
    read::Resolved,
    resolve::Resolution,
};

coded! {
    live::Reset => ResetReason {
        TokenInvalid, TokenOtherSubject, ForeignStore, StoreRestored, SchemaChanged,
    }
    live::CauseKind => Cause {
        Initial, ProfileChanged, LibraryChanged, AssignmentChanged, UserRolesChanged,
        RankOrRolesChanged, DefaultChanged, ProfileStateChanged, ProfileDeleted, ProviderChanged,
        WorkstreamChanged, SettingsChanged, Import, Rollback, Reset,
    }
}

fn resolution(app: App, r: &Resolution) -> v1::Resolution {
    v1::Resolution {
        app: app.wire().into(),
        method: r.method.wire().into(),
        label: r.method.label().to_owned(),
        rank: r.rank.map(i32::from),
        matched_roles: r.matched_roles.iter().map(|role| role.as_str().to_owned()).collect(),
        ambiguous: r.ambiguous,
        reason: r.reason().to_string(),
    }
}

/// Findings of the resolution and of the content, each once, ascending by code, then subject.
fn findings(resolved: &Resolved) -> Vec<v1::Finding> {
    let all = resolved.resolution.findings.iter().chain(&resolved.content.findings);
    let mut all: Vec<&Finding> = all.collect();
    all.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
    all.dedup_by(|a, b| (a.code, &a.subject) == (b.code, &b.subject));
    all.into_iter().map(finding).collect()
}

/// The message of a resolved profile.
pub(in crate::service) fn resolved_profile(
    resolved: &Resolved,
    hub: &Hub,
    now: Time,
) -> v1::ResolvedProfile {
    v1::ResolvedProfile {
        user: resolved.user.as_str().to_owned(),
        resolution: Some(resolution(resolved.app, &resolved.resolution)),
        content: resolved.content.bytes.clone(),
        digest: resolved.content.digest.clone(),
        ..behind_content(resolved, hub, now)
    }
}

/// The fields of a resolved profile that stand behind its content and digest.
pub(super) fn behind_content(resolved: &Resolved, hub: &Hub, now: Time) -> v1::ResolvedProfile {
    let providers = resolved.content.providers.iter();
    v1::ResolvedProfile {
        revision: resolved.revision,
        resolve_time: Some(timestamp(now)),
        findings: findings(resolved),
        provider_health: providers
            .map(|name| provider_health(name.as_str(), &hub.health(name)))
            .collect(),
        ..v1::ResolvedProfile::default()
    }
}

/// What ResolveProfile answers.
#[derive(Debug)]
pub(in crate::service) enum ResolveAnswer {
    /// The profile.
    Resolved(Resolved),
    /// The caller has the content already.
    NotModified(Resolved),
    /// Profiles do not apply in the app; the revision.
    NotApplicable(i64),
}

/// The message of an answer of ResolveProfile.
pub(in crate::service) fn resolve_response(
    answer: &ResolveAnswer,
    hub: &Hub,
    now: Time,
) -> v1::ResolveProfileResponse {
    let (outcome, profile, not_modified, revision) = match answer {
        ResolveAnswer::Resolved(resolved) => {
            let profile = resolved_profile(resolved, hub, now);
            (v1::Outcome::Resolved, Some(profile), None, resolved.revision)
        }
        ResolveAnswer::NotModified(resolved) => {
            let (revision, digest) = (resolved.revision, resolved.content.digest.clone());
            let not_modified = v1::NotModified { revision, digest };
            (v1::Outcome::Resolved, None, Some(not_modified), revision)
        }
        ResolveAnswer::NotApplicable(revision) => {
            (v1::Outcome::NotApplicable, None, None, *revision)
        }
    };
    v1::ResolveProfileResponse { outcome: outcome.into(), profile, not_modified, revision }
}

/// One row of BulkResolve; `full` is the whole profile where it is requested.
pub(in crate::service) fn bulk_result(
    user: &str,
    resolved: Option<&Resolved>,
    full: Option<v1::ResolvedProfile>,
) -> v1::BulkResult {
    let Some(resolved) = resolved else {
        return v1::BulkResult {
            user: user.to_owned(),
            outcome: v1::Outcome::NotApplicable.into(),
            ..v1::BulkResult::default()
        };
    };
    v1::BulkResult {
        user: user.to_owned(),
        outcome: v1::Outcome::Resolved.into(),
        profile: resolved.resolution.profile.as_str().to_owned(),
        method: resolved.resolution.method.wire().into(),
        ambiguous: resolved.resolution.ambiguous,
        digest: resolved.content.digest.clone(),
        resolved: full,
    }
}

fn cause(cause: &live::Cause) -> v1::ChangeCause {
    v1::ChangeCause {
        cause: cause.kind.wire().into(),
        revision: cause.revision,
        request_id: cause.request_id.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// A snapshot, around the profile that it holds.
pub(super) fn snapshot(
    snapshot: live::Snapshot,
    profile: Option<v1::ResolvedProfile>,
) -> v1::Snapshot {
    v1::Snapshot {
        profile,
        reset: snapshot.reset.is_some(),
        reset_reason: snapshot.reset.map(|reason| reason.wire().into()).unwrap_or_default(),
        causes: snapshot.causes.iter().map(cause).collect(),
        changed_sections: snapshot.changed_sections.iter().map(ToString::to_string).collect(),
        resume_token: snapshot.resume_token,
    }
}

/// One message of a stream.
pub(in crate::service) fn event(
    message: live::Message,
    hub: &Hub,
    now: Time,
) -> v1::WatchProfileResponse {
    use v1::watch_profile_response::Event;
    let event = match message {
        live::Message::Snapshot(found) => {
            let profile = resolved_profile(&found.resolved, hub, now);
            Event::Snapshot(snapshot(*found, Some(profile)))
        }
        live::Message::InSync { revision, digest, resume_token } => {
            Event::InSync(v1::InSync { resume_token, revision, digest })
        }
        live::Message::Bookmark { revision, resume_token } => {
            Event::Bookmark(v1::Bookmark { revision, resume_token })
        }
        live::Message::ProviderHealth { provider, health } => {
            Event::ProviderHealth(provider_health(provider.as_str(), &health))
        }
        live::Message::Drain { reconnect_after, deadline } => {
            let micros = i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX);
            let deadline = Time::from_micros(now.micros().saturating_add(micros));
            Event::Drain(v1::Drain {
                reconnect_after: prost_types::Duration::try_from(reconnect_after).ok(),
                deadline: Some(timestamp(deadline)),
            })
        }
    };
    v1::WatchProfileResponse { event: Some(event) }
}
