//! Whose outcome a write changes (SPEC §7.1 rule 4).
//!
//! Users of one seat get one answer, so a seat is one comparison. Only seats of classes, and with
//! links, that the commit can concern are compared. The first hundred users are part of the record of
//! the write, because a repetition is answered the very same list; they are picked from the sorted
//! members of the seats, so the list costs the seats that differ and not their users.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Touched,
    first::first,
    leads::Leads,
    sides::{Sides, Winner},
};
use crate::{
    catalog::{ClassId, Direct, Members, Seat, Seated},
    domain::{UniqueName, UserId},
};

/// Seats that can be looked at in the time of the look-up of a user, about.
pub(super) const LOOK_UP: usize = 32;
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
#[derive(Debug)]
struct Led<'a> {
    from: &'a UniqueName,
    to: &'a UniqueName,
    count: u64,
    users: Users<'a>,
}

/// Users who are compared as one, ascending.
#[derive(Debug)]
enum Users<'a> {
    One(UserId),
    /// Those in a seat, but for those whom the commit itself changed.
    Seat(Members<'a>, &'a BTreeSet<UserId>),
}

impl<'a> Users<'a> {
    /// Those behind a user, or all.
    fn after(&self, user: Option<&UserId>) -> Box<dyn Iterator<Item = UserId> + '_> {
        match self {
            Self::One(id) => {
                let id = Some(id).filter(|id| user.is_none_or(|user| *id > user));
                Box::new(id.cloned().into_iter())
            }
            Self::Seat(ids, changed) => {
                let ids: Box<dyn Iterator<Item = UserId> + '_> = match user {
                    None => Box::new(ids.iter()),
                    Some(user) => Box::new(ids.after(user)),
                };
                Box::new(ids.filter(|id| !changed.contains(id)))
            }
        }
    }
}

/// A finished comparison.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    /// How many users are affected; lists none of them.
    pub(super) counts: Affected,
    led: Vec<Led<'a>>,
}

/// A comparison in progress.
pub(super) struct Comparison<'a> {
    sides: Sides<'a>,
    leads: &'a Leads,
    touched: &'a Touched,
    /// Whether nothing but users and teams changed.
    only_people: bool,
    counts: Affected,
    led: Vec<Led<'a>>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(sides: Sides<'a>, leads: &'a Leads, touched: &'a Touched) -> Self {
        let only_people = sides.old.catalog.differs_in_people_only(sides.new.catalog);
        let counts = Affected::default();
        Self { sides, leads, touched, only_people, counts, led: Vec::new() }
    }

    /// Compares every user whom the commit may concern.
    pub(super) fn compared(mut self) -> Compared<'a> {
        let old = self.sides.old.catalog;
        if self.touched.everyone {
            old.users().for_each(|before| self.one_user(&before.id()));
        } else {
            let touched = self.touched;
            touched.users.iter().for_each(|id| self.one_user(id));
            if !self.leads.is_empty() || !touched.contents.is_empty() {
                self.seats();
            }
        }
        Compared { counts: self.counts, led: self.led }
    }

    fn one_user(&mut self, id: &UserId) {
        let (old, new) = (self.sides.old.catalog, self.sides.new.catalog);
        if let (Some(before), Some(after)) = (old.user(id), new.user(id))
            && before.is_counted()
            && after.is_counted()
            && !(self.only_people && keeps_seat(&before, &after))
        {
            let winners = (self.sides.old.winner(&before), self.sides.new.winner(&after));
            let classes = [before.seat.class, after.seat.class];
            self.compare(winners, classes, 1, Users::One(id.clone()));
        }
    }

    /// Users whom the commit does not change keep their seats, so each seat gets one comparison.
    fn seats(&mut self) {
        let (old, touched) = (self.sides.old.catalog, self.touched);
        let mut changed: BTreeMap<&Seat, usize> = BTreeMap::new();
        for seated in touched.users.iter().filter_map(|id| old.user(id)) {
            if seated.is_counted() {
                *changed.entry(seated.seat).or_default() += 1;
            }
        }
        let changed = |seat: &Seat| changed.get(seat).copied().unwrap_or_default();
        let concerned = match touched.contents.is_every() {
            true => None,
            false => self.linked_seats().map(|linked| (self.concerned_classes(), linked)),
        };
        let Some((classes, linked)) = concerned else {
            let classes = self.concerned_classes();
            for (seat, ids) in old.seats() {
                if touched.contents.is_every()
                    || classes.contains(&seat.class)
                    || seat.direct.links().iter().any(|link| self.concerns(&link.name))
                {
                    self.seat(seat, ids, changed(seat));
                }
            }
            return;
        };
        for class in &classes {
            for (seat, ids) in old.seats_of(*class) {
                self.seat(seat, ids, changed(seat));
            }
        }
        for seat in linked.into_iter().filter(|seat| !classes.contains(&seat.class)) {
            if let Some(ids) = old.in_seat(seat) {
                self.seat(seat, ids, changed(seat));
            }
        }
    }

    /// The seats of those who have a direct link to a profile that changed or has other content. None
    /// when to look them up takes longer than to look at each seat.
    fn linked_seats(&self) -> Option<BTreeSet<&'a Seat>> {
        let old = self.sides.old.catalog;
        let names = || self.leads.links.iter().chain(self.touched.contents.names());
        let holders: usize = names().map(|name| old.link_holder_count(name)).sum();
        if holders.saturating_mul(LOOK_UP) > old.seat_count() {
            return None;
        }
        let users = names().flat_map(|name| old.link_holders(name));
        Some(users.filter_map(|id| old.user(&id).map(|seated| seated.seat)).collect())
    }

    /// Compares the users of a seat, but for those of them who changed.
    fn seat(&mut self, seat: &Seat, ids: Members<'a>, changed: usize) {
        let (old, new, touched) = (self.sides.old.catalog, self.sides.new.catalog, self.touched);
        let (count, rest) = (ids.len() - changed, Users::Seat(ids, &touched.users));
        if count == 0 {
            return;
        }
        let id = seat.class;
        let winners = match seat.direct {
            Direct::None => (self.sides.old.of_class(id), self.sides.new.of_class(id)),
            // When a link was made, only the users tell.
            Direct::One(_) | Direct::Many(..) => {
                let sample = rest.after(None).next();
                let both = sample.and_then(|id| Some((old.user(&id)?, new.user(&id)?)));
                let Some((before, after)) = both else { return };
                (self.sides.old.winner(&before), self.sides.new.winner(&after))
            }
        };
        self.compare(winners, [id; 2], count as u64, rest);
    }

    /// Classes whose users without a link may count: exact for profile, method and gates.
    fn concerned_classes(&mut self) -> BTreeSet<ClassId> {
        let (new, touched) = (self.sides.new.catalog, self.touched);
        let mut concerned: BTreeSet<_> = touched.led.iter().chain(touched.gated.iter()).collect();
        concerned.extend(self.sides.by_other_step());
        for id in self.leads.content_classes(new) {
            if touched.contents.contains(self.sides.new.of_class(id).0) {
                concerned.insert(id);
            }
        }
        concerned
    }

    fn concerns(&self, link: &UniqueName) -> bool {
        self.leads.links.contains(link) || self.touched.contents.contains(link)
    }

    /// Compares what some users get before and after, in the class that they are in.
    fn compare(
        &mut self,
        (from, to): (Winner<'a>, Winner<'a>),
        classes: [ClassId; 2],
        count: u64,
        users: Users<'a>,
    ) {
        if from.0 != to.0 {
            self.counts.total_count += count;
            self.led.push(Led { from: from.0, to: to.0, count, users });
            return;
        }
        if from.1 != to.1 {
            self.counts.method_only += count;
        }
        let may_differ = self.touched.contents.contains(to.0);
        if self.sides.content_differs(to.0, classes, may_differ) {
            self.counts.content_only += count;
        }
    }
}

/// Whether a user sits where he sat, and the seat alone says where his link leads.
fn keeps_seat(before: &Seated<'_>, after: &Seated<'_>) -> bool {
    before.seat == after.seat && !matches!(before.seat.direct, Direct::Many(..))
}

impl Compared<'_> {
    /// The counts with the first users.
    pub(super) fn affected(self) -> Affected {
        let users = self.users(None, LISTED);
        Affected { users, ..self.counts }
    }

    /// At most `most` users who get another profile, those behind a user where one is given;
    /// ascending by id.
    pub(super) fn users(&self, after: Option<&UserId>, most: usize) -> Vec<AffectedUser> {
        let groups = self.led.iter().map(|led| led.users.after(after));
        let users = first(groups, most).into_iter().map(|(user, at)| {
            let Led { from, to, .. } = &self.led[at];
            AffectedUser { user, from: UniqueName::clone(from), to: UniqueName::clone(to) }
        });
        users.collect()
    }

    /// How many users get which profile in place of which one.
    pub(super) fn moves(&self) -> BTreeMap<(UniqueName, UniqueName), u64> {
        let mut moves = BTreeMap::new();
        for Led { from, to, count, .. } in &self.led {
            *moves.entry((UniqueName::clone(from), UniqueName::clone(to))).or_default() += count;
        }
        moves
    }
}
