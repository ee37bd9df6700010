//! Power cuts while a backup is restored: the store is whole, the folder is refused with the cure,
//! or nothing of it was made.

use fastrand::Rng;

use super::{
    machine::{KEPT, scratch},
    *,
};

/// How the cuts ended.
#[derive(Debug, Default)]
struct Ends {
    whole: u32,
    refused: u32,
    nothing: u32,
}

/// Cuts the power at random calls of a restore, from a folder and from a stream in turn.
pub(super) async fn cut_restores(cuts: u32) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let store = Durable::open(&data, small()).await.unwrap();
    fill(&store, 1..=60).await;
    let loaded = store.load().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let (copy, mut stream) = (home.path().join("backup"), Vec::new());
    let (folder, no_time) = (Target::Folder(&copy), crate::domain::Time::default());
    backup(&data, folder, no_time, &mut |_| {}).unwrap();
    backup(&data, Target::Stream(&mut stream), no_time, &mut |_| {}).unwrap();
    let restored = |disk: &Faulty, local: &Path, streamed: bool| {
        let layout = Layout::new(Arc::new(disk.clone()), Path::new("/data"), local, None);
        let mut input = &stream[..];
        let origin = match streamed {
            true => restore::Origin::Stream(&mut input),
            false => restore::Origin::Folder(&Disk, &copy),
        };
        restore::restore_at(&layout, origin, &mut |_| {})
    };
    let calls = [false, true].map(|streamed| {
        let dry = Faulty::new();
        restored(&dry, scratch().path(), streamed).unwrap();
        dry.calls()
    });
    let (mut random, mut ends) = (Rng::with_seed(u64::from(cuts)), Ends::default());
    for cut in 0..cuts as usize {
        let (streamed, keep) = (cut % 2 == 1, KEPT[cut / 2 % KEPT.len()]);
        let (disk, local) = (Faulty::new(), scratch());
        let all = calls[usize::from(streamed)];
        // Beyond the last call the power goes when the restore is done.
        let at = if cut % 10 < 2 { all } else { random.usize(0..all + 2) };
        disk.fail_at(at, Fault::PowerOff);
        let done = restored(&disk, local.path(), streamed);
        let left = disk.power_cut(&mut random, keep);
        let before = left.files();
        let scratch = scratch();
        let layout = Layout::new(Arc::new(left.clone()), Path::new("/data"), scratch.path(), None);
        match Durable::open_at(layout, small()).await {
            Ok(store) if store.load().await.unwrap() == loaded => ends.whole += 1,
            Ok(store) => {
                assert!(done.is_err(), "cut {cut}: it was done");
                assert_eq!(store.load().await.unwrap(), Loaded::default(), "cut {cut}");
                assert!(before.is_empty(), "cut {cut}: {:?}", before.keys());
                ends.nothing += 1;
            }
            Err(error) => {
                assert!(done.is_err(), "cut {cut}: it was done, {error}");
                assert!(error.to_string().contains("restore a backup"), "cut {cut}: {error}");
                assert!(left.files() == before, "cut {cut}: something was touched");
                ends.refused += 1;
            }
        }
    }
    println!("power cuts, restore: {cuts} cuts, none wrong; {ends:?}");
    assert!(ends.whole > 0 && ends.refused > 0, "{ends:?}");
}

#[tokio::test]
async fn a_restore_that_loses_its_power_is_whole_or_refused() {
    cut_restores(40).await;
}
