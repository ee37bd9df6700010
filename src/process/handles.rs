//! The limit of open file handles (RLIMIT_NOFILE), and how many of them connections may take.
//!
//! A connection costs one handle, and so does each file of the store. When connections may take all
//! of them, the next segment of the journal cannot be opened, so a part is set aside.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Handles that connections never take: the listeners, the log, the files of store and index
/// (segments, checkpoints, marks, what verification and a backup read), connections to vendors, and
/// those of the listener for probes and metrics.
pub const RESERVE: u64 = 256;

/// The limit of open file handles in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHandles {
    /// The limit that is enforced.
    pub soft: u64,
    /// The limit up to which the process may raise it; `u64::MAX` when there is none.
    pub hard: u64,
}

impl FileHandles {
    /// The limit as it is.
    pub fn current() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        Self { soft: current.unwrap_or(u64::MAX), hard: maximum.unwrap_or(u64::MAX) }
    }

    /// The handles that connections may take: the limit without [`RESERVE`]. A limit too low for
    /// that is shared by halves, so that a server with few handles serves few clients, not none.
    pub fn for_connections(&self) -> usize {
        let reserve = RESERVE.min(self.soft / 2);
        usize::try_from(self.soft - reserve).unwrap_or(usize::MAX)
    }
}

/// Raises the soft limit to the hard one and returns the limit in effect.
///
/// # Errors
/// When the operating system refuses; the limit is then what it was.
pub fn raise() -> io::Result<FileHandles> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(FileHandles::current())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_connections(soft: u64) -> usize {
        FileHandles { soft, hard: soft }.for_connections()
    }

    #[test]
    fn connections_leave_handles_for_files() {
        assert_eq!(for_connections(1_024), 768);
        assert_eq!(for_connections(512), 256);
        assert_eq!(for_connections(u64::MAX), usize::MAX - 256);
    }

    #[test]
    fn a_low_limit_is_shared_by_halves() {
        assert_eq!(for_connections(511), 256);
        assert_eq!(for_connections(100), 50);
        assert_eq!(for_connections(1), 1);
        assert_eq!(for_connections(0), 0);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise().unwrap();
        assert_eq!(raised.soft, raised.hard);
        assert_eq!(raised, FileHandles::current());
        assert_eq!(raise().unwrap(), raised, "a second time changes nothing");
    }
}
