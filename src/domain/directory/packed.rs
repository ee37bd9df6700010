//! Very many users in a compact, immutable form: ascending by id, each in about as many bytes as
//! its texts have.
//!
//! What many users have in common stands once in a table of [`Names`]: sets of roles, profiles,
//! authors, business units. A user is one run of bytes that refers to them by number. A user is
//! read in two steps: the [`Entry`] with what resolution needs, then, where somebody wants it, the
//! whole [`User`].

mod form;
mod names;
mod packer;
mod stored;

use std::{fmt, sync::Arc};

use self::form::{Head, Tail};
pub use self::{
    form::{Entry, LinkEntry},
    names::Names,
    packer::{Packer, Shared},
    stored::{decode, encode},
};
use super::{User, UserKind};
use crate::domain::{Time, UserId, name::cmp_folded};

/// Records begin at multiples of this, so that 32 bits number 16 GiB of them.
const UNIT: usize = 4;

/// A user that cannot be read back: nothing but a mistake of this module makes one, for what comes
/// from files is checked when it is packed.
const SOUND: &str = "a packed user is read as it was written";

/// Users, ascending by id, each id once. Cheap to clone.
#[derive(Clone, Default)]
pub struct PackedUsers(Arc<Parts>);

#[derive(Default)]
struct Parts {
    names: Names,
    /// All records, one behind the other.
    bytes: Vec<u8>,
    /// Where each record begins, in [`UNIT`]s.
    starts: Vec<u32>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct PackedUser<'a> {
    names: &'a Names,
    bytes: &'a [u8],
}

impl PackedUsers {
    /// The users of a list in any order; of several with one id the last one counts.
    pub fn of(mut users: Vec<Arc<User>>) -> Self {
        if !users.is_sorted_by(|a, b| a.id < b.id) {
            users.sort_by(|a, b| a.id.cmp(&b.id));
            users.dedup_by(|later, kept| {
                let same = later.id == kept.id;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        let mut packer = Packer::default();
        for user in users {
            packer.push(&user);
        }
        packer.finish()
    }

    /// Number of users.
    pub fn len(&self) -> usize {
        self.0.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.starts.is_empty()
    }

    /// The user at a position below [`Self::len`].
    pub fn at(&self, position: u32) -> PackedUser<'_> {
        let start = self.0.starts[position as usize] as usize * UNIT;
        PackedUser { names: &self.0.names, bytes: &self.0.bytes[start..] }
    }

    /// All users, ascending by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PackedUser<'_>> {
        (0..self.0.starts.len()).map(|position| self.at(position as u32))
    }

    /// How many users have an id that is not behind this one: the position of the next.
    pub fn not_behind(&self, id: &str) -> u32 {
        let starts = self.0.starts.as_slice();
        let of = |start: &u32| form::first_text(&self.0.bytes[*start as usize * UNIT..]);
        starts.partition_point(|start| cmp_folded(of(start), id).is_le()) as u32
    }

    /// What the users have in common.
    pub fn names(&self) -> &Names {
        &self.0.names
    }

    /// Bytes of memory that the records and their table take.
    pub fn bytes(&self) -> usize {
        self.0.bytes.capacity() + self.0.starts.capacity() * size_of::<u32>()
    }
}

impl<'a> PackedUser<'a> {
    /// The id, in the stored spelling.
    pub fn id(self) -> &'a str {
        form::first_text(self.bytes)
    }

    /// What resolution needs.
    pub fn entry(self) -> Entry<'a> {
        Entry::new(self.head(), self.names)
    }

    /// The whole user.
    pub fn user(self) -> User {
        let (head, rest) = self.head();
        let (tail, _) = postcard::take_from_bytes::<Tail<'_, u32, u32>>(rest).expect(SOUND);
        form::user(head, tail, &mut { self.names }).expect(SOUND)
    }

    fn head(self) -> (Head<'a, u32, u32, u32>, &'a [u8]) {
        postcard::take_from_bytes(self.bytes).expect(SOUND)
    }
}

impl fmt::Debug for PackedUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedUsers").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl PartialEq for PackedUsers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(PackedUser::user).eq(other.iter().map(PackedUser::user))
    }
}

#[cfg(test)]
mod tests;
