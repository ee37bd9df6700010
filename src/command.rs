//! The rules of every write: (catalog, arguments) to a change set, or a refusal (SPEC §7).
//!
//! One file per group of writes. Nothing here does I/O, reads a clock or draws a random number: the
//! context brings time and identity, so a preview runs the very same code as a commit.

mod assignment;
mod default;
mod directory;
mod impact;
mod inbox;
mod judge;
pub mod library;
mod new_name;
mod patch;
mod preconditions;
mod profile;
mod rank;
mod references;
mod secret_keys;
mod settings;

use crate::{
    catalog::Catalog,
    domain::{
        Actor, Change, Finding, Kind, ObjectKey, Refusal, Time, UniqueName, UserId,
        profile::Profile,
        stored::{Named, Stored},
    },
};

pub use self::{
    assignment::{AddUsers, RemoveUsers},
    default::{RemoveDefault, SetDefault},
    directory::{
        BatchUpsertUsers, DeleteRole, DeleteTeam, DeleteUser, RolePatch, SetUserDisabled,
        SetUserRoles, TeamPatch, UpsertRole, UpsertTeam, UpsertUser, UserPatch, UserRow,
    },
    impact::{Affected, AffectedUser, affected},
    judge::{Judgement, judge},
    patch::ProfilePatch,
    profile::{CloneProfile, CreateProfile, DeleteProfile, SetProfileState, UpdateProfile},
    rank::{Displace, RemoveRankAndRoles, SetRankAndRoles},
    secret_keys::{CreateFingerprintKey, RotateSecretKeys},
    settings::{SettingsPatch, UpdateSettings},
};

/// A write: its name, its flags, and the rules by which it is judged.
pub trait Command: std::fmt::Debug + Send {
    /// Name of the operation, as history and audit keep it.
    fn operation(&self) -> &'static str;

    /// The flags of SPEC §7.1 rule 3 that the call set.
    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Judges the write on a catalog: what it changes, or why it is refused.
    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal>;
}

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
}

/// What a command is told beside its arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// Revision that the commit would have.
    pub revision: i64,
    /// Time that the commit would have.
    pub time: Time,
    /// Uid of an object that the command makes.
    pub uid: uuid::Uuid,
}

/// A remark on an accepted write that the caller should read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// Machine-readable.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// One sentence for people.
    pub message: String,
}

/// What an accepted command does. Without changes it is a no-op.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Changes, each object at most once.
    pub changes: Vec<Change>,
    /// The objects to answer with, as they are after the write.
    pub answers: Vec<ObjectKey>,
    /// Remarks for the caller.
    pub warnings: Vec<Warning>,
    /// Findings of the write.
    pub findings: Vec<Finding>,
    /// Users whom RemoveUsers was given and who were not linked.
    pub not_assigned: Vec<UserId>,
    /// Secrets whose keys are under another key of the ring now.
    pub resealed: i32,
}

impl Plan {
    fn answering(profile: &UniqueName) -> Self {
        Self::about(Kind::Profile, profile.as_str())
    }

    /// Whether the command changes anything.
    pub fn changed(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The profile of that name, or why there is none.
fn find_profile<'a>(catalog: &'a Catalog, name: &UniqueName) -> Result<&'a Profile, Refusal> {
    let found = catalog.tables.profiles.get(name).map(AsRef::as_ref);
    found.ok_or_else(|| not_found(Kind::Profile, name.as_str()))
}

/// The refusal because an object does not exist.
pub(crate) fn not_found(kind: Kind, name: &str) -> Refusal {
    let message = format!("{} {name} does not exist.", kind.as_str());
    Refusal::new(kind.not_found(), message).resource(kind.as_str(), name, "does not exist")
}

/// Refuses a change of a built-in object that can be cloned.
fn not_built_in<T: Named>(object: &T, operation: &str) -> Result<(), Refusal> {
    preconditions::not_built_in(object, operation, "clone it and change the copy")
}

/// Refuses a change of a managed object.
fn not_managed<T: Named>(object: &T, operation: &str) -> Result<(), Refusal> {
    let advice = if T::KIND == Kind::Profile {
        "set override_managed where the call has it"
    } else {
        "clone it and change the copy"
    };
    preconditions::not_managed(object, operation, advice)
}

/// Refuses when the caller saw another state than the current one (SPEC §7.2).
fn same_etag<T: Stored>(object: &T, sent: Option<&str>) -> Result<(), Refusal> {
    preconditions::same_etag(object.name(), Some(object), sent)
}

#[cfg(test)]
mod tests;
