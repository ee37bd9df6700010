//! Who calls, and whether he may (SPEC §12): a caller is made of a credential, a call is held
//! against the table of operations and scopes.
//!
//! Nothing here knows transport: metadata comes as text, refusals go back as values.

mod table;

pub use self::table::{Access, Cell, RPCS, Rpc};
use std::borrow::Cow;

use crate::{
    catalog::Catalog,
    domain::{
        Actor, Kind, Reason, Refusal, Scope, Scopes, UserId, Violations, directory::User,
        resource_name::Reference,
    },
};

/// Metadata key that names the user for whom a caller without a credential speaks.
pub const USER_KEY: &str = "x-deskplane-user";
/// Metadata key that lists the scopes of a caller without a credential.
pub const SCOPES_KEY: &str = "x-deskplane-scopes";

/// Subject of a caller without a credential who names neither user nor scopes: an administrator.
/// No user id holds a colon, so nobody can be taken for him.
pub const LOCAL_ADMINISTRATOR: &str = "local:administrator";
/// Subject of a caller without a credential who names scopes only.
pub const LOCAL_CALLER: &str = "local:caller";

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

/// Refuses a call for which the caller holds no scope that allows it.
///
/// An agent who names somebody else learns nothing about whether that user exists. An RPC that the
/// table does not know is refused.
pub fn authorize(path: &str, actor: &Actor, call: &Call<'_>) -> Result<(), Refusal> {
    let Some(rpc) = Rpc::find(path) else {
        let message = format!("{path} stands in no row of the table of scopes.");
        return Err(Refusal::new(Reason::Internal, message));
    };
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
pub fn about_anybody(path: &str, actor: &Actor) -> bool {
    let anybody = Rpc::find(path).map(|rpc| rpc.access.scopes(|cell| cell == Cell::Yes));
    anybody.is_some_and(|scopes| actor.scopes.meets(scopes))
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

/// The caller where no credentials are configured, from the texts of the metadata
/// [`USER_KEY`] and [`SCOPES_KEY`].
///
/// Neither: an administrator. A user alone: his own credential, with the scopes of his roles.
/// Scopes alone: a credential that stands for no user. An empty list of scopes holds none.
pub fn caller(
    user: Option<&str>,
    scopes: Option<&str>,
    catalog: &Catalog,
) -> Result<Actor, Refusal> {
    let mut v = Violations::new();
    let scopes = scopes.map(|text| read_scopes(&mut v, text));
    let user = user.and_then(|text| match UserId::parse(text) {
        Ok(id) => Some(id),
        Err(rule) => {
            v.invalid(USER_KEY, rule);
            None
        }
    });
    v.finish()?;
    let (subject, scopes) = match (user, scopes) {
        (Some(id), scopes) => return user_caller(catalog, id, scopes),
        (None, Some(scopes)) => (LOCAL_CALLER, scopes),
        (None, None) => (LOCAL_ADMINISTRATOR, Scopes::of(&[Scope::Admin])),
    };
    Ok(Actor { subject: subject.to_owned(), user: None, scopes })
}

fn read_scopes(v: &mut Violations, text: &str) -> Scopes {
    const KNOWN: [Scope; 4] = [Scope::Admin, Scope::Reader, Scope::Agent, Scope::Service];
    let mut scopes = Scopes::default();
    if text.trim().is_empty() {
        return scopes;
    }
    for word in text.split(',').map(str::trim) {
        match KNOWN.iter().find(|scope| scope.as_str().eq_ignore_ascii_case(word)) {
            Some(scope) => scopes.insert(*scope),
            None => {
                v.invalid(SCOPES_KEY, format!("`{word}` is none of admin, reader, agent, service"));
            }
        }
    }
    scopes
}

#[cfg(test)]
mod tests;
