//! Which profile applies to a user, and why (SPEC §6).
//!
//! Four steps, the first that has a candidate wins, its first candidate is the answer, nothing is
//! merged. Everything here is a pure function of a catalog.

mod answer;
mod explain;
mod organisation;
mod route;
mod steps;
mod winner;

use std::sync::Arc;

use self::steps::Steps;
use crate::{
    catalog::{Candidate, Catalog, ClassId, RoleClass, Seated},
    domain::{App, Finding, Method, Time, UniqueName, UserId, directory::packed::LinkEntry},
};

pub use self::{
    answer::{Outcome, Resolution, Sentence},
    explain::{Explanation, LosingRoute, explain},
    organisation::{assignment_findings, link_findings, object_finding, organisation_findings},
    route::{LossReason, Route},
};

/// Resolves the profile of a user in an app.
pub fn resolve(catalog: &Catalog, user: &UserId, app: App) -> Outcome {
    let Some(seated) = catalog.user(user) else { return Outcome::NotFound };
    if !app.applies() {
        return Outcome::NotApplicable;
    }
    let class = || Arc::new(of_class(catalog, catalog.class(seated.class), app));
    Outcome::Resolved(Arc::unwrap_or_clone(of_seated(catalog, &seated, app, class)))
}

/// What users of a role class get without a direct link: steps 2 to 4, in an app in which profiles
/// apply. Depends on nothing but the class and configuration other than users and teams.
pub fn of_class(catalog: &Catalog, class: &RoleClass, app: App) -> Resolution {
    Steps::of_class(catalog, class, app).resolution()
}

/// What a user gets, given what the role class gets: step 1, and the findings on the user's own
/// state. Shares the answer of the class where the user differs in nothing.
pub fn of_seated(
    catalog: &Catalog,
    seated: &Seated,
    app: App,
    of_class: impl FnOnce() -> Arc<Resolution>,
) -> Arc<Resolution> {
    let mut lost = None;
    let answer = match seated.links().as_slice() {
        [] => of_class(),
        [link] => match linked(catalog, seated.written(), *link) {
            Some(direct) => Arc::new(direct),
            None => {
                lost = Some(steps::lost_link(catalog, seated.written(), *link));
                of_class()
            }
        },
        _ => Arc::new(Steps::of(catalog, seated, app).resolution()),
    };
    add(answer, lost.into_iter().chain(steps::user_findings(catalog, seated)))
}

/// Step 1 for a user with one link: wins when its profile is there and active.
fn linked(catalog: &Catalog, written: Time, link: LinkEntry<'_>) -> Option<Resolution> {
    let profile = catalog.profile_of(written, link).filter(|p| p.common.is_active())?;
    Some(Resolution {
        profile: profile.name().clone(),
        method: Method::Direct,
        rank: profile.rank,
        matched_roles: Vec::new(),
        ambiguous: false,
        findings: steps::unprovisioned(catalog, profile).into_iter().collect(),
    })
}

/// Adds findings, ascending by code and each code once.
fn add(answer: Arc<Resolution>, findings: impl Iterator<Item = Finding>) -> Arc<Resolution> {
    let mut findings = findings.peekable();
    if findings.peek().is_none() {
        return answer;
    }
    let mut answer = Arc::unwrap_or_clone(answer);
    for finding in findings {
        if let Err(at) = answer.findings.binary_search_by_key(&finding.code, |known| known.code) {
            answer.findings.insert(at, finding);
        }
    }
    Arc::new(answer)
}

/// The profile that a direct link leads a user to, if any does: for comparisons over many users.
pub fn direct_winner<'a>(catalog: &'a Catalog, seated: &Seated<'_>) -> Option<&'a UniqueName> {
    winner::direct(catalog, seated)
}

/// Only the profile that users of a role class get in an app without a direct link, and the step that
/// it comes from: for comparisons over many classes. `by_role` is what their roots lead to
/// ([`Catalog::strongest_of`]).
pub fn class_winner<'a>(
    catalog: &'a Catalog,
    class: ClassId,
    by_role: Option<&'a Candidate>,
    app: App,
) -> (&'a UniqueName, Method) {
    winner::of_class(catalog, class, by_role, app)
}

/// Whether a role of the class leads to a profile, so that neither defaults nor the app matter to
/// users without a direct link.
pub fn is_led_by_role(catalog: &Catalog, class: &RoleClass) -> bool {
    class.held.iter().any(|root| catalog.strongest(root).is_some())
}
