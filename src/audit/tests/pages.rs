//! Pages of two lists: each entry once, newest first.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    super::{
        Audit, AuditQuery, Outcome, Settings,
        merge::{Found, merge},
    },
    audit, commit, entry,
};
use crate::{domain::Time, store::Memory};

/// A list that is read up to a place: what it holds at each time, whether each passes a filter.
fn list() -> impl Strategy<Value = Vec<(i64, bool)>> {
    prop::collection::vec((0_i64..20, any::<bool>()), 0..30).prop_map(|mut list| {
        list.sort_by_key(|item| std::cmp::Reverse(item.0));
        list
    })
}

/// What a read finds below a position: at most so many that pass, of so many in all.
fn find(
    list: &[(i64, bool)],
    tag: u8,
    below: usize,
    size: usize,
    scan: usize,
) -> Found<(u8, usize), usize> {
    let mut found = Found { items: Vec::new(), stopped: None };
    // Positions fall from the newest on; 0 is below the last.
    let rest = list.iter().zip((1..=list.len()).rev()).filter(|(_, at)| *at < below);
    for (read, ((time, passes), at)) in rest.enumerate() {
        let time = Time::from_micros(*time);
        if found.items.len() == size || read == scan {
            found.stopped = Some((at + 1, time));
            break;
        }
        if *passes {
            found.items.push((time, at, (tag, at)));
        }
    }
    found
}

proptest! {
    #[test]
    fn paging_gives_each_entry_once_and_in_order(
        first in list(), second in list(), size in 1_usize..6, scan in 1_usize..8, bytes in 1_usize..6,
    ) {
        let mut at = (usize::MAX, usize::MAX);
        let mut all = Vec::new();
        for round in 0.. {
            prop_assert!(round < 200, "it does not end");
            let left = find(&first, 0, at.0, size, scan);
            let right = find(&second, 1, at.1, size, scan);
            let page = merge(left, right, at, (0, 0), (size, bytes), |_| 1);
            prop_assert!(page.items.len() <= size.min(bytes.max(1)));
            all.extend(page.items);
            match page.next {
                Some(next) => at = next,
                None => break,
            }
        }
        let time = |(tag, at): &(u8, usize)| {
            let list = if *tag == 0 { &first } else { &second };
            list[list.len() - at].0
        };
        prop_assert!(all.windows(2).all(|pair| time(&pair[0]) >= time(&pair[1])));
        let passing = |list: &[(i64, bool)]| list.iter().filter(|item| item.1).count();
        prop_assert_eq!(all.len(), passing(&first) + passing(&second));
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), passing(&first) + passing(&second));
    }
}

#[tokio::test]
async fn entries_that_come_while_a_list_is_read_are_no_part_of_it() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    for at in 1..=3 {
        commit(&store, at).await;
        recorder.read(|| entry(&format!("jane{at}"), at)).unwrap().end(Outcome::Answered);
    }
    recorder.write().await;
    let first = reader.audit(AuditQuery::default(), None, 2).await.unwrap();
    // Later times than the page has, and earlier ones that are late.
    commit(&store, 4).await;
    recorder.read(|| entry("late", 1)).unwrap().end(Outcome::Answered);
    recorder.write().await;
    let (mut found, mut next) = (first.items, first.next);
    while let Some(from) = next {
        let page = reader.audit(AuditQuery::default(), Some(from), 2).await.unwrap();
        found.extend(page.items);
        next = page.next;
    }
    assert_eq!(found.iter().map(|e| e.time.micros()).collect::<Vec<_>>(), [3, 3, 2, 2, 1, 1]);
}
