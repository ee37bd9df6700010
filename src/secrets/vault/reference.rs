//! References: secrets that stay where they are and are read when they are used.
//!
//! The right to write providers must not include reading the server's environment or files, so only
//! variables with the prefix and files of one folder can be referred to.

use std::path::{Component, Path};

use zeroize::Zeroizing;

use super::{
    super::file::{self, Access, FileError},
    cause::Cause,
};

/// Prefix of the variables that can be referred to.
const VARIABLES: &str = "DESKPLANE_SECRET_";
/// Most bytes of a secret.
pub(super) const MAX_SECRET: usize = 16 * 1024;
/// Longest reference.
const MAX_REFERENCE: usize = 1_024;
const TOO_LONG: Cause = Cause::Unfit("has more than 16 KiB");

/// Where a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    /// A variable of the environment.
    Variable(&'a str),
    /// A file below the secrets folder.
    File(&'a Path),
}

impl<'a> Reference<'a> {
    /// The reference that a value is: none when it is a literal, or why it is a bad one.
    pub(super) fn read(value: &'a str) -> Option<Result<Self, &'static str>> {
        let read = if let Some(name) = value.strip_prefix("env:") {
            variable(name)
        } else {
            file(value.strip_prefix("file:")?)
        };
        let long = value.len() > MAX_REFERENCE;
        Some(if long { Err("is a reference of more than 1024 bytes") } else { read })
    }

    /// The secret that it leads to.
    pub(super) fn follow(
        self,
        secrets_dir: Option<&Path>,
        variable: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Zeroizing<String>, Cause> {
        let found = match self {
            Self::Variable(name) => {
                let value = variable(name).map(Zeroizing::new);
                value.ok_or_else(|| Cause::Unset(name.to_owned()))
            }
            Self::File(path) => contents(secrets_dir, path),
        }?;
        match found.len() {
            0 => Err(Cause::Unfit("is empty")),
            1..=MAX_SECRET => Ok(found),
            _ => Err(TOO_LONG),
        }
    }
}

fn variable(name: &str) -> Result<Reference<'_>, &'static str> {
    let rest = name.strip_prefix(VARIABLES).unwrap_or_default();
    let fits = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if rest.is_empty() || !fits {
        return Err(
            "must refer to a variable whose name begins with DESKPLANE_SECRET_ and holds letters, \
                    digits and underscores",
        );
    }
    Ok(Reference::Variable(name))
}

fn file(text: &str) -> Result<Reference<'_>, &'static str> {
    let path = Path::new(text);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if text.is_empty() || !inside || text.contains('\0') {
        return Err("must refer to a file by a path relative to the secrets folder, without `..`");
    }
    Ok(Reference::File(path))
}

/// The text of a regular file that lies in the folder, links followed.
fn contents(folder: Option<&Path>, path: &Path) -> Result<Zeroizing<String>, Cause> {
    let folder = folder.ok_or(Cause::NoFolder)?;
    let unreadable = |error: std::io::Error| Cause::Unreadable(error.kind());
    let folder = folder.canonicalize().map_err(unreadable)?;
    let path = folder.join(path).canonicalize().map_err(unreadable)?;
    if !path.starts_with(&folder) {
        return Err(Cause::Unfit("leads out of the secrets folder"));
    }
    // Looked at first: opening a pipe would wait for its other end.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(Cause::Unfit("is no regular file"));
    }
    // A line break at the end is none of the secret.
    let bytes = file::read(&path, Access::Secret, MAX_SECRET as u64 + 2).map_err(unfit)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Cause::Unfit("is not UTF-8"))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Zeroizing::new(text.to_owned()))
}

fn unfit(error: FileError) -> Cause {
    match error.cause {
        file::Cause::Unreadable(why) => Cause::Unreadable(why.kind()),
        file::Cause::NoFile => Cause::Unfit("is no regular file"),
        file::Cause::TooLong(_) => TOO_LONG,
        exposed => Cause::Exposed(exposed.to_string()),
    }
}
