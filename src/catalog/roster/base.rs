//! Packed users with their seats.

use std::ops::Range;

use super::places::Places;
use crate::{
    catalog::{classes::Seat, ids::ClassId},
    domain::directory::packed::{PackedUser, PackedUsers},
};

/// The bit of a placement that says that every reference was alive.
const WHOLE: u32 = 1 << 31;

/// Positions of a base, ascending.
pub(super) type Positions = Range<u32>;

/// Users, a seat for each, and what finds one by id.
#[derive(Debug, Default)]
pub(in crate::catalog) struct Base {
    pub(in crate::catalog) users: PackedUsers,
    places: Places,
    /// By position: the number of the seat, and whether every reference was alive.
    placements: Vec<u32>,
    seats: Vec<Seat>,
    /// The classes of the seats: a look-up at random finds these few bytes in a near cache, and the
    /// seats not.
    classes: Vec<ClassId>,
}

/// The seat of a packed user.
#[derive(Debug, Clone, Copy)]
pub(in crate::catalog) struct Placed<'a> {
    pub(in crate::catalog) seat: &'a Seat,
    /// The class of the seat.
    pub(in crate::catalog) class: ClassId,
    /// Whether every reference was alive when the user was seated.
    pub(in crate::catalog) whole: bool,
}

/// Where users are seated one after the other, in the order of their positions.
#[derive(Debug, Default)]
pub(in crate::catalog) struct Placements(Vec<u32>);

impl Placements {
    pub(in crate::catalog) fn for_users(users: usize) -> Self {
        Self(Vec::with_capacity(users))
    }

    /// Seats the next user on the seat of that number.
    pub(in crate::catalog) fn push(&mut self, seat: u32, whole: bool) {
        self.0.push(if whole { seat | WHOLE } else { seat });
    }
}

impl Base {
    /// The base of these users, who are seated in their order.
    pub(in crate::catalog) fn new(
        users: PackedUsers,
        placements: Placements,
        seats: Vec<Seat>,
    ) -> Self {
        debug_assert_eq!(users.len(), placements.0.len(), "each user has a seat");
        let Placements(placements) = placements;
        let kept = placements.iter().enumerate().map(|(at, placement)| {
            let at = at as u32;
            (users.at(at).id(), [users.start(at), *placement])
        });
        let places = Places::of(kept);
        let classes = seats.iter().map(|seat| seat.class).collect();
        Self { users, places, placements, seats, classes }
    }

    /// The user of that id: position, record and seat.
    pub(super) fn find(&self, id: &str) -> Option<(u32, PackedUser<'_>, Placed<'_>)> {
        self.places.candidates(id).find_map(|slot| {
            let [start, placement] = slot.kept;
            let user = self.users.begins_at(start);
            user.has_id(id).then(|| (slot.position, user, self.seat(placement)))
        })
    }

    /// The seat at a position.
    pub(super) fn placed(&self, position: u32) -> Placed<'_> {
        self.seat(self.placements[position as usize])
    }

    fn seat(&self, placement: u32) -> Placed<'_> {
        let number = (placement & !WHOLE) as usize;
        let (seat, class) = (&self.seats[number], self.classes[number]);
        Placed { seat, class, whole: placement & WHOLE != 0 }
    }

    /// Number of the seat at a position, among [`Self::seats`].
    pub(in crate::catalog) fn seat_number(&self, position: u32) -> u32 {
        self.placements[position as usize] & !WHOLE
    }

    /// All positions from one on.
    pub(super) fn positions(&self, from: u32) -> Positions {
        from..self.users.len() as u32
    }
}
