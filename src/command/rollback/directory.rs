//! Users, teams, roles and the settings: the writes of the directory that lead back.

use super::flags::Flags;
use crate::{
    catalog::Catalog,
    command::{
        AddUsers, Command, RemoveUsers, RolePatch, Sequence, SetUserDisabled, SetUserRoles,
        SettingsPatch, TeamPatch, UpdateSettings, UpsertRole, UpsertTeam, UpsertUser, UserPatch,
    },
    domain::{
        Object, Refusal,
        directory::{Team, User},
        role::SecurityRole,
        settings::Settings,
    },
};

/// The step that gives an object of the directory, or the settings, the fields that they had.
pub(super) fn definition(catalog: &Catalog, old: &Object) -> Option<Box<dyn Command>> {
    match old {
        Object::Role(old) => Some(role(old)),
        Object::Team(old) => Some(team(old)),
        Object::User(old) => Some(user(catalog, old)),
        Object::Settings(old) => Some(settings(old)),
        _ => None,
    }
}

/// The role as it was.
fn role(old: &SecurityRole) -> Box<dyn Command> {
    Box::new(UpsertRole {
        name: old.common.unique_name.to_string(),
        etag: None,
        patch: RolePatch {
            display_name: Some(old.common.display_name.clone()),
            description: Some(old.common.description.clone()),
            owner: Some(old.common.owner.clone()),
            business_unit: Some(old.business_unit.clone()),
            root_role: Some(old.root_role.clone()),
            grants: Some(old.grants.clone()),
            persona: Some(old.persona),
        },
    })
}

/// The team as it was.
fn team(old: &Team) -> Box<dyn Command> {
    Box::new(UpsertTeam {
        id: old.id.clone(),
        etag: None,
        patch: TeamPatch {
            display_name: Some(old.display_name.clone()),
            members: Some(old.members.clone()),
            roles: Some(old.roles.clone()),
            external_id: Some(old.external_id.clone()),
        },
    })
}

/// The user with the fields that he had. One who is gone is created again, with his roles.
fn user(catalog: &Catalog, old: &User) -> Box<dyn Command> {
    let is_new = catalog.user(&old.id).is_none();
    Box::new(UpsertUser {
        id: old.id.clone(),
        etag: None,
        patch: UserPatch {
            display_name: Some(old.display_name.clone()),
            email: Some(old.email.clone()),
            business_unit: Some(old.business_unit.clone()),
            kind: Some(old.kind),
            roles: is_new.then(|| old.roles.clone()),
            disabled: is_new.then_some(old.disabled),
            other_name: Some(old.other_name().cloned()),
        },
    })
}

/// The settings as they were. The key of fingerprints is none of them.
fn settings(old: &Settings) -> Box<dyn Command> {
    Box::new(UpdateSettings {
        etag: None,
        patch: SettingsPatch {
            channels_provisioned: Some(old.channels_provisioned),
            copilot_opt_in: Some(old.copilot_opt_in),
            case_handling_time: Some(old.case_handling_time),
            screen_recording: Some(old.screen_recording),
            allow_agent_explain: Some(old.allow_agent_explain),
            max_streams_per_user: Some(old.max_streams_per_user.into()),
        },
    })
}

/// Restores what a user has beside his fields: roles, the disabled flag and direct links. Roles that
/// come back are an administrator's now.
pub(super) fn memberships(
    flags: &Flags,
    sequence: &mut Sequence<'_>,
    old: &Object,
) -> Result<(), Refusal> {
    let Object::User(old) = old else { return Ok(()) };
    let user = old.id.clone();
    let (roles, disabled) = (old.roles.clone(), old.disabled);
    sequence.run(&SetUserRoles { user: user.clone(), etag: None, roles })?;
    sequence.run(&SetUserDisabled { user: user.clone(), etag: None, disabled })?;
    let now = sequence.catalog().user(&user).map(|seated| seated.user().direct.clone());
    let had = |profile: &_| old.direct.iter().any(|link| link.profile == *profile);
    let gone = now.into_iter().flatten().map(|link| link.profile).filter(|profile| !had(profile));
    if old.direct.is_empty() {
        for profile in gone {
            let users = vec![user.clone()];
            sequence.run(&RemoveUsers { profile, etag: None, users })?;
        }
    }
    for (at, link) in old.direct.iter().enumerate() {
        sequence.run(&AddUsers {
            profile: link.profile.clone(),
            etag: None,
            users: vec![user.clone()],
            // Several links are no state that a call may make: the second is refused.
            move_users: flags.move_users && at == 0,
        })?;
    }
    Ok(())
}
