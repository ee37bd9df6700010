//! The handle of sled's tree. Two of its calls may come to no end: a flush, when a write before it
//! failed in a way that sled does not notice, and the drop of the last handle, which flushes. Both
//! run on threads of their own, and callers wait with a deadline.
//!
//! A call that hangs holds a lock that all trees of the process share, so no other one can be
//! written meanwhile: [`Tree::open`] refuses to take the place of the one that hangs.

use std::{
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use ::sled::Db;

use crate::store::{Error, Result};

/// Bytes of sled's page cache: everything hot is in the catalog.
const CACHE: u64 = 8 << 20;
/// Bytes of a segment of sled's file.
///
/// Once a round sled's own thread moves what is left in at most one segment, so that its room is
/// used again. A segment a round is therefore all that may become garbage in the long run: 4 MiB a
/// second. With sled's defaults it is 0.5 or 1 MiB, and a file grows to sixteen times its data
/// under a few hundred small writes a second.
pub(in super::super) const SEGMENT: usize = 1 << 20;
/// Milliseconds between the rounds of sled's own thread. It writes whenever it likes, which is
/// fine: nothing is in the tree that is not durable in the journal.
const TIDY_MS: u64 = 250;
/// How long a drop may take before it is left to itself.
const DROP: Duration = Duration::from_secs(15);
/// How long a flush may take before the tree counts as lost.
const FLUSH: Duration = Duration::from_secs(120);

/// Where calls were left to themselves and have not come to their end: the folders that hold those
/// of their trees.
static HANGING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A tree that is open.
#[derive(Debug)]
pub(super) struct Tree {
    db: Option<Db>,
    /// The folder that holds its own.
    home: PathBuf,
    /// Whether a call failed that writes or goes through everything.
    failed: AtomicBool,
}

// === impl Tree ===

impl Tree {
    /// Opens the tree of a folder, or makes one.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let home = folder.parent().unwrap_or(folder).to_owned();
        if hanging().contains(&home) {
            let why = "sled does not come to the end of a call; start the server again";
            return Err(Error::Unindexed(why.to_owned()));
        }
        let config = ::sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE)
            .segment_size(SEGMENT)
            .flush_every_ms(Some(TIDY_MS));
        // sled panics over some kinds of damage; the store reports them like any other.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => Ok(Self { db: Some(db), home, failed: AtomicBool::new(false) }),
            Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
                Err(Error::InUse(folder.to_owned()))
            }
            Ok(Err(error)) => Err(Error::Damaged(format!("{}: {error}", folder.display()))),
            Err(_) => Err(Error::Damaged(format!("{}: sled panicked", folder.display()))),
        }
    }

    /// Whether the tree cannot be relied on any more: it is to be built once more.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Notes a failure.
    pub(super) fn note<T, E>(
        &self,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        result
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<()> {
        self.note(match apart(Db::clone(self), FLUSH, &self.home, |db| db.flush()) {
            Some(flushed) => flushed.map(drop).map_err(Error::from),
            None => Err(Error::Engine("sled does not come to the end of a flush".to_owned())),
        })
    }
}

impl Deref for Tree {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db.as_ref().expect("only its drop takes it")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(db) = self.db.take()
            && apart(db, DROP, &self.home, drop).is_none()
        {
            tracing::warn!(
                "sled does not let go of the index; it is left to the end of the process"
            );
        }
    }
}

fn hanging() -> MutexGuard<'static, Vec<PathBuf>> {
    HANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what sled may come to no end of, and waits so long for its result.
fn apart<T: Send + 'static>(
    db: Db,
    time: Duration,
    home: &Path,
    work: impl FnOnce(Db) -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = mpsc::sync_channel(1);
    let shared = Arc::new((Mutex::new(Some(db)), home.to_owned()));
    let theirs = Arc::clone(&shared);
    let thread = thread::Builder::new().name("deskplane-sled".to_owned()).spawn(move || {
        let db = theirs.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let result = db.map(|db| catch_unwind(AssertUnwindSafe(|| work(db))));
        let mut hanging = hanging();
        if let Some(Ok(result)) = result {
            // Nobody waits any more when it has taken too long.
            done.send(result).ok();
        }
        // Dropped with the list in hand: who waits then finds out before it can be put there.
        drop(done);
        if let Some(at) = hanging.iter().position(|home| *home == theirs.1) {
            hanging.swap_remove(at);
        }
    });
    if thread.is_err() {
        // Without a thread the handle is kept for ever: dropping it here might take as long.
        std::mem::forget(shared);
        return None;
    }
    let received = result.recv_timeout(time);
    if !matches!(received, Err(mpsc::RecvTimeoutError::Timeout)) {
        return received.ok();
    }
    let mut hanging = hanging();
    match result.try_recv() {
        Err(mpsc::TryRecvError::Empty) => {
            hanging.push(home.to_owned());
            None
        }
        received => received.ok(),
    }
}

// === impl Error ===

impl From<::sled::Error> for Error {
    fn from(error: ::sled::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_hangs_is_left_to_itself_and_no_tree_takes_its_place_meanwhile() {
        let home = tempfile::tempdir().unwrap();
        let (first, second) = (home.path().join("index"), home.path().join("index.fresh"));
        let tree = Tree::open(&first).unwrap();
        let (release, hangs) = mpsc::channel::<()>();
        let hung = move |_| hangs.recv().is_err();
        let time = Duration::from_millis(10);
        assert_eq!(apart(Db::clone(&tree), time, &tree.home, hung), None);
        assert!(matches!(Tree::open(&second), Err(Error::Unindexed(_))));
        drop(release);
        while hanging().contains(&tree.home) {
            thread::yield_now();
        }
        drop(Tree::open(&second).unwrap());
        tree.flush().unwrap();
        assert!(!tree.failed());
    }
}
