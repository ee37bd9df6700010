//! How a store is: whether it takes writes, and whether what it keeps is sound.

use std::{fmt, io};

use rustix::io::Errno;

/// How a store is at the moment. Reads are answered in every condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// Whether writes are taken.
    pub writes: Writes,
    /// What was found damaged on the disk, file and place, until everything was read once more and
    /// found sound. Nothing is answered from it.
    pub damaged: Option<String>,
}

/// Whether a store takes writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Writes {
    /// They are taken.
    #[default]
    Taken,
    /// Something is lacking; they are taken again when it is there.
    ReadOnly(Lack),
    /// One failed, for that reason; none is taken until the store is opened again.
    Failed(String),
}

/// What a store lacks to take writes. It says nothing against the disk or what lies on it: a call
/// that was refused for want of it has done nothing, and may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The disk is almost full.
    Room {
        /// Bytes that are free.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// The disk has no room for another file, whatever it says of itself: blocks, files, a quota, or
    /// the size that the process may give to a file.
    Full,
    /// The process, or the machine, has no handle left to open a file with.
    Handles,
    /// The system has no memory for the call, or was interrupted in it.
    Memory,
}

// === impl Condition ===

impl Condition {
    /// Whether writes are taken.
    pub fn writable(&self) -> bool {
        self.writes == Writes::Taken
    }
}

// === impl Lack ===

impl Lack {
    /// What a failed call lacked; none when it failed for another reason.
    pub fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Some(Self::Full),
            Errno::MFILE | Errno::NFILE => Some(Self::Handles),
            Errno::NOMEM | Errno::INTR | Errno::AGAIN => Some(Self::Memory),
            _ => None,
        }
    }

    /// What an operator can do about it.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Room { .. } => "free disk space",
            Self::Full => "free disk space, or raise the quota or the limit of file sizes",
            Self::Handles => "close connections, or raise the limit of open files",
            Self::Memory => "see what takes the memory of the machine",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room { free, .. } => write!(f, "disk almost full, {free} bytes are free"),
            Self::Full => f.write_str("disk or quota full, no further file can be made"),
            Self::Handles => f.write_str("no file handle is left to open a file with"),
            Self::Memory => f.write_str("the system has no memory left"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_is_no_failure_of_the_device() {
        let of = |errno: Errno| Lack::of(&errno.into());
        assert_eq!(of(Errno::MFILE), Some(Lack::Handles));
        assert_eq!(of(Errno::NFILE), Some(Lack::Handles));
        assert_eq!(of(Errno::NOSPC), Some(Lack::Full));
        assert_eq!(of(Errno::DQUOT), Some(Lack::Full));
        assert_eq!(of(Errno::FBIG), Some(Lack::Full));
        assert_eq!(of(Errno::NOMEM), Some(Lack::Memory));
        assert_eq!(of(Errno::INTR), Some(Lack::Memory));
        for other in [Errno::IO, Errno::ACCESS, Errno::ROFS, Errno::NOENT, Errno::NODEV] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Lack::of(&io::Error::other("No space left")), None);
    }
}
