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
async fn stores_and_backups_of_every_format_are_read() {
    let stores = stores();
    assert!(stores.len() >= 2, "{stores:?}");
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
