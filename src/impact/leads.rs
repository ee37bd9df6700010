//! What a commit changed of that which leads users to a profile, opens its gates, or grants rights.
//!
//! Cheap, and never too little: a user whom none of this concerns has the outcome that he had.

use std::collections::BTreeSet;

use crate::{
    catalog::{Catalog, Changed, ClassId, Delta, RoleClass},
    domain::{Kind, Object, UniqueName, profile::Profile, role::SecurityRole},
    resolve::is_led_by_role,
};

/// Root roles, links and defaults that a commit changed something of.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// Roots that may lead to another profile, or that other roles have now.
    pub(super) roots: BTreeSet<UniqueName>,
    /// Roots that may open other gates.
    pub(super) gates: BTreeSet<UniqueName>,
    /// Roots that may grant other rights.
    pub(super) rights: BTreeSet<UniqueName>,
    /// Whether those whom no role leads to a profile may get another one.
    pub(super) fallback: bool,
    /// Profiles whose direct links may lead elsewhere.
    pub(super) links: BTreeSet<UniqueName>,
    /// Whether classes may hold other roots.
    pub(super) mapping: bool,
    /// Roots that lead to profiles with other content.
    content_roots: BTreeSet<UniqueName>,
    content_fallback: bool,
}

impl Leads {
    pub(super) fn of(old: &Catalog, new: &Catalog, delta: &Delta) -> Self {
        let mut leads = Self::default();
        for Changed { key, old: before, new: after } in delta {
            match key.kind {
                Kind::Profile => leads.profile([(old, profile(before)), (new, profile(after))]),
                Kind::Role => leads.role([(old, role(before)), (new, role(after))]),
                Kind::Settings => {
                    let provisioned = |c: &Catalog| c.settings.channels_provisioned;
                    leads.fallback |= provisioned(old) != provisioned(new);
                }
                _ => {}
            }
        }
        for profile in delta.contents().names().filter_map(|name| new.tables.profiles.get(name)) {
            leads.content_fallback |= is_fallback(profile);
            leads.content_roots.extend(roots(new, profile));
        }
        leads
    }

    /// Whether the outcome of users who did not change is what it was.
    pub(super) fn is_empty(&self) -> bool {
        let Self { roots, gates, rights, fallback, links, mapping, .. } = self;
        let sets = [roots, gates, rights, links];
        !fallback && !mapping && sets.iter().all(|set| set.is_empty())
    }

    /// The classes whose users a role or the default may lead to a profile with other content.
    pub(super) fn content_classes(&self, new: &Catalog) -> BTreeSet<ClassId> {
        let holding = self.content_roots.iter().flat_map(|root| new.classes_holding(root));
        let unled = new.classes().filter(|(_, class)| !is_led_by_role(new, class));
        let unled = self.content_fallback.then_some(unled).into_iter().flatten();
        holding.map(|(id, _)| id).chain(unled.map(|(id, _)| id)).collect()
    }

    /// Whether users of a class that held and holds the same roots may get another profile, or the
    /// same one by another step.
    pub(super) fn may_lead(
        &self,
        (old, before): (&Catalog, &RoleClass),
        (new, after): (&Catalog, &RoleClass),
    ) -> bool {
        meets(after, &self.roots)
            || (self.fallback && !(is_led_by_role(old, before) && is_led_by_role(new, after)))
    }

    fn profile(&mut self, states: [(&Catalog, Option<&Profile>); 2]) {
        let [(_, old), (_, new)] = states;
        let lead = |profile: &Profile| {
            let Profile { common, stamp, rank, roles, is_default, default_set_time, .. } = profile;
            (stamp.uid, common.state, *rank, roles.clone(), *is_default, *default_set_time)
        };
        if old.map(lead) == new.map(lead) {
            return;
        }
        let [(before, _), (after, _)] = states;
        // Behind a stronger profile of the same root a profile comes and goes unseen.
        let leads = |root: &UniqueName| before.strongest(root) != after.strongest(root);
        for (catalog, profile) in states {
            let Some(profile) = profile else { continue };
            self.links.insert(profile.name().clone());
            self.fallback |= is_fallback(profile);
            self.roots.extend(roots(catalog, profile).into_iter().filter(leads));
        }
    }

    fn role(&mut self, states: [(&Catalog, Option<&SecurityRole>); 2]) {
        let [(_, old), (_, new)] = states;
        let Some(name) = old.or(new).map(|role| role.common.unique_name.clone()) else { return };
        let differs = |what: fn(&SecurityRole, &SecurityRole) -> bool| match (old, new) {
            (Some(old), Some(new)) => what(old, new),
            _ => true,
        };
        if differs(|old, new| old.persona != new.persona) {
            self.gates.insert(name.clone());
        }
        if differs(|old, new| old.grants != new.grants) {
            self.rights.insert(name.clone());
        }
        if !differs(|a, b| (a.stamp.uid, &a.root_role) != (b.stamp.uid, &b.root_role)) {
            return;
        }
        self.mapping = true;
        for (catalog, _) in states {
            // Copies of the role have it as their root, or are their own roots without it.
            let copies = catalog.tables.references.of(Kind::Role, &name);
            let copies = copies.filter(|(kind, _)| *kind == Kind::Role).map(|(_, copy)| copy);
            for role in copies.chain([&name]) {
                self.roots.extend([role.clone()]);
                self.roots.extend(catalog.root(role));
            }
        }
    }
}

/// Whether a class holds one of these roots.
pub(super) fn meets(class: &RoleClass, roots: &BTreeSet<UniqueName>) -> bool {
    // Classes hold a few roots, whatever changed.
    !roots.is_empty() && class.held.iter().any(|root| roots.contains(root))
}

/// Whether users get the profile whom no role leads to one.
fn is_fallback(profile: &Profile) -> bool {
    profile.is_default || profile.common.is_built_in()
}

fn roots(catalog: &Catalog, profile: &Profile) -> BTreeSet<UniqueName> {
    profile.roles.iter().filter_map(|role| catalog.root(role)).collect()
}

fn profile(object: &Option<Object>) -> Option<&Profile> {
    match object {
        Some(Object::Profile(profile)) => Some(profile),
        _ => None,
    }
}

fn role(object: &Option<Object>) -> Option<&SecurityRole> {
    match object {
        Some(Object::Role(role)) => Some(role),
        _ => None,
    }
}
