//! The state of a start: many blocks of a checkpoint, and changes above it.

use super::*;
use crate::{
    domain::{Change, Object, directory::User},
    store::Memory,
};

/// Users of the checkpoint: more than one thread's share of blocks.
const USERS: usize = 20_000;

/// An id that sorts as its number does.
fn id(number: usize) -> String {
    format!("user.{number:06}")
}

/// The same user with a long name, so that many blocks take few users.
fn wide(change: Change) -> Change {
    let Change::Put(Object::User(user)) = change else { return change };
    let display_name = "wide ".repeat(40);
    Change::Put(Object::User(Arc::new(User { display_name, ..(*user).clone() })))
}

async fn commit(stores: [&dyn Store; 2], revision: Revision, changes: Vec<Change>) {
    let batch = || {
        let record = fixtures::record(revision, changes.clone());
        Batch::new(revision - 1, vec![fixtures::asked(record, revision.unsigned_abs().into())])
    };
    for store in stores {
        let done = store.commit(batch().unwrap()).await.unwrap();
        assert_eq!(done, Commit::Committed(revision));
    }
}

#[tokio::test]
async fn changes_find_their_place_among_the_blocks_of_a_checkpoint() {
    let (folder, model) = (tempfile::tempdir().unwrap(), Memory::new());
    let store = open(folder.path()).await.unwrap();
    // Even numbers, so that there is room before, between and behind them.
    let all = (1..=USERS).map(|number| wide(fixtures::put_user(&id(2 * number), 1))).collect();
    commit([&store, &model], 1, all).await;
    store.close().await.unwrap();
    drop(store);

    let store = open(folder.path()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    for revision in 2..=20 {
        let mut change = |_| {
            let number = random.usize(1..2 * USERS + 50);
            match random.bool() {
                true => fixtures::put_user(&id(number), revision),
                false => fixtures::delete_user(&id(number)),
            }
        };
        let mut changes: Vec<_> = (0..100).map(&mut change).collect();
        changes.sort_by_key(|change| change.key().name);
        changes.dedup_by_key(|change| change.key().name);
        commit([&store, &model], revision, changes).await;
    }
    drop(store);

    let expected = model.load().await.unwrap();
    assert_eq!(expected.requests.len(), 20);
    for boot in ["same", "other"] {
        let store = open_rebooted(folder.path(), boot).await.unwrap();
        let path = &files_of(folder.path(), "checkpoint", "ckpt")[0];
        let ids = store.engine.context.ids;
        let outline = sorted::Outline::read(&Disk, path, checkpoint::KIND, ids);
        let blocks = outline.unwrap().within(b"s/", b"s0").len();
        assert!(blocks > 16, "{blocks} blocks are too few for two threads");
        assert_eq!(store.load().await.unwrap(), expected, "from checkpoint and journal");
        assert_eq!(store.load().await.unwrap(), expected, "once more");
    }
}

#[tokio::test]
async fn changes_are_found_above_a_checkpoint_without_objects() {
    let (folder, model) = (tempfile::tempdir().unwrap(), Memory::new());
    let store = open(folder.path()).await.unwrap();
    commit([&store, &model], 1, vec![]).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(folder.path()).await.unwrap();
    commit([&store, &model], 2, vec![fixtures::put_user("jane", 2)]).await;
    drop(store);
    let store = open(folder.path()).await.unwrap();
    assert_eq!(files_of(folder.path(), "checkpoint", "ckpt").len(), 1);
    assert_eq!(store.load().await.unwrap(), model.load().await.unwrap());
}
