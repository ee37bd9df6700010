//! A write as it is handed in, what it is answered, and what is published of it once it is
//! durable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    catalog::Catalog,
    command::{Command, Step, Warning, bundle::ImportSummary},
    domain::{Actor, Finding, Object, Provenance, UserId},
    impact::{Affected, Impact},
    store::Record,
};

/// A write as it is handed in.
#[derive(Debug)]
pub struct Submission {
    /// What to do.
    pub command: Box<dyn Command>,
    /// Who asks.
    pub actor: Actor,
    /// From where, and by which scope; kept with the write.
    pub provenance: Provenance,
    /// How a repetition is recognised; ignored with `validate_only`.
    pub request: Option<Idempotency>,
    /// Judge, answer and do nothing.
    pub validate_only: bool,
    /// Why, in the caller's words.
    pub reason: String,
}

/// How a repetition of a write is recognised: the caller's id, and hashes of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The request id.
    pub id: Uuid,
    /// Hash of the payload, which is stored.
    pub payload: [u8; 32],
    /// Hashes that may have been stored of the same payload under another key.
    pub former: Vec<[u8; 32]>,
}

impl Idempotency {
    /// Whether a stored hash is one of this payload.
    pub(super) fn is(&self, stored: &[u8; 32]) -> bool {
        self.payload == *stored || self.former.contains(stored)
    }
}

/// An accepted write, and the catalog that its answer is made of.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What the write did.
    pub outcome: Outcome,
    /// The catalog at the revision of the write, or the one on which it was judged when it changed
    /// nothing. A repetition gets the newest: the first one is gone.
    pub catalog: Arc<Catalog>,
}

/// The answer to an accepted write; a repetition gets the very same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Revision of the write, or the current one when nothing changed.
    pub revision: i64,
    /// Whether anything changed.
    pub changed: bool,
    /// The objects that the write is about, as they are now; none after a delete.
    pub objects: Vec<Object>,
    /// Whose profile changed.
    pub affected: Affected,
    /// Remarks for the caller.
    pub warnings: Vec<Warning>,
    /// Findings of the write.
    pub findings: Vec<Finding>,
    /// Users who were not linked, for RemoveUsers.
    pub not_assigned: Vec<UserId>,
    /// Secrets that were put under another key, for RotateSecretKeys.
    #[serde(default)]
    pub resealed: i32,
    /// What each operation of a list of writes did.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What became of the objects of a bundle, for Import.
    #[serde(default)]
    pub imported: Option<Box<ImportSummary>>,
}

/// A group of writes that is durable: the catalog after it beside the one before. Without records
/// both catalogs say the same, and the later one takes less memory: who keeps one keeps that.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The catalog before the group.
    pub before: Arc<Catalog>,
    /// The catalog after it.
    pub after: Arc<Catalog>,
    /// The records of the group.
    pub records: Arc<[Record]>,
    /// What each of them means for users, in the same order.
    pub impacts: Arc<[Impact]>,
}
