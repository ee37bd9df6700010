//! Checkpoints: every object at one revision, in a sorted file. They bound the journal.
//!
//! `<revision, 20 digits>.ckpt`. Those of an older format hold history as well, and the requests that
//! are remembered; see `sorted.rs`.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Ids, files,
    index::{
        Head,
        keys::{Entry, state_key},
    },
    sorted::{self, FileKind},
};
use crate::{
    domain::{Kind, ObjectKey},
    store::{
        Result, Revision, State,
        io::{File, Io},
        record::{encode_object, user_format},
    },
};

/// Name of the folder.
pub(super) const FOLDER: &str = "checkpoint";
/// Checkpoints that are kept.
pub(super) const KEPT: usize = 2;
/// How the files begin.
pub(super) const KIND: FileKind = FileKind { magic: *b"DPCKPT\r\n" };
const ENDING: &str = "ckpt";

/// Revisions of the checkpoints, rising.
pub(super) fn list(io: &dyn Io, dir: &Path) -> Result<Vec<Revision>> {
    let named = files::list(io, dir, ENDING)?;
    Ok(named.iter().filter_map(|path| files::number(path)).collect())
}

/// Where the checkpoint of a revision lies.
pub(super) fn path(dir: &Path, revision: Revision) -> PathBuf {
    dir.join(format!("{revision:020}.{ENDING}"))
}

/// Bytes of the checkpoint of a revision.
pub(super) fn length(io: &dyn Io, dir: &Path, revision: Revision) -> io::Result<u64> {
    io.open(&path(dir, revision))?.len()
}

/// Writes the checkpoint of a state, as long as it may go on; its length.
pub(super) fn write(
    io: &dyn Io,
    dir: &Path,
    ids: Ids,
    state: &dyn State,
    go_on: impl Fn() -> Result<()>,
) -> Result<u64> {
    let head = Head { revision: state.revision(), time: state.time(), ..Head::default() };
    let mut writer = sorted::Writer::new(io, path(dir, head.revision), KIND, ids, head)?;
    let mut kinds = Kind::all().collect::<Vec<_>>();
    // As their keys rise.
    kinds.sort_by_key(|kind| kind.collection());
    for kind in kinds {
        if kind == Kind::User {
            for (id, form) in state.users(&user_format) {
                go_on()?;
                writer.add((&state_key(&ObjectKey::new(kind, id)), &form))?;
            }
            continue;
        }
        for object in state.objects(kind) {
            go_on()?;
            writer.add((&state_key(&object.key()), &encode_object(&object)?))?;
        }
    }
    Ok(writer.finish()?)
}

/// Reads a checkpoint from its first byte to its last and hands on every entry.
pub(super) fn read(
    io: &dyn Io,
    path: &Path,
    ids: Ids,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    check(&*io.open(path)?, path, ids, each)
}

/// The same for a file that is open already.
pub(super) fn check(
    file: &dyn File,
    path: &Path,
    ids: Ids,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    sorted::read_file(file, path, KIND, ids, each).map(drop)
}
