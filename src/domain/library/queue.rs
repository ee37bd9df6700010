//! Queues (SPEC §3.10).

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Stamp,
    field::{Field, Fields, choice, field},
    refs::{Edge, Refs},
    rules::Rules,
};

/// Kind of the work that waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueKind {
    /// Conversations in text.
    Messaging,
    /// Records that are routed as work.
    Record,
    /// Calls.
    Voice,
}

choice! {
    QueueKind { Messaging = "MESSAGING", Record = "RECORD", Voice = "VOICE" }
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// What waits in it.
    pub kind: QueueKind,
}

impl Fields for Queue {
    const FIELDS: &'static [Field<Self>] = &[field!(kind).required().column("KIND")];
}

impl Refs for Queue {
    const EDGES: &'static [Edge<Self>] = &[];
}

impl Rules for Queue {
    /// There is no default kind: without one, a creation is refused.
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self { common, stamp, kind: QueueKind::Messaging }
    }
}
