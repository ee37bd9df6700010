//! What a power cut may leave, and what it must.

use std::collections::BTreeSet;

use super::*;

const SEEDS: u64 = 300;

/// What one sees of a file after each of many cuts.
fn outcomes(disk: &Faulty, keep: f64, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let cut = |seed| read(&disk.power_cut(&mut Rng::with_seed(seed), keep), name);
    (0..SEEDS).map(cut).collect()
}

/// The names in the folder after each of many cuts.
fn listings(disk: &Faulty, keep: f64) -> BTreeSet<String> {
    let cut = |seed| {
        let left = disk.power_cut(&mut Rng::with_seed(seed), keep).files();
        let names: Vec<_> = left
            .iter()
            .map(|(path, bytes)| {
                let name = path.strip_prefix(DIR).unwrap().to_str().unwrap().to_owned();
                format!("{name}={}", String::from_utf8_lossy(bytes))
            })
            .collect();
        names.join(" ")
    };
    (0..SEEDS).map(cut).collect()
}

#[test]
fn what_names_may_be_left() {
    type Case = (&'static str, fn(&Faulty), &'static str, &'static str, &'static [&'static str]);
    // Each with what keeping nothing leaves, what keeping all leaves, and all that may be left.
    let cases: &[Case] = &[
        ("synced survives", |disk| drop(durable(disk, "a", b"1")), "a=1", "a=1", &["a=1"]),
        (
            "a name that was not synced may be gone",
            |disk| write(disk, "a", b"1").sync().unwrap(),
            "",
            "a=1",
            &["", "a=1"],
        ),
        (
            "data that was not synced may be gone under a name that was",
            |disk| {
                write(disk, "a", b"1");
                disk.sync_dir(Path::new(DIR)).unwrap();
            },
            "a=",
            "a=1",
            &["a=", "a=\0", "a=1"],
        ),
        (
            "a rename is the old or the new name",
            |disk| {
                durable(disk, "a", b"1");
                disk.rename(&path("a"), &path("b")).unwrap();
            },
            "a=1",
            "b=1",
            &["a=1", "b=1"],
        ),
        (
            "a replaced file is the old or the new one",
            |disk| {
                durable(disk, "a", b"1");
                durable(disk, "t", b"2");
                disk.rename(&path("t"), &path("a")).unwrap();
            },
            "a=1 t=2",
            "a=2",
            &["a=1 t=2", "a=2"],
        ),
        (
            "a name that a file left and another took loses neither",
            |disk| {
                durable(disk, "a", b"1");
                disk.rename(&path("a"), &path("b")).unwrap();
                write(disk, "a", b"2").sync().unwrap();
            },
            "a=1",
            "a=2 b=1",
            &["a=1", "b=1", "a=2 b=1"],
        ),
        (
            "two renames of one file are kept in order",
            |disk| {
                durable(disk, "a", b"1");
                disk.rename(&path("a"), &path("b")).unwrap();
                disk.rename(&path("b"), &path("c")).unwrap();
            },
            "a=1",
            "c=1",
            &["a=1", "b=1", "c=1"],
        ),
        (
            "changes of different files are kept in any order",
            |disk| {
                durable(disk, "a", b"1");
                durable(disk, "b", b"2");
                disk.rename(&path("a"), &path("c")).unwrap();
                disk.remove(&path("b")).unwrap();
            },
            "a=1 b=2",
            "c=1",
            &["a=1", "a=1 b=2", "b=2 c=1", "c=1"],
        ),
        (
            "a removed file may come back",
            |disk| {
                durable(disk, "a", b"1");
                disk.remove(&path("a")).unwrap();
            },
            "a=1",
            "",
            &["", "a=1"],
        ),
        (
            "a folder that was not synced takes everything in it along",
            |disk| {
                disk.make_dir(&path("s")).unwrap();
                write(disk, "s/a", b"1").sync().unwrap();
                disk.sync_dir(&path("s")).unwrap();
            },
            "",
            "s/a=1",
            &["", "s/a=1"],
        ),
        (
            "a rename between folders needs both synced",
            |disk| {
                disk.make_dir(&path("s")).unwrap();
                durable(disk, "a", b"1");
                disk.rename(&path("a"), &path("s/a")).unwrap();
                disk.sync_dir(&path("s")).unwrap();
            },
            "a=1",
            "s/a=1",
            &["a=1", "s/a=1"],
        ),
        (
            "a rename between folders is there when both are synced",
            |disk| {
                disk.make_dir(&path("s")).unwrap();
                durable(disk, "a", b"1");
                disk.rename(&path("a"), &path("s/a")).unwrap();
                disk.sync_dir(&path("s")).unwrap();
                disk.sync_dir(Path::new(DIR)).unwrap();
            },
            "s/a=1",
            "s/a=1",
            &["s/a=1"],
        ),
    ];
    for (name, act, nothing, all, any) in cases {
        let disk = disk();
        act(&disk);
        assert_eq!(listings(&disk, 0.0), BTreeSet::from([(*nothing).to_owned()]), "{name}");
        assert_eq!(listings(&disk, 1.0), BTreeSet::from([(*all).to_owned()]), "{name}");
        let any: BTreeSet<_> = any.iter().map(|left| (*left).to_owned()).collect();
        assert_eq!(listings(&disk, 0.5), any, "{name}");
    }
}

#[test]
fn pages_are_kept_dropped_and_reordered_one_by_one() {
    let disk = disk();
    let mut file = durable(&disk, "f", &[1; 3 * data::PAGE]);
    file.write_at(0, &[2; 3 * data::PAGE]).unwrap();
    assert_eq!(outcomes(&disk, 0.0, "f"), BTreeSet::from([Some(vec![1; 3 * data::PAGE])]));
    assert_eq!(outcomes(&disk, 1.0, "f"), BTreeSet::from([Some(vec![2; 3 * data::PAGE])]));
    let whole = |bytes: &Vec<u8>| bytes.chunks(data::PAGE).map(|page| page[0]).collect::<Vec<_>>();
    let left: BTreeSet<_> = outcomes(&disk, 0.5, "f").iter().flatten().map(whole).collect();
    assert_eq!(left.len(), 8, "every choice of the three pages");
}

#[test]
fn a_torn_page_is_torn_between_sectors() {
    let disk = disk();
    let mut file = durable(&disk, "f", &[1; data::PAGE]);
    file.write_at(0, &[2; data::PAGE]).unwrap();
    let left: Vec<_> = outcomes(&disk, 0.9, "f").into_iter().flatten().collect();
    assert!(left.len() > 10, "whole, dropped and torn at {} places", left.len());
    for bytes in left {
        let borders = bytes.windows(2).enumerate().filter(|(_, two)| two[0] != two[1]);
        let borders: Vec<_> = borders.map(|(at, _)| at + 1).collect();
        assert!(borders.len() <= 1 && borders.iter().all(|at| at % data::SECTOR == 0));
    }
}

#[test]
fn a_page_written_twice_may_be_left_as_it_was_between() {
    let disk = disk();
    let mut file = durable(&disk, "f", b"1");
    for version in [b"2", b"3"] {
        file.write_at(0, version).unwrap();
    }
    let left = |bytes: &[u8]| Some(bytes.to_vec());
    assert_eq!(outcomes(&disk, 0.9, "f"), BTreeSet::from([left(b"1"), left(b"2"), left(b"3")]));
    assert_eq!(outcomes(&disk, 1.0, "f"), BTreeSet::from([left(b"3")]));
}

#[test]
fn a_file_may_have_grown_in_part() {
    let disk = disk();
    let mut file = durable(&disk, "f", &[1; 100]);
    file.reserve(200).unwrap();
    let lengths = |keep| -> BTreeSet<_> {
        outcomes(&disk, keep, "f").into_iter().flatten().map(|bytes| bytes.len()).collect()
    };
    assert_eq!((lengths(0.0), lengths(1.0)), (BTreeSet::from([100]), BTreeSet::from([200])));
    let between = lengths(0.5);
    assert!(between.len() > 5 && between.iter().all(|len| (100..=200).contains(len)));
    for bytes in outcomes(&disk, 0.5, "f").into_iter().flatten() {
        assert!(bytes[..100] == [1; 100] && bytes[100..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn bytes_behind_a_dropped_length_never_come_back() {
    let disk = disk();
    let mut file = durable(&disk, "f", b"1");
    file.write_at(1, b"2").unwrap();
    for seed in 0..SEEDS {
        let cut = disk.power_cut(&mut Rng::with_seed(seed), 0.5);
        if read(&cut, "f").unwrap() == b"1" {
            cut.open(&path("f")).unwrap().reserve(2).unwrap();
            assert_eq!(read(&cut, "f").unwrap(), b"1\0");
        }
    }
}
