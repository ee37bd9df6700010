//! What the engine does about a damaged file while it is at work.
//!
//! Everything that was acknowledged is still there: in the memory of the server and in the index,
//! which were written from memory and not from the damaged file. So nothing stops and nothing wrong
//! is served; but a start after a kill would be refused, or a backup. Therefore the damaged file is
//! made superfluous at once, by the thread of the index and in this order:
//!
//! 1. When the damage is in the segment that is being written, the journal goes on in another one.
//! 2. A damaged history file is written once more from the index.
//! 3. Once index and state have everything up to the end of the damaged segment, it is archived, and a
//!    checkpoint is written, and read again. It takes the place of one of the same revision.
//! 4. Checkpoints that are damaged, or from which no way leads on but over the damage, are removed,
//!    and then the journal below the oldest checkpoint that is left.
//!
//! A kill between any two of these leaves what was there before, or better. One checkpoint may be
//! left alone; the next one makes two again. When something fails the damage stays noted, and the
//! next verification tries again.

use std::time::Duration;

use super::{
    appender::Appender,
    archive::Archive,
    checkpoint,
    checkpoints::Checkpoints,
    context::Context,
    index::Index,
    pending::{Damage, PendingRepair},
    progress::Upkeep,
    queue::Queue,
};
use crate::store::{Error, Result, Revision};

/// How often it is looked whether what is durable was published.
const PUBLISHED: Duration = Duration::from_millis(1);
/// How often at most: the ledger may have ended.
const LOOKS: u32 = 10_000;

/// Replaces damaged files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repairs<'a> {
    pub(super) context: &'a Context,
    pub(super) queue: &'a Queue,
    pub(super) appender: &'a Appender,
    pub(super) archive: &'a Archive,
    pub(super) checkpoints: &'a Checkpoints,
}

// === impl Repairs ===

impl Repairs<'_> {
    /// Prepares a repair: nothing is written to a damaged segment any more.
    pub(super) fn schedule(&self, upkeep: &mut Upkeep, damages: Vec<Damage>) {
        let mut pending = PendingRepair { damages, last: 0 };
        pending
            .damages
            .extend(upkeep.pending.take().into_iter().flat_map(|pending| pending.damages));
        for damage in &pending.damages {
            if let Damage::Segment(after) = damage {
                match self.appender.roll_if_active(*after) {
                    Ok(last) => pending.last = pending.last.max(last),
                    Err(error) => {
                        self.queue.done(pending.damages.len());
                        return not_repaired(&error);
                    }
                }
            }
        }
        upkeep.pending = Some(pending);
    }

    /// Repairs if there is damage and the index, which has come to a revision, is far enough.
    pub(super) fn carry_out(&self, index: &Index, upkeep: &mut Upkeep, reached: Revision) {
        let Some(pending) = upkeep.pending.take_if(|pending| pending.last <= reached) else {
            return;
        };
        let repaired = self.repair(index, upkeep, &pending);
        self.queue.done(pending.damages.len());
        match repaired {
            Err(_) if self.context.abandoned() => {}
            Err(error) => not_repaired(&error),
            Ok(revision) => {
                tracing::warn!(
                    revision,
                    "repaired: what was damaged is written once more, or superfluous"
                );
                self.context.note(|condition| {
                    let text = condition.damaged.as_mut();
                    let done = format!("the checkpoint of revision {revision} has taken its place");
                    text.map(|text| *text = format!("{text}; {done}")).is_some()
                });
            }
        }
    }

    fn repair(
        &self,
        index: &Index,
        upkeep: &mut Upkeep,
        pending: &PendingRepair,
    ) -> Result<Revision> {
        for damage in &pending.damages {
            if let Damage::History(span) = damage
                && self.archive.spans().contains(span)
            {
                self.archive.write(index, *span)?;
            }
        }
        if pending.last > self.archive.end() {
            self.archive.extend(index)?;
            upkeep.unwritten = 0;
        }
        let bad = |at: Revision| pending.damages.contains(&Damage::Checkpoint(at));
        // What became durable is published a moment later.
        let mut looks = 0;
        while self.checkpoints.newest_state()?.revision() < pending.last {
            looks += 1;
            if looks > LOOKS || !self.queue.rest(PUBLISHED) {
                return Err(Error::Broken);
            }
        }
        let written = self
            .checkpoints
            .write(|revision, newest| bad(newest) && revision >= newest || pending.last > newest)?;
        let revision = written.unwrap_or_else(|| self.checkpoints.newest());
        if revision > 0 {
            let path = checkpoint::path(&self.context.layout.checkpoints(), revision);
            checkpoint::read(&*self.context.layout.io, &path, self.context.ids, |_| Ok(()))?;
        }
        self.checkpoints.retain(|at| at == revision || at >= pending.last && !bad(at))?;
        self.checkpoints.release_damaged()?;
        Ok(revision)
    }
}

fn not_repaired(error: &Error) {
    tracing::error!(
        %error,
        "the damage could not be repaired; the next verification tries again. Make a backup now"
    );
}
