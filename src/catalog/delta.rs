//! What a commit changed: for each key the object before and the object after.

use std::sync::Arc;

use super::Reach;
use crate::domain::{Change, Object, ObjectKey};

/// The change of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The object.
    pub key: ObjectKey,
    /// Its state before, as readers saw it; none when it is new.
    pub old: Option<Object>,
    /// Its state after; none when it is gone.
    pub new: Option<Object>,
}

/// All changes of a commit, in the order in which it holds them. Cheap to clone.
///
/// Users and teams that lose a reference because its object is gone are not among them: they do not
/// change, their readers see less of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    changes: Arc<[Changed]>,
    /// The profiles whose content they touch.
    contents: Arc<Reach>,
}

impl Delta {
    /// What becomes of objects, of which `old` answers the state before.
    pub(super) fn of(
        changes: &[Change],
        old: impl Fn(&ObjectKey) -> Option<Object>,
        contents: Reach,
    ) -> Self {
        let changed = changes.iter().map(|change| {
            let key = change.key();
            let new = match change {
                Change::Put(object) => Some(object.clone()),
                Change::Delete(_) => None,
            };
            Changed { old: old(&key), key, new }
        });
        Self { changes: changed.collect(), contents: Arc::new(contents) }
    }

    /// The changes.
    pub fn iter(&self) -> std::slice::Iter<'_, Changed> {
        self.changes.iter()
    }

    /// The profiles whose content may differ for users whose gates stay.
    pub fn contents(&self) -> &Reach {
        &self.contents
    }
}

impl<'a> IntoIterator for &'a Delta {
    type Item = &'a Changed;
    type IntoIter = std::slice::Iter<'a, Changed>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
