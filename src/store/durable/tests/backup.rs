//! The drill: backup while writes go on, restore, the same content; the doctor on every kind of
//! folder.

use std::{os::unix::fs::PermissionsExt as _, thread};

use sha2::{Digest, Sha256};

use super::*;
use crate::domain::Time;

/// SHA-256 over all objects in order of their keys.
fn hash(loaded: &Loaded) -> String {
    let bytes = serde_json::to_vec(&loaded.all().collect::<Vec<_>>()).unwrap();
    manifest::hex(&Sha256::digest(bytes))
}

fn to_folder(folder: &Path, to: &Path) -> Result<Manifest> {
    backup(folder, Target::Folder(to), Time::from_micros(0), &mut |_| {})
}

fn from_folder(backup: &Path, folder: &Path) -> Result<Restored> {
    restore(Source::Folder(backup), folder, &mut |_| {})
}

/// A stopped store with several segments and two checkpoints.
async fn wide(folder: &Path, revisions: Revision) -> Loaded {
    let store = Durable::open(folder, small()).await.unwrap();
    fill(&store, 1..=revisions).await;
    let loaded = store.load().await.unwrap();
    store.close().await.unwrap();
    loaded
}

/// The stopped store as a power cut leaves it: journal, history and checkpoints alone are left.
fn forget(folder: &Path) {
    std::fs::remove_file(folder.join("state.mark")).unwrap();
    // Not there yet when the stop overtook the first index.
    match std::fs::remove_file(folder.join("boot.mark")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_restores_to_the_same_content() {
    let (home, mut random) = (tempfile::tempdir().unwrap(), fastrand::Rng::with_seed(3));
    let folder = home.path().join("data");
    let store = Durable::open(&folder, small()).await.unwrap();
    fill(&store, 1..=40).await;
    let copier = thread::spawn({
        let (folder, home) = (folder.clone(), home.path().to_owned());
        move || {
            let to = |nth| home.join(format!("backup{nth}"));
            (0..8).map(|nth| (to_folder(&folder, &to(nth)).unwrap(), to(nth))).collect::<Vec<_>>()
        }
    });
    let (mut head, mut hashes) = (40, std::collections::BTreeMap::new());
    hashes.insert(head, hash(&store.load().await.unwrap()));
    while !copier.is_finished() || head < 80 {
        let last = head + random.i64(1..4);
        let batch = fixtures::batch(head, &(head + 1..=last).collect::<Vec<_>>());
        store.commit(batch).await.unwrap();
        head = last;
        hashes.insert(head, hash(&store.load().await.unwrap()));
    }
    let acknowledged = store.identity();
    for (nth, (manifest, backup)) in copier.join().unwrap().into_iter().enumerate() {
        let folder = home.path().join(format!("restored{nth}"));
        let restored = from_folder(&backup, &folder).unwrap();
        assert_eq!(restored.manifest, manifest);
        let store = open(&folder).await.unwrap();
        let identity = store.identity();
        assert_eq!(identity.store, acknowledged.store);
        assert_ne!(identity.incarnation, acknowledged.incarnation);
        assert_eq!(identity.incarnation, restored.incarnation);
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.revision, manifest.revision);
        assert_eq!(hash(&loaded), hashes[&manifest.revision], "at {}", manifest.revision);
        fill(&store, loaded.revision + 1..=loaded.revision + 3).await;
        store.close().await.unwrap();
        drop(store);
        assert_eq!(examine(&folder, false).unwrap().health, Health::Healthy);
    }
}

#[tokio::test]
async fn a_backup_goes_through_a_stream() {
    let home = tempfile::tempdir().unwrap();
    let loaded = wide(&home.path().join("data"), 60).await;
    let mut stream = Vec::new();
    let made = backup(
        &home.path().join("data"),
        Target::Stream(&mut stream),
        Time::default(),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(made.revision, 60);
    let folder = home.path().join("restored");
    restore(Source::Stream(&mut &stream[..]), &folder, &mut |_| {}).unwrap();
    assert_eq!(open(&folder).await.unwrap().load().await.unwrap(), loaded);
    // A stream that ends early, or goes on, leaves nothing behind.
    for bytes in [&stream[..stream.len() - 1], &[&stream[..], b"x"].concat(), b"tar", b""] {
        let folder = home.path().join("none");
        let error = restore(Source::Stream(&mut &*bytes), &folder, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("the backup is damaged: standard input"), "{error}");
        assert!(!folder.exists());
    }
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    wide(&home.path().join("data"), 60).await;
    let copy = home.path().join("backup");
    to_folder(&home.path().join("data"), &copy).unwrap();
    let error = to_folder(&home.path().join("data"), &copy).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    let mut random = fastrand::Rng::with_seed(11);
    for (path, good) in content(&copy) {
        for _ in 0..20 {
            let mut bytes = good.clone();
            bytes[random.usize(0..good.len())] ^= 1 << random.u8(0..8);
            std::fs::write(&path, &bytes).unwrap();
            let folder = home.path().join("restored");
            match from_folder(&copy, &folder) {
                Err(error) => {
                    let text = error.to_string();
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let newer = matches!(error, Error::NewerFormat { .. });
                    assert!(text.contains(name) && (newer || text.contains("byte")), "{text}");
                    assert!(!folder.exists(), "{text}");
                }
                // White space of the manifest.
                Ok(_) => {
                    assert!(path.ends_with(manifest::NAME));
                    std::fs::remove_dir_all(&folder).unwrap();
                }
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert!(from_folder(&copy, &home.path().join("restored")).is_err(), "{path:?} is gone");
        std::fs::write(&path, &good).unwrap();
    }
    let full = home.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("file"), b"x").unwrap();
    let error = from_folder(&copy, &full).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(content(&full).len(), 1);
}

#[tokio::test]
async fn a_restore_that_fails_anywhere_is_refused_or_gone() {
    let home = tempfile::tempdir().unwrap();
    let loaded = wide(&home.path().join("data"), 20).await;
    let copy = home.path().join("backup");
    to_folder(&home.path().join("data"), &copy).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    for fault in [Fault::PowerOff, Fault::Enospc, Fault::SyncFailed, Fault::Eio] {
        for call in 0.. {
            let (disk, local) = (Faulty::new(), tempfile::tempdir().unwrap());
            disk.fail_at(call, fault);
            let layout = |disk: &Faulty, local: &Path| {
                Layout::new(Arc::new(disk.clone()), Path::new("/data"), local, None)
            };
            let origin = restore::Origin::Folder(&Disk, &copy);
            let done = restore::restore_at(&layout(&disk, local.path()), origin, &mut |_| {});
            if done.is_err() && fault != Fault::PowerOff {
                assert!(disk.files().is_empty(), "{fault:?} at {call}: {:?}", disk.files().keys());
                continue;
            }
            let cut = disk.power_cut(&mut random, 0.5);
            let scratch = tempfile::tempdir().unwrap();
            match Durable::open_at(layout(&cut, scratch.path()), small()).await {
                Ok(store) => {
                    let found = store.load().await.unwrap();
                    assert!(found == loaded || done.is_err() && found == Loaded::default());
                }
                Err(error) => assert!(error.to_string().contains("restore a backup"), "{error}"),
            }
            if done.is_ok() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_backup_onto_a_full_disk_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    wide(&home.path().join("data"), 20).await;
    let layout = Layout::new(Arc::new(Disk), &home.path().join("data"), home.path(), None);
    let disk = Faulty::new();
    disk.set_capacity(4_096);
    let to = Path::new("/backup");
    let made =
        crate::store::durable::backup::to_folder(&layout, &disk, to, Time::default(), &mut |_| {});
    assert!(made.is_err() && disk.files().is_empty(), "{made:?} {:?}", disk.files().keys());
}

#[tokio::test]
async fn the_doctor_knows_healthy_from_torn() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    assert!(examine(folder, true).unwrap_err().to_string().contains("there is no store"));
    assert!(content(folder).is_empty());
    let loaded = wide(folder, 60).await;
    let before = content(folder);
    let report = examine(folder, true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    assert!(report.next_start.starts_with("clean") && report.repaired.is_empty());
    assert_eq!(content(folder), before);
    forget(folder);
    let report = examine(folder, false).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    assert!(report.next_start.starts_with("reads the state from the checkpoint of 60"));
    // A group that was being written.
    let path = files_of(folder, "journal", "seg").pop().unwrap();
    let used = std::fs::read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    flip(&path, used + 32);
    let report = examine(folder, false).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    assert!(report.files.iter().any(|file| file.state.starts_with("torn tail")));
    assert_eq!(open(folder).await.unwrap().load().await.unwrap(), loaded);
}

#[tokio::test]
async fn the_doctor_cuts_a_damaged_journal_only_when_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let store =
        Durable::open(folder, Settings { segment_bytes: 4 << 10, ..large() }).await.unwrap();
    fill(&store, 1..=60).await;
    // The mark of the boot is written with the first index.
    history(&store).await;
    drop(store);
    let path = files_of(folder, "journal", "seg").remove(2);
    flip(&path, 1_500);
    std::fs::remove_file(folder.join("boot.mark")).unwrap();
    let before = content(folder);
    let report = examine(folder, false).unwrap();
    assert_eq!(report.health, Health::RefusesToStart, "{report:#?}");
    assert!(report.advice.iter().any(|line| line.contains("to 60")), "{report:#?}");
    assert_eq!(content(folder), before);
    assert!(open(folder).await.is_err());
    let report = examine(folder, true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    assert!(!report.repaired.is_empty());
    let aside = files_of(folder, "journal", "damaged");
    assert!(aside.len() > 1, "{aside:?}");
    let store = open(folder).await.unwrap();
    let head = store.load().await.unwrap().revision;
    assert!(head > 10 && head < 60);
    assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>());
    fill(&store, head + 1..=head + 5).await;
}

#[tokio::test]
async fn what_a_checkpoint_has_is_kept_when_the_journal_below_is_damaged() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let loaded = wide(folder, 60).await;
    forget(folder);
    let path = files_of(folder, "journal", "seg").remove(0);
    flip(&path, 200);
    let report = examine(folder, false).unwrap();
    assert_eq!(report.health, Health::RefusesToStart, "{report:#?}");
    let report = examine(folder, true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    assert_eq!(open(folder).await.unwrap().load().await.unwrap(), loaded);
}

#[tokio::test]
async fn foreign_newer_and_damaged_files_are_named() {
    let home = tempfile::tempdir().unwrap();
    let (ours, theirs) = (home.path().join("ours"), home.path().join("theirs"));
    let loaded = wide(&ours, 60).await;
    wide(&theirs, 60).await;
    let state = |name: &str| {
        let report = examine(&ours, false).unwrap();
        let file = report.files.iter().find(|file| file.file.ends_with(name)).cloned();
        (file.unwrap_or_else(|| panic!("{report:#?}")).state, report)
    };
    // A checkpoint that the next start does not need.
    let checkpoint = files_of(&ours, "checkpoint", "ckpt").remove(0);
    let good = std::fs::read(&checkpoint).unwrap();
    flip(&checkpoint, 100);
    let name = checkpoint.file_name().unwrap().to_str().unwrap();
    let (found, report) = state(name);
    assert!(found.starts_with("damaged at byte"), "{found}");
    assert_eq!(report.health, Health::NeedsAttention, "{report:#?}");
    std::fs::write(&checkpoint, good).unwrap();
    // A segment of another store.
    let segment = files_of(&ours, "journal", "seg").pop().unwrap();
    let good = std::fs::read(&segment).unwrap();
    let foreign = files_of(&theirs, "journal", "seg").pop().unwrap();
    assert_eq!(foreign.file_name(), segment.file_name());
    std::fs::copy(&foreign, &segment).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let (found, report) = state(name);
    assert!(found.starts_with("foreign"), "{found}");
    assert_eq!(report.health, Health::RefusesToStart);
    // One of a newer program.
    let mut newer = good.clone();
    newer[11] = 2;
    let crc = crc32c::crc32c(&newer[..56]);
    newer[56..60].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(&segment, newer).unwrap();
    let (found, report) = state(name);
    assert_eq!((found.as_str(), report.health), ("newer format 2", Health::RefusesToStart));
    assert_eq!(report.advice, ["use the newer program that wrote it"]);
    assert!(matches!(to_folder(&ours, &home.path().join("b")), Err(Error::NewerFormat { .. })));
    assert!(matches!(open(&ours).await, Err(Error::NewerFormat { .. })));
    let before = content(&ours);
    examine(&ours, true).unwrap();
    assert_eq!(content(&ours), before);
    std::fs::write(&segment, good).unwrap();
    assert_eq!(open(&ours).await.unwrap().load().await.unwrap(), loaded);
}

#[tokio::test]
async fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    fill(&store, 1..=3).await;
    assert!(matches!(examine(folder.path(), true), Err(Error::InUse(_))));
    assert!(matches!(open(folder.path()).await, Err(Error::InUse(_))));
    fill(&store, 4..=4).await;
}

#[tokio::test]
async fn backup_and_doctor_need_no_right_to_write() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    wide(&folder, 30).await;
    let set = |mode: u32| {
        for dir in [&folder, &folder.join("journal"), &folder.join("checkpoint")] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir, mode).unwrap();
        }
    };
    set(0o500);
    assert_eq!(examine(&folder, false).unwrap().health, Health::Healthy);
    assert_eq!(to_folder(&folder, &home.path().join("backup")).unwrap().revision, 30);
    if std::fs::write(folder.join("probe"), b"").is_ok() {
        std::fs::remove_file(folder.join("probe")).unwrap();
        eprintln!("SKIPPED: this user may write everywhere, so no folder is read-only to it");
    } else {
        let error = open(&folder).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("permission denied"), "{error}");
    }
    set(0o700);
    open(&folder).await.unwrap();
}
