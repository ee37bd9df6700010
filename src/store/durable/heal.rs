//! What the engine does about a damaged file while it is at work.
//!
//! Everything that was acknowledged is still there: in the memory of the server and in the index,
//! which were written from memory and not from the damaged file. So nothing stops and nothing wrong
//! is served; but a start after a kill would be refused, or a backup. Therefore the damaged file is
//! made superfluous at once, by the thread of the index and in this order:
//!
//! 1. When the damage is in the segment that is being written, the journal goes on in another one.
//! 2. Once the index has everything up to the end of the damaged segment, a checkpoint of it is
//!    written, and read again. It takes the place of one of the same revision.
//! 3. Checkpoints that are damaged, or from which no way leads on but over the damage, are removed,
//!    and then the journal below the oldest checkpoint that is left.
//!
//! A kill between any two of these leaves what was there before, or better. One checkpoint may be
//! left alone; the next one makes two again. When something fails the damage stays noted, and the
//! next verification tries again.

use super::{
    checkpoint,
    engine::{Engine, Upkeep},
    files,
};
use crate::store::{Error, Result, Revision};

/// A file that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// The checkpoint of that revision.
    Checkpoint(Revision),
    /// A segment.
    Segment {
        /// Last revision before it.
        after: Revision,
        /// Its own last revision when it was read.
        last: Revision,
    },
}

/// Damage, and how far the index must be to heal it.
#[derive(Debug)]
pub(super) struct Hurt {
    at: Revision,
    damages: Vec<Damage>,
}

// === impl Engine ===

impl Engine {
    /// Prepares to heal: nothing is written to a damaged segment any more.
    pub(super) fn prepare(&self, upkeep: &mut Upkeep, damages: Vec<Damage>) {
        let mut hurt = Hurt { at: 0, damages };
        hurt.damages.extend(upkeep.hurt.take().into_iter().flat_map(|hurt| hurt.damages));
        for damage in &mut hurt.damages {
            if let Damage::Segment { after, last } = damage {
                match self.leave(*after) {
                    Ok(end) => *last = end.unwrap_or(*last),
                    Err(error) => return not_healed(&error),
                }
                hurt.at = hurt.at.max(*last);
            }
        }
        upkeep.hurt = Some(hurt);
    }

    /// Goes on in another segment if that one is being written; where it ends then.
    fn leave(&self, after: Revision) -> Result<Option<Revision>> {
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        if self.failed() {
            return Err(Error::Broken);
        }
        if writer.journal.segments().last() != Some(&after) {
            return Ok(None);
        }
        let head = writer.head;
        match writer.journal.roll(head) {
            Ok(()) => Ok(Some(head)),
            Err(error) => {
                if !files::no_room(&error) {
                    self.fail(&format!("a segment could not be made: {error}"));
                }
                Err(error.into())
            }
        }
    }

    /// Heals if there is damage and the index is far enough.
    pub(super) fn heal(&self, upkeep: &mut Upkeep) {
        let reached = self.progress.borrow().revision;
        let Some(hurt) = upkeep.hurt.take_if(|hurt| hurt.at <= reached) else {
            return;
        };
        match self.try_heal(upkeep, &hurt.damages) {
            Err(_) if self.queue.abandoned() => {}
            Err(error) => {
                self.sweep();
                not_healed(&error);
            }
            Ok(revision) => {
                let done = format!("the checkpoint of revision {revision} has taken its place");
                tracing::warn!(revision, "healed: {done}");
                self.note(|condition| {
                    let text = condition.damaged.as_mut();
                    text.map(|text| *text = format!("{text}; {done}")).is_some()
                });
            }
        }
    }

    fn try_heal(&self, upkeep: &mut Upkeep, damages: &[Damage]) -> Result<Revision> {
        let bad = |at: Revision| damages.contains(&Damage::Checkpoint(at));
        let newest = self.checkpoints().last().copied().unwrap_or(0);
        let revision = match self.index.head()?.revision {
            head if head > newest || bad(newest) => self.write_checkpoint(upkeep)?,
            _ => newest,
        };
        let path = checkpoint::path(&self.place.checkpoints(), revision);
        checkpoint::read(&*self.place.io, &path, self.ids, |_| Ok(()))?;
        let ends = damages.iter().map(|damage| match damage {
            Damage::Checkpoint(_) => 0,
            Damage::Segment { last, .. } => *last,
        });
        let passable = ends.max().unwrap_or(0);
        self.retain_checkpoints(|at| at == revision || at >= passable && !bad(at))?;
        self.release()?;
        Ok(revision)
    }
}

fn not_healed(error: &Error) {
    tracing::error!(
        %error,
        "the damage could not be healed; the next verification tries again. Make a backup now"
    );
}
