//! Circles in a graph of imports.

use std::collections::{BTreeMap, BTreeSet};

/// An import, from a file to another one.
pub(crate) type Arrow = (String, String);

/// Every set of files that all import each other, be it through others.
pub(crate) fn circles(arrows: &BTreeSet<Arrow>) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut back: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().insert(to);
        back.entry(to).or_default().insert(from);
    }
    let reach = |start: &str, graph: &BTreeMap<&str, BTreeSet<&str>>| {
        let (mut found, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(at) = open.pop() {
            let next = graph.get(at.as_str()).into_iter().flatten();
            open.extend(
                next.map(|next| (*next).to_owned()).filter(|next| found.insert(next.clone())),
            );
        }
        found
    };
    let (mut circles, mut seen) = (Vec::new(), BTreeSet::new());
    for start in next.keys() {
        if seen.contains(*start) {
            continue;
        }
        let ahead = reach(start, &next);
        if ahead.contains(*start) {
            let circle: BTreeSet<String> =
                ahead.intersection(&reach(start, &back)).cloned().collect();
            seen.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}
