//! What the doctor says of a gap, and of files that a newer program wrote.

use super::*;

/// Examines a folder and checks that nothing in it changed; the state of the file of that name.
fn state(folder: &Path, path: &Path) -> (String, Report) {
    let before = content(folder);
    let report = examine(folder, false).unwrap();
    assert_eq!(content(folder), before);
    let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
    let file = report.files.iter().find(|file| file.file == name).unwrap();
    assert!(file.wrong, "{file:?}");
    (file.state.clone(), report)
}

#[tokio::test]
async fn a_gap_is_named_and_cut_only_when_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let settings = Settings { segment_bytes: 2 << 10, ..large() };
    let store = Durable::open(folder, settings).await.unwrap();
    fill(&store, 1..=20).await;
    // The mark of the boot is written with the first index.
    history(&store).await;
    drop(store);
    std::fs::remove_file(folder.join("boot.mark")).unwrap();
    let segments = files_of(folder, "journal", segment::ENDING);
    let starts: Vec<_> = segments.iter().map(|path| files::number(path).unwrap()).collect();
    std::fs::remove_file(&segments[2]).unwrap();
    let (first, last) = (starts[2], starts[3] - 1);
    let (found, report) = state(folder, &segments[3]);
    assert_eq!(found, format!("gap: revisions {first} to {last} are missing before it"));
    assert_eq!(report.health, Health::RefusesToStart, "{report:#?}");
    assert!(report.next_start.contains("missing"), "{report:#?}");
    assert!(report.advice[0].contains("restore a backup"), "{report:#?}");
    assert!(report.advice[1].contains(&format!("losing revisions {first} to 20")), "{report:#?}");
    assert!(matches!(open(folder).await, Err(Error::Damaged(_))));
    let report = examine(folder, true).unwrap();
    assert_eq!(report.health, Health::Healthy, "{report:#?}");
    let kept = history(&open(folder).await.unwrap()).await;
    assert_eq!(kept, (1..first).collect::<Vec<_>>());
    let aside = files_of(folder, "journal", "damaged");
    assert_eq!(aside.len(), segments.len() - 3, "{aside:?}");
}

#[tokio::test]
async fn files_of_a_newer_program_are_named_and_never_repaired() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let store = open(folder).await.unwrap();
    fill(&store, 1..=5).await;
    store.close().await.unwrap();
    drop(store);
    let segment = files_of(folder, "journal", segment::ENDING).remove(0);
    let checkpoint = files_of(folder, "checkpoint", "ckpt").remove(0);
    let mark = folder.join("store.mark");
    // What the sum covers before and behind itself.
    let places = [(&segment, 56, 0..56, 0..0), (&checkpoint, 12, 0..12, 16..56)];
    let whole = std::fs::metadata(&mark).unwrap().len() as usize;
    for (path, sum, before, behind) in places.into_iter().chain([(&mark, 12, 8..12, 16..whole)]) {
        let old = std::fs::read(path).unwrap();
        let mut newer = old.clone();
        newer[8..12].copy_from_slice(&7_u32.to_be_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&newer[before]), &newer[behind]);
        newer[sum..sum + 4].copy_from_slice(&crc.to_be_bytes());
        std::fs::write(path, &newer).unwrap();
        let (found, report) = state(folder, path);
        assert_eq!(found, "newer format 7");
        assert_eq!(report.health, Health::RefusesToStart, "{report:#?}");
        assert_eq!(report.advice, ["use the newer program that wrote it"]);
        let untouched = content(folder);
        assert!(examine(folder, true).unwrap().repaired.is_empty());
        assert_eq!(content(folder), untouched);
        std::fs::write(path, old).unwrap();
    }
    assert_eq!(examine(folder, false).unwrap().health, Health::Healthy);
    assert_eq!(history(&open(folder).await.unwrap()).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn logs_are_listed_and_never_keep_a_store_from_starting() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let store = open(folder).await.unwrap();
    fill(&store, 1..=2).await;
    let entry = |text: &str| crate::store::LogEntry {
        time: crate::domain::Time::from_micros(7),
        bytes: text.as_bytes().to_vec().into(),
    };
    let (log, kind) = (store.log(), crate::store::LogKind::Deliveries);
    log.append(kind, &[entry("one"), entry("two")]).unwrap();
    log.append(kind, &[entry("three")]).unwrap();
    store.close().await.unwrap();
    drop(store);
    let file = files_of(folder, "log", "log").remove(0);
    let name = file.strip_prefix(folder).unwrap().to_str().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let examined = || {
        let report = examine(folder, false).unwrap();
        assert_eq!(report.health, Health::Healthy, "{report:#?}");
        let file = report.files.iter().find(|found| found.file == name).unwrap();
        (file.records, file.state.clone())
    };
    assert_eq!(examined(), (Some(3), "ok".to_owned()));
    flip(&file, 60);
    let (records, state) = examined();
    assert!(records == Some(1) && state.starts_with("damaged at byte 48"), "{state}");
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let (records, state) = examined();
    assert!(records == Some(2) && state.starts_with("torn tail at byte"), "{state}");
    flip(&file, 3);
    assert_eq!(examined().1, "no log of this store");
    let store = open(folder).await.unwrap();
    assert_eq!(history(&store).await, [1, 2]);
    let backup = tempfile::tempdir().unwrap();
    let target = Target::Folder(backup.path());
    let made = durable_backup(folder, target);
    assert!(made.files.iter().all(|part| !part.name.ends_with(".log")), "{made:?}");
}

fn durable_backup(folder: &Path, target: Target<'_>) -> Manifest {
    backup(folder, target, crate::domain::Time::from_micros(1), &mut |_| ()).unwrap()
}
