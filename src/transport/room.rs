//! Bytes that may wait at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that may be taken at a time, by all connections.
#[derive(Debug)]
pub(super) struct Room {
    taken: AtomicUsize,
    limit: usize,
}

/// What one connection may take of it: half, so that it leaves room to the others.
#[derive(Debug)]
pub(super) struct OwnRoom {
    own: Room,
    all: Arc<Room>,
}

impl Room {
    pub(super) fn new(limit: usize) -> Self {
        Self { taken: AtomicUsize::new(0), limit }
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.limit;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl OwnRoom {
    pub(super) fn half_of(all: Arc<Room>) -> Self {
        Self { own: Room::new(all.limit / 2), all }
    }

    /// Takes bytes; false when there is no room for them.
    pub(super) fn take(&self, bytes: usize) -> bool {
        if !self.own.take(bytes) {
            return false;
        }
        let fits = self.all.take(bytes);
        if !fits {
            self.own.give_back(bytes);
        }
        fits
    }

    /// Gives bytes back that were taken.
    pub(super) fn give_back(&self, bytes: usize) {
        self.own.give_back(bytes);
        self.all.give_back(bytes);
    }
}
