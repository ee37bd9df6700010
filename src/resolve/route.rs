//! The ways in which profiles come into question, and why they lose.

use crate::domain::{Method, Time, UniqueName};

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

/// Why a route lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// A stronger step had a candidate.
    LowerPrecedence,
    /// The winner itself, reached by a weaker step.
    SameProfile,
    /// Same step, rank behind.
    WorseRank,
    /// Step 1, same rank, later link.
    AssignedLater,
    /// Step 3, flagged later.
    DefaultSetLater,
    /// Everything equal but the name.
    TieUniqueName,
    /// The profile is inactive.
    Inactive,
    /// The profile does not exist.
    Dangling,
    /// The role is held only through a team.
    RoleViaTeamOnly,
    /// The built-in profile needs channels.
    ChannelsNotProvisioned,
    /// Profiles do not apply in the app.
    AppNotApplicable,
}

impl LossReason {
    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LowerPrecedence => "LOWER_PRECEDENCE",
            Self::SameProfile => "SAME_PROFILE",
            Self::WorseRank => "WORSE_RANK",
            Self::AssignedLater => "ASSIGNED_LATER",
            Self::DefaultSetLater => "DEFAULT_SET_LATER",
            Self::TieUniqueName => "TIE_UNIQUE_NAME",
            Self::Inactive => "INACTIVE",
            Self::Dangling => "DANGLING",
            Self::RoleViaTeamOnly => "ROLE_VIA_TEAM_ONLY",
            Self::ChannelsNotProvisioned => "CHANNELS_NOT_PROVISIONED",
            Self::AppNotApplicable => "APP_NOT_APPLICABLE",
        }
    }
}
