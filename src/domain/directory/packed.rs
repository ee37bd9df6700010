//! Very many users in a compact, immutable form: ascending by id, each in about as many bytes as
//! its texts have.
//!
//! What many users have in common stands once in a table of [`Names`]: sets of roles, profiles,
//! authors, business units. A user is one run of bytes that refers to them by number. A user is
//! read in two steps: the [`Entry`] with what resolution needs, then, where somebody wants it, the
//! whole [`User`](super::User).

mod form;
mod names;
mod packer;
mod refs;
mod stored;
mod users;

pub use self::{
    form::{Entry, LinkEntry},
    names::Names,
    packer::{Packer, Shared, pack},
    stored::{decode, encode},
    users::{PackedUser, PackedUsers},
};

#[cfg(test)]
mod tests;
