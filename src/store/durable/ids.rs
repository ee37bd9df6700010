//! Whose data a file holds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The store that a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    pub(super) store: Uuid,
    pub(super) incarnation: Uuid,
}
