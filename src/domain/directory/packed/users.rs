//! The users themselves: records one behind the other, and where each begins.

use std::{fmt, sync::Arc};

use super::{
    form::{self, Entry, Head, Tail},
    names::Names,
    refs::SOUND,
};
use crate::domain::{directory::User, name::cmp_folded};

/// Records begin at multiples of this, so that 32 bits number 16 GiB of them.
pub(super) const UNIT: usize = 4;

/// Users, ascending by id, each id once. Cheap to clone.
#[derive(Clone, Default)]
pub struct PackedUsers(pub(super) Arc<Parts>);

#[derive(Default)]
pub(super) struct Parts {
    pub(super) names: Names,
    /// All records, one behind the other.
    pub(super) bytes: Vec<u8>,
    /// Where each record begins, in [`UNIT`]s.
    pub(super) starts: Vec<u32>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct PackedUser<'a> {
    pub(super) names: &'a Names,
    bytes: &'a [u8],
}

impl PackedUsers {
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
        self.begins_at(self.start(position))
    }

    /// Where the record of a position begins: for an index that leads there without the table.
    pub fn start(&self, position: u32) -> u32 {
        self.0.starts[position as usize]
    }

    /// The user whose record begins there; see [`Self::start`].
    pub fn begins_at(&self, start: u32) -> PackedUser<'_> {
        PackedUser { names: &self.0.names, bytes: &self.0.bytes[start as usize * UNIT..] }
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

    /// Whether the id is that one, in whatever case.
    pub fn has_id(self, id: &str) -> bool {
        form::first_text_is(self.bytes, id)
    }

    /// What resolution needs.
    pub fn entry(self) -> Entry<'a> {
        Entry::new(self.bytes, self.names)
    }

    /// The whole user.
    pub fn user(self) -> User {
        let (head, tail) = self.parts();
        let names = &mut { self.names };
        form::user(head.translated(names), tail.translated(names)).expect(SOUND)
    }

    /// Both parts.
    pub(super) fn parts(self) -> (Head<'a, u32, u32, u32>, Tail<'a, u32, u32>) {
        let (head, rest) = self.head();
        (head, postcard::take_from_bytes(rest).expect(SOUND).0)
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
