//! What resolving answers.

use crate::domain::{Finding, Method, UniqueName};

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
