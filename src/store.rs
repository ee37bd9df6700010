//! Durable storage: what the ledger needs of an engine, and what an engine promises.
//!
//! One command is one [`Record`] is one revision. The sequence of records is the truth; the
//! objects that [`Store::load`] answers are what their changes add up to. The promises P1 to P7 are
//! written at the methods of [`Store`]; `store/conformance.rs` holds every engine to them.

mod condition;
#[cfg(test)]
pub(crate) mod conformance;
pub mod durable;
mod error;
pub mod io;
mod log;
mod memory;
mod record;
mod revision;

use std::{fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_core::Stream;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::{
    condition::{Condition, Lack, Writes},
    durable::Durable,
    error::{Error, Result},
    log::{Log, LogEntry, LogKind, LogQuery, Logged, MemoryLog, Visit},
    memory::Memory,
    record::{FORMAT, Header, Record, Request, RequestKey},
    revision::Revision,
};
use crate::domain::{
    Kind, Object, ObjectKey, Time,
    directory::packed::{PackedUsers, Packer},
};

/// Most bytes of one batch, as encoded records: twice the largest bundle, for what an object has
/// beside its fields takes about 250 bytes of a record.
pub const MAX_BATCH_BYTES: usize = 128 << 20;
/// Most bytes of one record, encoded. An engine may take less, and says so in its [`Identity`].
pub const MAX_RECORD_BYTES: usize = MAX_BATCH_BYTES;
/// How long a request id is remembered, in microseconds: 24 hours (SPEC §7.1 rule 6).
pub const REQUEST_AGE: i64 = 24 * 3_600 * 1_000_000;
/// Most request ids that are kept in memory; older ones are looked up with [`Store::request`].
pub const REQUESTS_IN_MEMORY: usize = 1 << 18;

/// Committed records in rising order; it ends only after an error or with the store.
pub type ChangeStream = Pin<Box<dyn Stream<Item = Result<Record>> + Send>>;

/// What tells one store from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Made with the store; a restore keeps it.
    pub store: Uuid,
    /// Made with the store and anew by every restore.
    pub incarnation: Uuid,
    /// Name of the engine: `embedded`, `memory`.
    pub engine: &'static str,
    /// Most bytes of one record, encoded; never more than a batch may have.
    pub max_record_bytes: usize,
    /// Most bytes of one batch, as encoded records.
    pub max_batch_bytes: usize,
}

/// Everything a server needs at its start, at one revision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Revision of the last commit; 0 when there was none.
    pub revision: Revision,
    /// Time of the last commit.
    pub time: Time,
    /// Every object that exists but the users, by kind and name.
    pub objects: Vec<Object>,
    /// Every user.
    pub users: PackedUsers,
    /// Headers of the newest [`REQUESTS_IN_MEMORY`] records that carry a request id and are at most
    /// 24 h older than `time`, oldest first. The store knows no clock: the caller drops those that
    /// have aged since.
    pub requests: Vec<Header>,
    /// The newest such record that is not among them; [`Store::request`] knows those up to it.
    pub older_requests: Option<Header>,
}

/// Every object at one revision, as whoever commits holds it in memory. It never changes.
pub trait State: fmt::Debug + Send + Sync {
    /// The revision.
    fn revision(&self) -> Revision;

    /// Time of its commit.
    fn time(&self) -> Time;

    /// The objects of a kind other than users, rising by the name in their key.
    fn objects(&self, kind: Kind) -> Box<dyn Iterator<Item = Object> + '_>;

    /// The users, rising by id: the id, and the stored form behind the bytes that `begin` makes.
    fn users<'a>(
        &'a self,
        begin: &'a dyn Fn() -> Vec<u8>,
    ) -> Box<dyn Iterator<Item = (&'a str, Vec<u8>)> + 'a>;
}

/// Where the newest state is found that was committed.
pub trait States: fmt::Debug + Send + Sync + 'static {
    /// The state after a commit that is durable: the last one, or one a moment before it.
    fn newest(&self) -> Arc<dyn State>;
}

/// Records that become durable together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    after: Revision,
    records: Vec<Record>,
    /// The stored form of each.
    encoded: Vec<Vec<u8>>,
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The batch is durable; the store's head is this revision.
    Committed(Revision),
    /// Nothing was written: the head is this revision, not the one the batch was planned on.
    Conflict(Revision),
    /// Nothing was written: the batch breaks the limit that the text names.
    Refused(String),
    /// The batch may or may not be durable. Its request ids tell after the next [`Store::load`].
    Unknown,
}

/// Which records of the past are asked for; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// Only records that change this object.
    pub key: Option<ObjectKey>,
    /// Only records below this revision.
    pub before: Option<Revision>,
    /// Most records of the page; 0 counts as 1.
    pub limit: usize,
}

/// A page of a longer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// `before` of the next page; none after the last.
    pub next: Option<Revision>,
}

/// A durable sequence of records and the objects they add up to.
///
/// Every method is required: a wrapper that forgets one does not compile.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Answers what tells this store from another.
    ///
    /// **P7** The incarnation stays over every reopening, and no two stores share one.
    fn identity(&self) -> Identity;

    /// Answers every object and every remembered request at one revision.
    ///
    /// **P6** Records and objects of every older format are still read; a newer format is
    /// [`Error::NewerFormat`], never a guess.
    async fn load(&self) -> Result<Loaded>;

    /// Says where the newest state is found from now on. An engine writes its checkpoints from there,
    /// on a thread of its own; one that has none ignores it.
    fn attach(&self, states: Arc<dyn States>);

    /// Makes the batch durable if the head is still the one it was planned on.
    ///
    /// **P1** A batch is all or nothing over state, history and requests, at any size up to
    /// [`MAX_BATCH_BYTES`]; above it is refused.
    /// **P3** What was answered `Committed` is never lost, and what was answered `Conflict` or
    /// `Refused` never appears. `Unknown` is settled by the request ids of the batch itself.
    /// **P4** Revisions strictly grow and may have gaps: callers compare them, never add one.
    ///
    /// A caller that stops waiting does not stop the commit.
    async fn commit(&self, batch: Batch) -> Result<Commit>;

    /// Follows the commits after the revision: first those of the past, then those to come.
    ///
    /// **P2** Nobody sees a revision before it is durable, neither here nor by another method.
    /// **P5** Every commit comes once and in order, or the call is [`Error::Compacted`]; a stream
    /// that falls so far behind ends with that error.
    async fn changes(&self, after: Revision) -> Result<ChangeStream>;

    /// Answers a page of past records, newest first: of the feed, or of one object, whose history may
    /// go back further than the feed.
    async fn history(&self, query: HistoryQuery) -> Result<Page<Record>>;

    /// Answers the record of a revision. As long as its request id is remembered it is there, also
    /// when history does not go back to it any more.
    async fn record(&self, revision: Revision) -> Result<Option<Record>>;

    /// Answers what is remembered of a request among the records up to a revision; the newest one,
    /// if an id was used again after 24 h.
    async fn request(&self, key: RequestKey, until: Revision) -> Result<Option<Header>>;

    /// Answers a revision at least as new as every commit acknowledged before the call.
    async fn linearize(&self) -> Result<Revision>;

    /// The logs that no commit waits for. They last as long as the store, and are no part of its
    /// backups.
    fn log(&self) -> Arc<dyn Log>;

    /// Follows how the store is. The receiver ends with the store.
    fn condition(&self) -> watch::Receiver<Condition>;
}

// === impl Loaded ===

impl Loaded {
    /// With these objects, each of which comes once and those of a kind ascending.
    pub fn with_objects(self, all: impl IntoIterator<Item = Object>) -> Self {
        let (mut objects, mut users) = (Vec::new(), Packer::default());
        for object in all {
            match object {
                Object::User(user) => users.push(&user),
                other => objects.push(other),
            }
        }
        Self { objects, users: users.finish(), ..self }
    }

    /// Every object that exists.
    pub fn all(&self) -> impl Iterator<Item = Object> {
        let users = self.users.iter().map(|user| Object::User(Arc::new(user.user())));
        self.objects.iter().cloned().chain(users)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len() + self.users.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a request that is younger than all before it.
    fn remember(&mut self, header: Header) {
        self.requests.push(header);
        // Not at each of them: what goes first moves all others.
        if self.requests.len() >= 2 * REQUESTS_IN_MEMORY {
            self.bound_requests();
        }
    }

    /// Drops the requests beyond those that are kept in memory.
    fn bound_requests(&mut self) {
        let beyond = self.requests.len().saturating_sub(REQUESTS_IN_MEMORY);
        if let Some(last) = self.requests.drain(..beyond).next_back() {
            self.older_requests = Some(last);
        }
    }
}

impl State for Loaded {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn time(&self) -> Time {
        self.time
    }

    fn objects(&self, kind: Kind) -> Box<dyn Iterator<Item = Object> + '_> {
        let from = self.objects.partition_point(|object| object.kind() < kind);
        let objects = self.objects[from..].iter().take_while(move |object| object.kind() == kind);
        Box::new(objects.cloned())
    }

    fn users<'a>(
        &'a self,
        begin: &'a dyn Fn() -> Vec<u8>,
    ) -> Box<dyn Iterator<Item = (&'a str, Vec<u8>)> + 'a> {
        Box::new(self.users.iter().map(|user| (user.id(), user.encode(begin()))))
    }
}

// === impl Batch ===

impl Batch {
    /// A batch planned on the given head: at least one record, the first above the head, each
    /// above the one before.
    pub fn new(after: Revision, records: Vec<Record>) -> Result<Self> {
        let encoded = records.iter().map(Record::encode).collect::<Result<_>>()?;
        Self::encoded(after, records, encoded)
    }

    /// The same, of records whose stored form is known already, in the same order.
    pub fn encoded(after: Revision, records: Vec<Record>, encoded: Vec<Vec<u8>>) -> Result<Self> {
        let Some(first) = records.first() else {
            return Err(Error::Malformed("it holds no record"));
        };
        if records.len() != encoded.len() {
            return Err(Error::Malformed("its records are not those that were encoded"));
        }
        if after < 0 || first.revision <= after {
            return Err(Error::Malformed("its first revision is not above the head"));
        }
        if records.windows(2).any(|pair| pair[0].revision >= pair[1].revision) {
            return Err(Error::Malformed("its revisions do not rise"));
        }
        Ok(Self { after, records, encoded })
    }

    /// The head on which the batch was planned.
    pub fn after(&self) -> Revision {
        self.after
    }

    /// The records, in rising order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Refuses a batch that is larger than an engine takes, with the text of the refusal.
    fn fits(&self, identity: &Identity) -> std::result::Result<(), String> {
        let (record, batch) = (identity.max_record_bytes, identity.max_batch_bytes);
        if self.encoded.iter().any(|bytes| bytes.len() > record) {
            return Err(format!("a record may have {record} bytes"));
        }
        match self.encoded.iter().map(Vec::len).sum::<usize>() {
            sum if sum > batch => Err(format!("a batch may have {batch} bytes")),
            _ => Ok(()),
        }
    }
}

// === impl Page ===

impl Page<Record> {
    /// The page of at most `limit` out of a list that was read one item further.
    fn cut(mut items: Vec<Record>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|record| record.revision);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_requests_are_loaded_and_the_last_of_the_others_is_named() {
        let header = |at: usize| {
            let (revision, key) = (at as Revision, RequestKey::new("jane", Uuid::nil()));
            Header { revision, time: Time::from_micros(revision), key, payload: [0; 32] }
        };
        let mut loaded = Loaded::default();
        (1..=REQUESTS_IN_MEMORY).for_each(|at| loaded.remember(header(at)));
        loaded.bound_requests();
        assert_eq!((loaded.requests.len(), loaded.older_requests), (REQUESTS_IN_MEMORY, None));
        let last = 3 * REQUESTS_IN_MEMORY + 5;
        (REQUESTS_IN_MEMORY + 1..=last).for_each(|at| loaded.remember(header(at)));
        assert!(loaded.requests.len() < 2 * REQUESTS_IN_MEMORY);
        loaded.bound_requests();
        assert_eq!(loaded.requests.len(), REQUESTS_IN_MEMORY);
        assert_eq!(loaded.requests.last(), Some(&header(last)));
        assert_eq!(loaded.older_requests, Some(header(last - REQUESTS_IN_MEMORY)));
    }
}
