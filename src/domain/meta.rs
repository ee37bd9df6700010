//! What all resources have in common (SPEC §2.1).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Time, UniqueName};

/// Whether an object takes part in resolution. Changed only by Activate and Deactivate.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum State {
    /// Takes part.
    #[default]
    Active,
    /// Kept, but left out of every resolution.
    Inactive,
}

/// Where an object comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Origin {
    /// Shipped with the product; never changed through the API.
    BuiltIn,
    /// Made here.
    #[default]
    Custom,
    /// Imported and locked.
    Managed {
        /// Name of the bundle that brought it.
        bundle: String,
        /// Version of that bundle, at most 40 characters.
        version: String,
    },
}

/// What the server notes of every stored object, users and teams included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Made at creation; a re-created object has another one.
    pub uid: Uuid,
    /// Revision of the commit that wrote this state.
    pub revision: i64,
    /// Time of the first commit of the object.
    pub create_time: Time,
    /// Time of the commit that wrote this state.
    pub update_time: Time,
    /// Who created it.
    pub created_by: String,
    /// Who wrote this state.
    pub updated_by: String,
}

impl Stamp {
    /// The stamp of an object that the given commit creates.
    pub fn new(uid: Uuid, revision: i64, time: Time, by: &str) -> Self {
        Self {
            uid,
            revision,
            create_time: time,
            update_time: time,
            created_by: by.to_owned(),
            updated_by: by.to_owned(),
        }
    }

    /// Notes that the given commit changes the object.
    pub fn touch(&mut self, revision: i64, time: Time, by: &str) {
        self.revision = revision;
        self.update_time = time;
        self.updated_by = by.to_owned();
    }

    /// The opaque tag of this state, for optimistic concurrency (SPEC §7.2).
    pub fn etag(&self) -> String {
        format!("{:08x}-{:x}", self.uid.as_fields().0, self.revision)
    }
}

/// The fields that profiles, roles and all library objects share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// Immutable name.
    pub unique_name: UniqueName,
    /// 1 to 100 characters, trimmed.
    pub display_name: String,
    /// At most 2000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Active or not.
    #[serde(default)]
    pub state: State,
    /// Built in, custom or managed.
    #[serde(default)]
    pub origin: Origin,
    /// Informational, at most 100 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
}

impl Common {
    /// A custom, active object of that name.
    pub fn custom(unique_name: UniqueName, display_name: &str) -> Self {
        Self {
            unique_name,
            display_name: display_name.to_owned(),
            description: String::new(),
            state: State::Active,
            origin: Origin::Custom,
            owner: String::new(),
        }
    }

    /// Whether the object takes part in resolution.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// Whether the object is shipped with the product.
    pub fn is_built_in(&self) -> bool {
        self.origin == Origin::BuiltIn
    }

    /// Whether the object was imported and locked.
    pub fn is_managed(&self) -> bool {
        matches!(self.origin, Origin::Managed { .. })
    }
}

impl Origin {
    /// Whether the object was imported with that bundle, whatever its version.
    pub fn is_bundle(&self, name: &UniqueName) -> bool {
        match self {
            Self::Managed { bundle, .. } => bundle.eq_ignore_ascii_case(name.as_str()),
            Self::BuiltIn | Self::Custom => false,
        }
    }
}

/// An object that has the common fields.
pub trait HasCommon {
    /// Its common fields.
    fn common(&self) -> &Common;

    /// Its common fields, to change them.
    fn common_mut(&mut self) -> &mut Common;
}
