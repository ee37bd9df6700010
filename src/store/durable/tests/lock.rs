//! Who has a folder has it, whatever becomes of the files in it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A folder in a home of its own, with a store that is open.
async fn home() -> (tempfile::TempDir, PathBuf, Durable) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let store = open(&folder).await.unwrap();
    store.followed().await.unwrap();
    fill(&store, 1..=2).await;
    store.followed().await.unwrap();
    (home, folder, store)
}

fn in_use<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::InUse(_)))
}

#[tokio::test]
async fn a_lock_file_that_was_removed_or_replaced_changes_nothing() {
    let (_home, folder, store) = home().await;
    let lock = folder.join("lock");
    let spoils: [fn(&Path); 3] = [
        |lock| fs::remove_file(lock).unwrap(),
        |lock| fs::write(lock, b"").unwrap(),
        |lock| {
            fs::rename(lock, lock.with_extension("old")).unwrap();
            fs::write(lock, b"another").unwrap();
        },
    ];
    for (spoil, at) in spoils.into_iter().zip(3..) {
        spoil(&lock);
        assert!(in_use(open(&folder).await), "a second server");
        assert!(in_use(examine(&folder, true)), "the doctor");
        let source = Source::Folder(&folder);
        assert!(restore(source, &folder, &mut |_| {}).is_err(), "a restore");
        fill(&store, at..=at).await;
    }
    assert_eq!(*store.condition().borrow(), Condition::default());
    store.close().await.unwrap();
    drop(store);
    assert_eq!(history(&open(&folder).await.unwrap()).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_doctor_keeps_a_server_out() {
    let (_home, folder, store) = home().await;
    store.close().await.unwrap();
    drop(store);
    fs::remove_file(folder.join("lock")).unwrap();
    let lock = folder::take_existing(&folder).unwrap().unwrap();
    assert!(in_use(open(&folder).await));
    assert!(!folder.join("lock").exists(), "it was made before the folder was ours");
    drop(lock);
    drop(open(&folder).await.unwrap());
}

#[tokio::test]
async fn a_folder_that_was_moved_away_or_replaced_is_written_no_more() {
    for replaced in [false, true] {
        let (home, folder, store) = home().await;
        let failed = store.failed();
        fs::rename(&folder, home.path().join("moved")).unwrap();
        let second = match replaced {
            true => {
                let second = open(&folder).await.unwrap();
                second.followed().await.unwrap();
                fill(&second, 1..=1).await;
                second.followed().await.unwrap();
                Some(second)
            }
            false => None,
        };
        let names = |folder: &Path| -> Vec<PathBuf> {
            let live = folder.join("index");
            let all = content(folder).into_iter().map(|(path, _)| path);
            all.filter(|path| !path.starts_with(&live)).collect()
        };
        let before = second.as_ref().map(|_| names(&folder));
        let refused = store.commit(fixtures::batch(2, &[3])).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert!(failed.await.contains("data"));
        store.close().await.unwrap_err();
        drop(store);
        assert_eq!(second.as_ref().map(|_| names(&folder)), before, "the first one wrote on");
        assert_eq!(folder.exists(), replaced);
        if let Some(second) = second {
            fill(&second, 2..=2).await;
            assert_eq!(history(&second).await, [1, 2]);
        }
        let moved = open(&home.path().join("moved")).await.unwrap();
        assert_eq!(history(&moved).await, [1, 2]);
    }
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_noticed_without_a_write() {
    let home = tempfile::tempdir().unwrap();
    let (link, first) = (home.path().join("data"), home.path().join("first"));
    fs::create_dir(&first).unwrap();
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let store = open(&link).await.unwrap();
    assert!(in_use(open(&first).await), "by another name");
    fill(&store, 1..=1).await;
    fs::create_dir(home.path().join("second")).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(home.path().join("second"), &link).unwrap();
    store.engine.scrubber.check_space();
    assert!(
        matches!(&store.condition().borrow().writes, Writes::Failed(why) if why.contains("data"))
    );
}

#[test]
fn where_folders_cannot_be_locked_the_file_is_looked_at() {
    let home = tempfile::tempdir().unwrap();
    let (folder, lock) = (home.path(), home.path().join("lock"));
    let spoils: [fn(&Path); 2] = [
        |lock| fs::remove_file(lock).unwrap(),
        |lock| {
            fs::remove_file(lock).unwrap();
            fs::write(lock, b"").unwrap();
        },
    ];
    for spoil in spoils {
        let held = folder::take_without_dir(folder).unwrap();
        held.holds().unwrap();
        assert!(in_use(folder::take_without_dir(folder)));
        spoil(&lock);
        let lost = held.holds().unwrap_err().to_string();
        assert!(lost.contains("`lock`") && lost.contains("another server"), "{lost}");
    }
}

#[tokio::test]
async fn a_new_folder_belongs_to_its_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("new/data");
    drop(open(&folder).await.unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
}
