//! Role classes and seats: why a change of rank or of a role touches classes and not users.
//!
//! Users who refer to the same roles are equal before steps 2 to 4 of the resolution, so those steps
//! are worked out per class; a direct link is all that tells users of one class apart. A class is
//! interned by the roles that it refers to, and the roots that it holds are derived from them: when
//! a role goes, its classes derive fewer roots, and no user moves.

use std::{collections::BTreeSet, sync::Arc};

use imbl::OrdMap;
use uuid::Uuid;

use super::{
    held::Held,
    ids::{ClassId, Roots},
    mappings::Mappings,
    memo::Memo,
};
use crate::domain::{UniqueName, UserId};

/// Root roles that users of a class hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RoleClass {
    /// Held by the user himself.
    pub held: BTreeSet<UniqueName>,
    /// Held only through teams; reported, never counted.
    pub team_only: BTreeSet<UniqueName>,
}

/// A reference to a name in one of its generations: a name is free once its object is deleted, and
/// the next object of that name has another uid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The name.
    pub name: UniqueName,
    /// Uid of the object that the reference was made to; none when there was no such object.
    pub uid: Option<Uuid>,
}

/// The direct links of a user, as far as they tell users apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Direct {
    /// No link.
    #[default]
    None,
    /// One link.
    One(Link),
    /// Several links (old data): such a user sits alone.
    Many(UserId, Arc<[Link]>),
}

impl Direct {
    /// What these links of a user come to.
    pub(super) fn of(user: &UserId, links: Vec<Link>) -> Self {
        match <[Link; 1]>::try_from(links) {
            Ok([link]) => Self::One(link),
            Err(links) if links.is_empty() => Self::None,
            Err(links) => Self::Many(user.clone(), links.into()),
        }
    }

    /// The links.
    pub fn links(&self) -> &[Link] {
        match self {
            Self::None => &[],
            Self::One(link) => std::slice::from_ref(link),
            Self::Many(_, links) => links,
        }
    }
}

/// What resolution needs to know of a user beside the flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seat {
    /// Role class.
    pub class: ClassId,
    /// Direct links that were there when the user was stored; their profiles may be gone since.
    pub direct: Direct,
}

/// The roles that users of a class refer to, as they were when the users were stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct RoleSet {
    /// Of the users themselves.
    pub(super) own: BTreeSet<Link>,
    /// Of their teams.
    pub(super) team: BTreeSet<Link>,
}

/// What follows from a role set for the roles that exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Derived {
    pub(super) roots: RoleClass,
    /// Whether a role of the users themselves is gone.
    pub(super) lost: bool,
}

/// The interned role classes of a catalog; a class that nobody is in is dropped.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    pub(super) by_id: OrdMap<ClassId, Counted>,
    pub(super) ids: OrdMap<Arc<RoleSet>, ClassId>,
    /// By the roots that their users hold.
    pub(super) held: Held,
    next: u64,
    /// Another one once everybody was seated again, and classes got other numbers.
    pub(super) numbering: u64,
}

/// A class and the number of its users.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) entry: Arc<ClassEntry>,
    users: usize,
}

/// A class with what was worked out of it. Catalogs that share the class share both.
#[derive(Debug)]
pub(super) struct ClassEntry {
    pub(super) set: Arc<RoleSet>,
    pub(super) derived: Derived,
    /// Those that users hold themselves, by number.
    pub(super) roots: Roots,
    pub(super) memo: Memo,
}

impl Default for Classes {
    /// The class of users without any role is there from the start, and stays.
    fn default() -> Self {
        let mut classes = Self {
            by_id: OrdMap::new(),
            ids: OrdMap::new(),
            held: Held::default(),
            next: 0,
            numbering: 0,
        };
        let id = classes.add(RoleSet::default(), Derived::default(), &Mappings::default());
        classes.join(id, 1);
        classes
    }
}

impl Classes {
    /// Adds the class of a role set, from which the given follows; nobody joins it yet.
    pub(super) fn add(&mut self, set: RoleSet, derived: Derived, mappings: &Mappings) -> ClassId {
        let id = ClassId(self.next);
        self.next += 1;
        let set = Arc::new(set);
        let roots = self.held.add(id, &derived.roots.held, mappings);
        let entry = ClassEntry { set: Arc::clone(&set), derived, roots, memo: Memo::default() };
        self.by_id.insert(id, Counted { entry: Arc::new(entry), users: 0 });
        self.ids.insert(set, id);
        id
    }

    /// Counts so many more users in the class.
    pub(super) fn join(&mut self, id: ClassId, users: usize) {
        if let Some(class) = self.by_id.get_mut(&id) {
            class.users += users;
        }
    }

    /// Counts one user less, and drops the class with the last one.
    pub(super) fn leave(&mut self, id: ClassId) {
        let Some(class) = self.by_id.get_mut(&id) else { return };
        class.users -= 1;
        if class.users == 0
            && let Some(class) = self.by_id.remove(&id)
        {
            self.ids.remove(&class.entry.set);
            self.held.take_out(id, &class.entry.derived.roots.held);
        }
    }

    /// Gives a class what follows from its roles now.
    pub(super) fn change(&mut self, id: ClassId, derived: Derived, mappings: &Mappings) {
        let Some(class) = self.by_id.get_mut(&id) else { return };
        self.held.take_out(id, &class.entry.derived.roots.held);
        let roots = self.held.add(id, &derived.roots.held, mappings);
        let set = Arc::clone(&class.entry.set);
        class.entry = Arc::new(ClassEntry { set, derived, roots, memo: Memo::default() });
    }

    /// Whether the class was there before those that a later catalog added, unless it is gone.
    pub(super) fn numbered(&self, id: ClassId) -> bool {
        id.0 < self.next
    }

    /// The class of that number. Numbers come from seats of this catalog, whose classes are there.
    pub(super) fn entry(&self, id: ClassId) -> &ClassEntry {
        &self.by_id[&id].entry
    }

    /// Whether somebody is in the class.
    pub(super) fn has(&self, id: ClassId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Drops the classes that nobody joined.
    pub(super) fn drop_empty(&mut self) {
        let empty = self.by_id.iter().filter(|(_, class)| class.users == 0);
        let empty: Vec<_> = empty.map(|(id, class)| (*id, Arc::clone(&class.entry))).collect();
        for (id, entry) in empty {
            self.by_id.remove(&id);
            self.ids.remove(&entry.set);
            self.held.take_out(id, &entry.derived.roots.held);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
