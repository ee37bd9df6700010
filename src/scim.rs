//! SCIM 2.0 at `/scim/v2` (RFC 7643, RFC 7644): users and groups as directories write them (SPEC §12.4).
//!
//! Every write is one command, or one list of commands, handed to the ledger as the API does; there
//! is no second write path. A request is judged on the state that was read for it: the commands carry
//! its etag, and a request that was overtaken is judged again. So one that repeats what is there
//! changes nothing and takes no revision.

mod answer;
mod attributes;
mod caller;
mod discovery;
mod endpoint;
mod error;
mod filter;
mod group;
mod groups;
mod guard;
mod index;
mod list;
mod locations;
mod patch;
mod query;
mod settings;
mod shared;
mod stripes;
mod user;
mod users;
mod write;

use std::sync::Arc;

use axum::Router;

pub use self::settings::{Settings, UserIdSource};
use self::{index::Index, shared::Shared};
use crate::{
    audit::Recorder,
    catalog::Catalog,
    clock::Clock,
    credentials::Credentials,
    ledger::{Committed, Ledger},
    trace::Tracer,
};

/// What SCIM ids and names lead to. It follows every commit, so that no look-up scans.
#[derive(Debug, Clone, Default)]
pub struct Follower(Arc<Index>);

impl Follower {
    /// Takes in all users and teams; commits are followed from then on.
    pub fn fill(&self, catalog: &Catalog) {
        self.0.fill(catalog);
    }

    /// Follows a group of writes.
    pub fn committed(&self, committed: &Committed) {
        self.0.follow(committed);
    }
}

/// The routes of SCIM over a ledger.
pub fn routes(
    settings: Settings,
    follower: &Follower,
    ledger: Ledger,
    clock: Clock,
    callers: (Credentials, Recorder, Tracer),
) -> Router {
    let index = Arc::clone(&follower.0);
    endpoint::routes(Arc::new(Shared::new(settings, index, ledger, clock, callers)))
}

/// Whether a path is one of SCIM.
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(locations::BASE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
