//! Locks on names: two requests that would take one name are worked on one after the other.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

/// Locks; names share them by hash.
const STRIPES: usize = 64;

#[derive(Debug)]
pub(super) struct Stripes(Vec<Mutex<()>>);

impl Default for Stripes {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }
}

impl Stripes {
    /// Locks these names, whose case does not matter, until the guards are dropped. Locks are taken
    /// in one order, so that no two requests wait for each other.
    pub(super) async fn lock(&self, names: &[&str]) -> Vec<MutexGuard<'_, ()>> {
        let mut places: Vec<_> = names.iter().map(|name| place(name)).collect();
        places.sort_unstable();
        places.dedup();
        let mut guards = Vec::with_capacity(places.len());
        for lock in places.into_iter().filter_map(|place| self.0.get(place)) {
            guards.push(lock.lock().await);
        }
        guards
    }
}

fn place(name: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    name.to_lowercase().hash(&mut hasher);
    usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default()
}
