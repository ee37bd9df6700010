//! Folders that must lie outside of one another: a backup in the folder of a store would be taken for
//! part of it, and goes where the store goes.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use super::{Ids, mark::Mark as _};
use crate::store::{Error, Result};

/// What tells one folder from another, whatever it is called.
type Id = (u64, u64);

/// Refuses a folder that is the data folder of a store, lies in it, or holds it; and any that lies in
/// the data folder of another one. It need not exist, and neither links, `..` nor another spelling
/// lead around this.
pub(super) fn outside(folder: &Path, data: &Path) -> Result<()> {
    let what = folder.display();
    let refuse = |how: &str, of: &Path| {
        let of = of.display();
        Err(Error::Refused(format!("{what} {how} the data folder {of}: choose a folder elsewhere")))
    };
    let target = resolve(folder)?;
    let parts = parts(data)?;
    for (above, nth) in target.ancestors().zip(0..) {
        let Some(found) = id(above)? else { continue };
        if parts.contains(&found) {
            return refuse(if nth == 0 { "is, or is part of," } else { "lies in" }, data);
        }
        if above.join(Ids::NAME).exists() {
            return refuse(if nth == 0 { "is" } else { "lies in" }, above);
        }
    }
    if let Some(found) = id(&target)? {
        for above in resolve(data)?.ancestors() {
            if id(above)? == Some(found) {
                return refuse("holds", data);
            }
        }
    }
    Ok(())
}

/// Refuses a folder for a store that is the folder of a backup, or lies in it.
pub(super) fn outside_backup(data: &Path, backup: &Path) -> Result<()> {
    let Some(of) = id(backup)? else { return Ok(()) };
    for above in resolve(data)?.ancestors() {
        if id(above)? == Some(of) {
            let (data, backup) = (data.display(), backup.display());
            let why =
                format!("{data} is, or lies in, the backup {backup}: choose a folder elsewhere");
            return Err(Error::Refused(why));
        }
    }
    Ok(())
}

/// The data folder and those in it, which may be links to others.
fn parts(data: &Path) -> Result<Vec<Id>> {
    let mut parts: Vec<Id> = id(data)?.into_iter().collect();
    let entries = match fs::read_dir(data) {
        Err(error) if absent(&error) => return Ok(parts),
        entries => entries.map_err(|error| unreadable(data, &error))?,
    };
    for entry in entries {
        let path = entry.map_err(|error| unreadable(data, &error))?.path();
        if path.is_dir() {
            parts.extend(id(&path)?);
        }
    }
    Ok(parts)
}

/// Where a path leads, or will lead once its folders are made.
fn resolve(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let names: Vec<_> = path.components().collect();
    for end in (1..=names.len()).rev() {
        let there: PathBuf = names[..end].iter().collect();
        match fs::canonicalize(&there) {
            Ok(mut resolved) => {
                // What does not exist yet is made as plain folders, so `..` leads out of them.
                for name in &names[end..] {
                    match name {
                        Component::ParentDir => drop(resolved.pop()),
                        name => resolved.push(name),
                    }
                }
                return Ok(resolved);
            }
            Err(error) if absent(&error) => {}
            Err(error) => return Err(unreadable(&there, &error)),
        }
    }
    Ok(path)
}

/// Whose folder or file it is; none when there is nothing.
fn id(path: &Path) -> Result<Option<Id>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Engine(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_spelling_leads_into_a_data_folder() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let data = at("data");
        for folder in ["data/calls", "data/journal", "other/journal", "elsewhere/calls/old"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for mark in ["data/store.mark", "other/store.mark"] {
            fs::write(at(mark), b"").unwrap();
        }
        symlink(&data, at("link")).unwrap();
        symlink(at("data/journal"), at("elsewhere/into")).unwrap();
        // The calls may lie on another disk.
        fs::remove_dir(at("data/calls")).unwrap();
        symlink(at("elsewhere/calls"), at("data/calls")).unwrap();
        for inside in [
            "data",
            "data/",
            "data/.",
            "data/../data",
            "data/new",
            "data/new/../newer",
            "data/new/deeper/",
            "data/calls",
            "data/calls/new",
            "elsewhere/calls",
            "elsewhere/calls/old",
            "elsewhere/calls/old/new",
            "data/journal",
            "data/index",
            "data/store.mark",
            "data/store.mark/new",
            "link",
            "link/new",
            "elsewhere/into",
            "elsewhere/into/new",
            "missing/../data/new",
            "missing/../../../../../../..",
            "other",
            "other/new",
            "other/journal",
            ".",
            "",
        ] {
            let refused = outside(&at(inside), &data);
            assert!(matches!(refused, Err(Error::Refused(_))), "{inside}: {refused:?}");
            let through_link = outside(&at(inside), &at("link"));
            assert!(matches!(through_link, Err(Error::Refused(_))), "{inside}, by its link");
        }
        for elsewhere in
            ["data2", "data.backup/new", "elsewhere", "elsewhere/new", "data/../backup", "new/data"]
        {
            outside(&at(elsewhere), &data).unwrap();
        }
    }

    #[test]
    fn no_store_goes_into_its_backup() {
        let home = tempfile::tempdir().unwrap();
        let backup = home.path().join("backup");
        fs::create_dir(&backup).unwrap();
        symlink(&backup, home.path().join("link")).unwrap();
        for inside in ["backup", "backup/data", "link/data", "new/../backup/data"] {
            assert!(outside_backup(&home.path().join(inside), &backup).is_err(), "{inside}");
        }
        for elsewhere in ["data", "backup2", "backup/../data"] {
            outside_backup(&home.path().join(elsewhere), &backup).unwrap();
        }
    }
}
