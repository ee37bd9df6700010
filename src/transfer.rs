//! Bundles: the documents in which configuration travels between organisations (SPEC §11.4).
//!
//! This module knows a document as a whole: its keys, its canonical form, its hash, its limits, and
//! which objects of a catalog belong into it. What a single resource looks like is the API's matter.

mod canonical;
mod document;
mod selection;
mod strict;

pub use self::{
    canonical::{Canonical, content_hash, hash_key},
    document::{Document, Resource, check_size},
    selection::{Selection, travels},
};
use crate::domain::{Kind, UniqueName};

/// The format version that is written and read.
pub const FORMAT_VERSION: u64 = 1;
/// Most bytes of a bundle.
pub const MAX_BUNDLE_BYTES: usize = 64 << 20;
/// Most bytes of one chunk of it in a message.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Most resources of a bundle.
pub const MAX_RESOURCES: usize = 100_000;
/// Most characters of the version of a bundle.
pub const MAX_VERSION: usize = 40;

/// What a bundle is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name, formed as a unique name.
    pub name: UniqueName,
    /// Version, 1 to 40 characters.
    pub version: String,
}

/// The kinds whose objects travel, ascending by their collections. Roles are named by profiles, users
/// and teams belong to one organisation.
pub fn kinds() -> Vec<Kind> {
    let mut kinds: Vec<_> = Kind::NAMED.iter().copied().filter(|k| *k != Kind::Role).collect();
    kinds.sort_by_key(|kind| kind.collection());
    kinds
}

#[cfg(test)]
mod tests;
