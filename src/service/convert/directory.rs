//! Users, roles and teams, and their writes.

use std::collections::BTreeSet;

use deskplane_proto::v1;

use super::{
    Reader, Resource, ResourceContext,
    library::fields,
    mask::{Access, Fields, Mask},
    resource_name, resource_names, stamp_times, timestamp, writes,
};
use crate::{
    command::{
        BatchUpsertUsers, DeleteRole, DeleteTeam, DeleteUser, RolePatch, SetUserDisabled,
        SetUserRoles, TeamPatch, UpsertRole, UpsertTeam, UpsertUser, UserPatch, UserRow,
    },
    content::wire::{self, Coded as _},
    domain::{Kind, Object, Scope, UniqueName, role::family},
};

const USER: Fields<'static> = &[
    ("id", Access::Immutable),
    ("kind", Access::Immutable),
    ("email", Access::Mutable),
    ("roles", Access::Action("SetUserRoles")),
    ("team_roles", Access::Output),
    ("direct", Access::Action("AddUsers and RemoveUsers")),
    ("disabled", Access::Action("DisableUser and EnableUser")),
    ("business_unit", Access::Mutable),
    ("synced_roles", Access::Output),
];

const TEAM: Fields<'static> =
    &[("id", Access::Immutable), ("members", Access::Mutable), ("roles", Access::Mutable)];

impl Resource for v1::User {
    const KIND: Kind = Kind::User;

    fn of(object: &Object, context: ResourceContext<'_>) -> Option<Self> {
        let Object::User(o) = object else { return None };
        let (create_time, update_time) = stamp_times(&o.stamp);
        let team_roles = context.catalog.team_roles(&o.id).map(|(team, role)| v1::TeamRole {
            team: resource_name(Kind::Team, team.as_str()),
            role: resource_name(Kind::Role, role.as_str()),
        });
        let direct = o.direct.iter().map(|link| v1::DirectAssignment {
            profile: resource_name(Kind::Profile, link.profile.as_str()),
            assign_time: link.assigned_at.map(timestamp),
            assigned_by: link.assigned_by.clone(),
        });
        Some(Self {
            name: resource_name(Kind::User, o.id.as_str()),
            uid: o.stamp.uid.to_string(),
            id: o.id.as_str().to_owned(),
            display_name: o.display_name.clone(),
            etag: o.stamp.etag(),
            revision: o.stamp.revision,
            create_time,
            update_time,
            created_by: o.stamp.created_by.clone(),
            updated_by: o.stamp.updated_by.clone(),
            kind: o.kind.wire().into(),
            email: o.email.clone(),
            roles: resource_names(Kind::Role, &o.roles),
            team_roles: team_roles.collect(),
            direct: direct.collect(),
            disabled: o.disabled,
            business_unit: o.business_unit.clone(),
            synced_roles: resource_names(Kind::Role, o.synced_roles()),
        })
    }
}

impl Resource for v1::Team {
    const KIND: Kind = Kind::Team;

    fn of(object: &Object, _: ResourceContext<'_>) -> Option<Self> {
        let Object::Team(o) = object else { return None };
        let (create_time, update_time) = stamp_times(&o.stamp);
        Some(Self {
            name: resource_name(Kind::Team, o.id.as_str()),
            uid: o.stamp.uid.to_string(),
            id: o.id.as_str().to_owned(),
            display_name: o.display_name.clone(),
            etag: o.stamp.etag(),
            revision: o.stamp.revision,
            create_time,
            update_time,
            created_by: o.stamp.created_by.clone(),
            updated_by: o.stamp.updated_by.clone(),
            members: resource_names(Kind::User, &o.members),
            roles: resource_names(Kind::Role, &o.roles),
        })
    }
}

fn grant(scope: Scope) -> v1::Grant {
    match scope {
        Scope::Admin => v1::Grant::Admin,
        Scope::Reader => v1::Grant::Reader,
        Scope::Agent => v1::Grant::Agent,
        Scope::Productivity => v1::Grant::Productivity,
        // No role grants the scopes of services.
        Scope::Service | Scope::Directory => v1::Grant::Unspecified,
    }
}

impl Resource for v1::SecurityRole {
    const KIND: Kind = Kind::Role;

    fn of(object: &Object, _: ResourceContext<'_>) -> Option<Self> {
        let Object::Role(o) = object else { return None };
        let (create_time, update_time) = stamp_times(&o.stamp);
        let root = o.root_role.as_ref().unwrap_or(&o.common.unique_name);
        let family = family(root).map(|family| family.wire().into());
        let root_role = o.root_role.as_ref().map(|root| resource_name(Kind::Role, root.as_str()));
        Some(Self {
            name: resource_name(Kind::Role, o.common.unique_name.as_str()),
            uid: o.stamp.uid.to_string(),
            unique_name: o.common.unique_name.as_str().to_owned(),
            display_name: o.common.display_name.clone(),
            origin: wire::origin(&o.common.origin).into(),
            etag: o.stamp.etag(),
            revision: o.stamp.revision,
            create_time,
            update_time,
            created_by: o.stamp.created_by.clone(),
            updated_by: o.stamp.updated_by.clone(),
            business_unit: o.business_unit.clone(),
            root_role: root_role.unwrap_or_default(),
            grants: o.grants.iter().map(|scope| grant(*scope).into()).collect(),
            persona: o.persona.wire().into(),
            family: family.unwrap_or_default(),
        })
    }
}

fn user_patch(r: &mut Reader<'_>, u: &v1::User, mask: &Mask, at: &str) -> UserPatch {
    let field = |name: &str| format!("{at}{name}");
    UserPatch {
        display_name: mask.text("display_name", &u.display_name),
        email: mask.text("email", &u.email),
        business_unit: mask.text("business_unit", &u.business_unit),
        kind: r.choice(&field("kind"), u.kind),
        roles: (!u.roles.is_empty()).then(|| r.names(&field("roles"), Kind::Role, &u.roles)),
        disabled: u.disabled.then_some(true),
        // The API has no word for it.
        other_name: None,
    }
}

/// The id of a user that is sent as a whole: from its resource name, or from its id alone.
fn user_id(r: &mut Reader<'_>, u: &v1::User, at: &str) -> crate::domain::UserId {
    if u.name.is_empty() {
        return r.user(&format!("{at}id"), &u.id);
    }
    let id = r.user(&format!("{at}name"), &u.name);
    if !u.id.is_empty() && !id.as_str().eq_ignore_ascii_case(&u.id) {
        let text = format!("is immutable; {id} cannot be renamed");
        r.v.add(crate::domain::Reason::FieldImmutable, format!("{at}id"), text);
    }
    id
}

fn upsert_user(q: v1::UpsertUserRequest, r: &mut Reader<'_>) -> UpsertUser {
    let u = r.required("user", q.user);
    let mask = r.mask(q.update_mask.as_ref(), USER);
    UpsertUser {
        id: user_id(r, &u, ""),
        etag: r.etag(&u.etag),
        patch: user_patch(r, &u, &mask, ""),
    }
}

fn batch(q: v1::BatchUpsertUsersRequest, r: &mut Reader<'_>) -> BatchUpsertUsers {
    let row = |(at, row): (usize, v1::UserRow)| {
        let user = r.required(&format!("rows[{at}].user"), row.user);
        let path = format!("rows[{at}].user.");
        UserRow {
            id: user_id(r, &user, &path),
            etag: r.etag_at(&format!("{path}etag"), &user.etag),
            patch: user_patch(r, &user, &Mask::Present, &path),
            profile: r.optional_name(&format!("rows[{at}].profile"), Kind::Profile, &row.profile),
        }
    };
    BatchUpsertUsers { rows: q.rows.into_iter().enumerate().map(row).collect() }
}

fn roles(r: &mut Reader<'_>, texts: &[String]) -> BTreeSet<UniqueName> {
    r.names("roles", Kind::Role, texts)
}

fn upsert_team(q: v1::UpsertTeamRequest, r: &mut Reader<'_>) -> UpsertTeam {
    let t = r.required("team", q.team);
    let mask = r.mask(q.update_mask.as_ref(), TEAM);
    let id = if t.name.is_empty() { r.team("id", &t.id) } else { r.team("name", &t.name) };
    if !t.name.is_empty() && !t.id.is_empty() && !id.as_str().eq_ignore_ascii_case(&t.id) {
        let text = format!("is immutable; {id} cannot be renamed");
        r.v.add(crate::domain::Reason::FieldImmutable, "id", text);
    }
    UpsertTeam {
        id,
        etag: r.etag(&t.etag),
        patch: TeamPatch {
            display_name: mask.text("display_name", &t.display_name),
            members: mask
                .sets("members", !t.members.is_empty())
                .then(|| r.users("members", &t.members)),
            roles: mask.sets("roles", !t.roles.is_empty()).then(|| roles(r, &t.roles)),
            // The API has no word for it.
            external_id: None,
        },
    }
}

fn grants(r: &mut Reader<'_>, numbers: &[i32]) -> BTreeSet<Scope> {
    let mut scopes = BTreeSet::new();
    for (at, number) in numbers.iter().enumerate() {
        let scope = match v1::Grant::try_from(*number) {
            Ok(v1::Grant::Admin) => Scope::Admin,
            Ok(v1::Grant::Reader) => Scope::Reader,
            Ok(v1::Grant::Agent) => Scope::Agent,
            Ok(v1::Grant::Productivity) => Scope::Productivity,
            Ok(v1::Grant::Unspecified) | Err(_) => {
                r.v.invalid(format!("grants[{at}]"), format!("has no value {number}"));
                continue;
            }
        };
        scopes.insert(scope);
    }
    scopes
}

fn upsert_role(q: v1::UpsertRoleRequest, r: &mut Reader<'_>) -> UpsertRole {
    let role = r.required("role", q.role);
    let mask = r.mask(q.update_mask.as_ref(), &fields(Kind::Role));
    // The command reads the name of a new role itself, so that the refusal names the broken rule.
    let name = if role.name.is_empty() {
        role.unique_name.clone()
    } else {
        r.addressed(Kind::Role, &role.name, &role.unique_name).as_str().to_owned()
    };
    let persona = r.choice("persona", role.persona);
    UpsertRole {
        name,
        etag: r.etag(&role.etag),
        patch: RolePatch {
            display_name: mask.text("display_name", &role.display_name),
            business_unit: mask.text("business_unit", &role.business_unit),
            root_role: r.optional_name("root_role", Kind::Role, &role.root_role).map(Some),
            grants: mask.sets("grants", !role.grants.is_empty()).then(|| grants(r, &role.grants)),
            persona: mask.pick("persona", role.persona != 0, persona.unwrap_or_default()),
            ..RolePatch::default()
        },
    }
}

fn disabled(r: &mut Reader<'_>, (name, etag): (&str, &str), disabled: bool) -> SetUserDisabled {
    SetUserDisabled { user: r.user("name", name), etag: r.etag(etag), disabled }
}

writes! {
    UpsertUserRequest => UpsertUser, upsert_user;
    BatchUpsertUsersRequest => BatchUpsertUsers, batch;
    SetUserRolesRequest => SetUserRoles, |q, r| SetUserRoles {
        user: r.user("name", &q.name),
        etag: r.etag(&q.etag),
        roles: roles(r, &q.roles),
    };
    DisableUserRequest => SetUserDisabled, |q, r| disabled(r, (&q.name, &q.etag), true);
    EnableUserRequest => SetUserDisabled, |q, r| disabled(r, (&q.name, &q.etag), false);
    DeleteUserRequest => DeleteUser, |q, r| DeleteUser {
        user: r.user("name", &q.name),
        etag: r.etag(&q.etag),
    };
    UpsertTeamRequest => UpsertTeam, upsert_team;
    DeleteTeamRequest => DeleteTeam, |q, r| DeleteTeam {
        id: r.team("name", &q.name),
        etag: r.etag(&q.etag),
    };
    UpsertRoleRequest => UpsertRole, upsert_role;
    DeleteRoleRequest => DeleteRole, |q, r| DeleteRole {
        name: r.name("name", Kind::Role, &q.name),
        etag: r.etag(&q.etag),
    };
}
