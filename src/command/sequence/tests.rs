//! A sequence is its commands one after the other, as one write.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    catalog::builtin,
    command::{
        AddUsers, CloneProfile, CreateProfile, DeleteProfile, DeleteRole, DeleteTeam, DeleteUser,
        DirectoryPolicy, Displace, ProfilePatch, RemoveDefault, RemoveRankAndRoles, RemoveUsers,
        RolePatch, SetDefault, SetProfileState, SetRankAndRoles, SetUserDisabled, SetUserRoles,
        TeamPatch, UpdateProfile, UpsertRole, UpsertTeam, UpsertUser, UserPatch, judge,
    },
    domain::{Actor, Reason, Stamp, State, TeamId, Time, UniqueName, UserId, directory::User},
};

type Boxed = Box<dyn Command>;

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn user_id(number: u8) -> UserId {
    UserId::parse(&format!("user{number}")).unwrap()
}

fn profile_name(number: u8) -> UniqueName {
    name(&format!("contoso_profile_{number}"))
}

fn role_name(number: u8) -> UniqueName {
    name(&format!("contoso_role_{number}"))
}

fn context(revision: i64) -> Context {
    let uid = Uuid::from_u128(u128::try_from(revision).unwrap() << 64);
    Context {
        actor: Actor::system(),
        revision,
        time: Time::from_micros(revision),
        uid,
        policy: DirectoryPolicy::default(),
    }
}

fn create(number: u8) -> Boxed {
    let patch = ProfilePatch { display_name: Some("Profile".into()), ..ProfilePatch::default() };
    Box::new(CreateProfile { unique_name: profile_name(number).to_string(), patch })
}

fn delete(number: u8, force: bool) -> Boxed {
    Box::new(DeleteProfile::new(profile_name(number), None, force))
}

fn rename(number: u8, text: &str) -> Boxed {
    let patch = ProfilePatch { display_name: Some(text.into()), ..ProfilePatch::default() };
    Box::new(UpdateProfile::new(profile_name(number), patch))
}

fn add(number: u8, users: &[u8], move_users: bool) -> Boxed {
    let users = users.iter().copied().map(user_id).collect();
    Box::new(AddUsers { profile: profile_name(number), etag: None, users, move_users })
}

fn rank(number: u8, rank: u8, role: u8, displace: Displace) -> Boxed {
    Box::new(SetRankAndRoles {
        profile: profile_name(number),
        etag: None,
        rank: Some(rank.into()),
        roles: vec![role_name(role).to_string()],
        displace,
        override_managed: false,
    })
}

fn default(number: u8) -> Boxed {
    let (profile, etag) = (profile_name(number), None);
    Box::new(SetDefault { profile, etag, replace_current: true, drop_rank_and_roles: true })
}

fn upsert_role(number: u8) -> Boxed {
    let patch = RolePatch { display_name: Some("Role".into()), ..RolePatch::default() };
    Box::new(UpsertRole { name: role_name(number).to_string(), etag: None, patch })
}

fn delete_role(number: u8) -> Boxed {
    Box::new(DeleteRole { name: role_name(number), etag: None })
}

fn upsert_user(number: u8, text: &str) -> Boxed {
    let patch = UserPatch { display_name: Some(text.into()), ..UserPatch::default() };
    Box::new(UpsertUser { id: user_id(number), etag: None, patch })
}

fn set_roles(number: u8, roles: &[u8]) -> Boxed {
    let roles = roles.iter().copied().map(role_name).collect();
    Box::new(SetUserRoles { user: user_id(number), etag: None, roles })
}

fn team(members: &[u8], roles: &[u8]) -> Boxed {
    let patch = TeamPatch {
        display_name: Some("Team".into()),
        members: Some(members.iter().copied().map(user_id).collect()),
        roles: Some(roles.iter().copied().map(role_name).collect()),
        external_id: None,
    };
    Box::new(UpsertTeam { id: TeamId::parse("team").unwrap(), etag: None, patch })
}

/// Commands over few names, so that many meet the objects of others.
fn command() -> impl Strategy<Value = Boxed> {
    let number = || 0u8..3;
    let few = || proptest::collection::vec(0u8..3, 0..3);
    let displace =
        || proptest::sample::select(vec![Displace::Reject, Displace::Swap, Displace::Shift]);
    let profiles = prop_oneof![
        3 => number().prop_map(create),
        3 => (number(), any::<bool>()).prop_map(|(n, force)| delete(n, force)),
        2 => (number(), 0u8..2).prop_map(|(n, text)| rename(n, &format!("Name {text}"))),
        1 => (number(), number()).prop_map(|(from, to)| -> Boxed {
            let to = profile_name(to).to_string();
            Box::new(CloneProfile::new(profile_name(from), to, "Copy".into()))
        }),
        2 => (number(), any::<bool>()).prop_map(|(n, on)| -> Boxed {
            let state = if on { State::Active } else { State::Inactive };
            Box::new(SetProfileState::new(profile_name(n), None, state))
        }),
        4 => (number(), number(), number(), displace())
            .prop_map(|(n, at, role, displace)| rank(n, at, role, displace)),
        1 => number().prop_map(|n| -> Boxed {
            let (profile, etag) = (profile_name(n), None);
            Box::new(RemoveRankAndRoles { profile, etag, override_managed: false })
        }),
        2 => number().prop_map(default),
        1 => number().prop_map(|n| -> Boxed {
            Box::new(RemoveDefault { profile: profile_name(n), etag: None })
        }),
    ];
    let people = prop_oneof![
        3 => (number(), proptest::collection::vec(0u8..3, 1..3), any::<bool>())
            .prop_map(|(n, users, moves)| add(n, &users, moves)),
        1 => (number(), proptest::collection::vec(0u8..3, 1..3)).prop_map(|(n, users)| -> Boxed {
            let users = users.into_iter().map(user_id).collect();
            Box::new(RemoveUsers { profile: profile_name(n), etag: None, users })
        }),
        2 => (number(), 0u8..2).prop_map(|(n, text)| upsert_user(n, &format!("Name {text}"))),
        2 => number().prop_map(|n| -> Boxed {
            Box::new(DeleteUser { user: user_id(n), etag: None })
        }),
        3 => (number(), few()).prop_map(|(n, roles)| set_roles(n, &roles)),
        1 => (number(), any::<bool>()).prop_map(|(n, disabled)| -> Boxed {
            Box::new(SetUserDisabled { user: user_id(n), etag: None, disabled })
        }),
        3 => number().prop_map(upsert_role),
        2 => number().prop_map(delete_role),
        2 => (few(), few()).prop_map(|(members, roles)| team(&members, &roles)),
        1 => Just(()).prop_map(|()| -> Boxed {
            Box::new(DeleteTeam { id: TeamId::parse("team").unwrap(), etag: None })
        }),
    ];
    prop_oneof![profiles, people]
}

fn commands(most: usize) -> impl Strategy<Value = Vec<Boxed>> {
    proptest::collection::vec(command(), 1..most)
}

/// The built-in objects alone.
fn seeded() -> Catalog {
    Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default())
}

/// Each command as a write of its own; the reasons of those that are refused.
fn one_by_one(catalog: &Catalog, commands: &[Boxed]) -> (Catalog, Vec<Option<Reason>>) {
    let mut at = catalog.clone();
    let mut refused = Vec::new();
    for command in commands {
        match judge(command.as_ref(), &at, &context(at.revision + 1)) {
            Ok(judged) => {
                at = judged.next;
                refused.push(None);
            }
            Err(refusal) => refused.push(Some(refusal.reason)),
        }
    }
    (at, refused)
}

/// An organisation with roles, users, profiles and a team.
fn populated() -> Catalog {
    let mut commands: Vec<Boxed> = (0..2).map(upsert_role).collect();
    commands.extend((0..3).map(|n| upsert_user(n, "User")));
    commands.extend([create(0), create(1), rank(0, 1, 0, Displace::Reject), add(1, &[0], false)]);
    commands.extend([set_roles(1, &[0, 1]), set_roles(2, &[1]), team(&[0, 1], &[0])]);
    let (catalog, refused) = one_by_one(&seeded(), &commands);
    assert!(refused.iter().all(Option::is_none), "{refused:?}");
    catalog
}

/// All commands that are not refused, as one write.
fn at_once(catalog: &Catalog, commands: &[Boxed]) -> (Plan, Vec<Option<Reason>>, Catalog) {
    let context = context(catalog.revision + 1);
    let mut sequence = Sequence::new(catalog, &context);
    let refused = commands.iter().map(|c| sequence.run(c.as_ref()).err().map(|r| r.reason));
    let refused = refused.collect();
    let seen = sequence.catalog().clone();
    (sequence.finish(), refused, seen)
}

/// What readers see of each object, without notes and times, which differ by write.
fn seen(catalog: &Catalog) -> Vec<Object> {
    let stamp = Stamp::new(Uuid::nil(), 0, Time::default(), "");
    let all = catalog.objects().filter_map(|object| catalog.object(&object.key()));
    let mut all: Vec<_> = all
        .map(|object| match object.with_stamp(stamp.clone()) {
            Object::User(user) => {
                let mut user = User::clone(&user);
                user.direct.iter_mut().for_each(|link| link.assigned_at = None);
                Object::User(Arc::new(user))
            }
            Object::Profile(profile) => {
                let mut profile = profile.as_ref().clone();
                profile.default_set_time = None;
                Object::Profile(Arc::new(profile))
            }
            other => other,
        })
        .collect();
    all.sort_by_key(Object::key);
    all
}

/// Role class and links of every user: what resolution starts from.
fn seats(catalog: &Catalog) -> Vec<(UserId, BTreeSet<UniqueName>, BTreeSet<UniqueName>, bool)> {
    let of = |seated: crate::catalog::Seated<'_>| {
        let class = catalog.class(seated.seat.class);
        let leads = |link| catalog.linked_profile(&seated.user(), link).is_some();
        let linked = seated.user().direct.iter().any(leads);
        (seated.id(), class.held.clone(), class.team_only.clone(), linked)
    };
    catalog.users().map(of).collect()
}

proptest! {
    #[test]
    fn a_sequence_equals_its_writes_one_after_the_other(
        before in commands(12),
        commands in commands(12),
    ) {
        let (base, _) = one_by_one(&populated(), &before);
        let (last, refused) = one_by_one(&base, &commands);
        let (plan, refused_at_once, run) = at_once(&base, &commands);
        prop_assert_eq!(refused, refused_at_once);
        let next = base.apply(&plan.changes, base.revision + 1, context(base.revision + 1).time);
        for catalog in [&run, &next] {
            prop_assert_eq!(seen(catalog), seen(&last));
            prop_assert_eq!(seats(catalog), seats(&last));
        }
        let restored = Catalog::from_objects(next.objects(), next.revision, next.time);
        prop_assert_eq!(seats(&restored), seats(&last));
    }

    #[test]
    fn a_plan_changes_each_object_once_and_none_for_nothing(commands in commands(16)) {
        let base = populated();
        let (plan, _, next) = at_once(&base, &commands);
        let keys: BTreeSet<_> = plan.changes.iter().map(Change::key).collect();
        prop_assert_eq!(keys.len(), plan.changes.len());
        let revision = base.revision + 1;
        for (at, change) in plan.changes.iter().enumerate() {
            if let Change::Put(new) = change {
                prop_assert_eq!(new.stamp().revision, revision);
            }
            let mut others = plan.changes.clone();
            others.remove(at);
            let without = base.apply(&others, revision, context(revision).time);
            let key = change.key();
            let differs = match (without.object(&key), next.object(&key)) {
                (Some(old), Some(new)) => old.stamp().uid != new.stamp().uid || old.differs(&new),
                (old, new) => old.is_some() != new.is_some(),
            };
            prop_assert!(differs, "{key:?} is the same without its change");
        }
    }
}

/// The plan of commands of which none may be refused.
fn planned(commands: &[Boxed]) -> Plan {
    let (plan, refused, _) = at_once(&populated(), commands);
    assert!(refused.iter().all(Option::is_none), "{refused:?}");
    plan
}

#[test]
fn what_comes_and_goes_is_no_change() {
    assert!(!planned(&[create(2), rename(2, "Other"), delete(2, false)]).changed());
    assert!(!planned(&[rename(0, "Other"), rename(0, "Profile")]).changed());
    let steps = planned(&[rename(0, "Other"), rename(0, "Profile"), rename(0, "Profile")]).steps;
    assert_eq!(steps.iter().map(|step| step.changed).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn an_object_that_takes_the_name_of_another_one_is_another_one() {
    let base = populated();
    let plan = planned(&[delete(0, true), create(0)]);
    let [Change::Put(new)] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
    assert_ne!(new.stamp().uid, base.object(&new.key()).unwrap().stamp().uid);
}

#[test]
fn references_that_the_sequence_ended_do_not_come_back_with_the_name() {
    let again = [add(0, &[2], false), set_roles(2, &[0]), delete(0, true), create(0)];
    let roles = [rank(1, 5, 1, Displace::Reject), delete_role(0), upsert_role(0)];
    let commands: Vec<_> = again.into_iter().chain(roles).collect();
    let base = populated();
    let plan = planned(&commands);
    let next = base.apply(&plan.changes, base.revision + 1, Time::from_micros(base.revision + 1));
    let user = next.user(&user_id(2)).unwrap().user();
    assert!(user.roles.is_empty() && user.direct.is_empty(), "{user:?}");
}

#[test]
fn references_to_what_took_a_freed_name_are_kept_when_they_read_as_before() {
    let base = populated();
    let base = one_by_one(&base, &[add(0, &[1], false), add(1, &[1], true)]).0;
    let role_again = || vec![delete_role(0), upsert_role(0)];
    let profile_again = || vec![delete(1, true), create(1)];
    let table: [(Vec<Boxed>, Boxed, ObjectKey); 3] = [
        (role_again(), set_roles(1, &[0, 1]), ObjectKey::new(Kind::User, "user1")),
        (role_again(), team(&[0, 1], &[0]), ObjectKey::new(Kind::Team, "team")),
        (profile_again(), add(1, &[0], false), ObjectKey::new(Kind::User, "user0")),
    ];
    for (mut commands, refers, key) in table {
        commands.push(refers);
        let (plan, refused, _) = at_once(&base, &commands);
        assert!(refused.iter().all(Option::is_none), "{refused:?}");
        assert!(plan.changes.iter().any(|change| change.key() == key), "{key:?}: {plan:?}");
        let next = base.apply(&plan.changes, base.revision + 1, context(base.revision + 1).time);
        assert_eq!(seen(&next), seen(&one_by_one(&base, &commands).0), "{key:?}");
    }
}

#[test]
fn each_step_says_what_it_did() {
    let plan = planned(&[create(2), add(2, &[2], false), delete(1, true), team(&[], &[])]);
    let resources: Vec<_> = plan.steps.iter().map(|step| step.resources.join(" ")).collect();
    let made = "profiles/contoso_profile_2";
    assert_eq!(resources, [made, made, "", "teams/team"]);
    let operations: Vec<_> = plan.steps.iter().map(|step| step.operation.as_str()).collect();
    assert_eq!(operations, ["CreateProfile", "AddUsers", "DeleteProfile", "UpsertTeam"]);
    let answers =
        [ObjectKey::new(Kind::Profile, "contoso_profile_2"), ObjectKey::new(Kind::Team, "team")];
    assert_eq!(plan.answers, answers);
}

#[test]
fn objects_of_one_sequence_have_uids_of_their_own() {
    let plan = planned(&[create(2), upsert_role(2), upsert_user(7, "New"), upsert_user(8, "New")]);
    let uids: BTreeSet<_> = plan
        .changes
        .iter()
        .map(|change| match change {
            Change::Put(object) => object.stamp().uid,
            Change::Delete(key) => panic!("{key:?}"),
        })
        .collect();
    assert_eq!(uids.len(), 4);
}

#[test]
fn a_refused_command_leaves_the_sequence_as_it_was() {
    let (base, context) = (populated(), context(99));
    let mut sequence = Sequence::new(&base, &context);
    sequence.run(create(2).as_ref()).unwrap();
    assert_eq!(sequence.run(create(2).as_ref()).unwrap_err().reason, Reason::UniqueNameTaken);
    assert_eq!(sequence.run(delete(0, false).as_ref()).unwrap_err().reason, Reason::ProfileInUse);
    assert_eq!(sequence.steps().len(), 1);
    assert_eq!(sequence.finish().changes.len(), 1);
}
