//! How a store is: whether it takes writes, and whether what it keeps is sound.

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
    /// The disk is almost full; they are taken again when there is room.
    ReadOnly {
        /// Bytes that are free.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// One failed, for that reason; none is taken until the store is opened again.
    Failed(String),
}

// === impl Condition ===

impl Condition {
    /// Whether writes are taken.
    pub fn writable(&self) -> bool {
        self.writes == Writes::Taken
    }
}
