//! Compiled content, shared by all who need it.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::{
    catalog::{Catalog, ClassId},
    content::{self, Compiled, Gates, Inputs},
    domain::UniqueName,
    ledger::Published,
};

type Entries = imbl::HashMap<(UniqueName, Gates), Arc<Entry>>;

/// Compiled content, each profile and gates at most once per state of what it is made of.
///
/// Reading takes no lock. Any catalog may ask: an answer is made of what that catalog holds.
#[derive(Debug, Default)]
pub struct Contents {
    entries: ArcSwap<Entries>,
}

#[derive(Debug)]
struct Entry {
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
        self.variant(catalog, profile, class).map(|variant| variant.content)
    }

    pub(super) fn variant(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        class: ClassId,
    ) -> Option<Variant> {
        let profile = catalog.profiles.get(profile)?;
        let gates = Gates::of(catalog, catalog.class(class)).relevant_to(catalog, profile);
        let key = (profile.name().clone(), gates);
        let current = |entries: &Entries| {
            entries.get(&key).filter(|entry| entry.inputs.hold_in(catalog)).cloned()
        };
        let entry = current(&self.entries.load()).unwrap_or_else(|| {
            let fresh = Arc::new(Entry {
                revision: catalog.revision,
                inputs: Arc::new(Inputs::of(catalog, profile)),
                content: Arc::default(),
            });
            self.entries.rcu(|entries| {
                let newer = |entry: &Arc<Entry>| entry.revision > catalog.revision;
                if entries.get(&key).is_some_and(newer) || current(entries).is_some() {
                    return Arc::clone(entries);
                }
                Arc::new(entries.update(key.clone(), Arc::clone(&fresh)))
            });
            current(&self.entries.load()).unwrap_or(fresh)
        });
        let compile = || Arc::new(content::compile(catalog, profile, &key.1));
        let content = Arc::clone(entry.content.get_or_init(compile));
        Some(Variant { profile: key.0, inputs: Arc::clone(&entry.inputs), content })
    }

    /// Drops what a commit made obsolete. Answers are right without it; it keeps memory small.
    pub fn published(&self, published: &Published) {
        let after = &published.after;
        self.entries.rcu(|entries| {
            let kept = entries.iter().filter_map(|(key, entry)| {
                let profile = after.profiles.get(&key.0)?;
                let entry = if entry.revision > after.revision {
                    Arc::clone(entry)
                } else if entry.inputs.hold_in(after) {
                    Arc::new(Entry {
                        revision: after.revision,
                        inputs: Arc::new(Inputs::of(after, profile)),
                        content: Arc::clone(&entry.content),
                    })
                } else {
                    return None;
                };
                Some((key.clone(), entry))
            });
            Arc::new(kept.collect::<Entries>())
        });
    }
}
