//! The rules of every write: (catalog, arguments) to a change set, or a refusal (SPEC §7).
//!
//! One file per group of writes. Nothing here does I/O, reads a clock or draws a random number: the
//! context brings time and identity, so a preview runs the very same code as a commit.

mod assignment;
pub mod bundle;
mod default;
mod directory;
mod hypothetical;
mod inbox;
mod judge;
pub mod library;
mod new_name;
mod operations;
mod patch;
mod plan;
mod preconditions;
mod privilege;
mod profile;
mod rank;
mod references;
mod rollback;
mod secret_keys;
mod sequence;
mod settings;

use crate::{catalog::Catalog, domain::Refusal};

pub(crate) use self::preconditions::{no_bundle, not_found};
pub use self::{
    assignment::{AddUsers, RemoveUsers},
    bundle::{ImportBundle, UninstallBundle},
    default::{RemoveDefault, SetDefault},
    directory::{
        BatchUpsertUsers, DeleteRole, DeleteTeam, DeleteUser, RolePatch, SetUserDisabled,
        SetUserRoles, TeamPatch, UpsertRole, UpsertTeam, UpsertUser, UserPatch, UserRow,
    },
    hypothetical::HypotheticalUser,
    judge::{Judgement, judge, preview},
    operations::{ApplyChanges, MAX_OPERATIONS, field as operation_field, moved_on, of_operation},
    patch::ProfilePatch,
    plan::{Command, Context, DirectoryPolicy, Plan, Step, Warning},
    profile::{CloneProfile, CreateProfile, DeleteProfile, SetProfileState, UpdateProfile},
    rank::{Displace, RemoveRankAndRoles, SetRankAndRoles},
    rollback::{
        Flags as RollbackFlags, MAX_TARGETS as MAX_ROLLBACK_TARGETS, Rollback,
        Target as RollbackTarget,
    },
    secret_keys::{CreateFingerprintKey, RotateSecretKeys},
    sequence::Sequence,
    settings::{SettingsPatch, UpdateSettings},
};

/// Ties commands to the trait: `type => name, flags`, each flag with whether the call set it.
macro_rules! commands {
    ($($type:ty => $name:literal $(, |$command:ident| $flags:expr)?;)+) => {$(
        impl Command for $type {
            fn operation(&self) -> &'static str {
                $name
            }

            $(fn flags(&self) -> Vec<&'static str> {
                let $command = self;
                $flags.into_iter().filter_map(|(flag, set)| set.then_some(flag)).collect()
            })?

            fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
                self.plan(catalog, context)
            }
        }
    )+};
}

commands! {
    AddUsers => "AddUsers", |c| [("move", c.move_users)];
    RemoveUsers => "RemoveUsers";
    SetDefault => "SetDefault", |c| [
        ("replace_current", c.replace_current),
        ("drop_rank_and_roles", c.drop_rank_and_roles),
    ];
    RemoveDefault => "RemoveDefault";
    SetRankAndRoles => "SetRankAndRoles", |c| [
        ("displace", c.displace != Displace::Reject),
        ("override_managed", c.override_managed),
    ];
    RemoveRankAndRoles => "RemoveRankAndRoles", |c| [("override_managed", c.override_managed)];
    UpsertUser => "UpsertUser";
    BatchUpsertUsers => "BatchUpsertUsers";
    SetUserRoles => "SetUserRoles";
    DeleteUser => "DeleteUser";
    UpsertRole => "UpsertRole";
    DeleteRole => "DeleteRole";
    UpsertTeam => "UpsertTeam";
    DeleteTeam => "DeleteTeam";
    UpdateSettings => "UpdateSettings";
    RotateSecretKeys => "RotateSecretKeys";
    CreateFingerprintKey => "CreateFingerprintKey";
    UninstallBundle => "UninstallBundle", |c| [("force", c.force)];
}

#[cfg(test)]
mod tests;
