//! Small files: read as a whole, replaced as a whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::store::io::{File, Io};

/// What the name of a file ends with until its content is durable.
pub(super) const UNFINISHED: &str = "tmp";

/// The content of a file; none when there is no such file.
pub(super) fn read(io: &dyn Io, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match io.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    content(&*file).map(Some)
}

/// The content of a file that is open.
pub(super) fn content(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes a file under its name at once and durably: the old content or the new, never another.
pub(super) fn replace(io: &dyn Io, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = dir.join(name);
    let unfinished = path.with_extension(UNFINISHED);
    remove(io, &unfinished)?;
    let mut file = io.create(&unfinished)?;
    let written = file.write_at(0, bytes).and_then(|()| file.sync());
    drop(file);
    if let Err(error) = written {
        // What cannot be removed now is removed when the name is needed again.
        remove(io, &unfinished).ok();
        return Err(error);
    }
    io.rename(&unfinished, &path)?;
    io.sync_dir(dir)
}

/// Removes a file that may not be there; whether it was.
pub(super) fn remove(io: &dyn Io, path: &Path) -> io::Result<bool> {
    match io.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// The entries of a folder, in order; none when there is no such folder.
pub(super) fn list_all(io: &dyn Io, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = match io.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    paths.sort();
    Ok(paths)
}

/// The entries with that ending.
pub(super) fn list(io: &dyn Io, dir: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = list_all(io, dir)?;
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    Ok(paths)
}

/// The number that a file is named by; of a span of numbers, the last one.
pub(super) fn number(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    digits(stem.rsplit_once('-').map_or(stem, |(_, last)| last))
}

/// The span of numbers that a file is named by.
pub(super) fn span(path: &Path) -> Option<(i64, i64)> {
    let (first, last) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((digits(first)?, digits(last)?))
}

fn digits(text: &str) -> Option<i64> {
    let plain = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}
