//! The indexes of a catalog always say what the objects say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    Common,
    directory::{DirectLink, SecurityRole, User, UserKind},
    profile::Profile,
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

/// What the indexes should say, worked out from the objects alone.
type Picture = BTreeMap<UserId, (RoleClass, Direct, bool)>;

fn picture(catalog: &Catalog) -> Picture {
    catalog
        .users()
        .map(|s| {
            let class = catalog.class(s.seat.class).clone();
            (s.user.id.clone(), (class, s.seat.direct.clone(), s.user.is_counted()))
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
        let teams = catalog.teams.values().filter(|team| team.members.contains(&user.id));
        let team_only = teams.flat_map(|team| roots(&team.roles));
        RoleClass { team_only: team_only.filter(|r| !held.contains(r)).collect(), held }
    };
    let seat = |user: &User| (class(user), Direct::of(user), user.is_counted());
    catalog.users().map(|s| (s.user.id.clone(), seat(&s.user))).collect()
}

#[test]
fn every_kind_of_the_list_has_a_table() {
    let built_in = builtin::objects(1, Time::default());
    let full = Catalog::from_objects(built_in.clone(), 1, Time::default());
    for kind in Kind::NAMED {
        let of_kind: Vec<_> = built_in.iter().filter(|object| object.kind() == *kind).collect();
        let object = *of_kind.first().unwrap_or_else(|| panic!("{kind:?} has no built-in object"));
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

proptest! {
    #[test]
    fn step_by_step_equals_at_once(
        base in proptest::collection::vec(change(), 0..40),
        changes in proptest::collection::vec(change(), 0..40),
    ) {
        // Starts with whatever was put last, as a server does that starts again.
        let base = Catalog::empty().apply(&base, 0, Time::default());
        let mut stepped = Catalog::from_objects(base.objects(), 0, Time::default());
        for (at, change) in changes.iter().enumerate() {
            stepped = stepped.apply(std::slice::from_ref(change), at as i64 + 1, Time::default());
        }
        // In no order at all: indexes may not depend on it.
        let objects: Vec<_> = stepped.objects().collect();
        let objects = objects.into_iter().rev();
        let fresh = Catalog::from_objects(objects, stepped.revision, Time::default());
        prop_assert_eq!(picture(&stepped), picture(&fresh));
        prop_assert_eq!(picture(&fresh), computed(&fresh));
        prop_assert_eq!(stepped.user_count(), stepped.users().count());
        let seats = |c: &Catalog| -> BTreeSet<(RoleClass, Direct, Vec<UserId>)> {
            c.seats()
                .map(|(s, ids)| (c.class(s.class).clone(), s.direct.clone(), ids.iter().cloned().collect()))
                .collect()
        };
        prop_assert_eq!(seats(&stepped), seats(&fresh));
        prop_assert_eq!(&stepped.users.linked, &fresh.users.linked);
        prop_assert_eq!(&stepped.users.holders, &fresh.users.holders);
        prop_assert_eq!(&stepped.mappings, &fresh.mappings);
        prop_assert_eq!(&stepped.users.memberships, &fresh.users.memberships);
        let counted: usize = stepped.seats().map(|(_, ids)| ids.len()).sum();
        prop_assert_eq!(counted, stepped.users().filter(|s| s.user.is_counted()).count());
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
