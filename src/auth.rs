//! Authentication and authorization (SPEC §12): a credential becomes a caller, and a call is checked
//! against the table of operations and scopes.
//!
//! Nothing here knows transport: metadata comes as text, refusals go back as values.

mod certificate;
mod credential;
mod identity;
mod table;

use std::borrow::Cow;

pub use self::{
    certificate::ClientCertificates,
    credential::{
        Credential, LOCAL_ADMINISTRATOR, LOCAL_CALLER, SCOPES_KEY, USER_KEY, scope_named,
    },
    identity::{Identity, Method, Revocation, expired},
    table::{Access, Audit, Cell, RPCS, Rpc},
};

use crate::{
    catalog::Catalog,
    domain::{
        Actor, Kind, Reason, Refusal, Scope, Scopes, UserId, directory::User,
        resource_name::Reference,
    },
};

/// The attributes of a call that decide the access.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// The user whom the call names, by resource name or id; empty means the caller's own user,
    /// `None` that the call is not about a user.
    pub subject: Option<&'a str>,
    /// Whether the call only asks what a write would do.
    pub validate_only: bool,
    /// Whether agents may Explain themselves.
    pub agent_explain: bool,
}

impl<'a> Attributes<'a> {
    /// The user whom the call names, when that is not the caller's own.
    fn other_user(&self, actor: &Actor) -> Option<Cow<'a, str>> {
        let named = self.subject?;
        // A malformed name counts as another user, so the refusal reveals nothing about it.
        let id = Reference::of_kind(named, Kind::User).unwrap_or(Cow::Borrowed(named));
        let own = actor.user.as_ref().is_some_and(|own| own.as_str().eq_ignore_ascii_case(&id));
        (!id.is_empty() && !own).then_some(id)
    }
}

/// Refuses a caller none of whose scopes allows the operation for any message: the part of the check
/// that needs only the head of a request.
pub fn may_call(rpc: &Rpc, actor: &Actor) -> Result<(), Refusal> {
    if actor.scopes.meets(rpc.access.scopes(|cell| cell != Cell::No)) {
        return Ok(());
    }
    let beyond_validation =
        rpc.access.scopes(|cell| !matches!(cell, Cell::No | Cell::ValidateOnly));
    Err(scope_required(rpc, actor, beyond_validation))
}

/// Answers the scope that allows the call: the first one, in the order of [`Scope::ALL`], of those
/// that the caller holds. Refuses a caller who holds none.
///
/// The refusal of an agent who names another user does not reveal whether that user exists.
pub fn authorize(rpc: &Rpc, actor: &Actor, attributes: &Attributes<'_>) -> Result<Scope, Refusal> {
    let other = attributes.other_user(actor);
    let allowed = rpc.access.scopes(|cell| match cell {
        Cell::No => false,
        Cell::Yes => true,
        Cell::Own => other.is_none(),
        Cell::OwnIfExplained => attributes.agent_explain && other.is_none(),
        Cell::ValidateOnly => attributes.validate_only,
    });
    if let Some(scope) = actor.scopes.first_common(allowed) {
        return Ok(scope);
    }
    let own = rpc.access.scopes(|cell| {
        cell == Cell::Own || cell == Cell::OwnIfExplained && attributes.agent_explain
    });
    if let Some(id) = other
        && actor.scopes.meets(own)
    {
        return Err(self_only(rpc, actor, &id));
    }
    Err(scope_required(rpc, actor, allowed))
}

/// What is recorded of a call that is let in (SPEC §11.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audited<'a> {
    /// Nothing.
    No,
    /// That there was one: SERVICE resolves others all day.
    Counted,
    /// An entry, about that user if the call names one.
    Read(Option<Cow<'a, str>>),
}

/// What is recorded of a call that a scope lets in.
pub fn audited<'a>(
    rpc: &Rpc,
    actor: &'a Actor,
    scope: Scope,
    attributes: &Attributes<'a>,
) -> Audited<'a> {
    let own = || attributes.subject.and(actor.user.as_ref()).map(|id| Cow::Borrowed(id.as_str()));
    match rpc.audit {
        Audit::None => Audited::No,
        Audit::Always => Audited::Read(attributes.other_user(actor).or_else(own)),
        Audit::Others => match (attributes.other_user(actor), scope) {
            (Some(_), Scope::Service) => Audited::Counted,
            (Some(other), Scope::Reader | Scope::Admin) => Audited::Read(Some(other)),
            _ => Audited::No,
        },
    }
}

/// Whether the caller may call this about any user, and so about all at once.
pub fn about_anybody(rpc: &Rpc, actor: &Actor) -> bool {
    actor.scopes.meets(rpc.access.scopes(|cell| cell == Cell::Yes))
}

fn self_only(rpc: &Rpc, actor: &Actor, id: &str) -> Refusal {
    let (caller, path) = (&actor.subject, rpc.path);
    let message = format!("{caller} may call {path} for their own user only, not for {id}.");
    Refusal::new(Reason::SelfOnly, message).resource(Kind::User.as_str(), id, "not the caller")
}

/// The refusal that ends a stream whose caller would no longer be admitted.
pub fn revoked(refusal: Refusal) -> Refusal {
    Refusal { reason: Reason::ScopeRevoked, ..refusal }
}

fn scope_required(rpc: &Rpc, actor: &Actor, allowed: Scopes) -> Refusal {
    let names: Vec<_> = Scope::ALL
        .iter()
        .filter(|scope| allowed.has(**scope))
        .map(|scope| scope.as_str())
        .collect();
    let (caller, path) = (&actor.subject, rpc.path);
    let message =
        format!("{caller} may not call {path}; it needs one of the scopes {}.", names.join(", "));
    Refusal::new(Reason::ScopeRequired, message).with("required_scope", names.join(","))
}

/// The scopes that a user's own roles grant; roles held through teams grant nothing.
pub fn role_scopes(catalog: &Catalog, user: &User) -> Scopes {
    let roots = user.roles.iter().filter_map(|role| catalog.root(role));
    let roots = roots.filter_map(|root| catalog.tables.roles.get(&root));
    let mut scopes = Scopes::default();
    for scope in roots.flat_map(|root| root.grants.iter()) {
        scopes.insert(*scope);
    }
    scopes
}

/// The caller whose credential stands for a user.
///
/// Scopes that the credential carries count; without any, those of the user's roles, and none for
/// a user who is not known. A disabled user is refused whatever the credential carries.
pub fn user_caller(
    catalog: &Catalog,
    id: UserId,
    scopes: Option<Scopes>,
) -> Result<Actor, Refusal> {
    let Some(user) = catalog.user(&id).map(|seated| seated.user()) else {
        let subject = id.to_string();
        return Ok(Actor { subject, user: Some(id), scopes: scopes.unwrap_or_default() });
    };
    enabled(&user)?;
    Ok(Actor {
        subject: user.id.to_string(),
        user: Some(user.id.clone()),
        scopes: scopes.unwrap_or_else(|| role_scopes(catalog, &user)),
    })
}

/// Refuses a disabled user's own credential.
pub fn enabled(user: &User) -> Result<(), Refusal> {
    if !user.disabled {
        return Ok(());
    }
    let message = format!("User {} is disabled and may not call; enable the user first.", user.id);
    Err(Refusal::new(Reason::CallerDisabled, message).resource(
        Kind::User.as_str(),
        &user.id,
        "disabled",
    ))
}

#[cfg(test)]
mod tests;
