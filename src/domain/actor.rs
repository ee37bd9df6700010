//! Who calls, and what the caller may do (SPEC §12).

use serde::{Deserialize, Serialize};

use super::UserId;

/// One right of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Reads and writes everything.
    Admin,
    /// Reads everything, changes nothing.
    Reader,
    /// Reads what concerns the user that the credential stands for.
    Agent,
    /// Resolves and watches any user, reads the directory.
    Service,
    /// An agent who also maintains scripts and macros.
    Productivity,
    /// Reads and writes the directory. Last: the order is that of the bits of stored sets.
    Directory,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[
        Self::Admin,
        Self::Reader,
        Self::Agent,
        Self::Service,
        Self::Directory,
        Self::Productivity,
    ];

    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Reader => "READER",
            Self::Agent => "AGENT",
            Self::Service => "SERVICE",
            Self::Productivity => "PRODUCTIVITY",
            Self::Directory => "DIRECTORY",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes; a caller needs one that allows the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Scopes(u8);

impl Scopes {
    /// The set of the given scopes.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |set, scope| set | scope.bit()))
    }

    /// Whether the set holds the scope.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Adds a scope.
    pub fn insert(&mut self, scope: Scope) {
        self.0 |= scope.bit();
    }

    /// The scopes of both sets.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The first scope, in the order of [`Scope::ALL`], that is in both sets.
    pub fn first_common(self, other: Self) -> Option<Scope> {
        let both = self.0 & other.0;
        Scope::ALL.iter().copied().find(|scope| both & scope.bit() != 0)
    }

    /// Whether the sets have a scope in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The caller of an operation, as audit and idempotency know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Stable name of the caller: the user id, or the name of the credential.
    pub subject: String,
    /// The user for whom the credential stands, if any.
    pub user: Option<UserId>,
    /// What the caller may do.
    pub scopes: Scopes,
}

/// Where a call came from, and what let it in (SPEC §11.3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The scope by which the call was let in; none for what the server does by itself, and in records
    /// of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Address and port of the other end of the connection, `127.0.0.1:51234`; empty where there is
    /// none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

impl Provenance {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.scope.is_none() && self.address.is_empty()
    }
}

impl Actor {
    /// The server itself.
    pub fn system() -> Self {
        Self { subject: "system".to_owned(), user: None, scopes: Scopes::of(&[Scope::Admin]) }
    }
}
