//! The indexes of a catalog always say what the objects say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

mod cascades;

use super::*;
use crate::domain::{
    Common, Stamp,
    directory::{DirectLink, Team, User, UserKind},
    profile::Profile,
    role::SecurityRole,
};

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn role(text: &str, root: Option<&str>) -> Object {
    Object::Role(Arc::new(SecurityRole {
        common: Common::custom(name(text), text),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: root.map(name),
        grants: BTreeSet::new(),
        persona: Default::default(),
    }))
}

fn user(number: u8, roles: &[u8], links: &[u8], disabled: bool) -> Object {
    Object::User(Arc::new(User {
        id: UserId::parse(&format!("u{number}")).unwrap(),
        stamp: stamp(),
        display_name: String::new(),
        kind: UserKind::Human,
        email: String::new(),
        roles: roles.iter().map(|r| name(&format!("role_{r}"))).collect(),
        direct: links
            .iter()
            .map(|p| DirectLink {
                profile: name(&format!("prof_{p}")),
                assigned_at: None,
                assigned_by: String::new(),
            })
            .collect(),
        disabled,
        business_unit: String::new(),
        synced: None,
    }))
}

fn profile(number: u8, roles: &[u8], is_default: bool) -> Object {
    let mut profile = Profile::empty(Common::custom(name(&format!("prof_{number}")), "P"), stamp());
    profile.roles = roles.iter().map(|r| name(&format!("role_{r}"))).collect();
    profile.is_default = is_default;
    Object::Profile(Arc::new(profile))
}

fn team(number: u8, members: &[u8], roles: &[u8]) -> Object {
    Object::Team(Arc::new(Team {
        id: TeamId::parse(&format!("team {number}")).unwrap(),
        stamp: stamp(),
        display_name: String::new(),
        members: members.iter().map(|m| UserId::parse(&format!("u{m}")).unwrap()).collect(),
        roles: roles.iter().map(|r| name(&format!("role_{r}"))).collect(),
        external_id: None,
    }))
}

fn change() -> impl Strategy<Value = Change> {
    let few = || proptest::collection::vec(0u8..4, 0..3);
    prop_oneof![
        4 => (0u8..6, few(), few(), any::<bool>())
            .prop_map(|(n, r, l, d)| Change::Put(user(n, &r, &l, d))),
        2 => (0u8..3, few(), few()).prop_map(|(n, m, r)| Change::Put(team(n, &m, &r))),
        1 => (0u8..4, proptest::option::of(0u8..4)).prop_map(|(n, root)| {
            let root = root.filter(|r| *r != n).map(|r| format!("role_{r}"));
            Change::Put(role(&format!("role_{n}"), root.as_deref()))
        }),
        2 => (0u8..4, few(), any::<bool>())
            .prop_map(|(n, r, d)| Change::Put(profile(n, &r, d))),
        1 => (0u8..4)
            .prop_map(|n| Change::Delete(ObjectKey::new(Kind::Profile, &format!("prof_{n}")))),
        1 => (0u8..6).prop_map(|n| Change::Delete(ObjectKey::new(Kind::User, &format!("u{n}")))),
        1 => (0u8..3).prop_map(|n| Change::Delete(ObjectKey::new(Kind::Team, &format!("team {n}")))),
        1 => (0u8..4).prop_map(|n| Change::Delete(ObjectKey::new(Kind::Role, &format!("role_{n}")))),
    ]
}

/// What the direct links of a user lead to, in words.
fn links(catalog: &Catalog, user: &User) -> Vec<Link> {
    let uid = |link| catalog.linked_profile(user, link).map(|profile| profile.stamp.uid);
    user.direct.iter().map(|link| Link { name: link.profile.clone(), uid: uid(link) }).collect()
}

/// What the indexes should say, worked out from the objects alone.
type Picture = BTreeMap<UserId, (RoleClass, Vec<Link>, bool)>;

fn picture(catalog: &Catalog) -> Picture {
    catalog
        .users()
        .map(|s| {
            let class = catalog.class(s.seat.class).clone();
            (s.id(), (class, links(catalog, &s.user()), s.is_counted()))
        })
        .collect()
}

/// What the seats should say, worked out user by user without any index.
fn computed(catalog: &Catalog) -> Picture {
    let roots = |roles: &BTreeSet<UniqueName>| -> BTreeSet<UniqueName> {
        roles.iter().filter_map(|role| catalog.root(role)).collect()
    };
    let class = |user: &User| {
        let held = roots(&user.roles);
        let teams = catalog.teams().filter(|team| team.members.contains(&user.id));
        let team_only = teams.flat_map(|team| roots(&team.roles));
        RoleClass { team_only: team_only.filter(|r| !held.contains(r)).collect(), held }
    };
    let seat = |user: &User| (class(user), links(catalog, user), user.is_counted());
    catalog.users().map(|s| (s.id(), seat(&s.user()))).collect()
}

#[test]
fn every_kind_of_the_list_has_a_table() {
    let mut objects = crate::command::library::samples("contoso_sample", |_| None);
    objects.extend(builtin::objects(1, Time::default()));
    let full = Catalog::from_objects(objects.clone(), 1, Time::default());
    for kind in Kind::NAMED {
        let of_kind: Vec<_> = objects.iter().filter(|object| object.kind() == *kind).collect();
        let object = of_kind[0];
        let key = object.key();
        assert_eq!(full.object(&key).as_ref(), Some(object));
        assert_eq!(full.tables.after(*kind, None).count(), of_kind.len(), "{kind:?}");

        let without = full.apply(&[Change::Delete(key.clone())], 2, Time::default());
        assert_eq!(without.object(&key), None);
        assert_eq!(without.tables.differing(&full.tables).collect::<Vec<_>>(), [*kind]);
        let again = without.apply(&[Change::Put(object.clone())], 3, Time::default());
        assert!(again.object(&key).is_some_and(|found| found.is(object)));
        assert_eq!(full.tables.differing(&full.clone().tables).count(), 0);

        let stamped =
            object.clone().with_stamp(Stamp::new(uuid::Uuid::max(), 9, Time::default(), "x"));
        assert!(!stamped.differs(object) && stamped != *object, "{kind:?}");
    }
}

impl Catalog {
    /// The change with the notes that a commit of this revision makes: an object that is there stays
    /// the same one, another is made.
    pub(crate) fn noted(&self, change: &Change, revision: i64, time: Time) -> Change {
        let Change::Put(object) = change else { return change.clone() };
        let number = revision as u128 * 1_000 + object.name().len() as u128;
        let fresh = Stamp::new(uuid::Uuid::from_u128(number), revision, time, "test");
        let stamp = match self.object(&object.key()) {
            Some(old) => {
                let Stamp { uid, create_time, .. } = *old.stamp();
                Stamp { uid, create_time, ..fresh }
            }
            None => fresh,
        };
        let mut object = object.clone().with_stamp(stamp);
        if let Object::User(user) = &mut object {
            let links = Arc::make_mut(user).direct.iter_mut();
            for link in links.filter(|link| link.assigned_at.is_some()) {
                link.assigned_at = Some(time);
            }
        }
        Change::Put(object)
    }

    /// One more commit of these changes: what they are with its notes, and the catalog after it.
    pub(crate) fn committed(&self, changes: &[Change]) -> (Vec<Change>, Self) {
        let revision = self.revision + 1;
        let time = Time::from_micros(revision);
        let changes: Vec<_> = changes.iter().map(|c| self.noted(c, revision, time)).collect();
        let next = self.apply(&changes, revision, time);
        (changes, next)
    }
}

/// The catalog after one more commit, of this change.
fn commit(catalog: &Catalog, change: &Change) -> Catalog {
    catalog.committed(std::slice::from_ref(change)).1
}

/// Counted users by what the seats say of them.
fn seats(catalog: &Catalog) -> BTreeMap<(RoleClass, Vec<Link>), BTreeSet<UserId>> {
    let mut seats: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (seat, ids) in catalog.seats() {
        let sample = catalog.user(&ids.iter().next().unwrap()).unwrap();
        let key = (catalog.class(seat.class).clone(), links(catalog, &sample.user()));
        seats.entry(key).or_default().extend(ids.iter());
    }
    seats
}

fn linked(catalog: &Catalog) -> Vec<(UniqueName, Vec<UserId>)> {
    let profiles = catalog.tables.profiles.iter().map(|profile| profile.name());
    profiles.map(|name| (name.clone(), catalog.linked(name))).collect()
}

/// All that readers can see of users, and the order in which they see it.
type Seen = (
    Picture,
    Vec<User>,
    BTreeMap<(RoleClass, Vec<Link>), BTreeSet<UserId>>,
    Vec<(UniqueName, Vec<UserId>)>,
    Vec<(Link, Vec<UserId>)>,
    Vec<(Seat, Vec<UserId>)>,
);

fn all_of(catalog: &Catalog) -> Seen {
    (
        picture(catalog),
        catalog.users().map(|seated| User::clone(&seated.user())).collect(),
        seats(catalog),
        linked(catalog),
        catalog.links().map(|(link, ids)| (link.clone(), ids.iter().collect())).collect(),
        catalog.seats().map(|(seat, ids)| (seat.clone(), ids.iter().collect())).collect(),
    )
}

/// What may come between two commits.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    /// A compaction starts, of what is there now.
    Start,
    /// The one that started last ends.
    End,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![Just(Between::Nothing), Just(Between::Start), Just(Between::End)]
}

proptest! {
    #[test]
    fn step_by_step_equals_at_once(
        base in proptest::collection::vec(change(), 0..40),
        changes in proptest::collection::vec((change(), between()), 0..40),
    ) {
        let base = base.iter().fold(Catalog::empty(), |catalog, change| commit(&catalog, change));
        // A server that starts again in between.
        let mut stepped = Catalog::from_objects(base.objects(), base.revision, base.time);
        let mut compacted = None;
        for (change, between) in &changes {
            stepped = commit(&stepped, change);
            match between {
                Between::Nothing => {}
                Between::Start => compacted = Some(stepped.compacted()),
                Between::End => {
                    let adopted = compacted.take().and_then(|c| stepped.adopting(&c));
                    if let Some(adopted) = adopted {
                        prop_assert_eq!(all_of(&adopted), all_of(&stepped));
                        stepped = adopted;
                    }
                }
            }
        }
        // In no order at all: indexes may not depend on it.
        let objects: Vec<_> = stepped.objects().collect();
        let objects = objects.into_iter().rev();
        let fresh = Catalog::from_objects(objects, stepped.revision, stepped.time);
        prop_assert_eq!(picture(&stepped), picture(&fresh));
        prop_assert_eq!(picture(&fresh), computed(&fresh));
        prop_assert_eq!(stepped.user_count(), stepped.users().count());
        prop_assert_eq!(seats(&stepped), seats(&fresh));
        prop_assert_eq!(linked(&stepped), linked(&fresh));
        prop_assert_eq!(&stepped.mappings, &fresh.mappings);
        for (id, class) in stepped.classes() {
            let by_name = class.held.iter().filter_map(|root| stepped.strongest(root)).min();
            prop_assert_eq!(stepped.strongest_of(stepped.roots_of(id)), by_name, "{:?}", class);
        }
        prop_assert_eq!(&stepped.users.memberships, &fresh.users.memberships);
        let counted: usize = stepped.seats().map(|(_, ids)| ids.len()).sum();
        prop_assert_eq!(counted, stepped.users().filter(|s| s.is_counted()).count());
        let classes: BTreeSet<_> = stepped.users().map(|seated| seated.seat.class).collect();
        let kept = stepped.users.classes.len();
        prop_assert!(kept <= classes.len() + 1, "{kept} classes for {}", classes.len());
        for (seat, ids) in stepped.seats() {
            let all: Vec<_> = ids.iter().collect();
            prop_assert_eq!(all.len(), ids.len(), "{:?}", seat);
            for (at, id) in all.iter().enumerate() {
                prop_assert_eq!(ids.after(id).collect::<Vec<_>>(), all[at + 1..].to_vec());
            }
        }
        for id in stepped.users().map(|seated| seated.id()) {
            let behind: Vec<_> = stepped.users_after(&id).map(|seated| seated.id()).collect();
            let all = stepped.users().map(|seated| seated.id());
            prop_assert_eq!(behind, all.filter(|other| *other > id).collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_old_catalog_stays_whole_when_the_next_one_is_made() {
    let old = Catalog::from_objects(
        [role("role_0", None), user(1, &[0], &[], false)],
        1,
        Time::default(),
    );
    let before = picture(&old);
    let _next = old.apply(&[Change::Put(user(1, &[], &[2], true))], 2, Time::default());
    assert_eq!(picture(&old), before);
    assert_eq!(old.revision, 1);
}
