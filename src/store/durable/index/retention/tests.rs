//! Random histories: the index keeps what a naive reading of the rules keeps, and nothing else.

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    super::{
        keys::{HISTORIES, NEEDED},
        write::LEAVING,
    },
    *,
};
use crate::{
    domain::{ObjectKey, Time},
    store::{
        HistoryQuery, REQUEST_AGE,
        conformance::fixtures,
        durable::{Ids, Retention},
    },
};

/// Records of the feed.
const FEED: usize = 4;
const RETENTION: Retention =
    Retention { records: FEED as u64, revisions: 6, directory_revisions: 2 };
const USERS: [&str; 3] = ["a", "a!", "jane"];

/// What a record does: with each user nothing, a put or a delete; whether it writes the settings;
/// whether it has a request id.
type Draft = ([Option<bool>; 3], bool, bool);

fn draft() -> impl Strategy<Value = Draft> {
    let user = || prop_oneof![5 => Just(None), 4 => Just(Some(true)), 1 => Just(Some(false))];
    ([user(), user(), user()], prop::bool::weighted(0.3), prop::bool::weighted(0.2))
}

fn ids() -> Ids {
    Ids { store: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) }
}

fn record(revision: Revision, (users, settings, asked): Draft) -> Record {
    let users = USERS.iter().zip(users).filter_map(|(id, put)| match put? {
        true => Some(fixtures::put_user(id, revision)),
        false => Some(fixtures::delete_user(id)),
    });
    let changes = users.chain(settings.then(|| fixtures::put_settings(revision))).collect();
    let plain = fixtures::record(revision, changes);
    if asked { fixtures::asked(plain, revision as u128) } else { plain }
}

/// The revisions that the history of an object has.
fn expected(records: &[Record], key: &ObjectKey) -> Vec<Revision> {
    let below = records.len().saturating_sub(FEED);
    let limit = RETENTION.revisions_of(key.kind);
    let change = |record: &Record| {
        let change = record.changes.iter().find(|change| change.key() == *key)?;
        Some(matches!(change, Change::Delete(_)))
    };
    let entries: Vec<_> = records
        .iter()
        .enumerate()
        .filter_map(|(at, record)| change(record).map(|deleted| (at, deleted)))
        .collect();
    // The object did not exist when its end left the feed.
    let ends = |&(at, deleted): &(usize, bool)| {
        deleted
            && at < below
            && !entries.iter().any(|(other, _)| (at + 1..=at + FEED).contains(other))
    };
    let end = entries.iter().rev().find(|entry| ends(entry)).map(|(at, _)| *at);
    let kept = entries.iter().enumerate().filter(|(nth, (at, _))| {
        let newer = entries.len() - 1 - nth;
        *at >= below || newer < limit && end.is_none_or(|end| *at > end)
    });
    kept.map(|(_, (at, _))| records[*at].revision).collect()
}

/// Compares all that the index has with what it should have. One that was rebuilt may go back
/// further: history files hold what was past keeping later.
fn compare(index: &Index, records: &[Record], remembered: bool, rebuilt: bool) {
    let below = records.len().saturating_sub(FEED);
    let keys = USERS.map(fixtures::user_key).into_iter();
    let mut needed = BTreeMap::<Revision, usize>::new();
    for key in keys.chain([fixtures::put_settings(1).key()]) {
        let expected = expected(records, &key);
        let limit = RETENTION.revisions_of(key.kind).max(expected.len());
        let query = HistoryQuery { key: Some(key), before: None, limit: 1_000 };
        let page = index.history(&query).unwrap();
        let found: Vec<_> = page.items.iter().rev().map(|record| record.revision).collect();
        found.iter().for_each(|revision| *needed.entry(*revision).or_default() += 1);
        let deeper = rebuilt && found.ends_with(&expected) && found.len() <= limit;
        assert!(found == expected || deeper, "{query:?}: {found:?}, not {expected:?}");
        assert!(page.items.iter().all(|item| records.contains(item)));
    }
    let all = HistoryQuery { limit: 1_000, ..HistoryQuery::default() };
    let feed = index.history(&all).unwrap().items;
    assert!(feed.iter().rev().eq(&records[below..]), "{feed:?}");
    let stays = |(at, record): &(usize, &Record)| {
        let asked = remembered && record.request.is_some();
        *at >= below || asked || needed.contains_key(&record.revision)
    };
    let kept = records.iter().enumerate().filter(stays).count();
    assert_eq!(index.keys_of(b"r/"), kept, "records");
    assert_eq!(index.keys_of(HISTORIES), needed.values().sum::<usize>(), "entries of histories");
    let trimmed = index.head().unwrap().trimmed;
    assert_eq!(index.keys_of(NEEDED), needed.range(..=trimmed).count(), "counts");
}

fn apply(index: &Index, record: &Record) {
    index.apply(&[(record.clone(), record.encode().unwrap())]).unwrap();
}

/// The same index, by way of two history files.
fn rebuilt(index: &Index, folder: &std::path::Path, records: &[Record]) -> Index {
    let fresh = Index::open(folder, ids(), RETENTION).unwrap();
    let head = index.head().unwrap();
    let mut import = fresh.begin_import();
    for (after, last) in [(0, head.revision / 2), (head.revision / 2, head.revision)] {
        index.export((after, last), |entry| import.add(entry)).unwrap();
        import.end_file(Head { revision: last, ..head }).unwrap();
    }
    import.finish().unwrap();
    let mut state = std::collections::BTreeSet::new();
    for change in records.iter().flat_map(|record| &record.changes) {
        let key = history_of(&change.key());
        let name = key[HISTORIES.len()..key.len() - 1].to_vec();
        match change {
            Change::Put(_) => drop(state.insert(name)),
            Change::Delete(_) => drop(state.remove(&name)),
        }
    }
    fresh.remove_ended(head.revision, &mut state.into_iter().map(Ok)).unwrap();
    fresh
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn each_history_goes_back_as_far_as_it_should(
        drafts in prop::collection::vec(draft(), 1..40), cut in 0..40_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(&folder.path().join("one"), ids(), RETENTION).unwrap();
        let mut records = Vec::new();
        let length = drafts.len();
        for (at, draft) in drafts.into_iter().enumerate() {
            if at == cut {
                index = rebuilt(&index, &folder.path().join("two"), &records);
            }
            records.push(record(3 * at as Revision + 1, draft));
            apply(&index, &records[at]);
            compare(&index, &records, true, at >= cut);
        }
        // A day later no request is remembered, and none holds a record.
        for _ in 0..records.len() + FEED + 2 {
            let revision = records.last().unwrap().revision + 1;
            let mut late = fixtures::record(revision, vec![]);
            late.time = Time::from_micros(REQUEST_AGE + 1_000 + revision);
            apply(&index, &late);
            records.push(late);
        }
        compare(&index, &records, false, cut < length);
        prop_assert_eq!(index.keys_of(REQUESTS), 0);
    }
}

#[test]
fn one_batch_with_many_revisions_of_an_object_keeps_as_many() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path(), ids(), RETENTION).unwrap();
    let put = |at| record(at, ([Some(true), None, Some(true)], at == 1, false));
    let mut records = Vec::new();
    for group in [1..=7, 8..=19, 20..=20, 21..=30] {
        let group: Vec<_> = group.map(put).collect();
        let stored: Vec<_> = group.iter().map(|r| (r.clone(), r.encode().unwrap())).collect();
        index.apply(&stored).unwrap();
        records.extend(group);
    }
    // A batch trims what was there before it.
    for at in 31..=40 {
        records.push(put(at));
        apply(&index, &records[at as usize - 1]);
    }
    compare(&index, &records, true, false);
}

#[test]
fn large_records_leave_a_few_with_each_batch_and_all_in_the_end() {
    const LARGE: i64 = 12;
    let retention = Retention { records: LARGE as u64, ..RETENTION };
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path(), ids(), retention).unwrap();
    let user = |at: i64, nth: i64| format!("{at}-{nth}");
    for at in 1..=LARGE {
        let users = (0..1_000).map(|nth| fixtures::put_user(&user(at, nth), at));
        apply(&index, &fixtures::record(at, users.collect()));
    }
    let small = |at| fixtures::record(at, vec![fixtures::put_user("a", at)]);
    let group: Vec<_> = (LARGE + 1..=2 * LARGE).map(small).collect();
    let stored: Vec<_> = group.iter().map(|r| (r.clone(), r.encode().unwrap())).collect();
    index.apply(&stored).unwrap();
    // The fifth is the one that makes the objects enough.
    let five = LEAVING.div_ceil(1_000) as i64;
    let mut left = 2 * LARGE - five;
    assert_eq!(index.head().unwrap().records, left);
    for at in 2 * LARGE + 1.. {
        apply(&index, &small(at));
        left = LARGE.max(left + 1 - five);
        assert_eq!(index.head().unwrap().records, left);
        if left == LARGE {
            break;
        }
    }
    // What left the feed is in the history of its objects.
    for at in [1, five, five + 1, LARGE] {
        let key = Some(fixtures::user_key(&user(at, 999)));
        let query = HistoryQuery { key, before: None, limit: 10 };
        let page = index.history(&query).unwrap();
        assert!(page.items.iter().map(|record| record.revision).eq([at]), "{at}");
    }
}
