//! How far an import came: a small file beside the one that is imported.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::send::Sent;
use crate::cli::{Error, Result};

/// How often it is written at most.
const EVERY: Duration = Duration::from_secs(1);

/// What is remembered of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Names the import.
    run: Uuid,
    /// SHA-256 of the file, so that another one is not taken for it.
    sha256: String,
    /// Everything up to this line is done.
    done_line: u64,
    imported: u64,
    refused: u64,
}

/// Remembers what is done of an import.
#[derive(Debug)]
pub(super) struct Journal {
    /// None where nothing is remembered.
    path: Option<PathBuf>,
    state: State,
    /// Counts of what is done beyond that line.
    beyond: (u64, u64),
    /// Batches from the first that is not done on: their last lines, and what became of them.
    batches: BTreeMap<u64, (u64, Option<(u64, u64)>)>,
    saved: Option<Instant>,
}

// === impl Journal ===

impl Journal {
    /// Remembers nothing.
    pub(super) fn none() -> Self {
        Self::new(None, String::new())
    }

    fn new(path: Option<PathBuf>, sha256: String) -> Self {
        let state = State { run: Uuid::new_v4(), sha256, done_line: 0, imported: 0, refused: 0 };
        Self { path, state, beyond: (0, 0), batches: BTreeMap::new(), saved: None }
    }

    /// That of a file, which is to be there exactly when the import is resumed.
    pub(super) fn open(file: &Path, resume: bool) -> Result<Self> {
        let mut name = file.as_os_str().to_owned();
        name.push(".import");
        let path = PathBuf::from(name);
        let usage = |why: String| Error::Usage(format!("{}: {why}", path.display()));
        let left = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(usage(error.to_string())),
        };
        let sha256 = sha256(file)?;
        match (left, resume) {
            (None, false) => Ok(Self::new(Some(path), sha256)),
            (None, true) => Err(usage("there is no import to go on with".to_owned())),
            (Some(_), false) => {
                let why = "an import was interrupted: go on with --resume, or remove this file to \
                           begin again";
                Err(usage(why.to_owned()))
            }
            (Some(bytes), true) => {
                let state: State =
                    serde_json::from_slice(&bytes).map_err(|error| usage(error.to_string()))?;
                if state.sha256 != sha256 {
                    let why = format!("{} is not as it was then", file.display());
                    return Err(usage(why));
                }
                Ok(Self { state, ..Self::new(Some(path), String::new()) })
            }
        }
    }

    /// Names the import.
    pub(super) fn run(&self) -> Uuid {
        self.state.run
    }

    /// Whether a line was done before.
    pub(super) fn is_done(&self, line: u64) -> bool {
        line <= self.state.done_line
    }

    /// The line up to which everything is done, where that is remembered.
    pub(super) fn done(&self) -> Option<u64> {
        self.path.as_ref().map(|_| self.state.done_line)
    }

    /// Users that were imported.
    pub(super) fn imported(&self) -> u64 {
        self.state.imported + self.beyond.0
    }

    /// Rows that were refused.
    pub(super) fn refused(&self) -> u64 {
        self.state.refused + self.beyond.1
    }

    /// Notes that a batch is on its way.
    pub(super) fn begin(&mut self, number: u64, last_line: u64) {
        self.batches.insert(number, (last_line, None));
    }

    /// Notes what became of a batch.
    pub(super) fn end(&mut self, sent: &Sent) -> Result<()> {
        let counts = (sent.imported, sent.unread + sent.refused.len() as u64);
        self.beyond = (self.beyond.0 + counts.0, self.beyond.1 + counts.1);
        if let Some((_, outcome)) = self.batches.get_mut(&sent.number) {
            *outcome = Some(counts);
        }
        while let Some(first) = self.batches.first_entry() {
            let (line, Some((imported, refused))) = *first.get() else { break };
            first.remove();
            self.state.done_line = line;
            self.state.imported += imported;
            self.state.refused += refused;
            self.beyond = (self.beyond.0 - imported, self.beyond.1 - refused);
        }
        match self.saved.is_none_or(|saved| saved.elapsed() >= EVERY) {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Writes what is done.
    pub(super) fn save(&mut self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let unfinished = path.with_extension("import.tmp");
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(&self.state)?)?;
        // A cut of power after the rename leaves the one or the other, and no empty file.
        file.sync_data()?;
        fs::rename(&unfinished, path)?;
        self.saved = Some(Instant::now());
        Ok(())
    }

    /// Everything is done: nothing is left to be resumed.
    pub(super) fn finish(&self) -> Result<()> {
        match self.path.as_ref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn sha256(file: &Path) -> Result<String> {
    let mut source = fs::File::open(file)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
