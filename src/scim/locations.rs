//! The URLs of resources, and the notes that each carries.

use serde_json::{Value, json};

use crate::domain::Stamp;

/// The path of the endpoint.
pub(super) const BASE: &str = "/scim/v2";

/// Makes URLs as a client knows them.
#[derive(Debug, Clone)]
pub(super) struct Locations {
    base: String,
}

impl Locations {
    /// Below this URL, which has no slash at its end.
    pub(super) fn below(base: String) -> Self {
        Self { base }
    }

    /// The URL of a resource: `…/Users/2819c223`.
    pub(super) fn of(&self, resource_type: &str, id: &str) -> String {
        format!("{}/{resource_type}s/{id}", self.base)
    }

    /// The URL of what is not a resource of the directory: `…/Schemas/urn:…`.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// The notes of a resource, with the version of its state.
    pub(super) fn meta(&self, resource_type: &str, stamp: &Stamp) -> Value {
        let mut meta = self.meta_unversioned(resource_type, stamp);
        meta["version"] = version(stamp).into();
        meta
    }

    /// The notes of a resource whose members are no part of its state.
    pub(super) fn meta_unversioned(&self, resource_type: &str, stamp: &Stamp) -> Value {
        json!({
            "resourceType": resource_type,
            "created": stamp.create_time.to_string(),
            "lastModified": stamp.update_time.to_string(),
            "location": self.of(resource_type, &stamp.uid.to_string()),
        })
    }
}

/// The version of a state, as the header `ETag` has it.
pub(super) fn version(stamp: &Stamp) -> String {
    format!("W/\"{}\"", stamp.etag())
}
