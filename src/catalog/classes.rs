//! Role classes and seats: why a change of rank touches classes and not users.
//!
//! Users who hold the same roles are equal before steps 2 to 4 of the resolution, so those steps
//! are worked out per class; a direct link is all that tells users of one class apart.

use std::{collections::BTreeSet, sync::Arc};

use imbl::{OrdMap, Vector};

use super::memo::Memo;
use crate::domain::{UniqueName, UserId, directory::User};

/// Position of a role class in its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClassId(u32);

/// Root roles that users of a class hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RoleClass {
    /// Held by the user himself.
    pub held: BTreeSet<UniqueName>,
    /// Held only through teams; reported, never counted.
    pub team_only: BTreeSet<UniqueName>,
}

/// The direct links of a user, as far as they tell users apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Direct {
    /// No link.
    #[default]
    None,
    /// One link.
    One(UniqueName),
    /// Several links (old data): such a user sits alone.
    Many(UserId),
}

impl Direct {
    /// What a user's links are.
    pub fn of(user: &User) -> Self {
        match user.direct.as_slice() {
            [] => Self::None,
            [link] => Self::One(link.profile.clone()),
            _ => Self::Many(user.id.clone()),
        }
    }
}

/// What resolution needs to know of a user beside the flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seat {
    /// Role class.
    pub class: ClassId,
    /// Direct links.
    pub direct: Direct,
}

/// The interned role classes of a catalog; ids stay valid until a role changes.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    by_id: Vector<Arc<ClassEntry>>,
    ids: OrdMap<RoleClass, ClassId>,
}

/// A class with what was worked out of it. Catalogs that share the class share both.
#[derive(Debug)]
pub(super) struct ClassEntry {
    pub(super) roles: RoleClass,
    pub(super) memo: Memo,
}

impl Default for Classes {
    /// Position 0 is the class of users without any role.
    fn default() -> Self {
        let mut classes = Self { by_id: Vector::new(), ids: OrdMap::new() };
        classes.intern(RoleClass::default());
        classes
    }
}

impl Classes {
    pub(super) fn intern(&mut self, class: RoleClass) -> ClassId {
        if let Some(id) = self.ids.get(&class) {
            return *id;
        }
        let id = ClassId(u32::try_from(self.by_id.len()).unwrap_or(u32::MAX));
        let entry = ClassEntry { roles: class.clone(), memo: Memo::default() };
        self.by_id.push_back(Arc::new(entry));
        self.ids.insert(class, id);
        id
    }

    pub(super) fn get(&self, id: ClassId) -> &RoleClass {
        &self.entry(id).roles
    }

    pub(super) fn entry(&self, id: ClassId) -> &ClassEntry {
        &self.by_id[id.0 as usize]
    }
}
