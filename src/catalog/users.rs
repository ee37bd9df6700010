//! Users with what resolution needs of them, and the indexes that lead to them.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Catalog,
    classes::{Classes, Link, Seat},
    members::Index,
    memberships::Memberships,
    roster::{Found, Roster, Stored, View},
};
use crate::domain::{
    Time, UniqueName, UserId,
    directory::{DirectLink, User, UserKind, packed::LinkEntry},
};

/// A user with what resolution needs of him, worked out.
#[derive(Debug)]
pub struct Seated<'a> {
    catalog: &'a Catalog,
    found: Found<'a>,
    view: View<'a>,
    /// Role class and direct link.
    pub seat: &'a Seat,
}

/// All users and what leads to them.
#[derive(Debug, Clone, Default)]
pub(super) struct Users {
    pub(super) roster: Roster,
    pub(super) classes: Classes,
    /// Teams of a user.
    pub(super) memberships: Memberships,
    /// Counted users (enabled, human) by seat.
    pub(super) seated: Index<Seat>,
    /// Users by what a direct link of theirs leads to.
    pub(super) linked: Index<Link>,
}

impl Users {
    /// Takes a user out of every index.
    pub(super) fn remove(&mut self, id: &UserId) {
        if let Some(class) = self.take_out(id) {
            self.roster.remove(id);
            self.classes.leave(class);
        }
    }

    /// Puts a seated user, who is in no index, into each.
    pub(super) fn put(&mut self, stored: Stored) {
        let Stored { user, seat, .. } = &stored;
        let links: Vec<_> = user.direct.iter().map(LinkEntry::from).collect();
        for key in indexed(&links, seat) {
            self.linked.add(&key, &user.id);
        }
        if user.is_counted() {
            self.seated.add(seat, &user.id);
        }
        self.roster.insert(stored);
    }

    /// Takes a user out of the sets of users; the class of his seat, if there is such a user.
    pub(super) fn take_out(&mut self, id: &UserId) -> Option<super::ClassId> {
        let Self { roster, seated, linked, .. } = self;
        let found = roster.get(id)?;
        let (seat, at) = (found.seat(), found.at());
        if found.view().is_counted() {
            seated.take(seat, id, at);
        }
        for key in indexed(&found.view().links(), seat) {
            linked.take(&key, id, at);
        }
        Some(seat.class)
    }

    /// Forgets who was linked to a profile that is gone.
    pub(super) fn unlink(&mut self, profile: &Link) {
        self.linked.drop_key(profile);
    }
}

/// Whether a link was made by a write, which finds the profile first. Imported ones may lead nowhere
/// from the start.
pub(super) fn is_checked(link: LinkEntry<'_>) -> bool {
    link.assigned_at.is_some() && !link.assigned_by.is_empty()
}

/// Under what the index of links lists a user of that seat: links made by writes under the generation
/// that they were made to, so that all of them go at once with their profile; imported ones by name.
pub(super) fn indexed(links: &[LinkEntry<'_>], seat: &Seat) -> Vec<Link> {
    let key = |link: &Link| {
        let made = |given: &LinkEntry<'_>| *given.profile == link.name && is_checked(*given);
        let uid = link.uid.filter(|_| links.iter().any(made));
        Link { name: link.name.clone(), uid }
    };
    let mut keys: Vec<_> = seat.direct.links().iter().map(key).collect();
    keys.sort();
    keys.dedup();
    keys
}

// === impl View ===

impl View<'_> {
    /// Whether the user is counted in impact lists and totals.
    pub(super) fn is_counted(&self) -> bool {
        match self {
            Self::Packed(entry) => !entry.is_disabled() && entry.kind() == UserKind::Human,
            Self::Stored(user) => user.is_counted(),
        }
    }

    fn written(&self) -> Time {
        match self {
            Self::Packed(entry) => entry.written(),
            Self::Stored(user) => user.stamp.update_time,
        }
    }

    /// The direct links as the last write left them.
    pub(super) fn links(&self) -> Vec<LinkEntry<'_>> {
        match self {
            Self::Packed(entry) => entry.links().collect(),
            Self::Stored(user) => user.direct.iter().map(LinkEntry::from).collect(),
        }
    }
}

// === impl Seated ===

impl<'a> Seated<'a> {
    pub(super) fn new(catalog: &'a Catalog, found: Found<'a>) -> Self {
        Self { catalog, found, view: found.view(), seat: found.seat() }
    }

    /// The id, in the stored spelling.
    pub fn id(&self) -> UserId {
        match &self.view {
            View::Packed(entry) => UserId::parse(entry.id()).expect("a packed id was one before"),
            View::Stored(user) => user.id.clone(),
        }
    }

    /// The text of the id, in the stored spelling.
    pub fn id_text(&self) -> &'a str {
        self.found.id()
    }

    /// The name for people to read.
    pub fn display_name(&self) -> &str {
        match &self.view {
            View::Packed(entry) => entry.display_name(),
            View::Stored(user) => &user.display_name,
        }
    }

    /// What the user is.
    pub fn kind(&self) -> UserKind {
        match &self.view {
            View::Packed(entry) => entry.kind(),
            View::Stored(user) => user.kind,
        }
    }

    /// Whether the user may not call.
    pub fn is_disabled(&self) -> bool {
        match &self.view {
            View::Packed(entry) => entry.is_disabled(),
            View::Stored(user) => user.disabled,
        }
    }

    /// Whether the user is counted in impact lists and totals.
    pub fn is_counted(&self) -> bool {
        self.view.is_counted()
    }

    /// When the user was written last: what a link without a time is as old as.
    pub fn written(&self) -> Time {
        self.view.written()
    }

    /// Whether the user holds a role himself.
    pub fn has_roles(&self) -> bool {
        let roles = self.stored_roles();
        let alive = || roles.iter().any(|role| self.catalog.refers(role, self.written()));
        !roles.is_empty() && (self.keeps_roles() || alive())
    }

    /// Whether the user holds that role himself.
    pub fn has_role(&self, role: &UniqueName) -> bool {
        self.stored_roles().contains(role) && self.catalog.refers(role, self.written())
    }

    /// The roles as the last write left them.
    fn stored_roles(&self) -> &BTreeSet<UniqueName> {
        match &self.view {
            View::Packed(entry) => entry.roles(),
            View::Stored(user) => &user.roles,
        }
    }

    /// The direct links, but for those that went with their profiles.
    pub fn links(&self) -> Vec<LinkEntry<'_>> {
        let mut links = self.view.links();
        links.retain(|link| !self.catalog.is_gone(self.written(), *link));
        links
    }

    /// The whole user, without references to roles and profiles that are gone.
    pub fn user(&self) -> Arc<User> {
        let user = self.found.user();
        if self.keeps_roles() && self.catalog.keeps_links(&user) {
            return user;
        }
        Arc::new(self.catalog.pruned(&user))
    }

    /// Whether every role that the user was stored with is there.
    fn keeps_roles(&self) -> bool {
        let lost = self.catalog.users.classes.entry(self.seat.class).derived.lost;
        self.found.whole() && !lost
    }
}

impl DirectLink {
    /// What the rules of links read.
    pub fn entry(&self) -> LinkEntry<'_> {
        LinkEntry::from(self)
    }
}
