//! The cases of the boot protocol, one by one.

use uuid::Uuid;

use super::*;

/// A store of five revisions that was closed, or killed.
async fn five(closed: bool) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    fill(&store, 1..=5).await;
    let loaded = store.load().await.unwrap();
    if closed {
        store.close().await.unwrap();
    }
    (folder, loaded)
}

async fn holds(store: &Durable, loaded: &Loaded) {
    assert_eq!(store.load().await.unwrap(), *loaded, "from checkpoint and journal");
    assert_eq!(store.load().await.unwrap(), *loaded, "once more");
    assert_eq!(history(store).await, [1, 2, 3, 4, 5]);
}

/// What a start refuses with; the journal, checkpoints and marks stay as they are.
async fn refusal(folder: &Path) -> String {
    let kept = || {
        let mut kept = content(folder);
        kept.retain(|(path, _)| {
            !["index", "lock"].iter().any(|own| path.starts_with(folder.join(own)))
        });
        kept
    };
    let before = kept();
    let error = open(folder).await.unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error:?}");
    assert_eq!(kept(), before, "something was touched");
    let text = error.to_string();
    assert!(text.contains("restore a backup") && text.contains("deskplane doctor"), "{text}");
    text
}

/// The newest segment and where its last group ends.
fn segment(folder: &Path) -> (PathBuf, usize) {
    let path = files_of(folder, "journal", segment::ENDING).pop().unwrap();
    let used = std::fs::read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    (path, (used + 1).next_multiple_of(frame::ALIGN))
}

/// Where the frames of a segment begin.
fn frames(path: &Path) -> Vec<usize> {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut found) = (segment::HEADER, Vec::new());
    while let Some(frame) = frame::parse(&bytes[at..]) {
        found.push(at);
        at += frame.size();
    }
    found
}

#[tokio::test]
async fn after_a_clean_stop_nothing_is_repaired() {
    let (folder, loaded) = five(true).await;
    let closed_at = || mark::read::<mark::State>(&Disk, folder.path()).unwrap().unwrap().closed_at;
    assert_eq!(closed_at(), Some(5));
    assert_eq!(files_of(folder.path(), "checkpoint", "ckpt").len(), 1);
    // Another boot of the machine makes no difference.
    let store = open_rebooted(folder.path(), "other").await.unwrap();
    assert_eq!(closed_at(), None);
    holds(&store, &loaded).await;
    fill(&store, 6..=6).await;
}

#[tokio::test]
async fn a_closed_store_takes_no_commits_and_closes_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    fill(&store, 1..=1).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.commit(fixtures::batch(1, &[2])).await, Err(Error::Broken)));
}

#[tokio::test]
async fn a_killed_store_goes_on() {
    let (folder, loaded) = five(false).await;
    let store = open(folder.path()).await.unwrap();
    holds(&store, &loaded).await;
    fill(&store, 6..=9).await;
    drop(store);
    assert_eq!(history(&open(folder.path()).await.unwrap()).await, (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_another_boot_the_index_is_built_anew() {
    let (folder, loaded) = five(false).await;
    let stray = folder.path().join("index/stray");
    std::fs::write(&stray, b"of the old index").unwrap();
    let store = open_rebooted(folder.path(), "other").await.unwrap();
    holds(&store, &loaded).await;
    store.followed().await.unwrap();
    assert!(!stray.exists() && !folder.path().join("index.fresh").exists());
    drop(store);
    // The boot is known now.
    std::fs::write(&stray, b"of the new index").unwrap();
    holds(&open_rebooted(folder.path(), "other").await.unwrap(), &loaded).await;
    assert!(stray.exists());
}

#[tokio::test]
async fn a_damaged_checkpoint_refuses_nothing_while_there_is_an_index() {
    let (folder, loaded) = five(true).await;
    let path = &files_of(folder.path(), "checkpoint", "ckpt")[0];
    let sound = std::fs::read(path).unwrap();
    let mut from_checkpoint = 0;
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        std::fs::write(path, bytes).unwrap();
        let layout = Layout::new(Arc::new(Disk), folder.path(), folder.path(), None);
        let ids = mark::read::<Ids>(&Disk, folder.path()).unwrap().unwrap();
        let scan = journal::Scan::read(&Disk, &layout.journal(), ids, 0).unwrap();
        // A state is right, or there is none.
        if let Ok(objects) = state::objects(&layout, ids, &scan, Some(5), i64::MAX) {
            let requests = objects.requests(&layout, ids, state::Past::Files(&[])).unwrap();
            assert_eq!(objects.with(requests), loaded, "byte {at}");
            from_checkpoint += 1;
        }
    }
    assert!(from_checkpoint < sound.len() / 10, "{from_checkpoint} of {}", sound.len());
    holds(&open(folder.path()).await.unwrap(), &loaded).await;
}

#[tokio::test]
async fn writes_do_not_wait_for_the_index() {
    let (folder, _) = five(false).await;
    // Each life ends while the index is built, or soon after.
    for at in 6..=20 {
        let store = open_rebooted(folder.path(), &at.to_string()).await.unwrap();
        assert_eq!(store.load().await.unwrap().revision, at - 1);
        fill(&store, at..=at).await;
    }
    let store = open_rebooted(folder.path(), "last").await.unwrap();
    assert_eq!(history(&store).await, (1..=20).collect::<Vec<_>>());
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded, store.load().await.unwrap());
}

#[tokio::test]
async fn an_index_that_cannot_be_used_is_built_anew() {
    for closed in [false, true] {
        let (folder, loaded) = five(closed).await;
        let index = folder.path().join("index");
        for spoil in 0..4 {
            match spoil {
                0 => std::fs::remove_dir_all(&index).unwrap(),
                1 => std::fs::write(index.join("conf"), b"no settings at all").unwrap(),
                2 => std::fs::write(index.join("snap.00000000FFFFFFFF.generating"), b"x").unwrap(),
                _ => {
                    std::fs::remove_dir_all(&index).unwrap();
                    ::sled::open(&index).unwrap().insert(b"other", b"data").unwrap();
                }
            }
            let store = open(folder.path()).await.unwrap();
            holds(&store, &loaded).await;
            if closed {
                store.close().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_journal_that_an_unusable_index_needs_is_judged_with_nothing_touched() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 2 << 10, ..large() };
    let store = Durable::open(folder.path(), settings).await.unwrap();
    fill(&store, 1..=20).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::write(folder.path().join("index/conf"), b"no settings at all").unwrap();
    let oldest = files_of(folder.path(), "journal", segment::ENDING).swap_remove(0);
    let frame = frames(&oldest)[0];
    flip(&oldest, frame + 60);
    let checkpoint = files_of(folder.path(), "checkpoint", "ckpt").swap_remove(0);
    for _ in 0..2 {
        let text = refusal(folder.path()).await;
        assert!(text.contains(oldest.to_str().unwrap()), "{text}");
    }
    // With the journal whole again a damaged checkpoint does no harm.
    flip(&oldest, frame + 60);
    flip(&checkpoint, 200);
    assert_eq!(history(&open(folder.path()).await.unwrap()).await.len(), 20);
}

#[tokio::test]
async fn a_damaged_checkpoint_is_put_aside_for_what_lies_before_it() {
    let (folder, _) = five(true).await;
    let store = open(folder.path()).await.unwrap();
    fill(&store, 6..=7).await;
    store.close().await.unwrap();
    drop(store);
    let loaded = open(folder.path()).await.unwrap().load().await.unwrap();
    let checkpoints = files_of(folder.path(), "checkpoint", "ckpt");
    assert_eq!(checkpoints.len(), 2);
    for (damaged, boot) in checkpoints.iter().rev().zip(["second", "third"]) {
        let length = std::fs::metadata(damaged).unwrap().len() as usize;
        flip(damaged, length / 2);
        let store = open_rebooted(folder.path(), boot).await.unwrap();
        assert_eq!(store.load().await.unwrap(), loaded);
        assert_eq!(history(&store).await, (1..=7).collect::<Vec<_>>());
        assert!(!damaged.exists() && damaged.with_extension("damaged").exists());
    }
}

#[tokio::test]
async fn a_torn_tail_is_cut() {
    let (folder, _) = five(false).await;
    let (path, end) = segment(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    // A group of two frames, of which the first did not reach the disk.
    let torn = frame::encode(Uuid::nil(), 5, &[(6, vec![1; 100]), (7, vec![2; 100])]);
    bytes[end + 8..end + torn.len()].copy_from_slice(&torn[8..]);
    std::fs::write(&path, &bytes).unwrap();
    let store = open(folder.path()).await.unwrap();
    assert_eq!(history(&store).await, [1, 2, 3, 4, 5]);
    assert_eq!(segment(folder.path()), (path, end));
    fill(&store, 6..=6).await;
}

#[tokio::test]
async fn a_group_is_replayed_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await.unwrap();
    fill(&store, 1..=2).await;
    store.commit(fixtures::batch(2, &[3, 4, 5])).await.unwrap();
    drop(store);
    let (path, end) = segment(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let frames = frames(&path);
    let (first, last) = (frames[2], frames[4]);
    for (at, boot) in [first, first + 50, last - 8, last, last + 60, end - 8].iter().zip(0..) {
        let mut cut = whole.clone();
        cut[*at..].fill(0);
        std::fs::write(&path, cut).unwrap();
        let store = open_rebooted(folder.path(), &format!("{boot}")).await.unwrap();
        assert_eq!(history(&store).await, [1, 2], "cut at {at}");
        drop(store);
        assert_eq!(segment(folder.path()).1, first);
    }
    std::fs::write(&path, whole).unwrap();
    let store = open_rebooted(folder.path(), "whole").await.unwrap();
    assert_eq!(history(&store).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_bad_frame_before_a_good_one_is_refused_with_its_place() {
    let (folder, loaded) = five(false).await;
    let (path, _) = segment(folder.path());
    let frames = frames(&path);
    for (bad, boot) in [(frames[0], "second"), (frames[3], "third")] {
        flip(&path, bad + 60);
        let text = refusal(folder.path()).await;
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains(&format!("byte {bad}")), "{text}");
        flip(&path, bad + 60);
        holds(&open_rebooted(folder.path(), boot).await.unwrap(), &loaded).await;
    }
}

#[tokio::test]
async fn what_was_seen_at_the_end_and_is_gone_is_refused() {
    for closed in [true, false] {
        let (folder, loaded) = five(closed).await;
        let (path, _) = segment(folder.path());
        let last = *frames(&path).last().unwrap();
        flip(&path, last + 60);
        assert!(refusal(folder.path()).await.contains("ends at revision 4"));
        flip(&path, last + 60);
        holds(&open(folder.path()).await.unwrap(), &loaded).await;
    }
}

#[tokio::test]
async fn a_gap_in_the_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 2 << 10, ..large() };
    let store = Durable::open(folder.path(), settings).await.unwrap();
    fill(&store, 1..=20).await;
    drop(store);
    let segments = files_of(folder.path(), "journal", segment::ENDING);
    assert!(segments.len() > 4, "{segments:?}");
    for gone in [&segments[0], &segments[2]] {
        let aside = folder.path().join("aside");
        std::fs::rename(gone, &aside).unwrap();
        assert!(refusal(folder.path()).await.contains("missing"));
        std::fs::rename(&aside, gone).unwrap();
    }
    let sealed = frames(&segments[2]);
    flip(&segments[2], *sealed.last().unwrap() + 60);
    refusal(folder.path()).await;
    flip(&segments[2], *sealed.last().unwrap() + 60);
    assert_eq!(history(&open(folder.path()).await.unwrap()).await.len(), 20);
}

#[tokio::test]
async fn what_belongs_to_another_store_is_refused() {
    let (ours, _) = five(false).await;
    let (other, _) = five(false).await;
    let (path, _) = segment(ours.path());
    std::fs::copy(segment(other.path()).0, &path).unwrap();
    assert!(refusal(ours.path()).await.contains("another store"));
    std::fs::copy(other.path().join("store.mark"), ours.path().join("store.mark")).unwrap();
    assert_eq!(history(&open(ours.path()).await.unwrap()).await, [1, 2, 3, 4, 5]);
    std::fs::remove_file(ours.path().join("store.mark")).unwrap();
    assert!(refusal(ours.path()).await.contains("the mark of the store is gone"));
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_refused() {
    let (folder, loaded) = five(true).await;
    let (segment, _) = segment(folder.path());
    let mark = folder.path().join("store.mark");
    let newer = |path: &Path, crc: std::ops::Range<usize>, covered: fn(&[u8]) -> u32| {
        let old = std::fs::read(path).unwrap();
        let mut bytes = old.clone();
        bytes[8..12].copy_from_slice(&2_u32.to_be_bytes());
        let sum = covered(&bytes).to_be_bytes();
        bytes[crc].copy_from_slice(&sum);
        std::fs::write(path, bytes).unwrap();
        old
    };
    let header: fn(&[u8]) -> u32 = |bytes| crc32c::crc32c(&bytes[..56]);
    let sealed: fn(&[u8]) -> u32 =
        |bytes| crc32c::crc32c_append(crc32c::crc32c(&bytes[8..12]), &bytes[16..]);
    for (path, crc, covered) in [(&segment, 56..60, header), (&mark, 12..16, sealed)] {
        let old = newer(path, crc, covered);
        let before = content(folder.path());
        let error = open(folder.path()).await.unwrap_err();
        assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
        assert_eq!(content(folder.path()), before);
        std::fs::write(path, old).unwrap();
    }
    holds(&open(folder.path()).await.unwrap(), &loaded).await;
}

#[tokio::test]
async fn a_damaged_clean_mark_promises_nothing() {
    let (folder, loaded) = five(true).await;
    flip(&folder.path().join("state.mark"), 20);
    holds(&open_rebooted(folder.path(), "other").await.unwrap(), &loaded).await;
}

#[tokio::test]
async fn a_folder_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(::sled::open(folder.path()).unwrap());
    assert!(refusal(folder.path()).await.contains("no store of this program"));
}
