//! The winner and every losing route with its reason (SPEC §6.4).

use std::sync::Arc;

use super::{LossReason, Outcome, Route, add, steps, steps::Steps};
use crate::{
    catalog::Catalog,
    domain::{App, TeamId, UserId},
};

/// A route that did not win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LosingRoute {
    /// The route.
    pub route: Route,
    /// Teams through which its roles are held, for [`LossReason::RoleViaTeamOnly`].
    pub via_team: Vec<TeamId>,
    /// Why it lost.
    pub reason: LossReason,
}

/// Who wins and who loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What resolving answers.
    pub outcome: Outcome,
    /// Every losing route: by step; candidates in their order, then excluded routes by name.
    pub losing: Vec<LosingRoute>,
}

/// Explains the resolution of a user in an app; `None` when the user does not exist.
pub fn explain(catalog: &Catalog, user: &UserId, app: App) -> Option<Explanation> {
    let seated = catalog.user(user)?;
    // Where profiles do not apply, the routes are those of no app at all.
    let steps = Steps::of(catalog, &seated, if app.applies() { app } else { App::Unspecified });
    let winning = steps.winning();
    let winner = steps.winner();
    let mut losing = Vec::new();
    for (at, step) in steps.steps.iter().enumerate() {
        for (position, candidate) in step.candidates.iter().enumerate() {
            let reason = if !app.applies() {
                LossReason::AppNotApplicable
            } else if at == winning && position == 0 {
                continue;
            } else if at == winning {
                behind(winner, candidate)
            } else if candidate.profile == winner.profile {
                LossReason::SameProfile
            } else {
                LossReason::LowerPrecedence
            };
            losing.push(LosingRoute { route: candidate.clone(), via_team: Vec::new(), reason });
        }
        for (route, reason) in &step.excluded {
            let via_team = match reason {
                LossReason::RoleViaTeamOnly => teams(catalog, user, route),
                _ => Vec::new(),
            };
            losing.push(LosingRoute { route: route.clone(), via_team, reason: *reason });
        }
    }
    let outcome = if app.applies() {
        let answer = Arc::new(steps.resolution());
        let answer = add(answer, steps::user_findings(catalog, &seated));
        Outcome::Resolved(Arc::unwrap_or_clone(answer))
    } else {
        Outcome::NotApplicable
    };
    Some(Explanation { outcome, losing })
}

/// Why a candidate stands behind the winner of the same step.
fn behind(winner: &Route, candidate: &Route) -> LossReason {
    use crate::domain::Method;
    if candidate.method == Method::DefaultCustom {
        return match candidate.default_set_time == winner.default_set_time {
            true => LossReason::TieUniqueName,
            false => LossReason::DefaultSetLater,
        };
    }
    if candidate.rank != winner.rank {
        LossReason::WorseRank
    } else if candidate.assigned_at != winner.assigned_at {
        LossReason::AssignedLater
    } else {
        LossReason::TieUniqueName
    }
}

fn teams(catalog: &Catalog, user: &UserId, route: &Route) -> Vec<TeamId> {
    let mut teams: Vec<_> = catalog
        .team_roles(user)
        .filter(|(_, role)| {
            catalog.root(role).is_some_and(|root| route.matched_roles.contains(&root))
        })
        .map(|(team, _)| team)
        .collect();
    teams.dedup();
    teams
}
