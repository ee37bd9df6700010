//! Users with what resolution needs of them, and the indexes that lead to them.

use std::{borrow::Cow, sync::Arc};

use super::{
    classes::{Classes, Link, Seat},
    layered::Layered,
    sets::Index,
};
use crate::domain::{
    TeamId, UserId,
    directory::{DirectLink, User},
};

/// A user with what resolution needs of him, worked out.
#[derive(Debug, Clone)]
pub struct Seated<'a> {
    /// The user without references to roles and profiles that are gone.
    pub user: Cow<'a, Arc<User>>,
    /// Role class and direct link.
    pub seat: &'a Seat,
}

/// A user as the last write left him.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) user: Arc<User>,
    pub(super) seat: Seat,
    /// Whether every reference was alive when the user was seated.
    pub(super) whole: bool,
}

/// All users and what leads to them.
#[derive(Debug, Clone, Default)]
pub(super) struct Users {
    pub(super) by_id: Layered<UserId, Stored>,
    pub(super) classes: Classes,
    /// Teams of a user.
    pub(super) memberships: Index<UserId, TeamId>,
    /// Counted users (enabled, human) by seat.
    pub(super) seated: Index<Seat, UserId>,
    /// Users by what a direct link of theirs leads to.
    pub(super) linked: Index<Link, UserId>,
}

impl Users {
    /// Takes a user out of every index, and answers what was stored of him.
    pub(super) fn remove(&mut self, id: &UserId) -> Option<Arc<User>> {
        let Stored { user, seat, .. } = self.by_id.remove(id)?;
        self.seated.take(&seat, id);
        for link in seat.direct.links() {
            self.linked.take(&indexed(&user, link), id);
        }
        self.classes.leave(seat.class);
        Some(user)
    }

    /// Forgets who was linked to a profile that is gone.
    pub(super) fn unlink(&mut self, profile: &Link) {
        self.linked.drop_set(profile);
    }
}

/// Whether a link was made by a write, which finds the profile first. Imported ones may lead nowhere
/// from the start.
pub(super) fn is_checked(link: &DirectLink) -> bool {
    link.assigned_at.is_some() && !link.assigned_by.is_empty()
}

/// Under what the index of links lists a link: those made by writes under the generation that
/// they were made to, so that all of them go at once with their profile; imported ones by name.
pub(super) fn indexed(user: &User, link: &Link) -> Link {
    let made = |direct: &DirectLink| direct.profile == link.name && is_checked(direct);
    let uid = link.uid.filter(|_| user.direct.iter().any(made));
    Link { name: link.name.clone(), uid }
}
