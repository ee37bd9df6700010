//! Settings of who may do what.

use serde::{Deserialize, Serialize};

use crate::command::DirectoryPolicy;

/// What callers may do beyond the table of access.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Whether the scope DIRECTORY gives and takes roles that grant ADMIN, and changes their holders.
    pub directory_grants_admin: bool,
    /// Whether the scope DIRECTORY links users directly to profiles.
    pub directory_assigns: bool,
}

impl Auth {
    /// What the scope DIRECTORY may do, for the server.
    pub fn policy(&self) -> DirectoryPolicy {
        DirectoryPolicy {
            grants_admin: self.directory_grants_admin,
            assigns: self.directory_assigns,
        }
    }
}
