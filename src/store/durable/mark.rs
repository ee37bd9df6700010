//! Marks: small sealed files beside journal and index that say what store this is and how it was
//! left.

use std::{io, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Ids, files};
use crate::store::{Lack, Result, Revision, io::Io};

const MAGIC: [u8; 8] = *b"DPMARK\r\n";
/// Format of marks that this program writes.
const FORMAT: u32 = 1;
/// Bytes before the content: magic, format, CRC32C of format and content.
const HEAD: usize = 16;

/// A kind of mark.
pub(super) trait Mark: Serialize + DeserializeOwned {
    /// Name of its file.
    const NAME: &'static str;
}

impl Mark for Ids {
    const NAME: &'static str = "store.mark";
}

/// The index was whole when this boot of the machine wrote it: only a power cut loses what a
/// process has written, so it is whole as long as the machine is up.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Boot {
    pub(super) boot_id: String,
}

impl Mark for Boot {
    const NAME: &'static str = "boot.mark";
}

/// Whether the store is open, or how it was left.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) incarnation: Uuid,
    /// Revision at which it was closed, with all of the journal on the disk; none while it is open.
    pub(super) closed_at: Option<Revision>,
    /// Whether it was closed without waiting for the index to be whole and on the disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unindexed: bool,
}

// === impl State ===

impl State {
    /// An open store.
    pub(super) fn open(incarnation: Uuid) -> Self {
        Self { incarnation, closed_at: None, unindexed: false }
    }

    /// A store that was closed at a revision.
    pub(super) fn closed(incarnation: Uuid, revision: Revision, indexed: bool) -> Self {
        Self { incarnation, closed_at: Some(revision), unindexed: !indexed }
    }
}

impl Mark for State {
    const NAME: &'static str = "state.mark";
}

/// Writes a mark durably, over one that is there.
pub(super) fn write<M: Mark>(io: &dyn Io, dir: &Path, mark: &M) -> io::Result<()> {
    let content = serde_json::to_vec(mark).map_err(io::Error::other)?;
    let mut bytes = [&MAGIC[..], &FORMAT.to_be_bytes(), &[0; 4], &content].concat();
    let crc = seal(&bytes);
    bytes[12..HEAD].copy_from_slice(&crc.to_be_bytes());
    files::replace(io, dir, M::NAME, &bytes)
}

/// Writes a mark once more that is there, so that it is certain to be on the disk; in its own place
/// when there is no room for another file.
pub(super) fn renew<M: Mark>(io: &dyn Io, dir: &Path, mark: &M) -> io::Result<()> {
    match write(io, dir, mark) {
        Err(error) if Lack::of(&error) == Some(Lack::Full) => {
            let mut file = io.open(&dir.join(M::NAME))?;
            // The very bytes that lie there, so a cut in between changes nothing.
            let bytes = files::content(&*file)?;
            file.write_at(0, &bytes)?;
            file.sync()?;
            io.sync_dir(dir)
        }
        written => written,
    }
}

/// Reads a mark; none when it is not there.
pub(super) fn read<M: Mark>(io: &dyn Io, dir: &Path) -> Result<Option<M>> {
    let path = dir.join(M::NAME);
    let Some(bytes) = files::read(io, &path)? else {
        return Ok(None);
    };
    let damaged = || super::damaged(&path, 0, "the mark is not what was written");
    if bytes.len() < HEAD || bytes[..8] != MAGIC {
        return Err(damaged());
    }
    let number =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if number(12) != seal(&bytes) {
        return Err(damaged());
    }
    super::known_format(&path, number(8), FORMAT)?;
    serde_json::from_slice(&bytes[HEAD..]).map(Some).map_err(|_| damaged())
}

/// Removes a mark durably, if it is there.
pub(super) fn remove<M: Mark>(io: &dyn Io, dir: &Path) -> io::Result<()> {
    if files::remove(io, &dir.join(M::NAME))? {
        io.sync_dir(dir)?;
    }
    Ok(())
}

fn seal(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[8..12]), &bytes[HEAD..])
}
