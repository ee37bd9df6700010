//! The marks that a start reads and writes.

use crate::store::{
    Error, Lack, Result,
    durable::{
        Ids, Layout,
        mark::{self, Boot, State},
    },
};

/// Marks the store as open, even if it says so already: whether that reached the disk is not known.
/// No mark says the same, and needs no room.
pub(super) fn mark_open(layout: &Layout, ids: Ids) -> Result<()> {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    match mark::write(io, dir, &State::open(ids.incarnation)) {
        Err(error) if Lack::of(&error) == Some(Lack::Full) => {
            tracing::warn!("there is no room for a mark: starting on a full disk");
            Ok(mark::remove::<State>(io, dir)?)
        }
        written => Ok(written?),
    }
}

/// Notes the boot of the machine since which the index is whole. Without the note the next start
/// rebuilds the index, so nothing ends because of it.
pub(in crate::store::durable) fn note_boot(layout: &Layout) {
    let (io, dir) = (&*layout.io, layout.folder.as_path());
    let noted = match &layout.boot_id {
        Some(boot_id) => mark::write(io, dir, &Boot { boot_id: boot_id.clone() }),
        None => mark::remove::<Boot>(io, dir),
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "the boot of the machine could not be noted");
    }
}

/// A mark that cannot be read is none: what it would promise is then established the long way.
pub(super) fn ignore_damaged_mark<M>(mark: Result<Option<M>>) -> Result<Option<M>> {
    match mark {
        Err(Error::Damaged(what)) => {
            tracing::warn!(what, "ignored a damaged mark");
            Ok(None)
        }
        read => read,
    }
}
