//! Users and teams (SPEC §3.2 and §3.4).

pub mod packed;
mod synced;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::synced::{OtherName, Synced, SyncedRoles};
use super::{Stamp, TeamId, Time, UniqueName, UserId};

/// Most roles that a user holds himself.
pub const MAX_USER_ROLES: usize = 100;
/// Most members of a team.
pub const MAX_TEAM_MEMBERS: usize = 10_000;
/// Most roles of a team.
pub const MAX_TEAM_ROLES: usize = 50;

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UserKind {
    /// A person.
    #[default]
    Human,
    /// A program; never counted.
    Application,
}

/// A link user to profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectLink {
    /// The profile.
    pub profile: UniqueName,
    /// When the link was made; old data may lack it.
    #[serde(default)]
    pub assigned_at: Option<Time>,
    /// Who made it.
    #[serde(default)]
    pub assigned_by: String,
}

/// A person who works, or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Immutable id.
    pub id: UserId,
    /// Server's notes.
    pub stamp: Stamp,
    /// At most 200 characters.
    pub display_name: String,
    /// Immutable.
    #[serde(default)]
    pub kind: UserKind,
    /// At most 254 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Roles held by the user himself, as given (not yet root roles).
    #[serde(default)]
    pub roles: BTreeSet<UniqueName>,
    /// One through the API; old data may hold several.
    #[serde(default)]
    pub direct: Vec<DirectLink>,
    /// Whether the user may not call.
    #[serde(default)]
    pub disabled: bool,
    /// At most 100 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub business_unit: String,
    /// What a directory sync gave; absent where none did, and in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<Box<Synced>>,
}

impl User {
    /// Whether the user is counted in impact lists and totals.
    pub fn is_counted(&self) -> bool {
        !self.disabled && self.kind == UserKind::Human
    }
}

impl User {
    /// The roles that the user holds because a directory sync gave them, ascending.
    pub fn synced_roles(&self) -> impl Iterator<Item = &UniqueName> {
        let synced = self.synced.as_deref().map(|synced| &synced.roles);
        self.roles.iter().filter(move |role| synced.is_some_and(|synced| synced.holds(role)))
    }

    /// Replaces the roles. A role that stays keeps its source, one that comes has the source of the
    /// write: so an administrator who repeats what a sync gave does not keep it from the sync, and a
    /// sync that repeats what an administrator gave does not take it later.
    pub fn set_roles(&mut self, roles: BTreeSet<UniqueName>, by_sync: bool) {
        // References that are gone are no change of what is alive.
        if roles == self.roles {
            return;
        }
        let synced: BTreeSet<_> = self.synced_roles().cloned().collect();
        let from_sync = |role: &&UniqueName| match self.roles.contains(*role) {
            true => synced.contains(*role),
            false => by_sync,
        };
        let given = roles.iter().filter(from_sync).cloned().collect();
        let given = SyncedRoles::of(given, roles.len());
        self.roles = roles;
        self.note(|synced| synced.roles = given);
    }

    /// The name that the id was not made of, where the user has one.
    pub fn other_name(&self) -> Option<&OtherName> {
        self.synced.as_deref().and_then(|synced| synced.other_name.as_ref())
    }

    /// Sets the name that the id was not made of.
    pub fn set_other_name(&mut self, name: Option<OtherName>) {
        self.note(|synced| synced.other_name = name);
    }

    /// Changes the notes; empty ones take no memory.
    fn note(&mut self, change: impl FnOnce(&mut Synced)) {
        let mut synced = self.synced.take().map(|synced| *synced).unwrap_or_default();
        change(&mut synced);
        self.synced = (synced != Synced::default()).then(|| Box::new(synced));
    }
}

/// People who share roles; only reported, never counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Immutable id.
    pub id: TeamId,
    /// Server's notes.
    pub stamp: Stamp,
    /// 1 to 100 characters, trimmed.
    pub display_name: String,
    /// Members.
    #[serde(default)]
    pub members: BTreeSet<UserId>,
    /// Roles of the team, as given.
    #[serde(default)]
    pub roles: BTreeSet<UniqueName>,
    /// What a directory calls the team; at most 254 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Box<str>>,
}

#[cfg(test)]
mod tests;
