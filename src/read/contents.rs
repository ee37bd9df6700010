//! Compiled content, shared by all who need it.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;

use crate::{
    catalog::{Catalog, Reach},
    content::{self, Compiled, Gates},
    domain::UniqueName,
};

/// By profile; few gates make a difference to one.
type Entries = imbl::HashMap<UniqueName, Vec<Arc<Entry>>>;

/// Compiled content, each profile and gates at most once per state of what it is made of, which the
/// catalog numbers by [`Catalog::content_revision`].
///
/// Reading takes no lock. Any catalog that was published may ask: an answer is made of what that
/// catalog holds.
#[derive(Debug, Default)]
pub struct Contents {
    entries: ArcSwap<Entries>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Figures of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentFigures {
    /// Contents that are kept.
    pub entries: usize,
    /// Their encoded bytes.
    pub bytes: usize,
    /// How often content was answered that had been compiled before.
    pub hits: u64,
    /// How often content was compiled.
    pub misses: u64,
}

/// The content of one profile for some gates.
#[derive(Debug)]
pub(super) struct Entry {
    profile: UniqueName,
    gates: Gates,
    /// The revision of the content.
    revision: i64,
    content: OnceLock<Arc<Compiled>>,
}

impl Entry {
    /// The content, if it is of this profile and compiled.
    pub(super) fn compiled_for(&self, profile: &UniqueName) -> Option<Variant> {
        let content = self.content.get().filter(|_| self.profile == *profile)?;
        Some(self.variant(content))
    }

    fn variant(&self, content: &Arc<Compiled>) -> Variant {
        Variant { profile: self.profile.clone(), content: Arc::clone(content) }
    }
}

/// Content with where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) profile: UniqueName,
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
        let revision = catalog.content_revision(name);
        let current = |entries: &Entries| {
            let mut of_profile = entries.get(name)?.iter();
            of_profile.find(|entry| entry.gates == gates && entry.revision == revision).cloned()
        };
        let entry = current(&self.entries.load()).unwrap_or_else(|| {
            let content = OnceLock::new();
            let fresh = Entry { profile: name.clone(), gates: gates.clone(), revision, content };
            let fresh = Arc::new(fresh);
            self.entries.rcu(|entries| {
                let mut of_profile = entries.get(name).cloned().unwrap_or_default();
                match of_profile.iter_mut().find(|entry| entry.gates == gates) {
                    Some(kept) if kept.revision >= revision => return Arc::clone(entries),
                    Some(kept) => *kept = Arc::clone(&fresh),
                    None => of_profile.push(Arc::clone(&fresh)),
                }
                Arc::new(entries.update(name.clone(), of_profile))
            });
            current(&self.entries.load()).unwrap_or(fresh)
        });
        let mut compiled = false;
        let compile = || {
            compiled = true;
            Arc::new(content::compile(catalog, profile, &gates))
        };
        let content = Arc::clone(entry.content.get_or_init(compile));
        match compiled {
            true => _ = self.misses.fetch_add(1, Ordering::Relaxed),
            false => self.count_hit(),
        }
        let variant = entry.variant(&content);
        Some((entry, variant))
    }

    /// Counts an answer from what is compiled.
    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Figures of what is kept now and of how often it was asked for.
    pub fn figures(&self) -> ContentFigures {
        let entries = self.entries.load();
        let kept = entries.values().flatten().filter_map(|entry| entry.content.get());
        let (mut count, mut bytes) = (0, 0);
        for content in kept {
            count += 1;
            bytes += content.fields.len();
        }
        let [hits, misses] = [&self.hits, &self.misses].map(|count| count.load(Ordering::Relaxed));
        ContentFigures { entries: count, bytes, hits, misses }
    }

    /// Drops what a commit made obsolete, of which this is the catalog after. Answers are right
    /// without it; it keeps memory small.
    pub fn drop_obsolete(&self, touched: &Reach, after: &Catalog) {
        if touched.is_empty() {
            return;
        }
        self.entries.rcu(|entries| {
            let mut next = Entries::clone(entries);
            let mut drop_older = |name: &UniqueName, of_profile: &[Arc<Entry>]| {
                let least = match after.tables.profiles.get(name) {
                    Some(_) => after.content_revision(name),
                    // Only a newer catalog has the profile again.
                    None => after.revision + 1,
                };
                let kept = of_profile.iter().filter(|entry| entry.revision >= least);
                match kept.cloned().collect::<Vec<_>>() {
                    kept if kept.is_empty() => next.remove(name),
                    kept => next.insert(name.clone(), kept),
                };
            };
            if touched.is_every() {
                entries.iter().for_each(|(name, of_profile)| drop_older(name, of_profile));
            } else {
                let known = touched.names().filter_map(|name| Some((name, entries.get(name)?)));
                known.for_each(|(name, of_profile)| drop_older(name, of_profile));
            }
            Arc::new(next)
        });
    }
}
