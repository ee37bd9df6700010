//! Compiled content, shared by all who need it.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;

use crate::{
    catalog::{Catalog, Changed},
    content::{self, Compiled, Gates, Inputs},
    domain::{Kind, UniqueName},
};

/// By profile; few gates make a difference to one.
type Entries = imbl::HashMap<UniqueName, Vec<Arc<Entry>>>;

/// Compiled content, each profile and gates at most once per state of what it is made of.
///
/// Reading takes no lock. Any catalog may ask: an answer is made of what that catalog holds.
#[derive(Debug, Default)]
pub struct Contents {
    entries: ArcSwap<Entries>,
}

/// The content of one profile for some gates.
#[derive(Debug)]
pub(super) struct Entry {
    profile: UniqueName,
    gates: Gates,
    revision: i64,
    inputs: Arc<Inputs>,
    content: Arc<OnceLock<Arc<Compiled>>>,
}

impl Entry {
    /// The content, if it is of this profile and compiled.
    pub(super) fn compiled_for(&self, profile: &UniqueName) -> Option<Variant> {
        let content = self.content.get().filter(|_| self.profile == *profile)?;
        Some(self.variant(content))
    }

    fn variant(&self, content: &Arc<Compiled>) -> Variant {
        Variant {
            profile: self.profile.clone(),
            inputs: Arc::clone(&self.inputs),
            content: Arc::clone(content),
        }
    }
}

/// Content with where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) profile: UniqueName,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) content: Arc<Compiled>,
}

impl Contents {
    /// Nothing compiled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry of a profile for these gates, compiled; none when there is no such profile.
    pub(super) fn entry(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        gates: &Gates,
    ) -> Option<(Arc<Entry>, Variant)> {
        let profile = catalog.tables.profiles.get(profile)?;
        let gates = gates.relevant_to(catalog, profile);
        let name = profile.name();
        let kept = |entries: &Entries| {
            entries.get(name)?.iter().find(|entry| entry.gates == gates).cloned()
        };
        let current = |entry: &Arc<Entry>| entry.inputs.hold_in(catalog);
        let entry = kept(&self.entries.load()).filter(current).unwrap_or_else(|| {
            let fresh = Arc::new(Entry {
                profile: name.clone(),
                gates: gates.clone(),
                revision: catalog.revision,
                inputs: Arc::new(Inputs::of(catalog, profile)),
                content: Arc::default(),
            });
            self.entries.rcu(|entries| {
                let mut of_profile = entries.get(name).cloned().unwrap_or_default();
                match of_profile.iter_mut().find(|entry| entry.gates == gates) {
                    Some(kept) if kept.revision > catalog.revision || current(kept) => {
                        return Arc::clone(entries);
                    }
                    Some(kept) => *kept = Arc::clone(&fresh),
                    None => of_profile.push(Arc::clone(&fresh)),
                }
                Arc::new(entries.update(name.clone(), of_profile))
            });
            kept(&self.entries.load()).filter(current).unwrap_or(fresh)
        });
        let compile = || Arc::new(content::compile(catalog, profile, &gates));
        let content = Arc::clone(entry.content.get_or_init(compile));
        let variant = entry.variant(&content);
        Some((entry, variant))
    }

    /// Drops what the commits between two catalogs made obsolete. Answers are right without it; it
    /// keeps memory small and reading quick.
    pub fn refresh<'a>(
        &self,
        before: &Catalog,
        after: &Catalog,
        deltas: impl Iterator<Item = &'a Changed>,
    ) {
        let keys = deltas.map(|changed| &changed.key).filter(|key| key.kind == Kind::Profile);
        let changed: BTreeSet<_> =
            keys.filter_map(|key| UniqueName::parse(&key.name).ok()).collect();
        let everywhere = !Inputs::library_is_same(before, after);
        if changed.is_empty() && !everywhere {
            return;
        }
        self.entries.rcu(|entries| {
            let mut next = Entries::clone(entries);
            let mut renew = |name: &UniqueName, of_profile: &[Arc<Entry>]| {
                match renewed(of_profile, after, name) {
                    renewed if renewed.is_empty() => next.remove(name),
                    renewed => next.insert(name.clone(), renewed),
                };
            };
            if everywhere {
                entries.iter().for_each(|(name, of_profile)| renew(name, of_profile));
            } else {
                let known = changed.iter().filter_map(|name| Some((name, entries.get(name)?)));
                known.for_each(|(name, of_profile)| renew(name, of_profile));
            }
            Arc::new(next)
        });
    }
}

/// The entries that still hold, with inputs that are quick to compare with the newest catalog.
fn renewed(entries: &[Arc<Entry>], catalog: &Catalog, name: &UniqueName) -> Vec<Arc<Entry>> {
    let Some(profile) = catalog.tables.profiles.get(name) else { return Vec::new() };
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.revision > catalog.revision {
            kept.push(Arc::clone(entry));
        } else if entry.inputs.hold_in(catalog) {
            kept.push(Arc::new(Entry {
                profile: name.clone(),
                gates: entry.gates.clone(),
                revision: catalog.revision,
                inputs: Arc::new(Inputs::of(catalog, profile)),
                content: Arc::clone(&entry.content),
            }));
        }
    }
    kept
}
