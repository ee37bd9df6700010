//! Audit and resolution log (SPEC §11.3).
//!
//! A write is audited by its own record, which is durable with it. Audited reads, refusals by scope
//! and what clients were delivered are handed to the [`Recorder`], which writes them in the
//! background, at most a second behind: nobody waits for them, and a crash may lose that second. They
//! lie in the store's logs, which are no part of its backups. [`Reader`] reads both back as one list.

mod delivery;
mod entry;
mod merge;
mod reader;
mod recorder;
mod refusals;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::{
    entry::{Entry, Outcome, RESOURCES, named},
    merge::Cursor,
    reader::{AuditQuery, DeliveryQuery, OutcomeKind, Reader, Rows},
    recorder::{Figures, Read, Recorder},
    settings::{Keep, Settings},
};

use crate::{clock::Clock, store::Store};

/// Both ends of the logs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Writes them.
    pub recorder: Recorder,
    /// Reads them.
    pub reader: Reader,
}

impl Audit {
    /// The logs of a store. Nothing is written before [`Recorder::start`].
    pub fn new(store: Arc<dyn Store>, clock: Clock, settings: Settings) -> Self {
        let recorder = Recorder::new(&*store, clock, settings);
        Self { recorder, reader: Reader::new(store) }
    }
}
