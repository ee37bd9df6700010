//! Credentials in the head of a request.

use crate::{
    catalog::Catalog,
    domain::{Actor, Refusal, Scope, Scopes, UserId, Violations},
};

use super::user_caller;

/// Metadata key that names the user for whom a caller without a credential speaks.
pub const USER_KEY: &str = "x-deskplane-user";
/// Metadata key that lists the scopes of a caller without a credential.
pub const SCOPES_KEY: &str = "x-deskplane-scopes";

/// Subject of a caller without a credential who names neither user nor scopes: an administrator.
/// No user id holds a colon, so no user can be confused with it.
pub const LOCAL_ADMINISTRATOR: &str = "local:administrator";
/// Subject of a caller without a credential who names scopes only.
pub const LOCAL_CALLER: &str = "local:caller";

/// A credential that was read and verified. Who the caller is follows from it and the catalog, so a
/// stream can ask again when roles change.
///
/// A further kind of credential is a variant here: a JWT with its claims and expiry, the mapped name
/// of a client certificate, an opaque token. Nothing behind [`Credential::actor`] knows which one it
/// was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// No credential, where none is configured: the metadata counts.
    Local {
        /// The user named by [`USER_KEY`].
        user: Option<UserId>,
        /// The scopes listed by [`SCOPES_KEY`].
        scopes: Option<Scopes>,
    },
}

impl Credential {
    /// Reads the texts of [`USER_KEY`] and [`SCOPES_KEY`].
    ///
    /// # Errors
    /// When one of them cannot be read; all violations at once.
    pub fn local(user: Option<&str>, scopes: Option<&str>) -> Result<Self, Refusal> {
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
        Ok(Self::Local { user, scopes })
    }

    /// Name of the caller, also of one who is refused.
    pub fn name(&self) -> &str {
        let Self::Local { user, scopes } = self;
        match (user, scopes) {
            (Some(id), _) => id.as_str(),
            (None, Some(_)) => LOCAL_CALLER,
            (None, None) => LOCAL_ADMINISTRATOR,
        }
    }

    /// The caller, by the users and roles of a catalog.
    ///
    /// Neither user nor scopes: an administrator. A user alone: the user's own credential, with the
    /// scopes of the user's roles. Scopes alone: a credential that stands for no user. An empty list
    /// of scopes holds none.
    ///
    /// # Errors
    /// When the user is disabled.
    pub fn actor(&self, catalog: &Catalog) -> Result<Actor, Refusal> {
        let Self::Local { user, scopes } = self;
        let (subject, scopes) = match (user, scopes) {
            (Some(id), scopes) => return user_caller(catalog, id.clone(), *scopes),
            (None, Some(scopes)) => (LOCAL_CALLER, *scopes),
            (None, None) => (LOCAL_ADMINISTRATOR, Scopes::of(&[Scope::Admin])),
        };
        Ok(Actor { subject: subject.to_owned(), user: None, scopes })
    }
}

/// Reads a list of scopes.
fn read_scopes(v: &mut Violations, text: &str) -> Scopes {
    const KNOWN: [Scope; 5] =
        [Scope::Admin, Scope::Reader, Scope::Agent, Scope::Service, Scope::Directory];
    let mut scopes = Scopes::default();
    if text.trim().is_empty() {
        return scopes;
    }
    for word in text.split(',').map(str::trim) {
        match KNOWN.iter().find(|scope| scope.as_str().eq_ignore_ascii_case(word)) {
            Some(scope) => scopes.insert(*scope),
            None => {
                let rule = format!("`{word}` is none of admin, reader, agent, service, directory");
                v.invalid(SCOPES_KEY, rule);
            }
        }
    }
    scopes
}
