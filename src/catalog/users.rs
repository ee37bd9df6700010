//! All users, and the indexes that lead to them.

use super::{
    classes::{Classes, Link, Seat},
    ids::ClassId,
    members::Index,
    memberships::Memberships,
    roster::{At, Found, Roster, Stored},
};
use crate::domain::{UserId, directory::packed::LinkEntry};

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
    /// Takes a user out of every index, and out of his class.
    pub(super) fn remove(&mut self, id: &UserId) {
        if let Some(class) = self.take_out(id) {
            self.classes.leave(class);
        }
    }

    /// Takes a user out of every index; the class of his seat, if there is such a user.
    pub(super) fn take_out(&mut self, id: &UserId) -> Option<ClassId> {
        let Self { roster, seated, linked, .. } = self;
        let found = roster.get(id)?;
        let class = found.class();
        take_away(found, id, seated, linked);
        roster.remove(id);
        Some(class)
    }

    /// Puts a seated user into every index, in place of the one with his id; the class of that one's
    /// seat. Who keeps his seat and is in the overlay already stays in the sets of users.
    pub(super) fn put(&mut self, stored: Stored) -> Option<ClassId> {
        let Self { roster, seated, linked, .. } = self;
        let Stored { user, seat, .. } = &stored;
        let given: Vec<_> = user.direct.iter().map(LinkEntry::from).collect();
        let keys = indexed(&given, seat);
        let found = roster.get(&user.id);
        let stays = found.is_some_and(|found| {
            let view = found.view();
            found.at() == At::Overlay
                && found.seat() == seat
                && view.is_counted() == user.is_counted()
                && indexed(&view.links(), seat) == keys
        });
        let class = found.map(Found::class);
        if !stays {
            if let Some(found) = found {
                take_away(found, &user.id, seated, linked);
            }
            for key in keys {
                linked.add(&key, &user.id);
            }
            if user.is_counted() {
                seated.add(seat, &user.id);
            }
        }
        roster.insert(stored);
        class
    }

    /// Forgets who was linked to a profile that is gone.
    pub(super) fn unlink(&mut self, profile: &Link) {
        self.linked.drop_key(profile);
    }
}

/// Takes a user, who was found, out of the sets of users.
fn take_away(found: Found<'_>, id: &UserId, seated: &mut Index<Seat>, linked: &mut Index<Link>) {
    let (seat, at, view) = (found.seat(), found.at(), found.view());
    if view.is_counted() {
        seated.take(seat, id, at);
    }
    for key in indexed(&view.links(), seat) {
        linked.take(&key, id, at);
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
