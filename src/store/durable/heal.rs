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
    checkpoint,
    damage::{Damage, Hurt},
    engine::Engine,
    history,
    progress::Upkeep,
};
use crate::store::{Error, Lack, Result, Revision};

/// How often it is looked whether what is durable was published.
const PUBLISHED: Duration = Duration::from_millis(1);

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
            Err(error) => not_healed(&error),
            Ok(revision) => {
                tracing::warn!(
                    revision,
                    "healed: what was damaged is written once more, or superfluous"
                );
                self.note(|condition| {
                    let text = condition.damaged.as_mut();
                    let done = format!("the checkpoint of revision {revision} has taken its place");
                    text.map(|text| *text = format!("{text}; {done}")).is_some()
                });
            }
        }
    }

    fn try_heal(&self, upkeep: &mut Upkeep, hurt: &Hurt) -> Result<Revision> {
        let index = self.index()?;
        for damage in &hurt.damages {
            if let Damage::History(span) = damage
                && self.history().contains(span)
            {
                self.write_history(&index, *span)?;
            }
        }
        if hurt.last > history::end(&self.history()) {
            self.extend_history(&index)?;
            upkeep.unwritten = 0;
        }
        let bad = |at: Revision| hurt.damages.contains(&Damage::Checkpoint(at));
        // What became durable is published a moment later.
        while self.newest_state()?.revision() < hurt.last {
            if !self.queue.rest(PUBLISHED) {
                return Err(Error::Broken);
            }
        }
        let written = self.write_newest(|revision, newest| {
            bad(newest) && revision >= newest || hurt.last > newest
        })?;
        let revision = written.unwrap_or_else(|| self.checkpoints.newest());
        if revision > 0 {
            let path = checkpoint::path(&self.place.checkpoints(), revision);
            checkpoint::read(&*self.place.io, &path, self.ids, |_| Ok(()))?;
        }
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
