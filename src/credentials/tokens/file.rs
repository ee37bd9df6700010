//! The file of opaque tokens.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    auth::scope_named,
    domain::{Scope, Scopes, Time, UserId},
    secrets::file::{self, Access, FileError},
};

/// What every opaque token begins with; no JWT does.
pub(in crate::credentials) const PREFIX: &str = "dsk_";
/// The version of the file.
const FORMAT: u32 = 1;
/// Most bytes of the file.
const MAX_BYTES: u64 = 16 << 20;
/// Longest name of a token.
const MAX_NAME: usize = 64;

/// The file of opaque tokens; missing, it holds none.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Unique in the file.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What the token may do; without any, what the user's roles grant.
    pub scopes: Option<Scopes>,
    /// The user for whom it stands.
    pub user: Option<UserId>,
    /// When it was made.
    pub created: Time,
    /// When it ends.
    pub expires: Option<Time>,
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// 1 to 64 letters, digits, dots, dashes or underscores; unique in the file.
    pub name: String,
    /// What it may do; without any, what the user's roles grant.
    pub scopes: Option<Scopes>,
    /// The user for whom it stands.
    pub user: Option<UserId>,
    /// When it ends.
    pub expires: Option<Time>,
}

/// Why a file of tokens cannot be used or changed. Nothing of a token is part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read, or others than its owner can change it, and so give themselves any right.
    #[error("the file of tokens {0}")]
    File(#[from] FileError),
    /// It cannot be written.
    #[error("the file of tokens {0} cannot be used: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// It is not what this program writes.
    #[error("the file of tokens {0} cannot be read: {1}")]
    Malformed(PathBuf, String),
    /// There is a token of that name.
    #[error("there is a token `{0}` already; revoke it first, or choose another name")]
    NameTaken(String),
    /// There is no token of that name.
    #[error("there is no token `{0}`")]
    NoSuchToken(String),
    /// A name that cannot be one.
    #[error("`{0}` is no name of a token: 1 to 64 letters, digits, dots, dashes or underscores")]
    Name(String),
    /// There are no random numbers.
    #[error("no token can be made: the operating system gives no random numbers")]
    Random,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    tokens: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl TokenFile {
    /// The file at that path.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Every token.
    ///
    /// # Errors
    /// When the file cannot be read, can be changed by others, or is damaged.
    pub fn read(&self) -> Result<Vec<Record>, TokenFileError> {
        self.read_text().map(|(_, records)| records)
    }

    /// When tokens were used last (RFC 3339), by name, as servers of this file wrote it.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn uses(&self) -> Result<BTreeMap<String, String>, TokenFileError> {
        let path = self.beside();
        let Some(text) = self.text_of(&path)? else { return Ok(BTreeMap::new()) };
        serde_json::from_str(&text).map_err(|why| TokenFileError::Malformed(path, why.to_string()))
    }

    /// Makes a token and keeps its hash; the token itself is nowhere else.
    ///
    /// # Errors
    /// When the name is taken or can be none, or the file cannot be changed.
    pub fn add(&self, new: NewToken, now: Time) -> Result<Zeroizing<String>, TokenFileError> {
        let NewToken { name, scopes, user, expires } = new;
        if !is_name(&name) {
            return Err(TokenFileError::Name(name));
        }
        let _alone = self.lock()?;
        let mut records = self.read()?;
        if records.iter().any(|record| record.name == name) {
            return Err(TokenFileError::NameTaken(name));
        }
        let mut bits = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bits.as_mut()).map_err(|_| TokenFileError::Random)?;
        let token = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits.as_ref())));
        let hash = Sha256::digest(token.as_bytes()).into();
        records.push(Record { name, hash, scopes, user, created: now, expires });
        self.write(&records)?;
        Ok(token)
    }

    /// Takes a token out; servers of the file refuse it from then on and end its streams.
    ///
    /// # Errors
    /// When there is none of that name, or the file cannot be changed.
    pub fn remove(&self, name: &str) -> Result<(), TokenFileError> {
        let _alone = self.lock()?;
        let mut records = self.read()?;
        let count = records.len();
        records.retain(|record| record.name != name);
        if records.len() == count {
            return Err(TokenFileError::NoSuchToken(name.to_owned()));
        }
        self.write(&records)
    }

    /// The text and what it says.
    pub(super) fn read_text(&self) -> Result<(Zeroizing<String>, Vec<Record>), TokenFileError> {
        let Some(text) = self.text_of(&self.path)? else { return Ok(Default::default()) };
        let malformed = |why: String| TokenFileError::Malformed(self.path.clone(), why);
        let document: Document =
            serde_json::from_str(&text).map_err(|why| malformed(why.to_string()))?;
        if document.format != FORMAT {
            return Err(malformed(format!("its format is {}, not {FORMAT}", document.format)));
        }
        let mut names = std::collections::BTreeSet::new();
        let mut records = Vec::new();
        for row in document.tokens {
            let record =
                row.record().map_err(|why| malformed(format!("token `{}`: {why}", row.name)))?;
            if !names.insert(record.name.clone()) {
                return Err(malformed(format!("token `{}` stands twice", record.name)));
            }
            records.push(record);
        }
        Ok((text, records))
    }

    /// Adds to what was written before of the uses of tokens, which other servers may share.
    pub(super) fn keep_uses(&self, uses: BTreeMap<String, String>) -> Result<(), TokenFileError> {
        let before = self.uses().unwrap_or_default();
        let mut all = before.clone();
        for (name, used) in uses {
            let entry = all.entry(name).or_insert_with(|| used.clone());
            if *entry < used {
                *entry = used;
            }
        }
        if all == before {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        self.replace(&self.beside(), &text)
    }

    /// The file of last uses.
    fn beside(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".used");
        path.into()
    }

    fn text_of(&self, path: &Path) -> Result<Option<Zeroizing<String>>, TokenFileError> {
        match file::read_text(path, Access::Trusted, MAX_BYTES) {
            Err(error) if error.is_missing() => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn write(&self, records: &[Record]) -> Result<(), TokenFileError> {
        let tokens = records.iter().map(Row::of).collect();
        let text = serde_json::to_string_pretty(&Document { format: FORMAT, tokens });
        self.replace(&self.path, &text.unwrap_or_default())
    }

    /// Exchanges a file as a whole; its owner alone can read it.
    fn replace(&self, path: &Path, text: &str) -> Result<(), TokenFileError> {
        let failed = |why| TokenFileError::Io(path.to_owned(), why);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut new =
            tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        io::Write::write_all(&mut new, format!("{text}\n").as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        new.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Keeps other commands from changing the file until it is dropped.
    fn lock(&self) -> Result<File, TokenFileError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|why| TokenFileError::Io(path, why))
    }
}

impl Row {
    fn of(record: &Record) -> Self {
        let names = |scopes: Scopes| {
            let held = Scope::ALL.iter().filter(|scope| scopes.has(**scope));
            held.map(|scope| scope.as_str().to_ascii_lowercase()).collect()
        };
        Self {
            name: record.name.clone(),
            hash: hex(&record.hash),
            scopes: record.scopes.map(names),
            user: record.user.as_ref().map(ToString::to_string),
            created: record.created.to_string(),
            expires: record.expires.map(|time| time.to_string()),
        }
    }

    fn record(&self) -> Result<Record, String> {
        let time = |text: &str| Time::parse(text).ok_or_else(|| format!("`{text}` is no time"));
        if !is_name(&self.name) {
            return Err("its name can be none".to_owned());
        }
        let scopes = self.scopes.as_ref().map(|names| {
            let mut scopes = Scopes::default();
            for name in names {
                let scope = scope_named(name);
                scopes
                    .insert(scope.ok_or_else(|| format!("`{name}` is no scope of a credential"))?);
            }
            Ok::<_, String>(scopes)
        });
        let user = self.user.as_deref().map(UserId::parse).transpose();
        Ok(Record {
            name: self.name.clone(),
            hash: unhex(&self.hash).ok_or("its hash is none")?,
            scopes: scopes.transpose()?,
            user: user.map_err(|rule| format!("its user {rule}"))?,
            created: time(&self.created)?,
            expires: self.expires.as_deref().map(time).transpose()?,
        })
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
