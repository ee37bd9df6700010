//! A user that was found, in the base or in the overlay.

use std::sync::Arc;

use super::base::Placed;
use crate::{
    catalog::{classes::Seat, ids::ClassId},
    domain::{
        Time,
        directory::{
            User, UserKind,
            packed::{self, Entry, LinkEntry, PackedUser},
        },
    },
};

/// A user as the last write left him.
#[derive(Debug, Clone)]
pub(in crate::catalog) struct Stored {
    pub(in crate::catalog) user: Arc<User>,
    pub(in crate::catalog) seat: Seat,
    /// Whether every reference was alive when the user was seated.
    pub(in crate::catalog) whole: bool,
}

/// A user that was found.
#[derive(Debug, Clone, Copy)]
pub(in crate::catalog) enum Found<'a> {
    /// In the base, at that position.
    Packed(u32, PackedUser<'a>, Placed<'a>),
    /// In the overlay.
    Stored(&'a Stored),
}

/// Where a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum At {
    /// In the base, at that position.
    Base(u32),
    /// In the overlay.
    Overlay,
}

/// What resolution reads of a user.
#[derive(Debug)]
pub(in crate::catalog) enum View<'a> {
    Packed(Entry<'a>),
    Stored(&'a Arc<User>),
}

// === impl Stored ===

impl PartialEq for Stored {
    /// Whether it is the very same: what was stored again counts as another.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.user, &other.user) && self.seat == other.seat && self.whole == other.whole
    }
}

// === impl Found ===

impl<'a> Found<'a> {
    /// The id, in the stored spelling.
    pub(in crate::catalog) fn id(self) -> &'a str {
        match self {
            Self::Packed(_, user, _) => user.id(),
            Self::Stored(stored) => stored.user.id.as_str(),
        }
    }

    pub(in crate::catalog) fn at(self) -> At {
        match self {
            Self::Packed(position, ..) => At::Base(position),
            Self::Stored(_) => At::Overlay,
        }
    }

    pub(in crate::catalog) fn seat(self) -> &'a Seat {
        match self {
            Self::Packed(_, _, placed) => placed.seat,
            Self::Stored(stored) => &stored.seat,
        }
    }

    /// The class of the seat.
    pub(in crate::catalog) fn class(self) -> ClassId {
        match self {
            Self::Packed(_, _, placed) => placed.class,
            Self::Stored(stored) => stored.seat.class,
        }
    }

    /// Whether every reference was alive when the user was seated.
    pub(in crate::catalog) fn whole(self) -> bool {
        match self {
            Self::Packed(_, _, placed) => placed.whole,
            Self::Stored(stored) => stored.whole,
        }
    }

    /// The user as the last write left him.
    pub(in crate::catalog) fn user(self) -> Arc<User> {
        match self {
            Self::Packed(_, user, _) => Arc::new(user.user()),
            Self::Stored(stored) => Arc::clone(&stored.user),
        }
    }

    /// The form of the user that a checkpoint has, behind those bytes.
    pub(in crate::catalog) fn encode(self, into: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Packed(_, user, _) => user.encode(into),
            Self::Stored(stored) => packed::encode(&stored.user, into),
        }
    }

    pub(in crate::catalog) fn view(self) -> View<'a> {
        match self {
            Self::Packed(_, user, _) => View::Packed(user.entry()),
            Self::Stored(stored) => View::Stored(&stored.user),
        }
    }
}

// === impl View ===

impl View<'_> {
    /// Whether the user is counted in impact lists and totals.
    pub(in crate::catalog) fn is_counted(&self) -> bool {
        match self {
            Self::Packed(entry) => !entry.is_disabled() && entry.kind() == UserKind::Human,
            Self::Stored(user) => user.is_counted(),
        }
    }

    pub(in crate::catalog) fn written(&self) -> Time {
        match self {
            Self::Packed(entry) => entry.written(),
            Self::Stored(user) => user.stamp.update_time,
        }
    }

    /// The direct links as the last write left them.
    pub(in crate::catalog) fn links(&self) -> Vec<LinkEntry<'_>> {
        match self {
            Self::Packed(entry) => entry.links().collect(),
            Self::Stored(user) => user.direct.iter().map(LinkEntry::from).collect(),
        }
    }
}
