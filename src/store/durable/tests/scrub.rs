//! A store at work whose files go bad, whose disk fills up, and whose damage is repaired.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use fastrand::Rng;

use super::*;
use crate::store::durable::scrub::Pace;

/// A store at work on a disk that a test can spoil.
struct Patient {
    disk: Faulty,
    store: Durable,
    loaded: Loaded,
    _local: tempfile::TempDir,
}

impl Patient {
    /// With two checkpoints, history, segments between and above them, and nothing to do.
    async fn new() -> Self {
        let disk = Faulty::new();
        let (store, local) = open_on(&disk, "one", small()).await.unwrap();
        store.attach_filled();
        let mut head = 0;
        while head < 40 || store.engine.checkpoints.kept().len() < checkpoint::KEPT {
            head += 1;
            fill(&store, head..=head).await;
            store.rested().await;
        }
        let loaded = store.load().await.unwrap();
        Self { disk, store, loaded, _local: local }
    }

    /// Every file that is verified, with the end of what is durable in it.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut files: Vec<_> = self.disk.files().into_iter().collect();
        let verified = |path: &Path| {
            path.extension().is_some_and(|end| end == "seg" || end == "ckpt" || end == "hist")
        };
        files.retain(|(path, _)| verified(path));
        let mut files: Vec<_> =
            files.into_iter().map(|(path, bytes)| (path, bytes.len() as u64)).collect();
        let appender = &self.store.engine.appender;
        let last = *appender.segments().unwrap().last().unwrap();
        // In order of the paths: the journal comes last.
        files.last_mut().unwrap().1 = appender.extent(last).unwrap().0.unwrap();
        files
    }

    async fn repaired(&self) -> String {
        let mut condition = self.store.condition();
        let repaired = |condition: &Condition| {
            condition.damaged.as_ref().is_some_and(|text| text.contains("has taken its place"))
        };
        condition.wait_for(repaired).await.unwrap().damaged.clone().unwrap()
    }

    /// Verifies until nothing is found and nothing is being repaired.
    async fn calmed(&self) {
        while self.store.condition().borrow().damaged.is_some() {
            self.store.verify_once().await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    /// After damage was found: it is repaired, nothing is lost, and neither a kill nor a power cut nor a
    /// clean stop keeps the store from starting.
    async fn recovers(self, what: &str) {
        self.repaired().await;
        self.calmed().await;
        let found = self.store.verify_once().await.unwrap();
        assert_eq!(found, [""; 0], "{what}: it was not repaired");
        assert_eq!(self.store.condition().borrow().clone(), Condition::default());
        let head = self.loaded.revision;
        assert_eq!(self.store.load().await.unwrap(), self.loaded, "{what}");
        assert_eq!(history(&self.store).await, (1..=head).collect::<Vec<_>>(), "{what}");
        let left = self.disk.power_cut(&mut Rng::with_seed(1), 0.0);
        let (store, _local) = open_on(&left, "two", small()).await.unwrap();
        assert_eq!(store.load().await.unwrap(), self.loaded, "{what}, after a power cut");
        assert_eq!(history(&store).await, (1..=head).collect::<Vec<_>>(), "{what}");
        fill(&self.store, head + 1..=head + 30).await;
        self.store.close().await.unwrap();
        let left = self.disk.power_cut(&mut Rng::with_seed(1), 0.0);
        let (store, _local) = open_on(&left, "two", small()).await.unwrap();
        assert_eq!(history(&store).await, (1..=head + 30).collect::<Vec<_>>(), "{what}");
    }
}

async fn open_on(
    disk: &Faulty,
    boot: &str,
    settings: Settings,
) -> Result<(Durable, tempfile::TempDir)> {
    let local = tempfile::tempdir().unwrap();
    let io = Arc::new(disk.clone());
    let layout = Layout::new(io, Path::new("/data"), local.path(), Some(boot.to_owned()));
    Ok((Durable::open_at(layout, settings).await?, local))
}

/// Where a message says that the damage is.
fn place_of(text: &str) -> (PathBuf, u64) {
    let (path, rest) = text.split_once(", byte ").unwrap();
    (path.into(), rest.split(':').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_sound_store_has_nothing_to_find() {
    let patient = Patient::new().await;
    assert_eq!(patient.store.verify_once().await.unwrap(), [""; 0]);
    assert_eq!(*patient.store.condition().borrow(), Condition::default());
}

#[tokio::test]
async fn a_flipped_bit_is_found_with_its_place_and_is_repaired() {
    let mut random = Rng::with_seed(5);
    let mut kinds = std::collections::BTreeSet::new();
    let mut nth = 0;
    loop {
        let patient = Patient::new().await;
        let files = patient.files();
        let Some((path, end)) = files.get(nth / 2).cloned() else { break };
        // Once in the first bytes, once anywhere.
        let bit = if nth % 2 == 0 { random.u64(0..64 * 8) } else { random.u64(0..end * 8) };
        nth += 1;
        patient.disk.flip_bit(&path, bit).unwrap();
        let what = format!("{} bit {bit}", path.display());
        let found = patient.store.verify_once().await.unwrap();
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        let (file, at) = place_of(&found[0]);
        assert_eq!(file, path);
        assert!(at <= bit / 8 + 64, "{what}: {}", found[0]);
        let noted = patient.store.condition().borrow().clone();
        assert!(noted.writable() && noted.damaged.unwrap().starts_with(&found[0]), "{what}");
        kinds.insert(path.extension().unwrap().to_owned());
        patient.recovers(&what).await;
    }
    assert!(nth > 8 && kinds.len() == 3, "{nth} files");
}

#[tokio::test]
async fn damage_in_several_files_is_repaired_together() {
    let patient = Patient::new().await;
    for (path, end) in patient.files() {
        patient.disk.flip_bit(&path, end * 4).unwrap();
    }
    // What is repaired while the others are read is not found any more.
    assert!(!patient.store.verify_once().await.unwrap().is_empty());
    patient.calmed().await;
    assert_eq!(patient.store.load().await.unwrap(), patient.loaded);
    let left = patient.disk.power_cut(&mut Rng::with_seed(1), 0.0);
    let (store, _local) = open_on(&left, "two", small()).await.unwrap();
    assert_eq!(store.load().await.unwrap(), patient.loaded);
}

#[tokio::test]
async fn a_damaged_segment_may_have_grown_and_ended_since_it_was_read() {
    let mut patient = Patient::new().await;
    let (path, _) = patient.files().pop().unwrap();
    patient.disk.flip_bit(&path, 900).unwrap();
    let (after, head) = (files::number(&path).unwrap() - 1, patient.loaded.revision);
    let ended = || patient.store.engine.appender.segments().unwrap().last().copied();
    let mut last = head;
    while ended() == Some(after) {
        last += 1;
        fill(&patient.store, last..=last).await;
    }
    patient
        .store
        .engine
        .context
        .note(|condition| condition.damaged.replace(String::new()).is_none());
    patient.store.engine.queue.repair(pending::Damage::Segment(after));
    patient.repaired().await;
    patient.loaded = patient.store.load().await.unwrap();
    patient.recovers("ended").await;
}

#[tokio::test]
async fn a_file_that_is_gone_or_cannot_be_read_is_damage() {
    let patient = Patient::new().await;
    let (path, _) = patient.files().swap_remove(0);
    patient.disk.remove(&path).unwrap();
    let found = patient.store.verify_once().await.unwrap();
    assert_eq!(found, [format!("{}, byte 0: the file is gone", path.display())]);
    patient.recovers("gone").await;

    let patient = Patient::new().await;
    // The first file is opened, then read.
    patient.disk.fail_at(patient.disk.calls() + 1, Fault::Eio);
    let found = patient.store.verify_once().await.unwrap();
    assert!(found.len() == 1 && found[0].contains("it cannot be read"), "{found:?}");
    patient.recovers("not readable").await;
}

#[tokio::test]
async fn what_cannot_be_repaired_now_is_repaired_later() {
    let patient = Patient::new().await;
    let (path, _) = patient.files().swap_remove(0);
    patient.disk.flip_bit(&path, 900).unwrap();
    // The files stay, and nothing else finds room; so this is known once a look found it out.
    patient.disk.set_capacity(1);
    assert_eq!(patient.store.verify_once().await.unwrap().len(), 1);
    assert_eq!(patient.store.load().await.unwrap(), patient.loaded);
    patient.disk.set_capacity(1 << 30);
    patient.calmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_come_and_go_meanwhile_are_fine() {
    let disk = Faulty::new();
    let (store, _local) = open_on(&disk, "one", small()).await.unwrap();
    let (store, done) = (Arc::new(store), Arc::new(AtomicBool::new(false)));
    let verifier = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut passes = 0;
            while !done.load(Ordering::SeqCst) {
                assert_eq!(store.verify_once().await.unwrap(), [""; 0]);
                passes += 1;
            }
            passes
        }
    });
    fill(&store, 1..=150).await;
    // So that there are two checkpoints, however busy the machine is.
    store.rested().await;
    fill(&store, 151..=300).await;
    store.rested().await;
    store.close().await.unwrap();
    done.store(true, Ordering::SeqCst);
    assert!(verifier.await.unwrap() > 0);
    assert_eq!(store.engine.checkpoints.kept().len(), checkpoint::KEPT);
}

/// Notes each rest, and ends the work after so many.
#[derive(Debug)]
struct Noted {
    rests: Mutex<Vec<Duration>>,
    most: usize,
}

impl Pace for Noted {
    fn rest(&self, time: Duration) -> bool {
        let mut rests = self.rests.lock().unwrap();
        rests.push(time);
        rests.len() < self.most
    }
}

#[tokio::test]
async fn a_pass_is_spread_over_its_period_and_ends_when_told() {
    let patient = Patient::new().await;
    let (files, engine) = (patient.files(), &patient.store.engine);
    let day = Duration::from_secs(86_400);
    let noted = Noted { rests: Mutex::default(), most: usize::MAX };
    assert_eq!(engine.scrubber.verify(day, &noted), Some(Vec::new()));
    let rests = noted.rests.into_inner().unwrap();
    let share = day / files.len() as u32;
    assert_eq!(rests.iter().filter(|rest| **rest == share).count(), files.len());
    // What is read pauses too, at 16 MiB a second.
    let read: u64 = files.iter().map(|(_, len)| len).sum();
    let pauses: Duration = rests.iter().filter(|rest| **rest != share).sum();
    let expected = read as f64 / f64::from(16 << 20);
    assert!((pauses.as_secs_f64() - expected).abs() < 0.01, "{pauses:?} for {read} bytes");
    let noted = Noted { rests: Mutex::default(), most: 3 };
    assert_eq!(engine.scrubber.verify(day, &noted), None);
    assert_eq!(noted.rests.into_inner().unwrap().len(), 3);
}

#[tokio::test]
async fn an_attendant_that_rests_ends_with_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    store.run_maintenance(Some(Duration::from_secs(86_400))).unwrap();
    fill(&store, 1..=2).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(folder.path()).await.unwrap();
    store.run_maintenance(None).unwrap();
    drop(store);
    open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_known_before_a_write_and_passes_by_itself() {
    let (disk, settings) = (Faulty::new(), Settings { min_free_bytes: 64 << 10, ..small() });
    disk.set_capacity(1 << 20);
    let (store, _local) = open_on(&disk, "one", settings).await.unwrap();
    fill(&store, 1..=3).await;
    let condition = store.condition();
    let writes = || condition.borrow().writes.clone();
    store.engine.scrubber.check_space();
    assert_eq!(writes(), Writes::Taken);
    disk.set_capacity(60 << 10);
    store.engine.scrubber.check_space();
    assert!(
        matches!(writes(), Writes::ReadOnly(Lack::Room { free, needed: 65_536 }) if free < 60 << 10)
    );
    disk.set_capacity(1 << 20);
    store.engine.scrubber.check_space();
    assert_eq!(writes(), Writes::Taken);
    // A refused write says so at once, and an accepted one, too.
    disk.set_capacity(60 << 10);
    store.commit(fixtures::batch(3, &[4])).await.unwrap_err();
    assert!(matches!(writes(), Writes::ReadOnly { .. }));
    disk.set_capacity(1 << 20);
    fill(&store, 4..=4).await;
    assert_eq!(writes(), Writes::Taken);
    // A failure is for good.
    store.load().await.unwrap();
    disk.fail_at(disk.calls() + 2, Fault::SyncFailed);
    assert_eq!(store.commit(fixtures::batch(4, &[5])).await.unwrap(), Commit::Unknown);
    store.engine.scrubber.check_space();
    assert!(matches!(writes(), Writes::Failed(why) if why.contains("journal")));
    drop(store);
    assert!(condition.has_changed().is_err(), "it ends with the store");
}
