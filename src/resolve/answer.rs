//! What resolving answers.

use std::fmt;

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

/// One plain sentence that says why a profile applies.
#[derive(Debug)]
pub struct Sentence<'a>(&'a Resolution);

impl Resolution {
    /// One plain sentence that says why.
    pub fn reason(&self) -> Sentence<'_> {
        Sentence(self)
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resolution { profile, method, rank, matched_roles, .. } = self.0;
        match method {
            Method::Direct => write!(f, "{profile} is assigned directly."),
            Method::RoleBased => {
                let roles: Vec<_> = matched_roles.iter().map(UniqueName::as_str).collect();
                let rank = rank.map_or("no rank".to_owned(), |rank| format!("rank {rank}"));
                let roles = roles.join(", ");
                write!(f, "{profile} maps {roles} and has the strongest rank ({rank}).")
            }
            Method::DefaultCustom => write!(f, "{profile} is the default profile."),
            Method::DefaultBuiltIn => {
                write!(f, "No other profile applies, so the built-in {profile} does.")
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
