//! Previews: what would happen, as the API says it (SPEC §11.1).

use deskplane_proto::v1;

use super::{Reader, count, finding, operations::results};
use crate::{
    command::{HypotheticalUser, Plan},
    domain::{App, Kind},
    impact::Preview,
};

/// The answer to PreviewChanges, with one page of the affected users.
pub(in crate::service) fn previewed(
    plan: &Plan,
    preview: &Preview,
    affected: Vec<v1::AffectedUser>,
    next_page_token: String,
    revision: i64,
) -> v1::PreviewChangesResponse {
    let moves = preview.moves.iter().map(|((from, to), users)| v1::ProfileMove {
        from: from.as_str().to_owned(),
        to: to.as_str().to_owned(),
        user_count: count(*users),
    });
    v1::PreviewChangesResponse {
        affected,
        next_page_token,
        total_count: count(preview.affected.total_count),
        moves: moves.collect(),
        method_only: count(preview.affected.method_only),
        content_only: count(preview.affected.content_only),
        appearing_findings: preview.findings.appearing.iter().map(finding).collect(),
        disappearing_findings: preview.findings.disappearing.iter().map(finding).collect(),
        results: results(&plan.steps),
        changed: plan.changed(),
        revision,
    }
}

/// The user whom PreviewUser is about, and the app.
pub(in crate::service) fn hypothetical_user(
    q: &v1::PreviewUserRequest,
    r: &mut Reader<'_>,
) -> (HypotheticalUser, App) {
    let user = HypotheticalUser {
        roles: r.names("roles", Kind::Role, &q.roles),
        team_roles: r.names("team_roles", Kind::Role, &q.team_roles),
        direct: r.optional_name("direct", Kind::Profile, &q.direct),
    };
    (user, r.choice("app", q.app).unwrap_or_default())
}

/// The answer to PreviewUser: neither the user nor his team exists, so neither has an id.
pub(in crate::service) fn previewed_user(
    mut explanation: v1::ExplainResponse,
    digest: String,
) -> v1::PreviewUserResponse {
    explanation.user.clear();
    explanation.losing.iter_mut().for_each(|lost| lost.via_team.clear());
    let revision = explanation.revision;
    v1::PreviewUserResponse { explanation: Some(explanation), digest, revision }
}
