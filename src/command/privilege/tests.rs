//! What DIRECTORY may and may not do, write by write.

use std::collections::BTreeSet;

use super::*;
use crate::{
    catalog::builtin,
    command::{
        ApplyChanges, BatchUpsertUsers, Command, DeleteRole, DeleteTeam, DeleteUser,
        DirectoryPolicy, RolePatch, SetUserDisabled, SetUserRoles, TeamPatch, UpsertRole,
        UpsertTeam, UpsertUser, UserPatch, UserRow, judge, preview,
    },
    domain::{Common, Scopes, Stamp, Time, directory::UserKind, role::Persona},
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn names(texts: &[&str]) -> BTreeSet<UniqueName> {
    texts.iter().map(|text| name(text)).collect()
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn user_of(text: &str, roles: &[&str]) -> Object {
    Object::User(Arc::new(User {
        id: id(text),
        stamp: stamp(),
        display_name: text.into(),
        kind: UserKind::Human,
        email: String::new(),
        roles: names(roles),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }))
}

fn role_of(text: &str, root: Option<&str>, grants: &[Scope]) -> Object {
    Object::Role(Arc::new(SecurityRole {
        common: Common::custom(name(text), "Role"),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: root.map(name),
        grants: grants.iter().copied().collect(),
        persona: Persona::None,
    }))
}

fn team_of(text: &str, members: &[&str], roles: &[&str]) -> Object {
    Object::Team(Arc::new(Team {
        id: TeamId::parse(text).unwrap(),
        stamp: stamp(),
        display_name: "Team".into(),
        members: members.iter().map(|member| id(member)).collect(),
        roles: names(roles),
        external_id: None,
    }))
}

/// `contoso_owners` grants ADMIN and has a copy; `chief` holds the copy, `boss` a built-in role.
fn catalog() -> Catalog {
    let objects = builtin::objects(1, Time::default()).into_iter().chain([
        role_of("contoso_owners", None, &[Scope::Admin]),
        role_of("contoso_owners_unit", Some("contoso_owners"), &[]),
        role_of("contoso_leads", None, &[Scope::Reader, Scope::Agent]),
        user_of("Boss", &["msdyn_system_administrator", "contoso_leads"]),
        user_of("chief", &["contoso_owners_unit"]),
        user_of("ann", &["contoso_leads"]),
        team_of("owners", &["ann"], &["contoso_owners"]),
        team_of("desk", &["ann"], &["contoso_leads"]),
    ]);
    Catalog::from_objects(objects, 1, Time::default())
}

fn context(scopes: &[Scope], policy: DirectoryPolicy) -> Context {
    let actor = Actor { scopes: Scopes::of(scopes), ..Actor::system() };
    let uid = uuid::Uuid::from_u128(9);
    Context { actor, revision: 2, time: Time::default(), uid, policy }
}

fn set_roles(user: &str, roles: &[&str]) -> Box<dyn Command> {
    Box::new(SetUserRoles { user: id(user), etag: None, roles: names(roles) })
}

fn disable(user: &str) -> Box<dyn Command> {
    Box::new(SetUserDisabled { user: id(user), etag: None, disabled: true })
}

fn upsert(user: &str, patch: UserPatch) -> Box<dyn Command> {
    Box::new(UpsertUser { id: id(user), etag: None, patch })
}

fn with_roles(roles: &[&str]) -> UserPatch {
    UserPatch { roles: Some(names(roles)), ..UserPatch::default() }
}

fn mailed() -> UserPatch {
    UserPatch { email: Some("x@contoso.example".into()), ..UserPatch::default() }
}

fn batch(rows: Vec<(&str, UserPatch, Option<&str>)>) -> Box<dyn Command> {
    let row = |(user, patch, profile): (&str, UserPatch, Option<&str>)| UserRow {
        id: id(user),
        etag: None,
        patch,
        profile: profile.map(name),
    };
    Box::new(BatchUpsertUsers { rows: rows.into_iter().map(row).collect() })
}

fn upsert_role(text: &str, root: Option<&str>) -> Box<dyn Command> {
    let patch = RolePatch {
        display_name: Some("Renamed".into()),
        root_role: root.map(|root| Some(name(root))),
        ..RolePatch::default()
    };
    Box::new(UpsertRole { name: text.into(), etag: None, patch })
}

fn delete_role(text: &str) -> Box<dyn Command> {
    Box::new(DeleteRole { name: name(text), etag: None })
}

fn upsert_team(text: &str, patch: TeamPatch) -> Box<dyn Command> {
    Box::new(UpsertTeam { id: TeamId::parse(text).unwrap(), etag: None, patch })
}

fn team_roles(roles: &[&str]) -> TeamPatch {
    TeamPatch { roles: Some(names(roles)), ..TeamPatch::default() }
}

fn members(users: &[&str]) -> TeamPatch {
    TeamPatch { members: Some(users.iter().map(|u| id(u)).collect()), ..TeamPatch::default() }
}

/// Writes that need ADMIN, with the role because of which.
fn privileged_writes() -> Vec<(Box<dyn Command>, &'static str)> {
    const BUILT_IN: &str = "msdyn_system_administrator";
    vec![
        (set_roles("ann", &["contoso_leads", "contoso_owners"]), "contoso_owners"),
        (set_roles("ann", &["CONTOSO_owners_unit"]), "contoso_owners_unit"),
        (set_roles("ann", &[BUILT_IN]), BUILT_IN),
        (set_roles("boss", &["contoso_leads"]), BUILT_IN),
        (set_roles("boss", &[BUILT_IN]), BUILT_IN),
        (set_roles("chief", &[]), "contoso_owners_unit"),
        (disable("boss"), BUILT_IN),
        (disable("chief"), "contoso_owners_unit"),
        (Box::new(DeleteUser { user: id("BOSS"), etag: None }), BUILT_IN),
        (upsert("boss", mailed()), BUILT_IN),
        (upsert("new", with_roles(&["contoso_owners"])), "contoso_owners"),
        (batch(vec![("new", with_roles(&["contoso_owners"]), None)]), "contoso_owners"),
        (batch(vec![("ann", mailed(), None), ("chief", mailed(), None)]), "contoso_owners_unit"),
        (upsert_role("contoso_owners", None), "contoso_owners"),
        (upsert_role("contoso_owners_unit", None), "contoso_owners_unit"),
        (upsert_role("contoso_copy", Some("contoso_owners")), "contoso_copy"),
        (delete_role("contoso_owners_unit"), "contoso_owners_unit"),
        (upsert_team("desk", team_roles(&["contoso_leads", BUILT_IN])), BUILT_IN),
        (upsert_team("owners", team_roles(&[])), "contoso_owners"),
        (
            Box::new(DeleteTeam { id: TeamId::parse("owners").unwrap(), etag: None }),
            "contoso_owners",
        ),
    ]
}

/// Writes that a sync is for, and writes that change nothing.
fn permitted_writes() -> Vec<Box<dyn Command>> {
    vec![
        set_roles("ann", &["contoso_leads", "msdyn_csr_manager"]),
        set_roles("ann", &[]),
        set_roles("boss", &["contoso_leads", "msdyn_system_administrator"]),
        disable("ann"),
        Box::new(SetUserDisabled { user: id("boss"), etag: None, disabled: false }),
        Box::new(DeleteUser { user: id("ann"), etag: None }),
        upsert("ann", mailed()),
        upsert("new", with_roles(&["contoso_leads"])),
        batch(vec![("ann", with_roles(&[]), None), ("new", mailed(), None)]),
        upsert_role("contoso_leads", None),
        upsert_role("contoso_new", Some("contoso_leads")),
        delete_role("contoso_leads"),
        upsert_team("owners", members(&["ann", "boss"])),
        upsert_team("desk", team_roles(&[])),
        Box::new(DeleteTeam { id: TeamId::parse("desk").unwrap(), etag: None }),
    ]
}

#[test]
fn s12_1_a_sync_neither_gives_nor_takes_what_grants_admin() {
    let sync = context(&[Scope::Directory], DirectoryPolicy::default());
    for (command, because_of) in privileged_writes() {
        let refusal = judge(command.as_ref(), &catalog(), &sync).unwrap_err();
        assert_eq!(refusal.reason, Reason::PrivilegedRole, "{command:?}: {refusal}");
        assert_eq!(refusal.metadata["role"], because_of, "{command:?}");
        assert!(refusal.message.contains(because_of), "{refusal}");
        assert!(refusal.resources.iter().any(|r| r.name == because_of), "{refusal:?}");
        let previewed = preview(command.as_ref(), &catalog(), &sync, None, 1).unwrap_err();
        assert_eq!(previewed, refusal, "{command:?}");
    }
    for command in permitted_writes() {
        let judged = judge(command.as_ref(), &catalog(), &sync);
        assert!(judged.is_ok(), "{command:?}: {judged:?}");
    }
}

#[test]
fn s12_1_the_setting_and_the_scope_admin_lift_the_rule() {
    let lifted = DirectoryPolicy { grants_admin: true, ..DirectoryPolicy::default() };
    for who in [
        context(&[Scope::Directory], lifted),
        context(&[Scope::Admin], DirectoryPolicy::default()),
        context(&[Scope::Directory, Scope::Admin], DirectoryPolicy::default()),
        // A preview of a reader says what an administrator's write would do.
        context(&[Scope::Reader], DirectoryPolicy::default()),
    ] {
        for (command, _) in privileged_writes() {
            let judged = judge(command.as_ref(), &catalog(), &who);
            assert!(judged.is_ok(), "{command:?} as {:?}: {judged:?}", who.actor.scopes);
        }
    }
}

#[test]
fn a_list_is_judged_operation_by_operation() {
    // What the first operation takes is gone before the second one changes its holder.
    for operations in [
        vec![disable("ann"), set_roles("boss", &[]), disable("boss")],
        vec![upsert("new", mailed()), set_roles("new", &["contoso_owners"])],
    ] {
        let list = ApplyChanges { operations, expected_revision: None };
        let sync = context(&[Scope::Directory], DirectoryPolicy::default());
        let refusal = judge(&list, &catalog(), &sync).unwrap_err();
        assert_eq!(refusal.reason, Reason::PrivilegedRole);
        assert_eq!(refusal.metadata["operation_index"], "1");
    }
}

#[test]
fn every_object_of_a_batch_is_named() {
    let sync = context(&[Scope::Directory], DirectoryPolicy::default());
    let rows = vec![("boss", mailed(), None), ("ann", mailed(), None), ("chief", mailed(), None)];
    let refusal = judge(batch(rows).as_ref(), &catalog(), &sync).unwrap_err();
    let named: Vec<_> = refusal.resources.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(named, ["msdyn_system_administrator", "Boss", "contoso_owners_unit", "chief"]);
    assert!(refusal.message.contains("Boss") && refusal.message.contains("chief"), "{refusal}");
}

#[test]
fn s12_1_a_direct_link_in_a_batch_needs_admin_or_the_setting() {
    let assigns = DirectoryPolicy { assigns: true, ..DirectoryPolicy::default() };
    let none = DirectoryPolicy::default();
    for (scopes, policy, allowed) in [
        (&[Scope::Directory][..], none, false),
        (&[Scope::Directory], assigns, true),
        (&[Scope::Admin], none, true),
        (&[Scope::Directory, Scope::Admin], none, true),
    ] {
        // The refusal does not say whether the profile exists.
        for (profile, exists) in [("msdyn_csw_default_profile", true), ("contoso_none", false)] {
            let rows = vec![("ann", mailed(), None), ("new", mailed(), Some(profile))];
            let judged = judge(batch(rows).as_ref(), &catalog(), &context(scopes, policy));
            let got = judged.err().map(|refusal| refusal.reason);
            let want = match (allowed, exists) {
                (false, _) => Some(Reason::ScopeRequired),
                (true, false) => Some(Reason::ProfileNotFound),
                (true, true) => None,
            };
            assert_eq!(got, want, "{scopes:?} {policy:?} {profile}");
        }
    }
}
