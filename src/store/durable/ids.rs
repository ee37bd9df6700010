//! Whose data a file holds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What tells whose data a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    pub(super) store: Uuid,
    pub(super) incarnation: Uuid,
}
