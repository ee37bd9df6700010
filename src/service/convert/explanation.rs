//! Explanations: who wins, who loses, and what stands behind closed gates.

use deskplane_proto::v1;

use super::{finding, timestamp};
use crate::{
    catalog::Seated,
    content::{
        Compiled, Gate, GateSubject,
        wire::{Coded as _, coded},
    },
    domain::UniqueName,
    resolve::{Explanation, LosingRoute, LossReason, Outcome, Resolution},
};

coded! {
    LossReason => LossReason {
        LowerPrecedence, SameProfile, WorseRank, AssignedLater, DefaultSetLater, TieUniqueName,
        Inactive, Dangling, RoleViaTeamOnly, ChannelsNotProvisioned, AppNotApplicable,
    }
    GateSubject => GateSubject { Tool, Feature, View, Channels }
    Gate => Gate {
        Pane, Organization, Role, Value, PaneTool, Parent, Inbox, Visible, Channels,
    }
}

fn names(names: &[UniqueName]) -> Vec<String> {
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

fn winner(r: &Resolution) -> v1::WinningRoute {
    v1::WinningRoute {
        profile: r.profile.as_str().to_owned(),
        method: r.method.wire().into(),
        label: r.method.label().to_owned(),
        rank: r.rank.map(i32::from),
        matched_roles: names(&r.matched_roles),
        ambiguous: r.ambiguous,
        reason: r.reason().to_string(),
    }
}

fn losing(lost: &LosingRoute) -> v1::LosingRoute {
    v1::LosingRoute {
        profile: lost.route.profile.as_str().to_owned(),
        source: lost.route.method.wire().into(),
        rank: lost.route.rank.map(i32::from),
        matched_roles: names(&lost.route.matched_roles),
        assign_time: lost.route.assigned_at.map(timestamp),
        default_set_time: lost.route.default_set_time.map(timestamp),
        via_team: lost.via_team.iter().map(|team| team.as_str().to_owned()).collect(),
        reason: lost.reason.wire().into(),
    }
}

/// The profile that would serve the user if the winner did not.
fn next(explanation: &Explanation) -> Option<&UniqueName> {
    let would_win = |reason| {
        matches!(
            reason,
            LossReason::LowerPrecedence
                | LossReason::WorseRank
                | LossReason::AssignedLater
                | LossReason::DefaultSetLater
                | LossReason::TieUniqueName
        )
    };
    let lost = explanation.losing.iter().find(|lost| would_win(lost.reason))?;
    Some(&lost.route.profile)
}

fn missing(winner: &Compiled, other: &Compiled, profile: &UniqueName) -> v1::MissingFromWinner {
    let mut tools: Vec<_> =
        other.tools.iter().filter(|tool| !winner.tools.contains(tool)).cloned().collect();
    tools.sort();
    let features = other.features.iter().filter(|f| !winner.features.contains(f));
    v1::MissingFromWinner {
        tools: names(&tools),
        features: features.map(ToString::to_string).collect(),
        profile: profile.as_str().to_owned(),
    }
}

/// The whole explanation of one user; `content` compiles a profile for the user's role class.
pub(in crate::service) fn explanation(
    seated: &Seated,
    explanation: &Explanation,
    content: impl Fn(&UniqueName) -> Option<std::sync::Arc<Compiled>>,
    revision: i64,
) -> v1::ExplainResponse {
    let mut answer = v1::ExplainResponse {
        user: seated.id_text().to_owned(),
        outcome: v1::Outcome::NotApplicable.into(),
        losing: explanation.losing.iter().map(losing).collect(),
        revision,
        ..v1::ExplainResponse::default()
    };
    let Outcome::Resolved(resolution) = &explanation.outcome else { return answer };
    let Some(compiled) = content(&resolution.profile) else { return answer };
    answer.outcome = v1::Outcome::Resolved.into();
    answer.winner = Some(winner(resolution));
    answer.findings = resolution.findings.iter().map(finding).collect();
    answer.content_findings = compiled.explained_findings().iter().map(finding).collect();
    answer.gates = compiled
        .gates
        .iter()
        .map(|report| v1::GateReport {
            kind: report.kind.wire().into(),
            subject: report.subject.clone(),
            gate: report.gate.wire().into(),
        })
        .collect();
    answer.copilot_unset = compiled.unset.iter().map(ToString::to_string).collect();
    answer.missing_from_winner =
        next(explanation).and_then(|other| Some(missing(&compiled, &*content(other)?, other)));
    answer
}

/// One row of SearchByUser.
pub(in crate::service) fn user_match(seated: &Seated, resolution: &Resolution) -> v1::UserMatch {
    v1::UserMatch {
        user: seated.id_text().to_owned(),
        display_name: seated.display_name().to_owned(),
        profile: resolution.profile.as_str().to_owned(),
        method: resolution.method.wire().into(),
        label: resolution.method.label().to_owned(),
    }
}
