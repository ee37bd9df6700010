//! Which references of users and teams are alive.
//!
//! A role or a profile is deleted without a change of those that refer to it, however many they are.
//! What became of a reference follows from the objects: commit times strictly rise, so an object
//! that is younger than the reference to its name is another one than the reference was made to.
//! Readers of users and teams never see a reference that died, and a write stores what it read,
//! so whatever is stored later is alive.

use std::{borrow::Cow, sync::Arc};

use super::{Catalog, Link, users::is_checked};
use crate::domain::{
    TeamId, Time, UniqueName,
    directory::{DirectLink, Team, User, packed::LinkEntry},
    profile::Profile,
    role::SecurityRole,
    stored::Named,
};

/// What a direct link leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LinkState<'a> {
    /// The profile that it was made to, active or not.
    Alive(&'a Profile),
    /// No profile, and the link was not made through the API: it is reported.
    Dangling,
    /// Its profile was deleted, and the link went with it.
    Gone,
}

/// Whether an object is the one that a reference of that time was made to. Built-in objects are
/// never deleted, but a newer program may have written them again.
fn known_since<T: Named>(object: &T, time: Time) -> bool {
    object.common().is_built_in() || object.stamp().create_time <= time
}

impl Catalog {
    /// The role that a state of a user or team, written at that time, refers to by this name.
    fn referred_role(&self, role: &UniqueName, written: Time) -> Option<&Arc<SecurityRole>> {
        self.tables.roles.get(role).filter(|found| known_since(found.as_ref(), written))
    }

    /// Whether a state of that time refers to a role by this name.
    pub(super) fn refers(&self, role: &UniqueName, written: Time) -> bool {
        self.referred_role(role, written).is_some()
    }

    /// What a direct link of a user leads to.
    pub fn link_state(&self, user: &User, link: &DirectLink) -> LinkState<'_> {
        self.state_of(user.stamp.update_time, link.into())
    }

    /// What a direct link leads to of a user who was written last at that time.
    fn state_of(&self, written: Time, link: LinkEntry<'_>) -> LinkState<'_> {
        let made = link.assigned_at.unwrap_or(written);
        match self.tables.profiles.get(link.profile) {
            Some(profile) if known_since(profile.as_ref(), made) => LinkState::Alive(profile),
            None if !is_checked(link) => LinkState::Dangling,
            _ => LinkState::Gone,
        }
    }

    /// Whether a direct link went with its profile.
    pub(super) fn is_gone(&self, written: Time, link: LinkEntry<'_>) -> bool {
        self.state_of(written, link) == LinkState::Gone
    }

    /// The profile that a direct link of a user leads to, active or not.
    pub fn linked_profile(&self, user: &User, link: &DirectLink) -> Option<&Profile> {
        self.profile_of(user.stamp.update_time, link.into())
    }

    /// The same for a link of a user who was written last at that time.
    pub fn profile_of(&self, written: Time, link: LinkEntry<'_>) -> Option<&Profile> {
        match self.state_of(written, link) {
            LinkState::Alive(profile) => Some(profile),
            LinkState::Dangling | LinkState::Gone => None,
        }
    }

    /// The roles among these that a state of that time refers to, in their generation.
    pub(super) fn role_links<'a>(
        &'a self,
        roles: impl IntoIterator<Item = &'a UniqueName>,
        written: Time,
    ) -> impl Iterator<Item = Link> {
        let found = roles.into_iter().filter_map(move |role| self.referred_role(role, written));
        found.map(|role| Link { name: role.common.unique_name.clone(), uid: Some(role.stamp.uid) })
    }

    /// Links of a user that lead somewhere or may be reported again, in the generation of their
    /// profiles.
    pub(super) fn profile_links(&self, written: Time, links: &[LinkEntry<'_>]) -> Vec<Link> {
        let kept = |link: &LinkEntry<'_>| {
            let uid = self.profile_of(written, *link).map(|profile| profile.stamp.uid);
            let kept = uid.is_some() || !is_checked(*link);
            kept.then(|| Link { name: link.profile.clone(), uid })
        };
        links.iter().filter_map(kept).collect()
    }

    /// Whether no direct link of a user went with its profile.
    pub(super) fn keeps_links(&self, user: &User) -> bool {
        user.direct.iter().all(|link| self.link_state(user, link) != LinkState::Gone)
    }

    /// A user without the references that died.
    pub(super) fn pruned(&self, user: &User) -> User {
        let mut pruned = user.clone();
        pruned.roles.retain(|role| self.referred_role(role, user.stamp.update_time).is_some());
        pruned.direct.retain(|link| self.link_state(user, link) != LinkState::Gone);
        pruned
    }

    /// A team as readers see it: without the roles that are gone.
    pub(super) fn seen_team<'a>(&self, team: &'a Arc<Team>) -> Cow<'a, Arc<Team>> {
        let written = team.stamp.update_time;
        let alive = |role: &UniqueName| self.referred_role(role, written).is_some();
        if team.roles.iter().all(alive) {
            return Cow::Borrowed(team);
        }
        let mut pruned = Team::clone(team);
        pruned.roles.retain(alive);
        Cow::Owned(Arc::new(pruned))
    }

    /// The team of that id.
    pub fn team(&self, id: &TeamId) -> Option<Cow<'_, Arc<Team>>> {
        self.teams.get(id).map(|team| self.seen_team(team))
    }

    /// All teams, ascending by id.
    pub fn teams(&self) -> impl Iterator<Item = Cow<'_, Arc<Team>>> {
        self.teams.values().map(|team| self.seen_team(team))
    }
}
