//! Rows of a file, whatever its form.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    io::{self, BufRead, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    csv, json,
    user::{COLUMNS, User, Users, Wrong},
};
use crate::cli::{Error, Result};

/// What a file in UTF-8 may begin with.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A row that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Its first line in the file, from 1.
    pub(super) line: u64,
    /// A `UserRow` of the API.
    pub(super) json: Value,
}

/// A row that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) why: String,
    /// Whether nothing behind it can be read.
    pub(super) fatal: bool,
}

/// Forms of a file of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FileFormat {
    /// CSV with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// What is read.
pub(super) struct Input {
    name: String,
    source: Box<dyn Read + Send>,
    /// Its length, if that is known.
    pub(super) size: Option<u64>,
    count: Count,
}

/// Bytes that were read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Count(Arc<AtomicU64>);

/// Counts what is read.
struct Counted {
    source: Box<dyn Read + Send>,
    count: Count,
}

/// The rows of a file, each user once.
pub(super) struct Rows {
    users: Users,
    emptied: Vec<&'static str>,
    /// The line of every user so far, by a hash of the id.
    seen: HashMap<[u8; 16], u64>,
    ended: bool,
}

// === impl Input ===

impl Input {
    pub(super) fn new(name: String, source: Box<dyn Read + Send>, size: Option<u64>) -> Self {
        Self { name, source, size, count: Count::default() }
    }

    /// Counts the bytes that will have been read.
    pub(super) fn read(&self) -> Count {
        self.count.clone()
    }
}

impl Count {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

// === impl Rows ===

impl Rows {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// When it is no file of users.
    pub(super) fn open(input: Input, format: FileFormat) -> Result<Self> {
        let Input { name, source, count, .. } = input;
        let mut reader = BufReader::with_capacity(1 << 18, Counted { source, count });
        let refuse = |why: String| Error::Usage(format!("{name}: {why}"));
        let head = reader.fill_buf().map_err(|error| refuse(error.to_string()))?;
        if matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]) {
            return Err(refuse("is UTF-16 or UTF-32; save it as UTF-8".to_owned()));
        }
        if head.starts_with(BOM) {
            reader.consume(BOM.len());
        }
        let (users, columns) = match format {
            FileFormat::Csv => csv::open(reader).map_err(refuse)?,
            FileFormat::Jsonl => (json::open(reader), COLUMNS.to_vec()),
        };
        let emptied = COLUMNS[..6].iter().copied().filter(|name| !columns.contains(name));
        Ok(Self { users, emptied: emptied.collect(), seen: HashMap::new(), ended: false })
    }

    /// The columns that the file lacks, so that their fields are emptied.
    pub(super) fn emptied(&self) -> Option<String> {
        (!self.emptied.is_empty()).then(|| self.emptied.join(", "))
    }

    fn row(&mut self, line: u64, user: User) -> Result<Row, String> {
        if user.id.is_empty() {
            return Err("id: is required".to_owned());
        }
        let hash: [u8; 32] = Sha256::digest(user.id.to_ascii_lowercase()).into();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        match self.seen.entry(key) {
            Entry::Occupied(first) => {
                return Err(format!("id: {} stands in line {} already", user.id, first.get()));
            }
            Entry::Vacant(free) => drop(free.insert(line)),
        }
        let kind = match user.kind.to_ascii_lowercase().as_str() {
            "" => Value::Null,
            "human" => json!("USER_KIND_HUMAN"),
            "application" => json!("USER_KIND_APPLICATION"),
            _ => return Err(format!("kind: `{}` is neither human nor application", user.kind)),
        };
        let json = json!({
            "user": {
                "id": user.id,
                "displayName": user.display_name,
                "email": user.email,
                "kind": kind,
                "businessUnit": user.business_unit,
                "roles": user.roles,
            },
            "profile": user.profile,
        });
        Ok(Row { line, json })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let (line, user) = self.users.next()?;
        let bad = |why, fatal| Bad { line, why, fatal };
        Some(match user {
            Ok(user) => self.row(line, user).map_err(|why| bad(why, false)),
            Err(Wrong::Row(why)) => Err(bad(why, false)),
            Err(Wrong::File(why)) => {
                self.ended = true;
                Err(bad(why, true))
            }
        })
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}
