//! Writes of the directory: users, security roles and teams (SPEC §3.2 to §3.4, §7.4).

mod roles;
mod teams;
mod users;

use std::collections::BTreeSet;

use crate::domain::{Reason, Refusal, refusal::Preconditions};

pub use self::{
    roles::{DeleteRole, RolePatch, UpsertRole},
    teams::{DeleteTeam, TeamPatch, UpsertTeam},
    users::{
        BatchUpsertUsers, DeleteUser, SetUserDisabled, SetUserRoles, UpsertUser, UserPatch, UserRow,
    },
};

/// Notes that a set holds more elements than it may.
fn limit<T>(failed: &mut Preconditions, field: &str, set: Option<&BTreeSet<T>>, max: usize) {
    let len = set.map_or(0, BTreeSet::len);
    if len > max {
        let message = format!("{field} holds at most {max} entries, not {len}.");
        failed.fail(
            Refusal::new(Reason::LimitReached, message)
                .with("limit", max)
                .with("field", field)
                .precondition("LIMIT_REACHED", field, format!("{len} of {max}")),
        );
    }
}

#[cfg(test)]
mod tests;
