//! Compiled content, shared by all who need it.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;

use super::answers::ClassAnswers;
use crate::{
    catalog::{Catalog, ClassId},
    content::{self, Compiled, Gates, Inputs},
    domain::{Kind, UniqueName},
    ledger::Published,
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

#[derive(Debug)]
struct Entry {
    gates: Gates,
    revision: i64,
    inputs: Arc<Inputs>,
    content: Arc<OnceLock<Arc<Compiled>>>,
}

/// Content with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) profile: UniqueName,
    pub(super) inputs: Arc<Inputs>,
    pub(super) content: Arc<Compiled>,
}

impl Contents {
    /// Nothing compiled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of a profile for users of a class; none when there is no such profile.
    pub fn get(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        class: ClassId,
    ) -> Option<Arc<Compiled>> {
        self.variant_of_class(catalog, profile, class).map(|variant| variant.content)
    }

    pub(super) fn variant_of_class(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        class: ClassId,
    ) -> Option<Variant> {
        let answers = catalog.of_class::<ClassAnswers>(class);
        self.variant(catalog, profile, &answers.gates)
    }

    pub(super) fn variant(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        gates: &Gates,
    ) -> Option<Variant> {
        let profile = catalog.tables.profiles.get(profile)?;
        let gates = gates.relevant_to(catalog, profile);
        let name = profile.name();
        let kept = |entries: &Entries| {
            entries.get(name)?.iter().find(|entry| entry.gates == gates).cloned()
        };
        let current = |entry: &Arc<Entry>| entry.inputs.hold_in(catalog);
        let entry = kept(&self.entries.load()).filter(current).unwrap_or_else(|| {
            let fresh = Arc::new(Entry {
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
        Some(Variant { profile: name.clone(), inputs: Arc::clone(&entry.inputs), content })
    }

    /// Drops what a commit made obsolete. Answers are right without it; it keeps memory small and
    /// reading quick.
    pub fn published(&self, published: &Published) {
        let (before, after) = (&published.before, &published.after);
        let changes = published.deltas.iter().flatten();
        let keys = changes.map(|changed| &changed.key).filter(|key| key.kind == Kind::Profile);
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
                gates: entry.gates.clone(),
                revision: catalog.revision,
                inputs: Arc::new(Inputs::of(catalog, profile)),
                content: Arc::clone(&entry.content),
            }));
        }
    }
    kept
}
