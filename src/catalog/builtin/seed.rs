//! What all built-in objects have in common.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{Common, Kind, Origin, Stamp, Time, UniqueName};

/// Who writes the built-in content.
const AUTHOR: &str = "system";

/// The session template of the built-in profiles, the only built-in name without the reserved
/// prefix.
pub(super) const CASE_SESSION: &str = "case_entity_session_default_template";

/// The commit that creates the built-in content.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) revision: i64,
    pub(super) time: Time,
}

impl Seed {
    /// What an object of that name has in common with all others.
    ///
    /// # Panics
    /// When the text is no unique name: a mistake in this module, found by its tests.
    pub(super) fn named(&self, kind: Kind, name: &str, display_name: &str) -> (Common, Stamp) {
        let unique_name = match UniqueName::parse(name) {
            Ok(unique_name) => unique_name,
            Err(rule) => panic!("{name}: {rule}"),
        };
        let stamp = self.stamp(kind, &unique_name.folded());
        let common = Common::custom(unique_name, display_name);
        (Common { origin: Origin::BuiltIn, ..common }, stamp)
    }

    pub(super) fn stamp(&self, kind: Kind, folded: &str) -> Stamp {
        Stamp::new(uid(kind, folded), self.revision, self.time, AUTHOR)
    }
}

/// The same everywhere for an object of that kind and name.
pub(super) fn uid(kind: Kind, folded: &str) -> Uuid {
    let digest = Sha256::digest(format!("deskplane-builtin:{}:{folded}", kind.as_str()));
    let head = digest.iter().take(16).fold(0, |head, &byte| head << 8 | u128::from(byte));
    Uuid::from_u128(head)
}
