//! What a backup is made of: files of checkpoint, history and journal as they lie in the store, and at last
//! `manifest.json`, which names them all. A backup without it is none.
//!
//! As a stream it begins with `DPBKUP` CR LF, the format version in 4 bytes and 4 zeros. Then each
//! file, the manifest as the last one: length of the name in 4 bytes, length of the content in 8,
//! name, content. Numbers are big endian.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Ids, damaged, files, history, known_format, segment};
use crate::store::{
    Error, Result, Revision,
    io::{File, Io},
};

/// Name of the manifest.
pub(super) const NAME: &str = "manifest.json";
/// Format of backups that this program writes. In format 1 there are no files of history: a checkpoint
/// holds it.
const FORMAT: u32 = 2;
const MAGIC: [u8; 8] = *b"DPBKUP\r\n";
/// Longest name of a file in a stream.
const LONGEST_NAME: usize = 64;
/// Most bytes of a manifest.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// Bytes that are copied at a time.
pub(super) const CHUNK: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the backup.
    pub format: u32,
    /// The store that it is of.
    pub store: Uuid,
    /// Its incarnation.
    pub incarnation: Uuid,
    /// The revision at which everything is in it.
    pub revision: Revision,
    /// When it was made, RFC 3339.
    pub time: String,
    /// Its files: at most one checkpoint, then those of history and the segments, each in order.
    pub files: Vec<Part>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// A manifest as it is written: with a sum of its own.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    manifest: Manifest,
    /// SHA-256 of the manifest without this field, as compact JSON.
    sha256: String,
}

// === impl Manifest ===

impl Manifest {
    pub(super) fn new(ids: Ids, revision: Revision, time: String, files: Vec<Part>) -> Self {
        let Ids { store, incarnation } = ids;
        Self { format: FORMAT, store, incarnation, revision, time, files }
    }

    /// The store that the files belong to.
    pub(super) fn ids(&self) -> Ids {
        Ids { store: self.store, incarnation: self.incarnation }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let sealed = Sealed { manifest: self.clone(), sha256: self.sum()? };
        let mut bytes = serde_json::to_vec_pretty(&sealed).map_err(unwritable)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the manifest of a folder.
    pub(super) fn read(io: &dyn Io, dir: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let path = dir.join(NAME);
        let Some(bytes) = files::read(io, &path)? else {
            let dir = dir.display();
            return Err(Error::Refused(format!("{dir} is no whole backup: it has no {NAME}")));
        };
        let bad = || damaged(&path, 0, "the manifest is not what was written");
        let Format { format } = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        known_format(&path, format, FORMAT)?;
        let sealed: Sealed = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        let manifest = sealed.manifest;
        let named = manifest.files.iter().all(|part| is_part(&part.name));
        if !named || manifest.sum()? != sealed.sha256 {
            return Err(bad());
        }
        Ok(manifest)
    }

    fn sum(&self) -> Result<String> {
        let bytes = serde_json::to_vec(self).map_err(unwritable)?;
        Ok(hex(&Sha256::digest(bytes)))
    }
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::Engine(error.to_string())
}

/// Whether a file of that name belongs into a backup.
fn is_part(name: &str) -> bool {
    let path = Path::new(name);
    let plain = path.file_name().is_some_and(|file| file == name);
    let known = is_checkpoint(name) || is_history(name) || is_segment(name);
    plain && files::number(path).is_some() && known
}

/// Whether a file of a backup is its checkpoint.
pub(super) fn is_checkpoint(name: &str) -> bool {
    name.ends_with(".ckpt")
}

/// Whether a file of a backup is one of history.
pub(super) fn is_history(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == history::ENDING)
}

fn is_segment(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == segment::ENDING)
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hands on the content of a file in chunks; SHA-256 of it.
pub(super) fn chunks(file: &dyn File, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<String> {
    let (len, mut at, mut hash) = (file.len()?, 0, Sha256::new());
    let mut chunk = vec![0; CHUNK];
    while at < len {
        let part = &mut chunk[..(len - at).min(CHUNK as u64) as usize];
        file.read_at(at, part)?;
        hash.update(&*part);
        each(part)?;
        at += part.len() as u64;
    }
    Ok(hex(&hash.finalize()))
}

/// Begins a stream.
pub(super) fn begin_stream(out: &mut dyn Write) -> Result<()> {
    out.write_all(&[&MAGIC[..], &FORMAT.to_be_bytes(), &[0; 4]].concat())?;
    Ok(())
}

/// Begins a file of a stream.
pub(super) fn begin_part(out: &mut dyn Write, name: &str, size: u64) -> Result<()> {
    let length = name.len() as u32;
    out.write_all(&[&length.to_be_bytes()[..], &size.to_be_bytes(), name.as_bytes()].concat())?;
    Ok(())
}

/// Writes the files of a stream into a folder, up to its end.
pub(super) fn unpack(input: &mut dyn Read, io: &dyn Io, dir: &Path) -> Result<()> {
    let mut stream = Stream { input, at: 0 };
    let head: [u8; 16] = stream.array()?;
    if head[..8] != MAGIC || head[12..] != [0; 4] {
        return Err(damaged(Path::new(STDIN), 0, "this is no backup"));
    }
    let format = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    known_format(Path::new(STDIN), format, FORMAT)?;
    loop {
        let length = u32::from_be_bytes(stream.array()?) as usize;
        let size = u64::from_be_bytes(stream.array()?);
        let name = stream.take(length.min(LONGEST_NAME))?;
        let name = String::from_utf8(name).unwrap_or_default();
        let last = name == NAME;
        if length > LONGEST_NAME || !(last && size <= LARGEST_MANIFEST || is_part(&name)) {
            return Err(stream.bad("no file of a backup begins here"));
        }
        let mut file = io.create(&dir.join(&name))?;
        let mut at = 0;
        while at < size {
            let chunk = stream.take((size - at).min(CHUNK as u64) as usize)?;
            file.write_at(at, &chunk)?;
            at += chunk.len() as u64;
        }
        if last {
            break;
        }
    }
    if stream.input.read(&mut [0])? != 0 {
        return Err(stream.bad("something follows the manifest"));
    }
    Ok(())
}

const STDIN: &str = "standard input";

struct Stream<'a> {
    input: &'a mut dyn Read,
    at: usize,
}

// === impl Stream ===

impl Stream<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.input.read_exact(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.bad("the backup ends early"))
            }
            read => {
                read?;
                self.at += bytes.len();
                Ok(())
            }
        }
    }

    fn bad(&self, what: &str) -> Error {
        damaged(&PathBuf::from(STDIN), self.at, what)
    }
}
