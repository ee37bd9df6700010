//! By what streams of profiles are found: the groups that share an answer.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    group::{GroupKey, Groups},
    ids::{GroupId, StreamId},
    slot::Index,
};
use crate::{catalog::Catalog, read::Variant};

/// The groups of one catalog, and which stream is in which.
#[derive(Debug, Default)]
pub struct ProfileIndex {
    /// The newest catalog that the streams were compared with.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// Groups by the seats of that catalog.
    pub(super) groups: Groups,
    /// Streams that began with a newer catalog, so they are in no group yet.
    pub(super) newer_than_hub: BTreeSet<StreamId>,
    group_of: HashMap<StreamId, GroupId>,
}

impl ProfileIndex {
    /// Puts an open stream into the group of that key.
    pub(super) fn place(&mut self, id: StreamId, key: GroupKey, variant: &Variant) {
        let group = self.groups.join(id, key, variant);
        let old = self.group_of.insert(id, group).filter(|old| *old != group);
        if let Some(old) = old {
            self.groups.leave(id, old);
        }
    }
}

impl Index for ProfileIndex {
    fn remove(&mut self, id: StreamId) {
        self.newer_than_hub.remove(&id);
        if let Some(group) = self.group_of.remove(&id) {
            self.groups.leave(id, group);
        }
    }
}
