use super::*;
use crate::store::io::{Disk, suite::content};

mod calls;
mod cuts;

const DIR: &str = "/data";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// A file system with a durable folder.
fn disk() -> Faulty {
    let disk = Faulty::new();
    disk.make_dir(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// Makes a file with this content; nothing is synced.
fn write(disk: &Faulty, name: &str, bytes: &[u8]) -> Box<dyn File> {
    let mut file = disk.create(&path(name)).unwrap();
    file.write_at(0, bytes).unwrap();
    file
}

/// Makes a file with this content, durably.
fn durable(disk: &Faulty, name: &str, bytes: &[u8]) -> Box<dyn File> {
    let mut file = write(disk, name, bytes);
    file.sync().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file
}

fn read(disk: &Faulty, name: &str) -> Option<Vec<u8>> {
    disk.files().remove(&path(name))
}

/// Does one random thing to one of a few files, and answers what one sees of it.
fn step(io: &dyn Io, dir: &Path, random: &mut Rng) -> Result<Vec<u8>, io::ErrorKind> {
    let one = |random: &mut Rng| dir.join(random.choice(["a", "b", "s/a", "s/b"]).unwrap());
    let (from, to, at) = (one(random), one(random), random.u64(..10_000));
    let (len, byte) = (random.usize(..6_000), random.u8(1..));
    let done = match random.u8(..8) {
        0 => io.create(&from).map(|_| vec![]),
        1 => io.rename(&from, &to).map(|()| vec![]),
        2 => io.remove(&from).map(|()| vec![]),
        3 => io.open(&from).and_then(|mut file| file.reserve(at)).map(|()| vec![]),
        4 => io.open(&from).and_then(|mut file| file.sync()).map(|()| vec![]),
        5 => io.open(&from).and_then(|file| {
            let mut bytes = vec![1; len];
            file.read_at(at, &mut bytes).map(|()| bytes)
        }),
        _ => io.open(&from).and_then(|mut file| {
            file.write_at(at, &vec![byte; len])?;
            Ok(content(&*file))
        }),
    };
    done.map_err(|error| error.kind())
}

#[test]
fn it_does_what_the_disk_does() {
    let folder = tempfile::tempdir().unwrap();
    let (real, faulty) = (folder.path(), Faulty::new());
    Disk.make_dir(&real.join("s")).unwrap();
    faulty.make_dir(&path("s")).unwrap();
    let (mut one, mut two) = (Rng::with_seed(1), Rng::with_seed(1));
    for at in 0..3_000 {
        let expected = step(&Disk, real, &mut one);
        assert_eq!(step(&faulty, Path::new(DIR), &mut two), expected, "step {at}");
    }
}

#[test]
fn the_same_seed_leaves_the_same() {
    let disk = disk();
    let mut random = Rng::with_seed(2);
    disk.make_dir(&path("s")).unwrap();
    for _ in 0..200 {
        step(&disk, Path::new(DIR), &mut random).ok();
    }
    let left = |seed| disk.power_cut(&mut Rng::with_seed(seed), 0.5).snapshot();
    assert_eq!(left(3), left(3));
    assert!((4..20).any(|seed| left(seed) != left(3)));
}

#[test]
fn a_snapshot_brings_everything_back() {
    let disk = disk();
    let mut file = durable(&disk, "f", b"before");
    file.write_at(0, b"BEF").unwrap();
    let (files, before) = (disk.files(), disk.snapshot());
    file.write_at(3, b"ORE").unwrap();
    file.sync().unwrap();
    disk.remove(&path("f")).unwrap();
    let mut younger = write(&disk, "g", b"");
    assert_ne!(disk.snapshot(), before);
    disk.restore(&before);
    assert_eq!((disk.files(), disk.snapshot()), (files, before.clone()));
    assert!(younger.sync().is_err(), "it does not exist any more");
    let cut = Faulty::from(before).power_cut(&mut Rng::with_seed(1), 0.0);
    assert_eq!(read(&cut, "f").unwrap(), b"before", "what was unsynced is so again");
}

#[test]
fn a_flipped_bit_is_there_before_and_after_the_cut() {
    let disk = disk();
    durable(&disk, "f", &[0; 5_000]);
    disk.flip_bit(&path("f"), 4_097 * 8 + 3).unwrap();
    let mut expected = vec![0; 5_000];
    expected[4_097] = 8;
    assert_eq!(read(&disk, "f").unwrap(), expected);
    let cut = disk.power_cut(&mut Rng::with_seed(1), 0.0);
    assert_eq!(read(&cut, "f").unwrap(), expected);
    let error = disk.flip_bit(&path("f"), 5_000 * 8).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_full_disk_takes_what_it_can() {
    let disk = disk();
    disk.set_capacity(10_000);
    let mut file = write(&disk, "f", &[1; 4_000]);
    file.reserve(6_000).unwrap();
    assert_eq!(disk.free_space(Path::new(DIR)).unwrap(), 4_000);
    file.write_at(0, &[2; 6_000]).unwrap();
    let full = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(full(file.reserve(10_001)));
    assert_eq!(file.len().unwrap(), 6_000);
    assert!(full(file.write_at(5_000, &[3; 6_000])));
    assert_eq!(file.len().unwrap(), 10_000);
    assert_eq!(content(&*file)[5_000..], [3; 5_000]);
    assert!(full(write(&disk, "g", b"").write_at(0, b"x")));
    file.write_at(0, &[4; 10_000]).unwrap();
    disk.remove(&path("f")).unwrap();
    assert_eq!(disk.free_space(Path::new(DIR)).unwrap(), 10_000);
}
