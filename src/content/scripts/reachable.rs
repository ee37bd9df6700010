//! Which scripts are reached from some, and which steps close a cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    domain::{UniqueName, agent_script::AgentScript},
};

/// An active script.
pub(in crate::content) fn active<'a>(
    catalog: &'a Catalog,
    name: &UniqueName,
) -> Option<&'a AgentScript> {
    catalog.tables.scripts.get(name).map(AsRef::as_ref).filter(|script| script.common.is_active())
}

/// The active scripts that are reached.
#[derive(Debug, Default)]
pub(super) struct Reachable<'a> {
    pub(super) scripts: BTreeMap<&'a UniqueName, &'a AgentScript>,
    /// Script and place of each step that leads back to where the way came through; without these
    /// steps no way comes to its beginning again.
    pub(super) closing: BTreeSet<(&'a UniqueName, usize)>,
}

/// Follows the steps of the given scripts and of those that they go on to, depth first, beginning
/// with the first by name: equal state is cut at equal steps.
pub(super) fn reachable<'a>(catalog: &'a Catalog, roots: &BTreeSet<UniqueName>) -> Reachable<'a> {
    let mut found = Reachable::default();
    for root in roots.iter().filter_map(|name| active(catalog, name)) {
        found.walk(catalog, root);
    }
    found
}

impl<'a> Reachable<'a> {
    /// Visits what is reached from one. The way is kept in a list of its own: chains of scripts may be
    /// longer than a stack.
    fn walk(&mut self, catalog: &'a Catalog, root: &'a AgentScript) {
        if self.scripts.insert(&root.common.unique_name, root).is_some() {
            return;
        }
        let mut on_the_way = BTreeSet::from([&root.common.unique_name]);
        let mut way = vec![(root, 0)];
        while let Some((script, next)) = way.last_mut() {
            let (script, at) = (*script, *next);
            let name = &script.common.unique_name;
            let Some(step) = script.steps.get(at) else {
                on_the_way.remove(name);
                way.pop();
                continue;
            };
            *next += 1;
            let Some(target) = step.script.as_ref().and_then(|t| active(catalog, t)) else {
                continue;
            };
            let target_name = &target.common.unique_name;
            if on_the_way.contains(target_name) {
                self.closing.insert((name, at));
            } else if self.scripts.insert(target_name, target).is_none() {
                on_the_way.insert(target_name);
                way.push((target, 0));
            }
        }
    }
}
