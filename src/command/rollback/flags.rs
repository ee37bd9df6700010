//! What the caller of a rollback allows.

use crate::command::Displace;

/// The flags of the writes that lead back (SPEC §7.1 rule 3); none is set by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    /// Whether another profile may lose the default flag.
    pub replace_current: bool,
    /// Whether a profile that becomes the default again may lose its rank and roles.
    pub drop_rank_and_roles: bool,
    /// What happens to another profile that holds a rank.
    pub displace: Displace,
    /// Whether rank and roles of managed profiles may change.
    pub override_managed: bool,
    /// Whether users may leave another profile for the one that they had.
    pub move_users: bool,
}
