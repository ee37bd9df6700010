//! Calls that fail, one at a time.

use super::*;

const FAULTS: [Fault; 5] =
    [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncFailed, Fault::PowerOff];

/// Replaces a file in the way that survives everything.
fn replace(io: &dyn Io, bytes: &[u8]) -> io::Result<()> {
    let (new, current) = (path("new"), path("current"));
    if io.list(Path::new(DIR))?.contains(&new) {
        io.remove(&new)?;
    }
    let mut file = io.create(&new)?;
    file.reserve(bytes.len() as u64)?;
    file.write_at(0, bytes)?;
    let mut written = vec![0; bytes.len()];
    file.read_at(0, &mut written)?;
    file.sync()?;
    io.rename(&new, &current)?;
    io.sync_dir(Path::new(DIR))?;
    io.open(&current).map(drop)
}

/// Writes versions until one fails; answers how many were acknowledged.
fn versions(io: &dyn Io) -> u8 {
    (1..=3).take_while(|version| replace(io, &[*version; 6_000]).is_ok()).count() as u8
}

#[test]
fn every_call_of_a_script_fails_once_and_nothing_acknowledged_is_lost() {
    let dry = disk();
    let first = dry.calls();
    assert_eq!(versions(&dry), 3);
    let log = dry.log();
    for (call, fault) in (first..log.len()).flat_map(|call| FAULTS.map(|fault| (call, fault))) {
        let disk = disk();
        disk.fail_at(call, fault);
        let acknowledged = versions(&disk);
        assert!(acknowledged < 3, "{fault:?} at {:?}", log[call]);
        let on = if fault == Fault::PowerOff { call + 1 } else { disk.calls() };
        assert_eq!(disk.log(), log[..on.min(log.len())], "it stops where it fails");
        for (seed, keep) in [0.0, 0.5, 0.9, 1.0].into_iter().cycle().enumerate().take(40) {
            let left = disk.power_cut(&mut Rng::with_seed(seed as u64), keep);
            let current = read(&left, "current").unwrap_or_default();
            let version = current.first().copied().unwrap_or(0);
            let next = acknowledged + 1;
            let context = format!("{fault:?} at {:?}, {keep} kept", log[call]);
            assert!((acknowledged..=next).contains(&version), "{version} left: {context}");
            let whole = if version == 0 { vec![] } else { vec![version; 6_000] };
            assert!(current == whole, "torn: {context}");
        }
    }
}

#[test]
fn a_script_that_forgets_a_sync_is_caught() {
    let careless: [fn(&Faulty) -> io::Result<()>; 2] = [
        |disk| {
            write(disk, "new", &[1; 6_000]);
            disk.rename(&path("new"), &path("current"))?;
            disk.sync_dir(Path::new(DIR))
        },
        |disk| {
            write(disk, "new", &[1; 6_000]).sync()?;
            disk.rename(&path("new"), &path("current"))
        },
    ];
    for script in careless {
        let disk = disk();
        script(&disk).unwrap();
        let left = disk.power_cut(&mut Rng::with_seed(1), 0.0);
        assert_ne!(read(&left, "current"), Some(vec![1; 6_000]));
    }
}

#[test]
fn data_of_a_failed_sync_is_lost_though_the_next_one_succeeds() {
    for (fault, left) in [(Fault::Eio, &b"12"[..]), (Fault::SyncFailed, b"1")] {
        let disk = disk();
        let mut file = durable(&disk, "f", b"1");
        file.write_at(1, b"2").unwrap();
        disk.fail_at(disk.calls(), fault);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        assert_eq!(content(&*file), b"12", "the process sees it");
        let cut = disk.power_cut(&mut Rng::with_seed(1), 1.0);
        assert_eq!(read(&cut, "f").unwrap(), left, "{fault:?}");
        file.write_at(0, b"3").unwrap();
        file.write_at(2, b"4").unwrap();
        file.sync().unwrap();
        let cut = disk.power_cut(&mut Rng::with_seed(1), 0.0);
        assert_eq!(read(&cut, "f").unwrap(), b"324", "a page written again is synced whole");
    }
}

#[test]
fn names_of_a_failed_sync_are_lost_though_the_next_one_succeeds() {
    for (fault, left) in [(Fault::Eio, Some(b"1".to_vec())), (Fault::SyncFailed, None)] {
        let disk = disk();
        write(&disk, "f", b"1").sync().unwrap();
        disk.fail_at(disk.calls(), fault);
        assert!(disk.sync_dir(Path::new(DIR)).is_err());
        disk.sync_dir(Path::new(DIR)).unwrap();
        assert!(disk.open(&path("f")).is_ok(), "the process sees it");
        for keep in [0.0, 1.0] {
            let cut = disk.power_cut(&mut Rng::with_seed(1), keep);
            assert_eq!(read(&cut, "f"), left, "{fault:?}");
        }
    }
}

#[test]
fn a_short_write_leaves_its_first_half() {
    let disk = disk();
    let mut file = write(&disk, "f", b"");
    disk.fail_at(disk.calls(), Fault::ShortWrite);
    let error = file.write_at(0, b"abcd").unwrap_err();
    assert_eq!((error.kind(), content(&*file)), (io::ErrorKind::StorageFull, b"ab".to_vec()));
    file.write_at(0, b"abcd").unwrap();
}

#[test]
fn nothing_works_without_power() {
    let disk = disk();
    let mut file = durable(&disk, "f", b"1");
    file.write_at(0, b"2").unwrap();
    let calls = disk.calls();
    disk.fail_at(calls, Fault::PowerOff);
    assert!(file.sync().is_err());
    assert!(file.sync().is_err() && disk.list(Path::new(DIR)).is_err());
    assert_eq!(disk.calls(), calls + 1, "only the first one reached the disk");
    let left = |keep| read(&disk.power_cut(&mut Rng::with_seed(1), keep), "f").unwrap();
    assert_eq!((left(0.0), left(1.0)), (b"1".to_vec(), b"2".to_vec()));
    assert!(disk.power_cut(&mut Rng::with_seed(1), 0.0).list(Path::new(DIR)).is_ok());
}
