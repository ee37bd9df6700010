//! What a directory sync may not do (SPEC §12.1).
//!
//! Roles that grant ADMIN and their holders are judged by what a plan changes, so the rule holds for
//! every write that reaches a user, a team or a role: alone, in a list, as a dry run or a preview.

use std::{borrow::Cow, sync::Arc};

use super::plan::Context;
use crate::{
    catalog::Catalog,
    domain::{
        Actor, Change, Kind, Object, Reason, Refusal, Scope, TeamId, UniqueName, UserId,
        directory::{Team, User},
        role::SecurityRole,
    },
};

/// A change that needs ADMIN: the role because of which, and what is done.
#[derive(Debug)]
struct Privileged {
    role: UniqueName,
    kind: Kind,
    /// The object that would change, as it is spelled where it is stored.
    name: String,
    what: &'static str,
}

/// Whether the actor writes as a directory sync, without the rights of an administrator.
fn is_sync(actor: &Actor) -> bool {
    actor.scopes.has(Scope::Directory) && !actor.scopes.has(Scope::Admin)
}

/// Refuses direct links to a directory sync. Asked before anything is read: the refusal does not
/// reveal which profiles exist.
pub(super) fn may_assign(context: &Context) -> Result<(), Refusal> {
    if !is_sync(&context.actor) || context.policy.assigns {
        return Ok(());
    }
    let (caller, needed) = (&context.actor.subject, Scope::Admin.as_str());
    let message = format!(
        "{caller} may not link users to profiles; that needs the scope {needed}, or the setting \
         auth.directory_assigns."
    );
    Err(Refusal::new(Reason::ScopeRequired, message).with("required_scope", needed))
}

/// Refuses changes of roles that grant ADMIN, and of who holds them, to a directory sync.
pub(super) fn check(
    catalog: &Catalog,
    changes: &[Change],
    context: &Context,
) -> Result<(), Refusal> {
    if !is_sync(&context.actor) || context.policy.grants_admin {
        return Ok(());
    }
    let found: Vec<_> = changes.iter().filter_map(|change| privileged(catalog, change)).collect();
    let Some(first) = found.first() else { return Ok(()) };
    let listed = |p: &Privileged| format!("{} {} ({})", p.kind.as_str(), p.name, p.role);
    let message = format!(
        "{} may not {}: {}; that needs the scope ADMIN, or the setting auth.directory_grants_admin.",
        context.actor.subject,
        first.what,
        found.iter().map(listed).collect::<Vec<_>>().join(", "),
    );
    let refusal = Refusal::new(Reason::PrivilegedRole, message).with("role", &first.role);
    Err(found.iter().fold(refusal, |refusal, p| {
        let refusal = refusal.resource(Kind::Role.as_str(), &p.role, "grants ADMIN");
        match p.kind {
            Kind::Role => refusal,
            kind => refusal.resource(kind.as_str(), &p.name, p.what),
        }
    }))
}

/// Why a change needs ADMIN, if it does.
fn privileged(catalog: &Catalog, change: &Change) -> Option<Privileged> {
    let (role, what) = match change {
        Change::Put(Object::User(next)) => user(catalog, &next.id, Some(next))?,
        Change::Put(Object::Team(next)) => team(catalog, &next.id, Some(next))?,
        Change::Put(Object::Role(next)) => role(catalog, &next.common.unique_name, Some(next))?,
        Change::Put(_) => return None,
        Change::Delete(key) => match key.kind {
            Kind::User => user(catalog, &UserId::parse(&key.name).ok()?, None)?,
            Kind::Team => team(catalog, &TeamId::parse(&key.name).ok()?, None)?,
            Kind::Role => role(catalog, &UniqueName::parse(&key.name).ok()?, None)?,
            _ => return None,
        },
    };
    let key = change.key();
    let name = catalog.object(&key).map_or(key.name, |object| object.name().to_owned());
    Some(Privileged { role, kind: key.kind, name, what })
}

/// The role because of which a user may not become `next`: one that he holds, or one that he would.
fn user(catalog: &Catalog, id: &UserId, next: Option<&User>) -> Option<(UniqueName, &'static str)> {
    let before = catalog.user(id).map(|seated| seated.user());
    let held = before.iter().flat_map(|user| &user.roles).find(|role| grants_admin(catalog, role));
    if let Some(role) = held {
        return Some((role.clone(), "change a user who holds a role that grants ADMIN"));
    }
    let given = next?.roles.iter().find(|role| grants_admin(catalog, role))?;
    Some((given.clone(), "give a user a role that grants ADMIN"))
}

/// The role that a team would get or lose. Who its members are does not matter: roles held through a
/// team grant nothing.
fn team(catalog: &Catalog, id: &TeamId, next: Option<&Team>) -> Option<(UniqueName, &'static str)> {
    let before = catalog.team(id).map(Cow::into_owned);
    let roles = |team: Option<&Team>| team.map(|team| team.roles.clone()).unwrap_or_default();
    let (before, next) = (roles(before.as_deref()), roles(next));
    let changed = before.symmetric_difference(&next).find(|role| grants_admin(catalog, role))?;
    Some((changed.clone(), "give a team a role that grants ADMIN, or take it"))
}

/// The name of a role that grants ADMIN, before or after.
fn role(
    catalog: &Catalog,
    name: &UniqueName,
    next: Option<&Arc<SecurityRole>>,
) -> Option<(UniqueName, &'static str)> {
    let root = next.and_then(|next| next.root_role.as_ref());
    let grants = next.is_some_and(|next| next.grants.contains(&Scope::Admin))
        || root.is_some_and(|root| grants_admin(catalog, root))
        || grants_admin(catalog, name);
    grants.then(|| (name.clone(), "make, change or delete a role that grants ADMIN"))
}

/// Whether a role or its root grants ADMIN.
fn grants_admin(catalog: &Catalog, name: &UniqueName) -> bool {
    let grants = |name: &UniqueName| {
        catalog.tables.roles.get(name).is_some_and(|role| role.grants.contains(&Scope::Admin))
    };
    grants(name) || catalog.root(name).is_some_and(|root| grants(&root))
}

#[cfg(test)]
mod tests;
