//! Who calls, and whether he may (SPEC §12): a caller is made of a credential, a call is held
//! against the table of operations and scopes.
//!
//! Nothing here knows transport: metadata comes as text, refusals go back as values.

mod credential;
mod table;

use std::borrow::Cow;

pub use self::{
    credential::{Credential, LOCAL_ADMINISTRATOR, LOCAL_CALLER, SCOPES_KEY, USER_KEY},
    table::{Access, Cell, RPCS, Rpc},
};

use crate::{
    catalog::Catalog,
    domain::{
        Actor, Kind, Reason, Refusal, Scope, Scopes, UserId, directory::User,
        resource_name::Reference,
    },
};

/// What the table needs to know of a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// The user whom the call names, by resource name or id; empty means the caller's own user,
    /// `None` that the call is not about a user.
    pub subject: Option<&'a str>,
    /// Whether the call only asks what a write would do.
    pub validate_only: bool,
    /// Whether agents may Explain themselves.
    pub agent_explain: bool,
}

impl<'a> Call<'a> {
    /// The user whom the call names, when that is not the caller's own.
    fn somebody_else(&self, actor: &Actor) -> Option<Cow<'a, str>> {
        let named = self.subject?;
        // What names no user at all is somebody else: nobody learns more of it than of a stranger.
        let id = Reference::of_kind(named, Kind::User).unwrap_or(Cow::Borrowed(named));
        let own = actor.user.as_ref().is_some_and(|own| own.as_str().eq_ignore_ascii_case(&id));
        (!id.is_empty() && !own).then_some(id)
    }
}

/// Refuses a caller none of whose scopes allows the operation, whatever the message says: what can be
/// decided by the head of a request.
pub fn may_call(rpc: &Rpc, actor: &Actor) -> Result<(), Refusal> {
    if actor.scopes.meets(rpc.access.scopes(|cell| cell != Cell::No)) {
        return Ok(());
    }
    let in_earnest = rpc.access.scopes(|cell| !matches!(cell, Cell::No | Cell::ValidateOnly));
    Err(scope_required(rpc, actor, in_earnest))
}

/// Refuses a call for which the caller holds no scope that allows it.
///
/// An agent who names somebody else learns nothing about whether that user exists.
pub fn authorize(rpc: &Rpc, actor: &Actor, call: &Call<'_>) -> Result<(), Refusal> {
    let else_id = call.somebody_else(actor);
    let allowed = rpc.access.scopes(|cell| match cell {
        Cell::No => false,
        Cell::Yes => true,
        Cell::Own => else_id.is_none(),
        Cell::OwnIfExplained => call.agent_explain && else_id.is_none(),
        Cell::ValidateOnly => call.validate_only,
    });
    if actor.scopes.meets(allowed) {
        return Ok(());
    }
    let own = rpc
        .access
        .scopes(|cell| cell == Cell::Own || cell == Cell::OwnIfExplained && call.agent_explain);
    if let Some(id) = else_id
        && actor.scopes.meets(own)
    {
        return Err(self_only(rpc, actor, &id));
    }
    Err(scope_required(rpc, actor, allowed))
}

/// Whether the caller may call this about anybody, and so about all at once.
pub fn about_anybody(rpc: &Rpc, actor: &Actor) -> bool {
    actor.scopes.meets(rpc.access.scopes(|cell| cell == Cell::Yes))
}

fn self_only(rpc: &Rpc, actor: &Actor, id: &str) -> Refusal {
    let (caller, path) = (&actor.subject, rpc.path);
    let message = format!("{caller} may call {path} for their own user only, not for {id}.");
    Refusal::new(Reason::SelfOnly, message).resource(Kind::User.as_str(), id, "not the caller")
}

/// The refusal with which a stream ends whose caller would no longer be let in.
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
    let Some(user) = catalog.user(&id).map(|seated| seated.user) else {
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
