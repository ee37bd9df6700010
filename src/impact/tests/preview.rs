//! A preview says what the commit would, with everybody in pages, and which findings come and go.

use std::collections::BTreeMap;

use super::{world::role_name, *};
use crate::domain::Finding;

/// The findings of a catalog that another one does not have.
fn only(these: &Catalog, others: &Catalog) -> Vec<Finding> {
    let key = |finding: &Finding| (finding.code, finding.subject.clone());
    let others: BTreeSet<_> = all_findings(others).iter().map(key).collect();
    let mut these = all_findings(these);
    these.retain(|finding| !others.contains(&key(finding)));
    these
}

/// All users of a preview, in pages of that size.
fn pages(old: &Catalog, new: &Catalog, delta: &Delta, size: usize) -> Vec<AffectedUser> {
    let mut users: Vec<AffectedUser> = Vec::new();
    loop {
        let after = users.last().map(|last| last.user.clone());
        let page = Preview::of(old, new, delta, after.as_ref(), size).affected.users;
        let end = page.len() < size;
        users.extend(page);
        if end {
            return users;
        }
    }
}

proptest! {
    #[test]
    fn a_preview_equals_the_commit(before in commit(24), changes in commit(5)) {
        let old = populated(&before);
        let (delta, new, impact) = impact(&old, &changes);
        let whole = one_by_one(&old, &new);
        let preview = Preview::of(&old, &new, &delta, None, 100);
        prop_assert_eq!(&preview.affected, &impact.affected);
        prop_assert_eq!(&preview.affected, &whole);
        for size in 1..4 {
            prop_assert_eq!(&pages(&old, &new, &delta, size), &whole.users);
        }
        let mut moves = BTreeMap::new();
        for AffectedUser { from, to, .. } in &whole.users {
            *moves.entry((from.clone(), to.clone())).or_insert(0) += 1;
        }
        prop_assert_eq!(preview.moves, moves);
    }

    #[test]
    fn findings_that_come_and_go_are_the_difference_of_all(
        before in commit(24),
        changes in commit(5),
    ) {
        let old = populated(&before);
        let (delta, new, _) = impact(&old, &changes);
        let found = Preview::of(&old, &new, &delta, None, 1).findings;
        prop_assert_eq!(found.appearing, only(&new, &old));
        prop_assert_eq!(found.disappearing, only(&old, &new));
    }
}

/// Many users of one role, whom a rank leads to one of two profiles.
#[test]
fn a_page_costs_what_it_holds() {
    let users = (0..200).map(|n| user(n, &[0], None, false));
    let objects = [
        role(0, None, false),
        session(0, true),
        tab(0, true),
        profile(0, Some(1), &[0], false, true),
        profile(1, Some(2), &[0], false, true),
    ];
    let seeded = builtin::objects(1, Time::default());
    let objects = seeded.into_iter().chain(objects).chain(users);
    let old = Catalog::from_objects(objects, 1, Time::default());
    let (delta, new, _) = impact(&old, &[Change::Put(profile(0, Some(3), &[0], false, true))]);
    let preview = Preview::of(&old, &new, &delta, None, 10);
    assert_eq!((preview.affected.total_count, preview.affected.users.len()), (200, 10));
    assert_eq!(preview.moves.into_values().collect::<Vec<_>>(), [200]);
    assert_eq!(pages(&old, &new, &delta, 64).len(), 200);
    assert_eq!(new.classes_holding(&role_name(0)).count(), 1);
}
