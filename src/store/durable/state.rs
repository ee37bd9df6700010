//! What a server needs at its start, read from a checkpoint and the journal above it. The index is
//! not asked, so nobody waits until it is open or built.
//!
//! Only the blocks of a checkpoint that hold objects or request ids are read, by all cores at once;
//! history, which is most of it, is skipped. Every block that is read is checked, and so is every
//! frame of the journal.

use std::{collections::BTreeMap, ops::Bound, path::Path, thread};

use super::{
    Ids, Place,
    checkpoint::{self, Outline, Spot},
    index::{Head, keys},
    journal::{self, Scan},
};
use crate::{
    domain::{Change, Object},
    store::{Error, Header, Loaded, Result, Revision, io::Io, record::decode_object},
};

/// Fewest blocks that are worth a thread.
const SHARE: usize = 8;

/// Objects by their key in the index; none is one that was deleted.
type Changed = BTreeMap<Vec<u8>, Option<Object>>;

/// Reads the state at the end of the journal, from a checkpoint or from nothing.
pub(super) fn read(place: &Place, ids: Ids, scan: &Scan, base: Option<Revision>) -> Result<Loaded> {
    let io = &*place.io;
    let path = base.map(|at| checkpoint::path(&place.checkpoints(), at));
    let base = match &path {
        Some(path) => Some((path.as_path(), Outline::read(io, path, ids)?)),
        None => None,
    };
    let head = base.as_ref().map_or(Head::default(), |(_, outline)| outline.head);
    let mut loaded = Loaded { revision: head.revision, time: head.time, ..Loaded::default() };
    let (mut changed, mut requests) = (Changed::new(), Vec::new());
    journal::replay(io, &place.journal(), ids, scan, head.revision, |records| {
        for (record, _) in records {
            (loaded.revision, loaded.time) = (record.revision, record.time);
            requests.extend(record.header());
            for change in record.changes {
                let key = keys::state_key(&change.key());
                changed.insert(
                    key,
                    match change {
                        Change::Put(object) => Some(object),
                        Change::Delete(_) => None,
                    },
                );
            }
        }
        Ok(())
    })?;
    let oldest = keys::oldest_request(loaded.time);
    if let Some((path, outline)) = &base {
        let file = io.open(path)?;
        for spot in outline.within(&oldest, keys::REQUESTS_END) {
            outline.block(&*file, path, spot, |(key, value)| {
                if (&oldest[..]..keys::REQUESTS_END).contains(&key) {
                    loaded.remember(Header::decode(value)?);
                }
                Ok(())
            })?;
        }
    }
    requests.retain(|header| keys::request_key(header.time, header.revision) >= oldest);
    requests.into_iter().for_each(|header| loaded.remember(header));
    loaded.bound_requests();
    loaded.objects = match &base {
        Some((path, outline)) => objects(io, path, outline, &changed)?,
        None => changed.into_values().flatten().collect(),
    };
    // The names of a kind are in order already; a stable sort leaves them so.
    loaded.objects.sort_by_key(Object::kind);
    Ok(loaded)
}

/// The objects of a checkpoint with what was changed above it, in the order of their keys.
fn objects(io: &dyn Io, path: &Path, outline: &Outline, changed: &Changed) -> Result<Vec<Object>> {
    let spots = outline.within(keys::STATES, keys::STATES_END);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = spots.len().div_ceil(cores).max(SHARE);
    let parts: Vec<_> = spots.chunks(share).collect();
    thread::scope(|scope| {
        let mut from = keys::STATES;
        let mut threads = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let until = parts.get(at + 1).map_or(keys::STATES_END, |next| next[0].first());
            threads.push(
                scope.spawn(move || merge(io, (path, outline), part, (from, until), changed)),
            );
            from = until;
        }
        let mut objects = Vec::new();
        for thread in threads {
            objects.append(&mut thread.join().map_err(|_| Error::Broken)??);
        }
        Ok(objects)
    })
}

/// The objects of some blocks, with the changes between two keys.
fn merge(
    io: &dyn Io,
    (path, outline): (&Path, &Outline),
    spots: &[Spot],
    (from, until): (&[u8], &[u8]),
    changed: &Changed,
) -> Result<Vec<Object>> {
    let bounds = (Bound::Included(from), Bound::Excluded(until));
    let mut fresh = changed.range::<[u8], _>(bounds).peekable();
    let (file, mut objects) = (io.open(path)?, Vec::new());
    for spot in spots {
        outline.block(&*file, path, spot, |(key, value)| {
            if !(from..until).contains(&key) {
                return Ok(());
            }
            while let Some((_, object)) = fresh.next_if(|(at, _)| at.as_slice() < key) {
                objects.extend(object.clone());
            }
            match fresh.next_if(|(at, _)| at.as_slice() == key) {
                Some((_, object)) => objects.extend(object.clone()),
                None => objects.push(decode_object(value)?),
            }
            Ok(())
        })?;
    }
    objects.extend(fresh.filter_map(|(_, object)| object.clone()));
    Ok(objects)
}
