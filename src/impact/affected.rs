//! Whose outcome a write changes (SPEC §7.1 rule 4).
//!
//! Users of one seat get one answer, so a seat is one comparison. Only seats of classes, and with
//! links, that the commit can concern are compared. The first hundred users are part of the record of
//! the write, because a repetition is answered the very same list; they are picked from the sorted
//! members of the seats, so the list costs the seats that differ and not their users.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Touched, first::first, leads::Leads, sides::Sides};
use crate::{
    catalog::{ClassId, Seat, Seated},
    domain::{UniqueName, UserId},
};

/// How many users an answer lists.
const LISTED: usize = 100;

/// A user whose profile differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedUser {
    /// The user.
    pub user: UserId,
    /// The profile before.
    pub from: UniqueName,
    /// The profile after.
    pub to: UniqueName,
}

/// Enabled human users, existing before and after, whose outcome a write changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Users whose profile differs.
    pub total_count: u64,
    /// The first hundred of them, ascending by id.
    pub users: Vec<AffectedUser>,
    /// Users with the same profile by another method.
    pub method_only: u64,
    /// Users with the same profile and another digest of its content.
    #[serde(default)]
    pub content_only: u64,
}

/// Users who get another profile: from which one to which one.
struct Led<'a> {
    from: UniqueName,
    to: UniqueName,
    users: Box<dyn Iterator<Item = &'a UserId> + 'a>,
}

/// A comparison in progress.
pub(super) struct Comparison<'a> {
    sides: Sides<'a>,
    leads: &'a Leads,
    touched: &'a Touched,
    counts: Affected,
    led: Vec<Led<'a>>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(sides: Sides<'a>, leads: &'a Leads, touched: &'a Touched) -> Self {
        Self { sides, leads, touched, counts: Affected::default(), led: Vec::new() }
    }

    /// Counts all, and lists the first.
    pub(super) fn affected(mut self) -> Affected {
        let old = self.sides.old.catalog;
        if self.touched.everyone {
            old.user_ids().for_each(|id| self.one_user(id));
        } else {
            let touched = self.touched;
            touched.users.iter().for_each(|id| self.one_user(id));
            if !self.leads.is_empty() || !touched.contents.is_empty() {
                self.seats();
            }
        }
        let (led, counts) = (self.led, self.counts);
        let (names, users): (Vec<_>, Vec<_>) =
            led.into_iter().map(|led| ((led.from, led.to), led.users)).unzip();
        let users = first(users, LISTED).into_iter().map(|(user, at)| {
            let (from, to) = names[at].clone();
            AffectedUser { user: user.clone(), from, to }
        });
        Affected { users: users.collect(), ..counts }
    }

    fn one_user(&mut self, id: &'a UserId) {
        let (old, new) = (self.sides.old.catalog, self.sides.new.catalog);
        if let (Some(before), Some(after)) = (old.user(id), new.user(id))
            && before.user.is_counted()
            && after.user.is_counted()
        {
            self.compare(&before, &after, 1, || Box::new([id].into_iter()));
        }
    }

    /// Users whom the commit does not change keep their seats, so each seat gets one comparison.
    fn seats(&mut self) {
        let (old, new, touched) = (self.sides.old.catalog, self.sides.new.catalog, self.touched);
        let classes = self.concerned_classes();
        let mut gone: BTreeMap<&Seat, usize> = BTreeMap::new();
        for seated in touched.users.iter().filter_map(|id| old.user(id)) {
            if seated.user.is_counted() {
                *gone.entry(seated.seat).or_default() += 1;
            }
        }
        for (seat, ids) in old.seats() {
            if !classes.contains(&seat.class) && !self.concerns_links(seat) {
                continue;
            }
            let count = ids.len() - gone.get(seat).copied().unwrap_or_default();
            let rest = move || ids.iter().filter(|id| !touched.users.contains(*id));
            if let Some(sample) = rest().next()
                && let (Some(before), Some(after)) = (old.user(sample), new.user(sample))
            {
                self.compare(&before, &after, count as u64, || Box::new(rest()));
            }
        }
    }

    /// Classes whose users without a link may count: exact for profile, method and gates.
    fn concerned_classes(&mut self) -> BTreeSet<ClassId> {
        let (old, new) = (self.sides.old.catalog, self.sides.new.catalog);
        let (leads, touched) = (self.leads, self.touched);
        let every = touched.contents.is_every();
        let mut concerned = BTreeSet::new();
        for (id, before) in old.classes() {
            let Some(after) = new.find_class(id) else { continue };
            let read = || leads.may_read(new, after);
            let led = || leads.may_lead((old, before), (new, after));
            let is_concerned = every
                || touched.gated.contains(id)
                || touched.led.contains(id)
                || (led() && self.sides.old.of_class(id) != self.sides.new.of_class(id))
                || (read() && touched.contents.contains(&self.sides.new.of_class(id).0));
            if is_concerned {
                concerned.insert(id);
            }
        }
        concerned
    }

    /// Whether a link of the seat leads to a profile that changed or has other content.
    fn concerns_links(&self, seat: &Seat) -> bool {
        let concerned =
            |name| self.leads.links.contains(name) || self.touched.contents.contains(name);
        seat.direct.links().iter().any(|link| concerned(&link.name))
    }

    /// Compares one user before and after, for all users of his seat, who ascend.
    fn compare(
        &mut self,
        before: &Seated<'_>,
        after: &Seated<'_>,
        count: u64,
        users: impl FnOnce() -> Box<dyn Iterator<Item = &'a UserId> + 'a>,
    ) {
        let (from, to) = (self.sides.old.winner(before), self.sides.new.winner(after));
        if from.0 != to.0 {
            self.counts.total_count += count;
            self.led.push(Led { from: from.0, to: to.0, users: users() });
            return;
        }
        if from.1 != to.1 {
            self.counts.method_only += count;
        }
        let (classes, may_differ) =
            ([before.seat.class, after.seat.class], self.touched.contents.contains(&to.0));
        if self.sides.content_differs(&to.0, classes, may_differ) {
            self.counts.content_only += count;
        }
    }
}
