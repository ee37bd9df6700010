//! What a directory sync gave a user: which roles, and the second of his two names there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::UniqueName;

/// Notes of directory syncs on a user. Most users have none, or one set of roles from one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Synced {
    /// The roles that a sync gave.
    #[serde(skip_serializing_if = "SyncedRoles::is_none")]
    pub roles: SyncedRoles,
    /// The name that the user's id was not made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_name: Option<OtherName>,
}

/// Which of a user's own roles a directory sync gave. All others came from administrators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncedRoles {
    /// None.
    #[default]
    None,
    /// All that the user holds.
    All,
    /// These.
    Some(BTreeSet<UniqueName>),
}

/// A user has two names in a directory (SPEC §12.4). The id is made of one, this is the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherName {
    /// The SCIM `userName` of a user whose id is the `externalId`.
    UserName(Box<str>),
    /// The SCIM `externalId` of a user whose id is the `userName`.
    ExternalId(Box<str>),
}

impl SyncedRoles {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    pub(super) fn holds(&self, role: &UniqueName) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(roles) => roles.contains(role),
        }
    }

    /// The smallest form that says the same about a user with that many roles.
    pub(super) fn of(given: BTreeSet<UniqueName>, held: usize) -> Self {
        match given.len() {
            0 => Self::None,
            all if all == held => Self::All,
            _ => Self::Some(given),
        }
    }
}
