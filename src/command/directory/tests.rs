//! Rules of the directory writes.

mod roles_and_teams;
mod users;

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{
    catalog::{Catalog, builtin},
    command::{Command, Context, DirectoryPolicy, Plan},
    domain::{
        Actor, Change, Common, FindingCode, Kind, Object, ObjectKey, Scope, Scopes, Stamp, TeamId,
        Time, UniqueName, UserId,
        directory::{DirectLink, OtherName, Team, User, UserKind},
        profile::Profile,
        role::{Persona, SecurityRole},
    },
};

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn names(texts: &[&str]) -> BTreeSet<UniqueName> {
    texts.iter().map(|text| name(text)).collect()
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<UserId> {
    texts.iter().map(|text| id(text)).collect()
}

fn team_id(text: &str) -> TeamId {
    TeamId::parse(text).unwrap()
}

fn user(text: &str, roles: &[&str], link: Option<&str>) -> Object {
    Object::User(Arc::new(User {
        id: id(text),
        stamp: stamp(),
        display_name: text.into(),
        kind: UserKind::Human,
        email: String::new(),
        roles: names(roles),
        direct: link
            .map(|profile| DirectLink {
                profile: name(profile),
                assigned_at: None,
                assigned_by: "import".into(),
            })
            .into_iter()
            .collect(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }))
}

fn role(text: &str, root: Option<&str>) -> Object {
    Object::Role(Arc::new(SecurityRole {
        common: Common::custom(name(text), "Role"),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: root.map(name),
        grants: BTreeSet::from([Scope::Reader]),
        persona: Persona::None,
    }))
}

fn team(text: &str, members: &[&str], roles: &[&str]) -> Object {
    Object::Team(Arc::new(Team {
        id: team_id(text),
        stamp: stamp(),
        display_name: "Team".into(),
        members: ids(members),
        roles: names(roles),
        external_id: None,
    }))
}

fn profile(text: &str, rank: Option<u8>, roles: &[&str]) -> Object {
    let mut profile = Profile::empty(Common::custom(name(text), "Profile"), stamp());
    profile.rank = rank;
    profile.roles = names(roles);
    Object::Profile(Arc::new(profile))
}

/// A small organisation; `old_hand` holds a role and a link of imported data that lead nowhere.
fn catalog() -> Catalog {
    let objects = builtin::objects(1, Time::default()).into_iter().chain([
        role("contoso_agents", None),
        role("contoso_agents_unit", Some("contoso_agents")),
        role("contoso_leads", None),
        profile("contoso_rep", Some(1), &["contoso_leads"]),
        profile("contoso_other", Some(2), &["contoso_leads", "contoso_agents"]),
        profile("contoso_voice", None, &[]),
        user("Ann", &["contoso_leads"], Some("contoso_rep")),
        user("bob", &[], None),
        user("old_hand", &["contoso_gone"], Some("contoso_lost")),
        team("contoso_desk", &["Ann", "old_hand"], &["contoso_leads"]),
        team("Night shift", &["Ann"], &[]),
    ]);
    Catalog::from_objects(objects, 1, Time::default())
}

fn context(scopes: &[Scope]) -> Context {
    let actor = Actor { scopes: Scopes::of(scopes), ..Actor::system() };
    Context {
        actor,
        revision: 2,
        time: Time::default(),
        uid: uuid::Uuid::from_u128(9),
        policy: DirectoryPolicy::default(),
    }
}

fn admin(command: &dyn Command) -> Result<Plan, Refusal> {
    command.plan(&catalog(), &context(&[Scope::Admin]))
}

/// The catalog after an accepted write.
fn after(command: &dyn Command) -> Catalog {
    let plan = admin(command).unwrap();
    assert!(plan.changed(), "{command:?}");
    let keys: BTreeSet<_> = plan.changes.iter().map(Change::key).collect();
    assert_eq!(keys.len(), plan.changes.len(), "an object changes twice: {command:?}");
    catalog().apply(&plan.changes, 2, Time::default())
}

fn upsert_user(text: &str, patch: UserPatch) -> UpsertUser {
    UpsertUser { id: id(text), etag: None, patch }
}

fn upsert_role(text: &str, patch: RolePatch) -> UpsertRole {
    UpsertRole { name: text.into(), etag: None, patch }
}

fn upsert_team(text: &str, patch: TeamPatch) -> UpsertTeam {
    UpsertTeam { id: team_id(text), etag: None, patch }
}

fn row(text: &str, patch: UserPatch, profile: Option<&str>) -> UserRow {
    UserRow { id: id(text), etag: None, patch, profile: profile.map(name) }
}

fn titled(text: &str) -> RolePatch {
    RolePatch { display_name: Some(text.into()), ..RolePatch::default() }
}

fn with_roles(roles: &[&str]) -> UserPatch {
    UserPatch { roles: Some(names(roles)), ..UserPatch::default() }
}

fn many(prefix: &str, count: usize) -> BTreeSet<UniqueName> {
    (0..count).map(|at| name(&format!("{prefix}_{at}"))).collect()
}

/// Fields, precondition subjects and resources of a refusal, each sorted as it stands.
fn details(refusal: &Refusal) -> Vec<String> {
    let fields = refusal.violations.iter().map(|v| v.field.clone());
    let subjects = refusal.preconditions.iter().map(|p| p.subject.clone());
    let resources = refusal.resources.iter().map(|r| r.name.clone());
    fields.chain(subjects).chain(resources).collect()
}

#[test]
fn refusals_name_everything_that_is_wrong() {
    use Reason as R;
    let long = UserPatch {
        display_name: Some("x".repeat(201)),
        email: Some("x".repeat(255)),
        business_unit: Some("x".repeat(101)),
        ..UserPatch::default()
    };
    let immutable = UserPatch {
        kind: Some(UserKind::Application),
        disabled: Some(true),
        roles: Some(names(&["contoso_agents"])),
        ..UserPatch::default()
    };
    let bad_role = RolePatch {
        owner: Some("x".repeat(101)),
        business_unit: Some("x".repeat(101)),
        description: Some("x".repeat(2001)),
        grants: Some(BTreeSet::from([Scope::Service])),
        ..titled(" ")
    };
    let rooted = |root: &str| RolePatch { root_role: Some(Some(name(root))), ..titled("Copy") };
    let set_roles = |user: &str, roles| SetUserRoles { user: id(user), etag: None, roles };
    let lost = Some("seen".to_owned());
    let cases: Vec<(Box<dyn Command>, R, &[&str])> = vec![
        (
            Box::new(upsert_user("new", long)),
            R::FieldInvalid,
            &["display_name", "email", "business_unit"],
        ),
        (
            Box::new(upsert_user("ann", immutable)),
            R::FieldImmutable,
            &["kind", "disabled", "roles"],
        ),
        (
            Box::new(upsert_user("new", with_roles(&["contoso_x", "contoso_y"]))),
            R::RoleNotFound,
            &["contoso_x", "contoso_y"],
        ),
        (
            Box::new(UpsertUser { etag: lost.clone(), ..upsert_user("new", UserPatch::default()) }),
            R::EtagMismatch,
            &["new"],
        ),
        (Box::new(set_roles("nobody", names(&[]))), R::UserNotFound, &["nobody"]),
        (
            Box::new(set_roles("bob", names(&["contoso_desk", "contoso_x"]))),
            R::TeamNotSupported,
            &["roles"],
        ),
        (Box::new(set_roles("bob", names(&["contoso_gone"]))), R::RoleNotFound, &["contoso_gone"]),
        (
            Box::new(set_roles("old_hand", names(&["contoso_gone"]))),
            R::RoleNotFound,
            &["contoso_gone"],
        ),
        (
            Box::new(SetUserDisabled { user: id("nobody"), etag: None, disabled: true }),
            R::UserNotFound,
            &["nobody"],
        ),
        (Box::new(DeleteUser { user: id("ann"), etag: lost.clone() }), R::EtagMismatch, &["Ann"]),
        (Box::new(upsert_role("nope", titled("Bad"))), R::UniqueNameInvalid, &["unique_name"]),
        (
            Box::new(upsert_role("MSDYN_mine", RolePatch::default())),
            R::ReservedPrefix,
            &["unique_name", "display_name"],
        ),
        (
            Box::new(upsert_role("contoso_new", bad_role)),
            R::FieldInvalid,
            &["display_name", "description", "owner", "business_unit", "grants"],
        ),
        (Box::new(upsert_role("msdyn_csr", titled("Mine"))), R::BuiltInReadOnly, &["msdyn_csr"]),
        (
            Box::new(upsert_role("contoso_new", rooted("contoso_x"))),
            R::RoleNotFound,
            &["contoso_x"],
        ),
        (
            Box::new(upsert_role("contoso_new", rooted("contoso_agents_unit"))),
            R::FieldInvalid,
            &["root_role"],
        ),
        (
            Box::new(upsert_role("contoso_leads", rooted("contoso_agents"))),
            R::FieldImmutable,
            &["root_role"],
        ),
        (
            Box::new(DeleteRole { name: name("contoso_agents"), etag: None }),
            R::ObjectInUse,
            &["contoso_agents_unit", "contoso_agents_unit"],
        ),
        (
            Box::new(DeleteRole { name: name("msdyn_csr"), etag: None }),
            R::BuiltInReadOnly,
            &["msdyn_csr"],
        ),
        (
            Box::new(DeleteRole { name: name("contoso_x"), etag: None }),
            R::RoleNotFound,
            &["contoso_x"],
        ),
        (Box::new(upsert_team("new", TeamPatch::default())), R::FieldInvalid, &["display_name"]),
        (
            Box::new(upsert_team(
                "night shift",
                TeamPatch {
                    members: Some(ids(&["bob", "x1", "x2"])),
                    roles: Some(names(&["contoso_x"])),
                    ..TeamPatch::default()
                },
            )),
            R::UserNotFound,
            &["x1", "x2", "contoso_x"],
        ),
        (Box::new(DeleteTeam { id: team_id("x"), etag: None }), R::TeamNotFound, &["x"]),
        (
            Box::new(DeleteTeam { id: team_id("night shift"), etag: lost }),
            R::EtagMismatch,
            &["Night shift"],
        ),
    ];
    for (command, reason, want) in cases {
        let refusal = admin(command.as_ref()).unwrap_err();
        assert_eq!(refusal.reason, reason, "{command:?}: {refusal}");
        assert_eq!(details(&refusal), want, "{command:?}: {refusal}");
    }
}

#[test]
fn limits_are_refused_with_limit_and_field() {
    let roles: Vec<_> = many("big", 101).iter().map(|n| role(n.as_str(), None)).collect();
    let catalog = catalog().apply(
        &roles.into_iter().map(Change::Put).collect::<Vec<_>>(),
        1,
        Time::default(),
    );
    let roles = many("big", 101);
    let user = UserPatch { roles: Some(roles.clone()), ..UserPatch::default() };
    let team = TeamPatch { roles: Some(many("big", 51)), ..TeamPatch::default() };
    let cases: Vec<(Box<dyn Command>, &str, &str)> = vec![
        (Box::new(upsert_user("new", user.clone())), "roles", "100"),
        (Box::new(SetUserRoles { user: id("bob"), etag: None, roles }), "roles", "100"),
        (
            Box::new(BatchUpsertUsers { rows: vec![row("bob", user, None)] }),
            "rows[0].user.roles",
            "100",
        ),
        (Box::new(upsert_team("night shift", team)), "roles", "50"),
    ];
    for (command, field, limit) in cases {
        let refusal = command.plan(&catalog, &context(&[Scope::Admin])).unwrap_err();
        assert_eq!(refusal.reason, Reason::LimitReached, "{command:?}");
        assert_eq!(
            (refusal.metadata["field"].as_str(), &refusal.metadata["limit"][..]),
            (field, limit)
        );
    }
}

#[test]
fn unchanged_objects_are_no_ops() {
    let same_user = UserPatch {
        display_name: Some(" Ann ".into()),
        kind: Some(UserKind::Human),
        disabled: Some(false),
        ..with_roles(&["CONTOSO_LEADS"])
    };
    let same_role = RolePatch {
        root_role: Some(Some(name("Contoso_Agents"))),
        grants: Some(BTreeSet::from([Scope::Reader])),
        ..titled("Role")
    };
    let same_team = TeamPatch {
        display_name: Some("Team".into()),
        members: Some(ids(&["ANN", "old_hand"])),
        roles: Some(names(&["contoso_leads"])),
        external_id: Some(None),
    };
    let commands: Vec<Box<dyn Command>> = vec![
        Box::new(upsert_user("ANN", same_user.clone())),
        Box::new(BatchUpsertUsers {
            rows: vec![
                row("ann", same_user, Some("contoso_rep")),
                row("bob", UserPatch::default(), None),
            ],
        }),
        Box::new(SetUserRoles { user: id("old_hand"), etag: None, roles: BTreeSet::new() }),
        Box::new(SetUserDisabled { user: id("bob"), etag: None, disabled: false }),
        Box::new(upsert_role("contoso_agents_unit", same_role)),
        Box::new(upsert_team("contoso_desk", same_team)),
    ];
    for command in commands {
        assert!(!admin(command.as_ref()).unwrap().changed(), "{command:?}");
    }
}
