//! Folders and names: for the process, and on the platter.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::{Component, Path, PathBuf},
};

use fastrand::Rng;
use rustix::io::Errno;

use super::data::{Data, chance};

/// Number of a file or folder, whatever its names are.
pub(super) type Id = u64;

/// The folder that is always there.
const ROOT: Id = 0;

/// A name in a folder.
type Place = (Id, OsString);
/// Names of a folder.
type Names = BTreeMap<OsString, Id>;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    File(Data),
    Dir(Dir),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Dir {
    seen: Names,
    platter: Names,
}

/// One file or folder that got, changed or lost its name, not yet for sure on the platter. It
/// reaches it as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    id: Id,
    from: Option<Place>,
    to: Option<Place>,
    /// The folders that are still to be synced.
    waits: Vec<Id>,
    /// A sync that failed has lost it: no later one brings it to the platter.
    lost: bool,
}

/// All files and folders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    nodes: BTreeMap<Id, Node>,
    next: Id,
    pending: Vec<Change>,
    pub(super) capacity: u64,
}

// === impl Change ===

impl Change {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.from.iter().chain(&self.to)
    }

    /// Whether the later change makes no sense on a platter without this one: a file never has two
    /// names or none because one of two renames is missing.
    fn causes(&self, later: &Self) -> bool {
        self.id == later.id || self.places().any(|place| later.places().any(|p| p == place))
    }
}

/// Marks what the marked changes rest on, too.
fn with_causes(changes: &[Change], mut marked: Vec<bool>) -> Vec<bool> {
    for later in (0..changes.len()).rev().filter(|at| *at > 0) {
        for earlier in 0..later {
            marked[earlier] |= marked[later] && changes[earlier].causes(&changes[later]);
        }
    }
    marked
}

// === impl Tree ===

impl Tree {
    pub(super) fn new(capacity: u64) -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Dir(Dir::default()))]);
        Self { nodes, next: ROOT + 1, pending: Vec::new(), capacity }
    }

    fn dir(&self, id: Id) -> io::Result<&Dir> {
        match self.nodes.get(&id) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(Node::File(_)) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    fn dir_mut(&mut self, id: Id) -> io::Result<&mut Dir> {
        match self.nodes.get_mut(&id) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(Node::File(_)) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn file(&self, id: Id) -> io::Result<&Data> {
        match self.nodes.get(&id) {
            Some(Node::File(data)) => Ok(data),
            Some(Node::Dir(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::STALE.into()),
        }
    }

    pub(super) fn file_mut(&mut self, id: Id) -> io::Result<&mut Data> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(data)) => Ok(data),
            Some(Node::Dir(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::STALE.into()),
        }
    }

    /// What has the name in a folder.
    fn at(&self, place: &Place) -> io::Result<Option<Id>> {
        Ok(self.dir(place.0)?.seen.get(&place.1).copied())
    }

    /// What has this path.
    pub(super) fn find(&self, path: &Path) -> io::Result<Id> {
        names(path)?.into_iter().try_fold(ROOT, |dir, name| {
            self.dir(dir)?.seen.get(name).copied().ok_or_else(|| Errno::NOENT.into())
        })
    }

    /// The folder and the name that a path says.
    fn place(&self, path: &Path) -> io::Result<Place> {
        let mut names = names(path)?;
        let name = names.pop().ok_or(Errno::ISDIR)?.to_owned();
        let dir = self.find(&names.into_iter().collect::<PathBuf>())?;
        self.dir(dir).map(|_| (dir, name))
    }

    /// Changes names for the process, and says what is pending.
    fn change(&mut self, id: Id, from: Option<Place>, to: Option<Place>) -> io::Result<()> {
        if let Some((dir, name)) = &from {
            self.dir_mut(*dir)?.seen.remove(name);
        }
        if let Some((dir, name)) = &to {
            self.dir_mut(*dir)?.seen.insert(name.clone(), id);
        }
        let waits = from.iter().chain(&to).map(|place| place.0).collect();
        self.pending.push(Change { id, from, to, waits, lost: false });
        Ok(())
    }

    fn add(&mut self, place: Place, node: Node) -> io::Result<Id> {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.change(id, None, Some(place))?;
        Ok(id)
    }

    pub(super) fn make_dir(&mut self, path: &Path) -> io::Result<()> {
        let mut dir = ROOT;
        for name in names(path)? {
            let place = (dir, name.to_owned());
            dir = match self.at(&place)? {
                Some(id) => id,
                None => self.add(place, Node::Dir(Dir::default()))?,
            };
        }
        // A file at the last name is as wrong as one on the way.
        self.dir(dir).map(drop).map_err(|_| Errno::EXIST.into())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let dir = self.dir(self.find(path)?)?;
        Ok(dir.seen.keys().map(|name| path.join(name)).collect())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Id> {
        let place = self.place(path)?;
        match self.at(&place)? {
            Some(_) => Err(Errno::EXIST.into()),
            None => self.add(place, Node::File(Data::default())),
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from)?;
        if let Ok(there) = self.find(to) {
            if there == id {
                return Ok(());
            }
            self.file(id).and(self.file(there))?;
        } else if self.dir(id).is_ok() && to.starts_with(from) {
            return Err(Errno::INVAL.into());
        }
        self.change(id, Some(self.place(from)?), Some(self.place(to)?))
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let id = self.find(path)?;
        self.file(id)?;
        self.change(id, Some(self.place(path)?), None)
    }

    /// Brings to the platter what waits for this folder alone, and what that rests on.
    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find(path)?;
        self.dir(dir)?;
        for change in self.pending.iter_mut().filter(|change| !change.lost) {
            change.waits.retain(|waited| *waited != dir);
        }
        let due = self.pending.iter().map(|change| change.waits.is_empty()).collect();
        let due = with_causes(&self.pending, due);
        for (change, due) in std::mem::take(&mut self.pending).into_iter().zip(due) {
            match due {
                true => self.persist(&change)?,
                false => self.pending.push(change),
            }
        }
        Ok(())
    }

    /// Makes sure that no sync brings to the platter what waits for this folder.
    pub(super) fn lose_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find(path)?;
        for change in self.pending.iter_mut().filter(|change| change.waits.contains(&dir)) {
            change.lost = true;
        }
        Ok(())
    }

    fn persist(&mut self, change: &Change) -> io::Result<()> {
        if let Some((dir, name)) = &change.from {
            self.dir_mut(*dir)?.platter.remove(name);
        }
        if let Some((dir, name)) = &change.to {
            self.dir_mut(*dir)?.platter.insert(name.clone(), change.id);
        }
        Ok(())
    }

    /// Every file that has a path.
    pub(super) fn files(&self) -> Vec<(PathBuf, &Data)> {
        let mut files = Vec::new();
        let mut open = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, id)) = open.pop() {
            match self.nodes.get(&id) {
                Some(Node::Dir(dir)) => {
                    open.extend(dir.seen.iter().map(|(name, id)| (path.join(name), *id)));
                }
                Some(Node::File(data)) => files.push((path, data)),
                None => {}
            }
        }
        files
    }

    /// Bytes that files may still grow by.
    pub(super) fn free(&self) -> u64 {
        let used = self.files().iter().map(|(_, data)| data.len()).sum();
        self.capacity.saturating_sub(used)
    }

    /// What a power cut leaves when everything unsynced is kept with this probability.
    pub(super) fn cut(&self, random: &mut Rng, keep: f64) -> Self {
        let kept = self.pending.iter().map(|change| chance(random, keep) && !change.lost).collect();
        let kept = with_causes(&self.pending, kept);
        let mut after = self.clone();
        for (change, _) in self.pending.iter().zip(kept).filter(|(_, kept)| *kept) {
            // The folders of a change are there: they are never removed.
            after.persist(change).ok();
        }
        after.pending.clear();
        let mut nodes = BTreeMap::new();
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let node = match after.nodes.remove(&id) {
                Some(Node::Dir(Dir { platter, .. })) => {
                    open.extend(platter.values());
                    Node::Dir(Dir { seen: platter.clone(), platter })
                }
                Some(Node::File(data)) => Node::File(Data::settled(data.cut(random, keep))),
                None => continue,
            };
            nodes.insert(id, node);
        }
        Self { nodes, ..after }
    }
}

/// The names of a path, from the root on.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(Ok(name)),
        Component::RootDir | Component::CurDir => None,
        Component::ParentDir | Component::Prefix(_) => Some(Err(Errno::INVAL.into())),
    });
    names.collect()
}
