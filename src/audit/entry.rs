//! Entries of the audit log, and their stored form.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Change, Kind, Provenance, Time, resource_name::resource_name},
    store::{Error, Logged, Record, Result},
};

/// Most resources that an entry names; the others are counted.
pub const RESOURCES: usize = 100;
/// Format of stored entries: one byte before the JSON.
pub(super) const FORMAT: u8 = 1;

/// One entry: a write, an audited read, or a refusal by scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    #[serde(skip)]
    pub time: Time,
    /// Revision of the write, or the one at which a read was answered.
    pub revision: i64,
    /// Who called.
    pub actor: String,
    /// From where, and by which scope.
    #[serde(default, skip_serializing_if = "Provenance::is_unknown")]
    pub provenance: Provenance,
    /// What was called: `SetDefault`, `Explain`.
    pub operation: String,
    /// Resource names of what it changed, or is about; [`RESOURCES`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How many there are of them in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resource_count: u32,
    /// The flags of SPEC §7.1 rule 3 that a write set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Request id of a write; empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// Why, in the caller's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Further calls like this one that have no entry of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u32,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// A write was committed.
    Committed,
    /// A read was answered, or its stream begun.
    Answered,
    /// The caller may not: the reason of the refusal, `SCOPE_REQUIRED`.
    Denied(String),
    /// A read failed otherwise: the reason, or the name of the code.
    Failed(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands on references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

// === impl Entry ===

impl Entry {
    /// The entry of a write, which is its record.
    pub fn of(record: &Record) -> Self {
        let name = |change: &Change| match change {
            Change::Put(object) => named(object.kind(), object.name()),
            Change::Delete(key) => named(key.kind, &key.name),
        };
        let request_id = record.request.as_ref().map(|request| request.id.to_string());
        Self {
            time: record.time,
            revision: record.revision,
            actor: record.actor.subject.clone(),
            provenance: record.provenance.clone(),
            operation: record.operation.clone(),
            resources: record.changes.iter().take(RESOURCES).map(name).collect(),
            resource_count: record.changes.len().try_into().unwrap_or(u32::MAX),
            flags: record.flags.clone(),
            request_id: request_id.unwrap_or_default(),
            reason: record.reason.clone(),
            outcome: Outcome::Committed,
            repeats: 0,
        }
    }

    /// Bytes that its texts take, about.
    pub(super) fn weight(&self) -> usize {
        let texts = self.resources.iter().chain(&self.flags);
        256 + self.reason.len() + self.actor.len() + texts.map(|text| text.len() + 4).sum::<usize>()
    }

    /// Whether both are the same call, but for their times and revisions.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        self.actor == other.actor
            && self.operation == other.operation
            && self.outcome == other.outcome
            && self.resources == other.resources
            && self.provenance.scope == other.provenance.scope
            && self.reason == other.reason
            && (!self.actor.is_empty() || self.host() == other.host())
    }

    /// The address of its caller without the port.
    fn host(&self) -> &str {
        self.provenance.address.rsplit_once(':').map_or("", |(host, _)| host)
    }

    /// The stored form, less the time.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        encode(self)
    }

    /// Reads the stored form.
    pub(super) fn decode(logged: &Logged<'_>) -> Result<Self> {
        let entry: Self = decode("an audit entry", logged.bytes)?;
        Ok(Self { time: logged.time, ..entry })
    }
}

/// The resource name that an entry has for an object; the settings have no id.
pub fn named(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Settings => kind.collection().to_owned(),
        _ => resource_name(kind, id),
    }
}

/// The stored form of an entry of a log.
pub(super) fn encode(entry: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    encode_into(&mut bytes, entry)?;
    Ok(bytes)
}

/// Appends the stored form of an entry of a log, or the beginning of it after an error.
pub(super) fn encode_into(bytes: &mut Vec<u8>, entry: &impl Serialize) -> Result<()> {
    bytes.push(FORMAT);
    serde_json::to_writer(bytes, entry).map_err(|error| Error::Engine(error.to_string()))
}

/// Reads the stored form of an entry of a log; `what` names it in errors.
pub(super) fn decode<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T> {
    let damaged = |why: String| Error::Damaged(format!("{what}: {why}"));
    match bytes.split_first() {
        Some((&FORMAT, payload)) => {
            serde_json::from_slice(payload).map_err(|error| damaged(error.to_string()))
        }
        Some((&found, _)) if found > FORMAT => Err(Error::NewerFormat {
            what: what.to_owned(),
            found: found.into(),
            known: FORMAT.into(),
        }),
        _ => Err(damaged("it has no format".to_owned())),
    }
}
