//! Stores and backups as every format wrote them; see `tests/data/stores/README.md`.

use super::*;
use crate::store::Memory;

/// The last revision in each of them.
const REVISIONS: Revision = 30;

fn stores() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stores");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stores: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    stores.sort();
    stores
}

/// Copies a folder with the folders in it.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in content(from) {
        let path = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

async fn holds(folder: &Path) {
    let store = Durable::open(folder, small()).await.unwrap();
    let model = Memory::new();
    for at in 1..=REVISIONS {
        model.commit(fixtures::batch(at - 1, &[at])).await.unwrap();
    }
    assert_eq!(store.load().await.unwrap(), model.load().await.unwrap());
    assert_eq!(history(&store).await, (1..=REVISIONS).collect::<Vec<_>>());
    store.close().await.unwrap();
}

#[tokio::test]
#[ignore = "writes the fixture of a format"]
async fn write_fixture() {
    let folder = PathBuf::from(std::env::var("FIXTURE").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let home = folder.join("store");
    let store = Durable::open(&home, small()).await.unwrap();
    fill(&store, 1..=20).await;
    store.rested().await;
    store.close().await.unwrap();
    drop(store);
    let store = Durable::open(&home, small()).await.unwrap();
    fill(&store, 21..=30).await;
    store.rested().await;
    let mut out = std::fs::File::create(folder.join("backup.dpbk")).unwrap();
    backup(&home, Target::Stream(&mut out), crate::domain::Time::default(), &mut |_| {}).unwrap();
    drop(store);
    std::fs::remove_dir_all(home.join("index")).unwrap();
    for name in ["lock", "boot.mark"] {
        std::fs::remove_file(home.join(name)).unwrap();
    }
}

#[tokio::test]
async fn stores_and_backups_of_every_format_are_read() {
    let stores = stores();
    assert_eq!(stores.len(), 4, "{stores:?}");
    for written in stores {
        let home = tempfile::tempdir().unwrap();
        copy(&written.join("store"), home.path());
        assert_eq!(examine(home.path(), false).unwrap().health, Health::Healthy, "{written:?}");
        holds(home.path()).await;

        let home = tempfile::tempdir().unwrap();
        let mut backup = std::fs::File::open(written.join("backup.dpbk")).unwrap();
        restore(Source::Stream(&mut backup), home.path(), &mut |_| {}).unwrap();
        holds(home.path()).await;
    }
}
