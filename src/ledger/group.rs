//! Writes that wait for the store together, and what each of them is answered.
//!
//! A group shares one batch of the store, and nothing else: what becomes of one write is never the
//! answer to another. See [`Committer::apart`](super::committer::Committer::apart) for a group that the
//! store does not take.

use std::{collections::HashMap, sync::Arc};

use super::{
    job::{Job, Judged, Reply},
    write::{Accepted, Idempotency, Outcome},
};
use crate::{
    catalog::Catalog,
    domain::{Reason, Refusal},
    impact::Impact,
    store::{Record, RequestKey, Revision},
};

/// Writes that are planned and wait for the store together.
pub(super) struct Group {
    /// The catalog that was published last.
    pub(super) base: Arc<Catalog>,
    /// What it becomes with the records of the group.
    pub(super) catalog: Arc<Catalog>,
    pub(super) records: Vec<Record>,
    /// What each record means for users.
    pub(super) impacts: Vec<Impact>,
    /// The stored form of each record.
    pub(super) encoded: Vec<Vec<u8>>,
    /// Bytes of them all.
    bytes: usize,
    pub(super) writes: Vec<Write>,
    /// Requests of this group: a second copy waits for the outcome of the first.
    asked: HashMap<RequestKey, ([u8; 32], Outcome)>,
}

/// A write of a group.
pub(super) struct Write {
    pub(super) job: Job,
    reply: Reply,
    /// What the answer rests on.
    pub(super) rests: Rests,
}

/// What an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rests {
    /// The catalog that was published before the group: it is true whatever becomes of the group.
    Published,
    /// Records of writes before it in the group.
    Group,
    /// A record of its own.
    Record,
}

/// How a write was judged.
pub(super) enum Verdict {
    /// The store is not needed.
    Answer(Judged),
    /// A record is to become durable.
    Record(Box<Planned>),
    /// The record of that revision, which is durable, has answered it.
    Repeated(Revision),
    /// The store must be asked about its request id first.
    Unknown,
}

/// A record on its way to the store.
pub(super) struct Planned {
    pub(super) record: Record,
    pub(super) encoded: Vec<u8>,
    /// The catalog with it.
    pub(super) next: Catalog,
    /// What the record means for users.
    pub(super) impact: Impact,
    /// The answer once it is durable.
    pub(super) outcome: Outcome,
}

// === impl Group ===

impl Group {
    /// An empty group on the catalog that was published last.
    pub(super) fn new(base: Arc<Catalog>) -> Self {
        Self {
            catalog: Arc::clone(&base),
            base,
            records: Vec::new(),
            impacts: Vec::new(),
            encoded: Vec::new(),
            bytes: 0,
            writes: Vec::new(),
            asked: HashMap::new(),
        }
    }

    /// Whether a write fits beside those that are there.
    pub(super) fn takes(&self, verdict: &Verdict, max_bytes: usize) -> bool {
        match verdict {
            Verdict::Answer(_) | Verdict::Repeated(_) | Verdict::Unknown => true,
            Verdict::Record(planned) => {
                self.records.is_empty() || self.bytes + planned.encoded.len() <= max_bytes
            }
        }
    }

    /// Adds a write that was judged on the catalog of the group.
    pub(super) fn add(&mut self, job: Job, verdict: Verdict) {
        let (judged, rests) = match verdict {
            Verdict::Answer(judged) if self.records.is_empty() => (judged, Rests::Published),
            Verdict::Answer(judged) => (judged, Rests::Group),
            Verdict::Record(planned) => (Ok(self.plan(*planned)), Rests::Record),
            Verdict::Repeated(first) => {
                let (reply, rests) = (Reply::Repeated(first), Rests::Published);
                return self.writes.push(Write { job, reply, rests });
            }
            Verdict::Unknown => return job.hand_back(),
        };
        // The answer is made of the catalog with the write's own record, and with no later one.
        let catalog = Arc::clone(&self.catalog);
        let reply = Reply::Judged(judged.map(|outcome| Accepted { outcome, catalog }));
        self.writes.push(Write { job, reply, rests });
    }

    fn plan(&mut self, planned: Planned) -> Outcome {
        let Planned { record, encoded, next, impact, outcome } = planned;
        if let Some(header) = record.header() {
            self.asked.insert(header.key, (header.payload, outcome.clone()));
        }
        self.bytes += encoded.len();
        self.records.push(record);
        self.impacts.push(impact);
        self.encoded.push(encoded);
        self.catalog = Arc::new(next);
        outcome
    }

    /// The answer to a request that this group holds already; no answer when it came with another
    /// payload.
    pub(super) fn replay(
        &self,
        key: &RequestKey,
        request: &Idempotency,
    ) -> Option<Option<Outcome>> {
        let (known, outcome) = self.asked.get(key)?;
        Some(request.is(known).then(|| outcome.clone()))
    }
}

// === impl Write ===

impl Write {
    /// Answers it as it was judged.
    pub(super) fn answer(self) {
        let Self { job, reply, .. } = self;
        job.reply(reply);
    }

    /// Answers it with a refusal.
    pub(super) fn refuse(self, refusal: &Refusal) {
        self.job.reply(Reply::Judged(Err(refusal.clone())));
    }
}

// === impl Job ===

impl Job {
    /// Whether the caller stopped waiting: its deadline passed, or it is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Answers a write that was judged on that catalog.
    pub(super) fn answer(self, judged: Judged, catalog: Arc<Catalog>) {
        self.reply(Reply::Judged(judged.map(|outcome| Accepted { outcome, catalog })));
    }

    pub(super) fn reply(self, reply: Reply) {
        // A caller who no longer waits needs no answer.
        let _ = self.answer.send(reply);
    }

    /// Hands the write back to the task of its caller, to ask the store about its request id.
    pub(super) fn hand_back(self) {
        let Self { submission, answer, .. } = self;
        let _ = answer.send(Reply::Unknown(submission));
    }
}

/// The refusal of a write whose record is larger than the store takes.
pub(super) fn too_large(size: usize, limit: usize) -> Refusal {
    let message = format!(
        "The write would take {size} bytes in the store, of at most {limit}; split it into several."
    );
    Refusal::new(Reason::ResourceTooLarge, message).with("limit", limit).with("size", size)
}
