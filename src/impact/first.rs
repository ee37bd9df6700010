//! The first of very many users, picked from groups that ascend.

use std::{cmp::Reverse, collections::BinaryHeap};

/// The first `most` items of some groups together, ascending, each with the place of its group. Takes
/// the first item of every group, and for each answer one more of its group.
pub(super) fn first<T: Ord, I: Iterator<Item = T>>(
    groups: impl IntoIterator<Item = I>,
    most: usize,
) -> Vec<(T, usize)> {
    let mut groups: Vec<I> = groups.into_iter().collect();
    let heads = groups.iter_mut().enumerate();
    let mut heads: BinaryHeap<_> =
        heads.filter_map(|(at, group)| Some(Reverse((group.next()?, at)))).collect();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(Reverse((item, at))) = heads.pop()
    {
        heads.extend(groups[at].next().map(|next| Reverse((next, at))));
        found.push((item, at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_all_groups_come_in_order() {
        let groups = [vec![2, 3, 9], vec![], vec![1, 7], vec![4]];
        let of = |most| first(groups.iter().map(|group| group.iter()), most);
        assert_eq!(of(4), [(&1, 2), (&2, 0), (&3, 0), (&4, 3)]);
        assert_eq!(of(99).len(), 6);
        assert_eq!(of(0), []);
    }
}
