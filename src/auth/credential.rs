//! Credentials in the head of a request.

use std::sync::Arc;

use crate::{
    catalog::Catalog,
    domain::{Actor, Refusal, Scope, Scopes, Time, UserId, Violations},
};

use super::{identity::Identity, user_caller};

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
/// Nothing behind [`Credential::actor`] knows which kind it was.
#[derive(Debug, Clone)]
pub enum Credential {
    /// One that was verified.
    Verified(Arc<Identity>),
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
        match self {
            Self::Verified(identity) => &identity.subject,
            Self::Local { user: Some(id), .. } => id.as_str(),
            Self::Local { user: None, scopes: Some(_) } => LOCAL_CALLER,
            Self::Local { user: None, scopes: None } => LOCAL_ADMINISTRATOR,
        }
    }

    /// Until when it is accepted.
    pub fn expires(&self) -> Option<Time> {
        self.identity().and_then(|identity| identity.expires)
    }

    /// Who it stands for, if it was verified.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Verified(identity) => Some(identity),
            Self::Local { .. } => None,
        }
    }

    /// The scopes that it carries; none when those of the user's roles count.
    pub fn scopes(&self) -> Option<Scopes> {
        match self {
            Self::Verified(identity) => identity.scopes,
            Self::Local { user: None, scopes: None } => Some(Scopes::of(&[Scope::Admin])),
            Self::Local { scopes, .. } => *scopes,
        }
    }

    /// The caller, by the users and roles of a catalog.
    ///
    /// A user without scopes of the credential's own has those of the user's roles. Where no
    /// credentials are configured, neither user nor scopes: an administrator. Scopes alone: a
    /// credential that stands for no user. An empty list of scopes holds none.
    ///
    /// # Errors
    /// When the user is disabled, or what the credential was verified by is no longer trusted.
    pub fn actor(&self, catalog: &Catalog) -> Result<Actor, Refusal> {
        let user = match self {
            Self::Verified(identity) => {
                identity.check_not_revoked()?;
                &identity.user
            }
            Self::Local { user, .. } => user,
        };
        if let Some(id) = user {
            return user_caller(catalog, id.clone(), self.scopes());
        }
        let (subject, scopes) = (self.name().to_owned(), self.scopes().unwrap_or_default());
        Ok(Actor { subject, user: None, scopes })
    }
}

/// The scopes that a credential may carry.
const CARRIED: [Scope; 4] = [Scope::Admin, Scope::Reader, Scope::Agent, Scope::Service];

/// The scope of that name that a credential may carry, in any spelling.
pub fn scope_named(name: &str) -> Option<Scope> {
    CARRIED.into_iter().find(|scope| scope.as_str().eq_ignore_ascii_case(name))
}

/// Reads a list of scopes.
fn read_scopes(v: &mut Violations, text: &str) -> Scopes {
    let mut scopes = Scopes::default();
    if text.trim().is_empty() {
        return scopes;
    }
    for word in text.split(',').map(str::trim) {
        match scope_named(word) {
            Some(scope) => scopes.insert(scope),
            None => {
                v.invalid(SCOPES_KEY, format!("`{word}` is none of admin, reader, agent, service"));
            }
        }
    }
    scopes
}
