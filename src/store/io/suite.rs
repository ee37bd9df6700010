//! What every file system of [`Io`] does alike.

use std::{
    io::{ErrorKind, Result},
    path::Path,
};

use super::{Disk, File, Io, fault::Faulty};

/// A name and what is tried in a folder of its own.
type Case = (&'static str, fn(&dyn Io, &Path));

const CASES: &[Case] = &[
    ("folders", folders),
    ("names", names),
    ("bytes", bytes),
    ("ends", ends),
    ("reserve", reserve),
    ("rename", rename),
    ("remove", remove),
    ("sync", sync),
];

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

pub(super) fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![1; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn folders(io: &dyn Io, dir: &Path) {
    let deep = dir.join("a/b/c");
    io.make_dir(&deep).unwrap();
    io.make_dir(&deep).unwrap();
    io.create(&deep.join("f")).unwrap();
    io.create(&dir.join("a/g")).unwrap();
    let mut entries = io.list(&dir.join("a")).unwrap();
    entries.sort();
    assert_eq!(entries, [dir.join("a/b"), dir.join("a/g")]);
    assert_eq!(kind(io.list(&dir.join("none"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(io.make_dir(&dir.join("a/g"))), Some(ErrorKind::AlreadyExists));
    assert_eq!(kind(io.make_dir(&dir.join("a/g/h"))), Some(ErrorKind::NotADirectory));
}

fn names(io: &dyn Io, dir: &Path) {
    let path = dir.join("f");
    assert_eq!(kind(io.open(&path)), Some(ErrorKind::NotFound));
    io.create(&path).unwrap().write_at(0, b"kept").unwrap();
    assert_eq!(kind(io.create(&path)), Some(ErrorKind::AlreadyExists));
    assert_eq!(content(&*io.open(&path).unwrap()), b"kept");
    assert_eq!(kind(io.open(dir)), Some(ErrorKind::IsADirectory));
    assert_eq!(kind(io.create(&dir.join("none/f"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(io.create(&path.join("f"))), Some(ErrorKind::NotADirectory));
}

fn bytes(io: &dyn Io, dir: &Path) {
    let mut file = io.create(&dir.join("f")).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(4_090, &[7; 5_000]).unwrap();
    file.write_at(4_095, b"xy").unwrap();
    file.write_at(0, b"").unwrap();
    let mut expected = vec![0; 4_090];
    expected.extend([7; 5_000]);
    expected[4_095..4_097].copy_from_slice(b"xy");
    assert_eq!(content(&*file), expected);
    let other = io.open(&dir.join("f")).unwrap();
    assert_eq!(content(&*other), expected, "two openers see one file");
}

fn ends(io: &dyn Io, dir: &Path) {
    let mut file = io.create(&dir.join("f")).unwrap();
    file.write_at(0, b"abc").unwrap();
    let mut two = [0; 2];
    file.read_at(1, &mut two).unwrap();
    assert_eq!(&two, b"bc");
    for offset in [2, 3, 9_000] {
        assert_eq!(kind(file.read_at(offset, &mut two)), Some(ErrorKind::UnexpectedEof));
        file.read_at(offset, &mut []).unwrap();
    }
}

fn reserve(io: &dyn Io, dir: &Path) {
    let mut file = io.create(&dir.join("f")).unwrap();
    file.reserve(0).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(0, b"abc").unwrap();
    file.reserve(10_000).unwrap();
    file.reserve(5).unwrap();
    let mut expected = b"abc".to_vec();
    expected.resize(10_000, 0);
    assert_eq!(content(&*file), expected);
}

fn rename(io: &dyn Io, dir: &Path) {
    let (from, to) = (dir.join("new"), dir.join("current"));
    io.create(&to).unwrap().write_at(0, b"old").unwrap();
    let mut file = io.create(&from).unwrap();
    file.write_at(0, b"n").unwrap();
    io.rename(&from, &to).unwrap();
    file.write_at(1, b"ew").unwrap();
    assert_eq!(content(&*io.open(&to).unwrap()), b"new", "the open file has the new name");
    assert!(io.list(dir).unwrap().iter().eq([&to]));
    io.rename(&to, &to).unwrap();
    assert_eq!(kind(io.rename(&from, &to)), Some(ErrorKind::NotFound));
    assert_eq!(kind(io.rename(&to, &dir.join("none/f"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(io.rename(&to, &to.join("f"))), Some(ErrorKind::NotADirectory));
    io.make_dir(&dir.join("sub")).unwrap();
    io.rename(&to, &dir.join("sub/f")).unwrap();
    assert_eq!(io.list(dir).unwrap(), [dir.join("sub")]);
}

fn remove(io: &dyn Io, dir: &Path) {
    let path = dir.join("f");
    assert_eq!(kind(io.remove(&path)), Some(ErrorKind::NotFound));
    let mut file = io.create(&path).unwrap();
    io.remove(&path).unwrap();
    assert_eq!(io.list(dir).unwrap().len(), 0);
    file.write_at(0, b"still here").unwrap();
    assert_eq!(content(&*file), b"still here");
    io.create(&path).unwrap();
    assert!(io.open(&path).unwrap().is_empty().unwrap());
}

fn sync(io: &dyn Io, dir: &Path) {
    let mut file = io.create(&dir.join("f")).unwrap();
    file.write_at(0, b"abc").unwrap();
    file.sync().unwrap();
    file.sync().unwrap();
    io.sync_dir(dir).unwrap();
    assert_eq!(content(&*file), b"abc");
    assert_eq!(kind(io.sync_dir(&dir.join("none"))), Some(ErrorKind::NotFound));
    assert!(io.free_space(dir).unwrap() > 0);
    assert_eq!(kind(io.free_space(&dir.join("none"))), Some(ErrorKind::NotFound));
}

fn hold(io: &dyn Io, root: &Path) {
    for (name, case) in CASES {
        let dir = root.join(name);
        io.make_dir(&dir).unwrap();
        case(io, &dir);
    }
}

#[test]
fn the_disk_holds_the_contract() {
    hold(&Disk, tempfile::tempdir().unwrap().path());
}

#[test]
fn the_faulty_one_holds_the_contract_without_faults() {
    hold(&Faulty::new(), Path::new("/data"));
}
