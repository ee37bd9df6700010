//! Streams that get the same answer, and which of them a commit may concern.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use super::ids::{GroupId, StreamId};
use crate::{
    catalog::{Catalog, ClassId, Direct, Seat, Seated},
    domain::{App, UniqueName},
    impact::Touched,
    read::Variant,
};

/// All that tells the resolutions of two users apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) seat: Seat,
    pub(super) app: App,
    disabled: bool,
    roleless: bool,
}

impl GroupKey {
    pub(super) fn of(catalog: &Catalog, seated: &Seated, app: App) -> Self {
        let seat = seated.seat;
        let roleless = !seated.has_roles() && catalog.team_roles(&seated.id()).next().is_none();
        // A link that went with its profile no longer distinguishes users.
        let direct = if seated.links().is_empty() { Direct::None } else { seat.direct.clone() };
        let seat = Seat { class: seat.class, direct };
        Self { seat, app, disabled: seated.is_disabled(), roleless }
    }
}

/// Streams of one key.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) variant: Variant,
    pub(super) members: BTreeSet<StreamId>,
}

impl Group {
    /// Whether nothing but the user's own link, or its profile, can lead him elsewhere.
    fn is_fixed(&self) -> bool {
        matches!(&self.key.seat.direct, Direct::One(link) if link.name == self.variant.profile)
    }

    /// Profiles whose every change may concern the group.
    fn profiles(&self) -> impl Iterator<Item = &UniqueName> {
        let link = match &self.key.seat.direct {
            Direct::One(link) => Some(&link.name),
            Direct::None | Direct::Many(..) => None,
        };
        [&self.variant.profile].into_iter().chain(link)
    }
}

/// All groups, by the seats of one catalog.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<GroupId, Group>,
    keys: HashMap<GroupKey, GroupId>,
    profiles: HashMap<UniqueName, BTreeSet<GroupId>>,
    classes: HashMap<ClassId, BTreeSet<GroupId>>,
    /// Groups of one user with several links (old data), of which any change of a profile may choose
    /// another one.
    many_links: BTreeSet<GroupId>,
    next: GroupId,
}

impl Groups {
    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(super) fn ids(&self) -> BTreeSet<GroupId> {
        self.groups.keys().copied().collect()
    }

    /// Puts a stream into the group of that key, which has this content now.
    pub(super) fn join(&mut self, stream: StreamId, key: GroupKey, variant: &Variant) -> GroupId {
        let id = self.keys.get(&key).copied().unwrap_or(self.next);
        if id == self.next {
            self.next += 1;
            self.keys.insert(key.clone(), id);
            let members = BTreeSet::new();
            let group = Group { key, variant: variant.clone(), members };
            self.register(id, &group);
            self.groups.insert(id, group);
        } else {
            self.change(id, variant);
        }
        if let Some(group) = self.groups.get_mut(&id) {
            group.members.insert(stream);
        }
        id
    }

    /// Takes a stream out of its group.
    pub(super) fn leave(&mut self, stream: StreamId, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members.remove(&stream);
        if !group.members.is_empty() {
            return;
        }
        if let Some(group) = self.groups.remove(&id) {
            self.unregister(id, &group);
            self.keys.remove(&group.key);
        }
    }

    /// Gives a group other content.
    pub(super) fn change(&mut self, id: GroupId, variant: &Variant) {
        let Some(mut group) = self.groups.remove(&id) else { return };
        if group.variant.profile == variant.profile {
            group.variant = variant.clone();
        } else {
            self.unregister(id, &group);
            group.variant = variant.clone();
            self.register(id, &group);
        }
        self.groups.insert(id, group);
    }

    fn register(&mut self, id: GroupId, group: &Group) {
        for profile in group.profiles() {
            self.profiles.entry(profile.clone()).or_default().insert(id);
        }
        self.classes.entry(group.key.seat.class).or_default().insert(id);
        if matches!(group.key.seat.direct, Direct::Many(..)) {
            self.many_links.insert(id);
        }
    }

    fn unregister(&mut self, id: GroupId, group: &Group) {
        for profile in group.profiles() {
            take_out(&mut self.profiles, profile, id);
        }
        take_out(&mut self.classes, &group.key.seat.class, id);
        self.many_links.remove(&id);
    }

    /// Groups whose members may get something else, although their seats are what they were.
    pub(super) fn affected(&self, touched: &Touched) -> BTreeSet<GroupId> {
        if touched.everyone || touched.contents.is_every() {
            return self.ids();
        }
        let mut found = BTreeSet::new();
        for profile in touched.profiles.iter().chain(touched.contents.names()) {
            found.extend(self.profiles.get(profile).into_iter().flatten());
        }
        if !touched.profiles.is_empty() {
            found.extend(&self.many_links);
        }
        let of_class = |class| self.classes.get(&class).into_iter().flatten();
        let fixed = |id: &&GroupId| self.groups.get(id).is_some_and(Group::is_fixed);
        for class in touched.led.iter() {
            found.extend(of_class(class).filter(|id| !fixed(id)));
        }
        for class in touched.gated.iter() {
            found.extend(of_class(class));
        }
        found
    }
}

fn take_out<K: Eq + Hash>(by: &mut HashMap<K, BTreeSet<GroupId>>, key: &K, id: GroupId) {
    if let Some(ids) = by.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            by.remove(key);
        }
    }
}
