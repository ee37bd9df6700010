//! Users, classes and profiles that a commit, or some in a row, may have changed something for.

use std::collections::BTreeSet;

use super::{
    leads::{Leads, meets},
    sides::Sides,
};
use crate::{
    catalog::{Catalog, Changed, ClassId, Delta, Reach, RoleClass},
    domain::{Kind, Object, UniqueName, UserId},
};

/// Some role classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes(BTreeSet<ClassId>);

/// Who may find something else than before. Never too few: streams and caches that nothing here
/// concerns are current.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Whether anybody may: everybody was seated again, or it is not known any more.
    pub everyone: bool,
    /// Users who changed themselves, or through a team.
    pub users: BTreeSet<UserId>,
    /// Classes whose users get another profile, in some app, unless a link leads them to theirs.
    pub led: Classes,
    /// Classes whose users find other gates open.
    pub gated: Classes,
    /// Classes whose users may have other rights.
    pub rights: Classes,
    /// Profiles that changed, came or went.
    pub profiles: BTreeSet<UniqueName>,
    /// Profiles that may have other content for the same gates.
    pub contents: Reach,
    /// Whether a provider changed, came or went.
    pub providers: bool,
}

impl Classes {
    /// Whether the class is one of them.
    pub fn contains(&self, class: ClassId) -> bool {
        self.0.contains(&class)
    }

    /// Whether it is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The classes.
    pub fn iter(&self) -> impl Iterator<Item = ClassId> {
        self.0.iter().copied()
    }
}

fn user_id(object: &Object) -> Option<UserId> {
    match object {
        Object::User(user) => Some(user.id.clone()),
        _ => None,
    }
}

impl Touched {
    pub(super) fn of(sides: &mut Sides<'_>, leads: &Leads, delta: &Delta) -> Self {
        let (old, new) = (sides.old.catalog, sides.new.catalog);
        let mut touched = Self {
            everyone: !old.numbers_classes_like(new),
            contents: delta.contents().clone(),
            ..Self::default()
        };
        for changed in delta {
            touched.note(changed);
        }
        if !touched.everyone && !leads.is_empty() {
            touched.compare_classes(sides, leads);
        }
        touched
    }

    /// What a delta touched that led from one catalog to the other.
    pub fn between(old: &Catalog, new: &Catalog, delta: &Delta) -> Self {
        Self::of(&mut Sides::new(old, new, delta), &Leads::of(old, new, delta), delta)
    }

    /// All that any commit can touch.
    pub fn anything() -> Self {
        Self { everyone: true, contents: Reach::every(), providers: true, ..Self::default() }
    }

    /// Adds what a later commit touched.
    pub fn merge(&mut self, later: &Self) {
        let Self { everyone, users, led, gated, rights, profiles, contents, providers } = later;
        self.everyone |= everyone;
        self.users.extend(users.iter().cloned());
        self.led.0.extend(&led.0);
        self.gated.0.extend(&gated.0);
        self.rights.0.extend(&rights.0);
        self.profiles.extend(profiles.iter().cloned());
        self.contents.merge(contents);
        self.providers |= providers;
    }

    /// Whether the rights of a user's credential may be others in the catalog after.
    pub fn rights_of(&self, user: &UserId, after: &Catalog) -> bool {
        let by_class = || {
            let seated = after.user(user).filter(|_| !self.rights.is_empty());
            seated.is_some_and(|seated| self.rights.contains(seated.class))
        };
        self.everyone || self.users.contains(user) || by_class()
    }

    fn note(&mut self, Changed { key, old, new }: &Changed) {
        match key.kind {
            // In the spelling of the object: keys do not tell cases apart.
            Kind::User => self.users.extend([new, old].into_iter().flatten().find_map(user_id)),
            Kind::Team => {
                for team in [old, new].into_iter().flatten() {
                    let Object::Team(team) = team else { continue };
                    self.users.extend(team.members.iter().cloned());
                }
            }
            Kind::Profile => self.profiles.extend(UniqueName::parse(&key.name)),
            Kind::Provider => self.providers = true,
            _ => {}
        }
    }

    /// Works out the outcomes of the classes that the commit can lead elsewhere.
    fn compare_classes(&mut self, sides: &mut Sides<'_>, leads: &Leads) {
        let (old, new) = (sides.old.catalog, sides.new.catalog);
        // Every user of a class that is new is one who changed.
        if leads.fallback || leads.mapping {
            for (id, after) in new.classes().filter(|(id, _)| old.had_class(*id)) {
                self.compare_class(sides, leads, id, [old.class(id), after]);
            }
            return;
        }
        // Classes hold what they held, and the numbers of their roots are the same. A class that holds
        // several of these comes several times.
        let holding = |root| new.classes_holding(root).filter(|(id, _)| old.had_class(*id));
        let (before, after) = (old.strongest_of_all(), new.strongest_of_all());
        let led =
            leads.roots.iter().flat_map(holding).filter(|(id, roots)| {
                sides.leads_elsewhere(*id, before.of(roots), after.of(roots))
            });
        self.led.0 = led.map(|(id, _)| id).collect();
        for (id, _) in leads.gates.iter().flat_map(holding) {
            if sides.opens_other_gates(id) {
                self.gated.0.insert(id);
            }
        }
        self.rights.0.extend(leads.rights.iter().flat_map(holding).map(|(id, _)| id));
    }

    /// The same for one class that held and holds these roots.
    fn compare_class<'a>(
        &mut self,
        sides: &mut Sides<'a>,
        leads: &Leads,
        id: ClassId,
        [before, after]: [&RoleClass; 2],
    ) {
        let (old, new) = (sides.old.catalog, sides.new.catalog);
        let moved = before.held != after.held;
        let may_lead = moved || leads.may_lead((old, before), (new, after));
        let led = |catalog: &'a Catalog| catalog.strongest_of(catalog.roots_of(id));
        if may_lead && sides.leads_elsewhere(id, led(old), led(new)) {
            self.led.0.insert(id);
        }
        let by_root = moved || meets(after, &leads.roots) || meets(after, &leads.gates);
        if by_root && sides.opens_other_gates(id) {
            self.gated.0.insert(id);
        }
        if moved || meets(after, &leads.rights) {
            self.rights.0.insert(id);
        }
    }
}
