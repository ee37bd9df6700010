//! All clients in order, and those that are away by the time since when they are.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    ops::Bound::{Excluded, Included, Unbounded},
    sync::Arc,
};

use super::{Client, Place};
use crate::domain::Time;

/// How long a client that is away is kept, in microseconds: 24 hours (SPEC §10.8).
const KEPT: i64 = 24 * 3_600 * 1_000_000;
/// Most clients that are away; the one that left first is forgotten for a further one.
pub(super) const MAX_AWAY: usize = 100_000;
/// Most clients of one user in all, unless more are connected: a client that takes another id each
/// time it connects displaces its own past alone.
pub(super) const MAX_OF_USER: usize = 32;

/// A client in the order of the list.
#[derive(Debug, Clone)]
struct ByKey(Arc<Client>);

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Index {
    clients: BTreeSet<ByKey>,
    /// Those without a stream, by when they left.
    away: BTreeSet<(Time, ByKey)>,
}

impl Index {
    /// Counts a stream of a client, which is added unless it is known.
    pub(super) fn connect(&mut self, client: Client, now: Time) -> Arc<Client> {
        let (client, _) = self.find(client);
        let mut state = client.state();
        if state.streams == 0 {
            self.away.remove(&(state.since(), ByKey(Arc::clone(&client))));
            client.wait_for_the_first(&state);
        }
        state.streams = state.streams.saturating_add(1);
        state.set_since(now);
        drop(state);
        self.bound(&client);
        client
    }

    /// Counts a stream less.
    pub(super) fn disconnect(&mut self, client: &Arc<Client>, now: Time) {
        let mut state = client.state();
        state.streams = state.streams.saturating_sub(1);
        if state.streams > 0 {
            return;
        }
        client.clear_waiting();
        state.set_since(now);
        let since = state.since();
        drop(state);
        self.away.insert((since, ByKey(Arc::clone(client))));
        self.bound(client);
        self.expire(now);
    }

    /// A client that need not be connected; it is added unless it is known.
    pub(super) fn find_or_add(&mut self, client: Client, now: Time) -> Arc<Client> {
        let (client, added) = self.find(client);
        if added {
            let mut state = client.state();
            state.set_since(now);
            self.away.insert((state.since(), ByKey(Arc::clone(&client))));
            drop(state);
            self.bound(&client);
            self.expire(now);
        }
        client
    }

    /// Forgets clients that left too long ago, and those beyond the bound; answers whether there were
    /// any.
    pub(super) fn expire(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some((left, client)) = self.away.first() {
            let aged = now.micros().saturating_sub(left.micros()) >= KEPT;
            if !aged && self.away.len() <= MAX_AWAY {
                break;
            }
            self.clients.remove(client);
            self.away.pop_first();
            any = true;
        }
        any
    }

    /// The next clients behind a place.
    pub(super) fn after(&self, place: Option<&Place>, count: usize) -> Vec<Arc<Client>> {
        let from = match place {
            None => Unbounded,
            Some(place) => Excluded(ByKey(Arc::new(place.client()))),
        };
        let found = self.clients.range((from, Unbounded)).take(count);
        found.map(|ByKey(client)| Arc::clone(client)).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    fn find(&mut self, client: Client) -> (Arc<Client>, bool) {
        let probe = ByKey(Arc::new(client));
        match self.clients.get(&probe) {
            Some(ByKey(known)) => (Arc::clone(known), false),
            None => {
                self.clients.insert(probe.clone());
                (probe.0, true)
            }
        }
    }

    /// Forgets the client of the same user that left first, when there are too many.
    fn bound(&mut self, client: &Client) {
        let first = Place::first_of(client.user.clone()).client();
        let from = Included(ByKey(Arc::new(first)));
        let of_user = self.clients.range((from, Unbounded));
        let of_user = of_user.take_while(|ByKey(other)| other.user == client.user);
        let (mut count, mut oldest) = (0, None::<(Time, ByKey)>);
        for known in of_user.take(2 * MAX_OF_USER) {
            count += 1;
            let state = known.0.state();
            let since = state.since();
            if state.streams == 0 && oldest.as_ref().is_none_or(|(left, _)| since < *left) {
                oldest = Some((since, known.clone()));
            }
        }
        if let Some(oldest) = oldest.filter(|_| count > MAX_OF_USER) {
            self.clients.remove(&oldest.1);
            self.away.remove(&oldest);
        }
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(&other.0)
    }
}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByKey {}
