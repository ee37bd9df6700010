//! A rollback comes to what its objects were, or to the refusal of the write that would lead there.

use proptest::prelude::*;

use super::*;
use crate::{
    catalog::builtin,
    command::{
        AddUsers, CloneProfile, CreateProfile, DeleteProfile, DeleteUser, DirectoryPolicy,
        ProfilePatch, RemoveDefault, RemoveRankAndRoles, RemoveUsers, RolePatch, SetDefault,
        SetProfileState, SetRankAndRoles, SetUserDisabled, SetUserRoles, SettingsPatch,
        UpdateProfile, UpdateSettings, UpsertRole, UpsertUser, UserPatch, judge,
        library::{self, Patch as _},
    },
    domain::{
        Actor, Kind, Origin, Stamp, State, Time, UniqueName, UserId,
        field::Values,
        library::queue::{Queue, QueueKind},
        profile::Profile,
        role::SecurityRole,
    },
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn prof(number: u8) -> UniqueName {
    name(&format!("contoso_p{number}"))
}

fn user(number: u8) -> UserId {
    UserId::parse(&format!("u{number}")).unwrap()
}

fn context(catalog: &Catalog) -> Context {
    let revision = catalog.revision + 1;
    Context {
        actor: Actor::system(),
        revision,
        time: Time::from_micros(revision),
        uid: uuid::Uuid::from_u128(u128::try_from(revision).unwrap() << 32),
        policy: DirectoryPolicy::default(),
    }
}

/// The catalog after a write, or the same one when it is refused.
fn after(catalog: &Catalog, command: &dyn Command) -> Catalog {
    judged(catalog, command).unwrap_or_else(|_| catalog.clone())
}

fn judged(catalog: &Catalog, command: &dyn Command) -> Result<Catalog, Refusal> {
    let context = context(catalog);
    let judgement = judge(command, catalog, &context)?;
    Ok(catalog.apply(&judgement.plan.changes, context.revision, context.time))
}

fn seeded() -> Catalog {
    let start = Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
    let patch = UserPatch::default();
    (0..3).fold(start, |catalog, number| {
        let new = UpsertUser { id: user(number), etag: None, patch: patch.clone() };
        judged(&catalog, &new).unwrap()
    })
}

/// The state of an object without the server's notes; when something became the default is one.
fn state(object: &Object) -> Object {
    let mut object = object.clone();
    match &mut object {
        Object::Profile(profile) => {
            let profile = std::sync::Arc::make_mut(profile);
            profile.default_set_time = None;
            profile.stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "");
        }
        Object::User(user) => {
            let user = std::sync::Arc::make_mut(user);
            user.stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "");
            user.direct.iter_mut().for_each(|link| link.assigned_at = None);
        }
        other => panic!("{other:?} is not compared"),
    }
    object
}

fn target(catalog: &Catalog, kind: Kind, name: &str) -> Option<Target> {
    let key = ObjectKey::new(kind, name);
    let old = catalog.object(&key)?;
    Some(Target { key, etag: None, old: Ok(old) })
}

fn profile_patch(number: u8) -> ProfilePatch {
    ProfilePatch {
        display_name: Some(format!("Profile {number}")),
        pane_on: Some(number.is_multiple_of(2)),
        all_active_channels: Some(number.is_multiple_of(3)),
        ..ProfilePatch::default()
    }
}

/// A write about one of four profiles and three users.
fn command() -> impl Strategy<Value = Box<dyn Command>> {
    let roles = || proptest::collection::btree_set(0usize..3, 1..3);
    let role = |at: &usize| ["msdyn_csr", "msdyn_oc_agent", "msdyn_csr_manager"][*at].to_owned();
    (0u8..14, 0u8..4, 0u8..3, 0i64..6, roles(), any::<bool>()).prop_map(
        move |(what, p, u, rank, roles, flag)| -> Box<dyn Command> {
            let roles: Vec<String> = roles.iter().map(role).collect();
            let (profile, etag) = (prof(p), None);
            let names = || roles.iter().map(|role| name(role)).collect();
            match what {
                0 | 1 => {
                    let (unique_name, patch) = (profile.to_string(), profile_patch(p));
                    Box::new(CreateProfile { unique_name, patch })
                }
                2 => Box::new(UpdateProfile::new(profile, profile_patch(rank as u8))),
                3 => Box::new(DeleteProfile::new(profile, None, true)),
                4 => {
                    let state = if flag { State::Active } else { State::Inactive };
                    Box::new(SetProfileState::new(profile, None, state))
                }
                5 | 6 => Box::new(SetRankAndRoles {
                    profile,
                    etag,
                    rank: Some(rank),
                    roles,
                    displace: if flag { Displace::Shift } else { Displace::Swap },
                    override_managed: false,
                }),
                7 => Box::new(RemoveRankAndRoles { profile, etag, override_managed: false }),
                8 => Box::new(SetDefault {
                    profile,
                    etag,
                    replace_current: true,
                    drop_rank_and_roles: true,
                }),
                9 => Box::new(RemoveDefault { profile, etag }),
                10 => Box::new(AddUsers { profile, etag, users: vec![user(u)], move_users: true }),
                11 => Box::new(RemoveUsers { profile, etag, users: vec![user(u)] }),
                12 => Box::new(SetUserRoles { user: user(u), etag, roles: names() }),
                _ => Box::new(SetUserDisabled { user: user(u), etag, disabled: flag }),
            }
        },
    )
}

fn all_flags(targets: Vec<Target>) -> Rollback {
    let flags = Flags {
        replace_current: true,
        drop_rank_and_roles: true,
        displace: Displace::Reject,
        override_managed: true,
        move_users: true,
    };
    Rollback { targets, flags }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn s11_2_a_rollback_of_all_that_changed_is_the_inverse_of_what_changed(
        before in proptest::collection::vec(command(), 0..20),
        since in proptest::collection::vec(command(), 1..20),
        backwards in any::<bool>(),
    ) {
        let old = before.iter().fold(seeded(), |catalog, write| after(&catalog, write.as_ref()));
        // A profile that is made later would have to be deleted to free its rank.
        let new = since.iter().fold(old.clone(), |catalog, write| {
            let made = after(&catalog, write.as_ref());
            let known = |number| {
                let there = |catalog: &Catalog| catalog.tables.profiles.get(&prof(number)).is_some();
                there(&old) || !there(&made)
            };
            if (0..4).all(known) { made } else { catalog }
        });
        let profiles = (0..4).filter_map(|p| target(&old, Kind::Profile, prof(p).as_str()));
        let users = (0..3).filter_map(|u| target(&old, Kind::User, user(u).as_str()));
        let mut targets: Vec<_> = profiles.chain(users).collect();
        if backwards {
            targets.reverse();
        }
        let back = judged(&new, &all_flags(targets.clone()));
        let back = back.map_err(|refusal| TestCaseError::fail(format!("{refusal:?}")))?;
        for target in &targets {
            let restored = back.object(&target.key).unwrap();
            prop_assert_eq!(state(&restored), state(target.old.as_ref().unwrap()));
        }
        // Again it is a no-op.
        let again = all_flags(targets).plan(&back, &context(&back)).unwrap();
        prop_assert!(!again.changed(), "{:?}", again.changes);
    }

    #[test]
    fn s11_2_one_rollback_comes_to_the_old_state_or_is_refused_and_moves_nobody_else(
        before in proptest::collection::vec(command(), 0..20),
        since in proptest::collection::vec(command(), 1..20),
        p in 0u8..4,
    ) {
        let old = before.iter().fold(seeded(), |catalog, write| after(&catalog, write.as_ref()));
        let new = since.iter().fold(old.clone(), |catalog, write| after(&catalog, write.as_ref()));
        let Some(target) = target(&old, Kind::Profile, prof(p).as_str()) else { return Ok(()) };
        let plain = Rollback { targets: vec![target.clone()], ..Rollback::default() };
        match judged(&new, &plain) {
            Ok(back) => {
                let restored = back.object(&target.key).unwrap();
                prop_assert_eq!(state(&restored), state(target.old.as_ref().unwrap()));
                for other in (0..4).filter(|other| *other != p) {
                    let key = ObjectKey::new(Kind::Profile, prof(other).as_str());
                    prop_assert_eq!(new.object(&key), back.object(&key));
                }
            }
            Err(refusal) => {
                let expected = [
                    Reason::RankTaken,
                    Reason::DefaultExists,
                    Reason::DefaultDropsRankAndRoles,
                ];
                prop_assert!(expected.contains(&refusal.reason), "{:?}", refusal);
            }
        }
    }
}

#[test]
fn s11_2_rollback_undoes_a_default_switch_and_brings_rank_and_roles_back() {
    let mut catalog = seeded();
    for number in 0..2 {
        let (unique_name, patch) = (prof(number).to_string(), profile_patch(number));
        catalog = judged(&catalog, &CreateProfile { unique_name, patch }).unwrap();
    }
    let default = |number, replace_current| SetDefault {
        profile: prof(number),
        etag: None,
        replace_current,
        drop_rank_and_roles: true,
    };
    catalog = judged(&catalog, &default(0, false)).unwrap();
    let ranked = SetRankAndRoles {
        profile: prof(1),
        etag: None,
        rank: Some(7),
        roles: vec!["msdyn_csr".into()],
        displace: Displace::Reject,
        override_managed: false,
    };
    let old = judged(&catalog, &ranked).unwrap();
    let new = judged(&old, &default(1, true)).unwrap();
    let removed = judged(&new, &RemoveDefault { profile: prof(1), etag: None }).unwrap();
    let switched = removed.tables.profiles.get(&prof(1)).unwrap();
    assert_eq!(switched.rank, None, "set default followed by remove default is no identity");

    let targets = |numbers: &[u8]| {
        let named = numbers.iter().map(|n| target(&old, Kind::Profile, prof(*n).as_str()).unwrap());
        named.collect::<Vec<_>>()
    };
    // One of them alone: the other has the flag.
    let one = Rollback { targets: targets(&[0]), ..Rollback::default() };
    assert_eq!(judged(&new, &one).unwrap_err().reason, Reason::DefaultExists);
    for numbers in [[0, 1], [1, 0]] {
        let both = Rollback { targets: targets(&numbers), ..Rollback::default() };
        let back = judged(&new, &both).unwrap();
        for number in numbers {
            let key = ObjectKey::new(Kind::Profile, prof(number).as_str());
            assert_eq!(state(&back.object(&key).unwrap()), state(&old.object(&key).unwrap()));
        }
    }
}

#[test]
fn s11_2_what_is_built_in_managed_or_seen_otherwise_is_refused() {
    let catalog = seeded();
    let built_in = target(&catalog, Kind::Profile, "msdyn_csw_default_profile").unwrap();
    let rollback =
        |target: &Target| Rollback { targets: vec![target.clone()], ..Rollback::default() };
    let refusal = judged(&catalog, &rollback(&built_in)).unwrap_err();
    assert_eq!(refusal.reason, Reason::BuiltInReadOnly);
    assert_eq!(refusal.metadata["operation"], "ROLLBACK");
    let role = target(&catalog, Kind::Role, "msdyn_csr").unwrap();
    let refusal = judged(&catalog, &rollback(&role)).unwrap_err();
    assert_eq!(refusal.reason, Reason::BuiltInReadOnly);
    assert_eq!(refusal.metadata["operation"], "ROLLBACK");

    let (unique_name, patch) = (prof(0).to_string(), profile_patch(0));
    let old = judged(&catalog, &CreateProfile { unique_name, patch }).unwrap();
    let mut new = judged(&old, &UpdateProfile::new(prof(0), profile_patch(1))).unwrap();
    let mut seen = target(&old, Kind::Profile, prof(0).as_str()).unwrap();
    seen.etag = Some("another".into());
    let refusal = judged(&new, &rollback(&seen)).unwrap_err();
    assert_eq!(refusal.reason, Reason::EtagMismatch);
    seen.etag = new.object(&seen.key).map(|object| object.stamp().etag());
    judged(&new, &rollback(&seen)).unwrap();

    let mut managed = Profile::clone(new.tables.profiles.get(&prof(0)).unwrap());
    managed.common.origin =
        Origin::Managed { bundle: "contoso_bundle".into(), version: "1".into() };
    new = new.apply(
        &[crate::domain::Change::Put(Object::Profile(managed.into()))],
        new.revision,
        Time::default(),
    );
    seen.etag = None;
    let refusal = judged(&new, &rollback(&seen)).unwrap_err();
    assert_eq!(refusal.reason, Reason::ManagedReadOnly);
    assert_eq!(refusal.metadata["operation"], "ROLLBACK");
}

#[test]
fn s11_2_a_state_that_is_not_kept_is_refused_before_anything_else() {
    let catalog = seeded();
    let gone = Refusal::new(Reason::RevisionNotFound, "gone");
    let key = ObjectKey::new(Kind::Profile, "msdyn_csw_default_profile");
    let missing = Target { key, etag: Some("other".into()), old: Err(gone) };
    let role = target(&catalog, Kind::Role, "msdyn_csr").unwrap();
    let rollback = Rollback { targets: vec![missing, role], ..Rollback::default() };
    assert_eq!(judged(&catalog, &rollback).unwrap_err().reason, Reason::RevisionNotFound);
}

#[test]
fn s11_2_objects_of_every_writable_kind_come_back_in_whatever_order_they_are_named() {
    let catalog = seeded();
    let role = UpsertRole {
        name: "contoso_role".into(),
        etag: None,
        patch: RolePatch { display_name: Some("Role".into()), ..RolePatch::default() },
    };
    let catalog = judged(&catalog, &role).unwrap();
    let queue = library::Create::<Queue> {
        unique_name: "contoso_queue".into(),
        patch: Values::<Queue>::default()
            .with("display_name", &"Queue".to_owned())
            .with("kind", &QueueKind::Messaging),
    };
    let catalog = judged(&catalog, &queue).unwrap();
    let mut old = judged(
        &catalog,
        &CloneProfile::new(name("msdyn_csw_default_profile"), prof(0).to_string(), "Copy".into()),
    )
    .unwrap();
    let roles = ["contoso_role"].map(name).into();
    old = judged(&old, &SetUserRoles { user: user(0), etag: None, roles }).unwrap();
    let link = AddUsers { profile: prof(0), etag: None, users: vec![user(0)], move_users: false };
    old = judged(&old, &link).unwrap();
    let keys = [
        (Kind::User, "u0"),
        (Kind::Profile, "contoso_p0"),
        (Kind::Queue, "contoso_queue"),
        (Kind::Role, "contoso_role"),
        (Kind::Settings, ""),
    ];
    let targets: Vec<_> =
        keys.iter().map(|(kind, name)| target(&old, *kind, name).unwrap()).collect();
    let patch = SettingsPatch { copilot_opt_in: Some(false), ..SettingsPatch::default() };
    let gone: [Box<dyn Command>; 5] = [
        Box::new(DeleteUser { user: user(0), etag: None }),
        Box::new(DeleteProfile::new(prof(0), None, true)),
        Box::new(library::Delete::<Queue>::new(name("contoso_queue"), None, false)),
        Box::new(crate::command::DeleteRole { name: name("contoso_role"), etag: None }),
        Box::new(UpdateSettings { etag: None, patch }),
    ];
    let new =
        gone.iter().fold(old.clone(), |catalog, write| judged(&catalog, write.as_ref()).unwrap());
    let back = judged(&new, &Rollback { targets, ..Rollback::default() }).unwrap();
    let seated = back.user(&user(0)).unwrap();
    assert_eq!(seated.user().roles, ["contoso_role"].map(name).into());
    assert_eq!(seated.user().direct[0].profile, prof(0));
    assert!(back.linked_profile(&seated.user(), &seated.user().direct[0]).is_some());
    let pane = |catalog: &Catalog| catalog.tables.profiles.get(&prof(0)).unwrap().pane.clone();
    assert_eq!(pane(&back), pane(&old));
    assert!(back.object(&ObjectKey::new(Kind::Queue, "contoso_queue")).is_some());
    assert!(back.settings.copilot_opt_in);
    let created = |catalog: &Catalog| -> SecurityRole {
        SecurityRole::clone(catalog.tables.roles.get(&name("contoso_role")).unwrap())
    };
    assert_ne!(created(&back).stamp.uid, created(&old).stamp.uid, "it is another object");
}

#[test]
fn the_values_of_an_object_make_the_same_object() {
    for object in library::samples("contoso_x", |_| None) {
        let Object::SessionTemplate(old) = &object else { continue };
        let mut next = crate::domain::session_template::SessionTemplate::clone(old);
        next.title = "Other".into();
        Values::of(old.as_ref()).apply(&mut next);
        assert_eq!(next, **old);
    }
}
