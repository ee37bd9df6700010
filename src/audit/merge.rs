//! Two lists, each newest first, as one: a page holds what is certain to be newer than everything
//! that was not read.

use crate::domain::Time;

/// Where a page ends in both lists. The next one holds what lies below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Revision of records.
    pub revision: i64,
    /// Number of entries in the log.
    pub sequence: u64,
}

/// What was read of one list.
#[derive(Debug)]
pub(super) struct Found<T, P> {
    /// What passed the filter, newest first, with its position.
    pub(super) items: Vec<(Time, P, T)>,
    /// Where reading stopped before the end of the list: the position below which it goes on, and a
    /// time that nothing unread is newer than.
    pub(super) stopped: Option<(P, Time)>,
}

/// A page of both lists, and the positions below which the next one begins; none after the last.
pub(super) struct Merged<T, A, B> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<(A, B)>,
}

/// How far a list got into a page.
struct Progress<P> {
    /// Position below which it goes on.
    at: P,
    /// Whether nothing of it is left.
    done: bool,
}

/// Merges what was read below `from` into a page of so many items and bytes; the first item is taken
/// whatever it weighs. `ended` are positions below which there is nothing.
pub(super) fn merge<T, A: Copy, B: Copy>(
    first: Found<T, A>,
    second: Found<T, B>,
    from: (A, B),
    ended: (A, B),
    (size, bytes): (usize, usize),
    weight: impl Fn(&T) -> usize,
) -> Merged<T, A, B> {
    let stops =
        [first.stopped.as_ref().map(|stop| stop.1), second.stopped.as_ref().map(|stop| stop.1)];
    let horizon = stops.into_iter().flatten().max();
    let certain = |time: &Time| horizon.is_none_or(|horizon| *time >= horizon);
    let (mut left, mut right) =
        (first.items.into_iter().peekable(), second.items.into_iter().peekable());
    let (mut at, mut items, mut sum) = (from, Vec::new(), 0);
    while items.len() < size {
        let times = (left.peek().map(|item| item.0), right.peek().map(|item| item.0));
        let of = |item: Option<&T>| item.map_or(0, &weight);
        sum += match times.0 >= times.1 {
            true => of(left.peek().map(|item| &item.2)),
            false => of(right.peek().map(|item| &item.2)),
        };
        if sum > bytes && !items.is_empty() {
            break;
        }
        // Of equals the one of the first list comes first: none is a time before all others.
        let item = if times.0 >= times.1 {
            left.next_if(|item| certain(&item.0)).map(|(_, position, item)| {
                at.0 = position;
                item
            })
        } else {
            right.next_if(|item| certain(&item.0)).map(|(_, position, item)| {
                at.1 = position;
                item
            })
        };
        let Some(item) = item else { break };
        items.push(item);
    }
    let left = progress(left.next().is_some(), at.0, first.stopped, ended.0);
    let right = progress(right.next().is_some(), at.1, second.stopped, ended.1);
    let next = (!(left.done && right.done)).then_some((left.at, right.at));
    Merged { items, next }
}

fn progress<P>(more: bool, at: P, stopped: Option<(P, Time)>, ended: P) -> Progress<P> {
    match stopped {
        _ if more => Progress { at, done: false },
        Some((below, _)) => Progress { at: below, done: false },
        None => Progress { at: ended, done: true },
    }
}
