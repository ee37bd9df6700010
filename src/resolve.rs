//! Which profile applies to a user, and why (SPEC §6).
//!
//! Four steps, the first that has a candidate wins, its first candidate is the answer, nothing is
//! merged. Everything here is a pure function of a catalog.

mod explain;
mod organisation;
mod steps;

use crate::{
    catalog::{Catalog, Seated},
    domain::{App, Finding, Method, Time, UniqueName, UserId},
};

pub use self::{
    explain::{Explanation, LosingRoute, LossReason, explain},
    organisation::organisation_findings,
};

/// The one profile that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The profile's unique name.
    pub profile: UniqueName,
    /// The step that it comes from.
    pub method: Method,
    /// Its rank, if it has one.
    pub rank: Option<u8>,
    /// Root roles of the user that the profile maps; step 2 only.
    pub matched_roles: Vec<UniqueName>,
    /// Whether only a tie-break decided.
    pub ambiguous: bool,
    /// Remarks, ascending by code (SPEC §6.5).
    pub findings: Vec<Finding>,
}

impl Resolution {
    /// One plain sentence that says why.
    pub fn reason(&self) -> String {
        match self.method {
            Method::Direct => format!("{} is assigned directly.", self.profile),
            Method::RoleBased => {
                let roles: Vec<_> = self.matched_roles.iter().map(UniqueName::as_str).collect();
                let rank = self.rank.map_or("no rank".to_owned(), |rank| format!("rank {rank}"));
                format!(
                    "{} maps {} and has the strongest rank ({rank}).",
                    self.profile,
                    roles.join(", ")
                )
            }
            Method::DefaultCustom => format!("{} is the default profile.", self.profile),
            Method::DefaultBuiltIn => {
                format!("No other profile applies, so the built-in {} does.", self.profile)
            }
        }
    }
}

/// What resolving answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A profile.
    Resolved(Resolution),
    /// Profiles do not apply in the app.
    NotApplicable,
    /// No such user.
    NotFound,
}

/// Resolves the profile of a user in an app.
pub fn resolve(catalog: &Catalog, user: &UserId, app: App) -> Outcome {
    let Some(seated) = catalog.user(user) else { return Outcome::NotFound };
    if !app.applies() {
        return Outcome::NotApplicable;
    }
    let steps = steps::Steps::of(catalog, seated, app);
    let winner = steps.winner();
    Outcome::Resolved(Resolution {
        profile: winner.profile.clone(),
        method: winner.method,
        rank: winner.rank,
        matched_roles: winner.matched_roles.clone(),
        ambiguous: steps.ambiguous(),
        findings: steps.findings(),
    })
}

/// Only the profile and the step that it comes from, for comparisons over many users; the app is not
/// given.
pub fn winner(catalog: &Catalog, seated: &Seated) -> (UniqueName, Method) {
    let steps = steps::Steps::of(catalog, seated, App::Unspecified);
    let winner = steps.winner();
    (winner.profile.clone(), winner.method)
}

/// A way in which a profile comes into question for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The profile's unique name; for a dangling link the name that it gives.
    pub profile: UniqueName,
    /// The step.
    pub method: Method,
    /// The profile's rank.
    pub rank: Option<u8>,
    /// Root roles that lead to it.
    pub matched_roles: Vec<UniqueName>,
    /// When the direct link was made, step 1.
    pub assigned_at: Option<Time>,
    /// When the profile became default, step 3.
    pub default_set_time: Option<Time>,
}
