//! What readers see of a user.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Catalog,
    classes::Seat,
    ids::ClassId,
    roster::{Found, View},
};
use crate::domain::{
    Time, UniqueName, UserId,
    directory::{User, UserKind, packed::LinkEntry},
};

/// A user with what resolution needs of him, worked out.
#[derive(Debug)]
pub struct Seated<'a> {
    catalog: &'a Catalog,
    found: Found<'a>,
    view: View<'a>,
    /// Role class and direct link.
    pub seat: &'a Seat,
    /// The role class, for those who need no more of the seat.
    pub class: ClassId,
}

impl<'a> Seated<'a> {
    pub(super) fn new(catalog: &'a Catalog, found: Found<'a>) -> Self {
        let (view, seat, class) = (found.view(), found.seat(), found.class());
        Self { catalog, found, view, seat, class }
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
        let lost = self.catalog.users.classes.entry(self.class).derived.lost;
        self.found.whole() && !lost
    }
}
