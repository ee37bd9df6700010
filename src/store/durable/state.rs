//! The state of a store as its files have it: the objects of a checkpoint with what the journal
//! changed above it, and the requests that are remembered.
//!
//! Of a checkpoint only those blocks are read that hold objects, and each is checked. They are shared
//! among the cores, and merged with the changes of the journal, which are few.

use std::{collections::BTreeMap, ops::Bound, path::Path, thread};

use super::{
    Ids, Layout, checkpoint,
    history::{self, Span},
    index::{Head, Index, keys},
    journal::{self, Scan},
    sorted::{Outline, Spot, WITH_HISTORY},
};
use crate::{
    domain::{
        Change, Object,
        directory::packed::{Packer, Shared},
    },
    store::{
        Error, Header, Loaded, Result, Revision,
        io::Io,
        record::{decode_object, no_user, user_form},
    },
};

/// Fewest blocks that are worth a thread.
const SHARE: usize = 8;

/// Objects by their key; none is one that was deleted.
type Changed = BTreeMap<Vec<u8>, Option<Object>>;

/// The objects of some blocks, in the order of their keys.
#[derive(Debug)]
struct Part {
    /// All but the users.
    objects: Vec<Object>,
    users: Packer,
}

impl Part {
    fn of(shared: &Shared, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut part = Self { objects: Vec::new(), users: Packer::sharing(shared) };
        objects.into_iter().for_each(|object| part.add(Some(object)));
        part
    }

    fn add(&mut self, object: Option<Object>) {
        match object {
            Some(Object::User(user)) => self.users.push(&user),
            other => self.objects.extend(other),
        }
    }

    fn add_stored(&mut self, value: &[u8]) -> Result<()> {
        match user_form(value) {
            Some(form) => self.users.push_stored(form).ok_or_else(no_user)?,
            None => self.add(Some(decode_object(value)?)),
        }
        Ok(())
    }
}

/// Where requests are found that the journal does not hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Past<'a> {
    /// In history files; in a checkpoint, while there are none and it is of a format that holds
    /// history.
    Files(&'a [Span]),
    /// In the index.
    Index(&'a Index),
}

/// The objects at the end of the journal, and the requests that it holds.
#[derive(Debug)]
pub(super) struct Objects {
    loaded: Loaded,
    base: Option<Revision>,
    requests: Vec<Header>,
}

/// Reads the objects from a checkpoint, or from nothing, and the journal. Requests are taken from the
/// journal above `indexed`, up to which an index holds them, and above the history files.
pub(super) fn objects(
    layout: &Layout,
    ids: Ids,
    scan: &Scan,
    base: Option<Revision>,
    indexed: Revision,
) -> Result<Objects> {
    let io = &*layout.io;
    let path = base.map(|at| checkpoint::path(&layout.checkpoints(), at));
    let from = match &path {
        Some(path) => Some((path.as_path(), Outline::read(io, path, checkpoint::KIND, ids)?)),
        None => None,
    };
    let head = from.as_ref().map_or(Head::default(), |(_, outline)| outline.head);
    let mut loaded = Loaded { revision: head.revision, time: head.time, ..Loaded::default() };
    let (mut changed, mut requests) = (Changed::new(), Vec::new());
    // A record may be long, and is not read where nothing is needed of it.
    let start = scan.start(head.revision.min(indexed));
    journal::replay(io, &layout.journal(), ids, scan, start, |records| {
        for (record, _) in records {
            requests.extend(record.header());
            if record.revision <= head.revision {
                continue;
            }
            (loaded.revision, loaded.time) = (record.revision, record.time);
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
    let shared = Shared::default();
    let parts = match &from {
        Some((path, outline)) => merged(io, path, outline, &changed, &shared)?,
        None => vec![Part::of(&shared, changed.into_values().flatten())],
    };
    let mut packers = Vec::new();
    for part in parts {
        loaded.objects.extend(part.objects);
        packers.push(part.users);
    }
    loaded.users = shared.finish(packers);
    // The names of a kind are in order already; a stable sort leaves them so.
    loaded.objects.sort_by_key(Object::kind);
    Ok(Objects { loaded, base, requests })
}

// === impl Objects ===

impl Objects {
    /// The whole state, with the requests that are remembered.
    pub(super) fn with(self, requests: Loaded) -> Loaded {
        Loaded { objects: self.loaded.objects, users: self.loaded.users, ..requests }
    }

    /// The state less its objects: the requests that are remembered.
    pub(super) fn requests(&self, layout: &Layout, ids: Ids, past: Past<'_>) -> Result<Loaded> {
        let (revision, time) = (self.loaded.revision, self.loaded.time);
        let mut loaded = Loaded { revision, time, ..Loaded::default() };
        let oldest = keys::oldest_request(loaded.time);
        let io = &*layout.io;
        let until = match (past, self.base) {
            (Past::Index(index), _) => {
                index.requests(&oldest, |header| loaded.remember(header))?;
                index.head()?.revision
            }
            (Past::Files([]), Some(base)) => {
                let path = checkpoint::path(&layout.checkpoints(), base);
                let outline = Outline::read(io, &path, checkpoint::KIND, ids)?;
                let whole = outline.format <= WITH_HISTORY;
                if whole {
                    let mut add = |header| loaded.remember(header);
                    history::outline_requests(io, &path, &outline, &oldest, &mut add)?;
                }
                if whole { base } else { 0 }
            }
            (Past::Files(spans), _) => {
                let dir = layout.history();
                for span in spans {
                    let path = history::path(&dir, *span);
                    history::requests(io, &path, ids, &oldest, |header| loaded.remember(header))?;
                }
                history::end(spans)
            }
        };
        let young = |header: &Header| keys::request_key(header.time, header.revision) >= oldest;
        let newer = self.requests.iter().filter(|header| header.revision > until && young(header));
        newer.for_each(|header| loaded.remember(*header));
        loaded.bound_requests();
        Ok(loaded)
    }
}

/// The keys of the objects of a checkpoint, less the prefix that tells them from others, rising.
pub(super) fn keys(
    layout: &Layout,
    ids: Ids,
    at: Revision,
) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
    let path = checkpoint::path(&layout.checkpoints(), at);
    let outline = Outline::read(&*layout.io, &path, checkpoint::KIND, ids)?;
    let file = layout.io.open(&path)?;
    let blocks = outline.blocks().len();
    let read = move |nth: usize| {
        let mut found = Vec::new();
        let spot = &outline.blocks()[nth];
        let read = outline.block(&*file, &path, spot, |(key, _)| {
            if let Some(name) = key.strip_prefix(keys::STATES) {
                found.push(Ok(name.to_vec()));
            }
            Ok(())
        });
        found.extend(read.err().map(Err));
        found
    };
    Ok((0..blocks).flat_map(read))
}

/// The objects of a checkpoint with what was changed above it, in the order of their keys.
fn merged(
    io: &dyn Io,
    path: &Path,
    outline: &Outline,
    changed: &Changed,
    shared: &Shared,
) -> Result<Vec<Part>> {
    // A first key is no reason to leave a block out: it is checked with its block alone.
    let spots = match outline.format {
        ..=WITH_HISTORY => outline.within(keys::STATES, keys::STATES_END),
        _ => outline.blocks(),
    };
    if spots.is_empty() {
        return Ok(vec![Part::of(shared, changed.values().flatten().cloned())]);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = spots.len().div_ceil(cores).max(SHARE);
    let parts: Vec<_> = spots.chunks(share).collect();
    thread::scope(|scope| {
        let mut from = keys::STATES;
        let mut threads = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let until = parts.get(at + 1).map_or(keys::STATES_END, |next| next[0].first());
            threads.push(scope.spawn(move || {
                let into = Part::of(shared, []);
                merge(io, (path, outline), part, (from, until), changed, into)
            }));
            from = until;
        }
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| Error::Broken)?);
        ended.collect()
    })
}

/// The objects of some blocks, with the changes between two keys.
fn merge(
    io: &dyn Io,
    (path, outline): (&Path, &Outline),
    spots: &[Spot],
    (from, until): (&[u8], &[u8]),
    changed: &Changed,
    mut into: Part,
) -> Result<Part> {
    let bounds = (Bound::Included(from), Bound::Excluded(until));
    let mut fresh = changed.range::<[u8], _>(bounds).peekable();
    let file = io.open(path)?;
    for spot in spots {
        outline.block(&*file, path, spot, |(key, value)| {
            if !(from..until).contains(&key) {
                return Ok(());
            }
            while let Some((_, object)) = fresh.next_if(|(at, _)| at.as_slice() < key) {
                into.add(object.clone());
            }
            match fresh.next_if(|(at, _)| at.as_slice() == key) {
                Some((_, object)) => into.add(object.clone()),
                None => into.add_stored(value)?,
            }
            Ok(())
        })?;
    }
    fresh.for_each(|(_, object)| into.add(object.clone()));
    Ok(into)
}
