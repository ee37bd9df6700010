//! Request ids of the last 24 hours (SPEC §7.1 rule 6): which record answered them. What the answer
//! was is in the record; see `answer.rs`.
//!
//! The newest are in memory, a bounded number of a fixed size. Older ones are checked up in the store
//! by the task of the caller, before the commit task judges the write: see [`Checked`].

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use uuid::Uuid;

use super::write::Idempotency;
use crate::{
    domain::{Reason, Refusal, Time},
    store::{Header, REQUEST_AGE, REQUESTS_IN_MEMORY, RequestKey, Revision},
};

/// The request ids that the commit task knows.
#[derive(Debug)]
pub(super) struct Requests {
    /// Most of them.
    most: usize,
    known: HashMap<RequestKey, Known>,
    /// Oldest first.
    ages: VecDeque<(Time, RequestKey, Revision)>,
    older: Older,
    /// Time of the record that [`Older`] names.
    older_time: Time,
}

/// What is known of a request id.
#[derive(Debug, Clone, Copy)]
struct Known {
    payload: [u8; 32],
    revision: Revision,
}

/// Up to which revision only the store knows the requests of the last 24 hours; 0 when all of them
/// are in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Older(Arc<AtomicI64>);

/// What the store said of a request, before its write is judged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Checked {
    /// It was asked about the records up to this revision.
    pub(super) until: Revision,
    /// Whether it knows the request with another payload.
    pub(super) reused: bool,
}

/// What is known of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It came first with the record of that revision.
    Repeated(Revision),
    /// It came with another payload.
    Reused,
    /// The store must be asked about the records up to a later revision.
    Unknown,
}

// === impl Requests ===

impl Requests {
    /// The requests that a store has loaded; the newest before them that it has, too.
    pub(super) fn new(loaded: Vec<Header>, older: Option<Header>) -> Self {
        let mut requests = Self::with_most(REQUESTS_IN_MEMORY);
        if let Some(older) = older {
            requests.note_older(older.time, older.revision);
        }
        loaded.iter().for_each(|header| requests.remember(header));
        requests
    }

    /// None yet, and so many at most.
    pub(super) fn with_most(most: usize) -> Self {
        Self {
            most,
            known: HashMap::new(),
            ages: VecDeque::new(),
            older: Older::default(),
            older_time: Time::from_micros(0),
        }
    }

    /// Where to read up to which revision only the store knows requests.
    pub(super) fn older(&self) -> Older {
        self.older.clone()
    }

    /// Adds the request of a durable record.
    pub(super) fn remember(&mut self, header: &Header) {
        let &Header { revision, time, key, payload } = header;
        self.known.insert(key, Known { payload, revision });
        self.ages.push_back((time, key, revision));
        while self.ages.len() > self.most
            && let Some((time, revision)) = self.forget_oldest()
        {
            self.note_older(time, revision);
        }
    }

    /// Forgets what is older than 24 hours.
    pub(super) fn expire(&mut self, now: Time) {
        let old = |time: Time| now.micros() - time.micros() > REQUEST_AGE;
        while self.ages.front().is_some_and(|(time, ..)| old(*time)) {
            self.forget_oldest();
        }
        if self.older.revision() > 0 && old(self.older_time) {
            self.older.0.store(0, Ordering::SeqCst);
        }
    }

    /// What is known of a request; none when it is new.
    pub(super) fn find(
        &self,
        key: &RequestKey,
        request: &Idempotency,
        checked: Checked,
    ) -> Option<Found> {
        match self.known.get(key) {
            Some(known) if request.is(&known.payload) => Some(Found::Repeated(known.revision)),
            Some(_) => Some(Found::Reused),
            None if self.older.revision() > checked.until => Some(Found::Unknown),
            None => checked.reused.then_some(Found::Reused),
        }
    }

    fn forget_oldest(&mut self) -> Option<(Time, Revision)> {
        let (time, key, revision) = self.ages.pop_front()?;
        // The id may have been used again since.
        if self.known.get(&key).is_some_and(|known| known.revision == revision) {
            self.known.remove(&key);
        }
        Some((time, revision))
    }

    fn note_older(&mut self, time: Time, revision: Revision) {
        self.older_time = time;
        self.older.0.store(revision, Ordering::SeqCst);
    }
}

// === impl Older ===

impl Older {
    /// The revision; 0 when the store need not be asked.
    pub(super) fn revision(&self) -> Revision {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether a request is remembered no longer.
pub(super) fn expired(header: &Header, now: Time) -> bool {
    now.micros() - header.time.micros() > REQUEST_AGE
}

/// The refusal because a request id came with another payload.
pub(super) fn reused(id: Uuid) -> Refusal {
    let message = format!("Request id {id} was used with another payload; choose a new one.");
    Refusal::new(Reason::RequestIdReused, message)
        .with("request_id", id)
        .violation("request_id", "was used with another payload")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(at: i64) -> Header {
        let key = RequestKey::new("jane", Uuid::from_u128(at.unsigned_abs().into()));
        Header { revision: at, time: Time::from_micros(at), key, payload: [at as u8; 32] }
    }

    fn found(requests: &Requests, at: i64, checked: Checked) -> Option<Found> {
        let header = header(at);
        let (id, payload) = (Uuid::nil(), header.payload);
        requests.find(&header.key, &Idempotency { id, payload, former: Vec::new() }, checked)
    }

    #[test]
    fn the_newest_are_known_and_the_store_is_asked_about_older_ones() {
        let mut requests = Requests::with_most(3);
        (1..=5).for_each(|at| requests.remember(&header(at)));
        assert_eq!((requests.known.len(), requests.ages.len()), (3, 3));
        assert_eq!(requests.older().revision(), 2);
        let none = Checked::default();
        for at in 3..=5 {
            assert_eq!(found(&requests, at, none), Some(Found::Repeated(at)));
        }
        assert_eq!(found(&requests, 1, none), Some(Found::Unknown));
        assert_eq!(found(&requests, 9, none), Some(Found::Unknown));
        let checked = Checked { until: 2, reused: false };
        assert_eq!(found(&requests, 9, checked), None);
        assert_eq!(found(&requests, 9, Checked { reused: true, ..checked }), Some(Found::Reused));
        // One more has left the memory since the store was asked.
        requests.remember(&header(6));
        assert_eq!(found(&requests, 9, checked), Some(Found::Unknown));
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten_here_and_in_the_store() {
        let mut requests = Requests::with_most(2);
        (1..=3).for_each(|at| requests.remember(&header(at)));
        requests.expire(Time::from_micros(2 + REQUEST_AGE));
        assert_eq!(requests.older().revision(), 0, "the store need not be asked");
        assert_eq!(found(&requests, 2, Checked::default()), Some(Found::Repeated(2)));
        requests.expire(Time::from_micros(3 + REQUEST_AGE));
        assert_eq!(found(&requests, 2, Checked::default()), None);
        assert_eq!(found(&requests, 3, Checked::default()), Some(Found::Repeated(3)));
    }

    #[test]
    fn an_id_that_is_used_again_after_a_day_is_known_by_its_last_use() {
        let mut requests = Requests::with_most(2);
        requests.remember(&header(1));
        requests.remember(&Header { revision: 2, ..header(1) });
        requests.remember(&header(3));
        assert_eq!(found(&requests, 1, Checked::default()), Some(Found::Repeated(2)));
    }
}
