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
    damage::{Damage, Hurt},
    engine::Engine,
    progress::Upkeep,
};
use crate::store::{Error, Lack, Result, Revision};

// === impl Engine ===

impl Engine {
    /// Prepares to heal: nothing is written to a damaged segment any more.
    pub(super) fn prepare(&self, upkeep: &mut Upkeep, damages: Vec<Damage>) {
        let mut hurt = Hurt { damages, last: 0 };
        hurt.damages.extend(upkeep.hurt.take().into_iter().flat_map(|hurt| hurt.damages));
        for damage in &hurt.damages {
            if let Damage::Segment(after) = damage {
                match self.leave(*after) {
                    Ok(last) => hurt.last = hurt.last.max(last),
                    Err(error) => {
                        self.queue.done(hurt.damages.len());
                        return not_healed(&error);
                    }
                }
            }
        }
        upkeep.hurt = Some(hurt);
    }

    /// The last revision of a segment, to which nothing is written any more; 0 if it is gone.
    fn leave(&self, after: Revision) -> Result<Revision> {
        let mut writer = self.writer.lock().map_err(|_| Error::Broken)?;
        let segments = writer.journal.segments();
        let Some(place) = segments.iter().position(|at| *at == after) else {
            return Ok(0);
        };
        if let Some(next) = segments.get(place + 1) {
            return Ok(*next);
        }
        if self.failed() {
            return Err(Error::Broken);
        }
        let head = writer.head;
        match writer.journal.roll(head) {
            Ok(()) => Ok(head),
            Err(error) => {
                if Lack::of(&error).is_none() {
                    self.fail(&format!("a segment could not be made: {error}"));
                }
                Err(error.into())
            }
        }
    }

    /// Heals if there is damage and the index is far enough.
    pub(super) fn heal(&self, upkeep: &mut Upkeep) {
        let reached = self.progress.borrow().revision;
        let Some(hurt) = upkeep.hurt.take_if(|hurt| hurt.last <= reached) else {
            return;
        };
        let healed = self.try_heal(upkeep, &hurt);
        self.queue.done(hurt.damages.len());
        match healed {
            Err(_) if self.queue.abandoned() => {}
            Err(error) => {
                self.sweep();
                not_healed(&error);
            }
            Ok(revision) => {
                tracing::warn!(revision, "healed: a checkpoint has taken the place of the damage");
                self.note(|condition| {
                    let text = condition.damaged.as_mut();
                    let done = format!("the checkpoint of revision {revision} has taken its place");
                    text.map(|text| *text = format!("{text}; {done}")).is_some()
                });
            }
        }
    }

    fn try_heal(&self, upkeep: &mut Upkeep, hurt: &Hurt) -> Result<Revision> {
        let bad = |at: Revision| hurt.damages.contains(&Damage::Checkpoint(at));
        let newest = self.checkpoints().last().copied().unwrap_or(0);
        let revision = match self.index()?.head()?.revision {
            head if head > newest || bad(newest) => self.write_checkpoint(upkeep)?,
            _ => newest,
        };
        let path = checkpoint::path(&self.place.checkpoints(), revision);
        checkpoint::read(&*self.place.io, &path, self.ids, |_| Ok(()))?;
        self.retain_checkpoints(|at| at == revision || at >= hurt.last && !bad(at))?;
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
