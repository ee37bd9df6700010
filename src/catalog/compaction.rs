//! Merges what changed into packed users, beside the writes.
//!
//! A compaction takes as long as all users take, so no write waits for it: it works on a catalog that
//! no longer changes, and the newest catalog then takes the outcome over, with what changed since.

use std::sync::Arc;

use super::{
    Catalog, Link,
    members::Index,
    roster::{Base, Found, Placements, Roster},
    seating::{Groups, Numbered},
    users::indexed,
};
use crate::{
    catalog::classes::Seat,
    domain::directory::packed::{PackedUsers, Packer},
};

/// Fewest changed users that are worth a compaction.
const LEAST: usize = 1 << 14;
/// A compaction is due when more than this part of the users changed: what they take beside their
/// packed form is then a small part of all, and a user is packed again a few times in an import.
const PART: usize = 16;
/// The same while no write comes: an import then leaves few users that are not packed.
const IDLE_LEAST: usize = 1 << 10;
const IDLE_PART: usize = 256;

/// The users of a catalog, packed. Nothing that a reader could see differs.
#[derive(Debug)]
pub struct Compacted {
    /// Of which numbers the classes of the seats are.
    numbering: u64,
    /// What was packed.
    from: Roster,
    roster: Roster,
    seated: Index<Seat>,
    linked: Index<Link>,
}

impl Catalog {
    /// Whether so many users changed since they were packed that they should be packed again.
    pub fn wants_compaction(&self) -> bool {
        let roster = &self.users.roster;
        roster.pending() > LEAST.max(roster.base.users.len() / PART)
    }

    /// The same while nothing else is to be done.
    pub fn wants_compaction_when_idle(&self) -> bool {
        let roster = &self.users.roster;
        roster.pending() > IDLE_LEAST.max(roster.base.users.len() / IDLE_PART)
    }

    /// Packs the users. Takes as long as a copy of all of them.
    pub fn compacted(&self) -> Compacted {
        let from = &self.users.roster;
        let mut packer = self.packer();
        let (mut numbered, mut linked) = (Numbered::default(), Groups::new());
        let mut placements = Placements::for_users(from.len());
        let mut numbers: Vec<Option<u32>> = Vec::new();
        for (position, found) in (0..).zip(from.iter()) {
            pack(&mut packer, found);
            let seat = found.seat();
            let number = match found {
                Found::Stored(_) => numbered.number(seat),
                Found::Packed(position, ..) => {
                    let old = from.base.seat_number(position) as usize;
                    if numbers.len() <= old {
                        numbers.resize(old + 1, None);
                    }
                    *numbers[old].get_or_insert_with(|| numbered.number(seat))
                }
            };
            placements.push(number, found.whole());
            let view = found.view();
            numbered.push(number, view.is_counted());
            if !seat.direct.links().is_empty() {
                for key in indexed(&view.links(), seat) {
                    linked.join(&key, position);
                }
            }
        }
        let (seats, seated) = numbered.finish();
        let mut linked = linked.index();
        // A profile that is gone took its key with it, and left the users as they are.
        linked.keep_keys_of(&self.users.linked);
        Compacted {
            numbering: self.users.classes.numbering,
            from: from.clone(),
            roster: Roster::of(Base::new(packer.finish(), placements, seats)),
            seated,
            linked,
        }
    }

    /// The same catalog on the packed users of an earlier one, from which it came by commits; none
    /// when everybody was seated again since, or packed.
    #[must_use]
    pub fn adopting(&self, compacted: &Compacted) -> Option<Self> {
        let Compacted { numbering, from, roster, seated, linked } = compacted;
        let (now, classes) = (&self.users.roster, &self.users.classes);
        if classes.numbering != *numbering || !Arc::ptr_eq(&now.base, &from.base) {
            return None;
        }
        let mut next = self.clone();
        next.users.roster = roster.clone();
        next.users.seated = seated.clone();
        next.users.linked = linked.clone();
        for (id, stored) in now.changes_since(from) {
            match stored {
                Some(stored) => next.users.put(stored),
                None => next.users.take_out(&id),
            };
        }
        next.users.linked.keep_keys_of(&self.users.linked);
        Some(next)
    }

    /// How many users changed since a catalog was packed; all of them when they were seated again.
    pub fn changed_since(&self, compacted: &Compacted) -> usize {
        let Compacted { numbering, from, .. } = compacted;
        let (now, classes) = (&self.users.roster, &self.users.classes);
        if classes.numbering != *numbering || !Arc::ptr_eq(&now.base, &from.base) {
            return now.len();
        }
        now.changes_since(from).len()
    }

    /// The users, packed again where some changed.
    pub(super) fn packed_users(&self) -> PackedUsers {
        let roster = &self.users.roster;
        if roster.pending() == 0 {
            return roster.base.users.clone();
        }
        let mut packer = self.packer();
        roster.iter().for_each(|found| pack(&mut packer, found));
        packer.finish()
    }

    /// A packer with room for all users.
    fn packer(&self) -> Packer {
        let roster = &self.users.roster;
        let mut packer = Packer::default();
        let changed = roster.pending();
        packer.reserve(roster.len(), roster.base.users.bytes() + changed * 192);
        packer
    }
}

impl Compacted {
    /// The same for a later catalog, from which fewer changes lead to the newest one.
    #[must_use]
    pub fn caught_up(&self, catalog: &Catalog) -> Option<Self> {
        let users = catalog.adopting(self)?.users;
        Some(Self {
            numbering: self.numbering,
            from: catalog.users.roster.clone(),
            roster: users.roster,
            seated: users.seated,
            linked: users.linked,
        })
    }
}

fn pack(packer: &mut Packer, found: Found<'_>) {
    match found {
        Found::Packed(_, user, _) => packer.copy(user),
        Found::Stored(stored) => packer.push(&stored.user),
    }
}
