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
mod keys;
pub mod library;
mod name;
mod patch;
mod profile;
mod rank;
mod references;
mod settings;
mod stored;

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
    keys::{CreateFingerprintKey, RotateSecretKeys},
    patch::ProfilePatch,
    profile::{CloneProfile, CreateProfile, DeleteProfile, SetProfileState, UpdateProfile},
    rank::{Displace, RemoveRankAndRoles, SetRankAndRoles},
    settings::{SettingsPatch, UpdateSettings},
};

/// A write: its name, its flags, and the rules by which it is judged.
pub trait Command: std::fmt::Debug + Send {
    /// Name of the operation, as history and audit keep it.
    fn operation(&self) -> &'static str;

    /// The flags of SPEC §7.1 rule 3 that the call set.
    fn flags(&self) -> Vec<&'static str>;

    /// Judges the write on a catalog: what it changes, or why it is refused.
    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal>;
}

/// An argument that SPEC §7.1 rule 3 counts among the flags.
trait Flag {
    /// Whether the call asked for what the flag allows.
    fn is_set(&self) -> bool;
}

impl Flag for bool {
    fn is_set(&self) -> bool {
        *self
    }
}

impl Flag for Displace {
    fn is_set(&self) -> bool {
        *self != Self::Reject
    }
}

/// Ties commands to the trait: `type => name, [flags]`, each a field, `as` the name of the flag
/// where the two differ.
macro_rules! commands {
    ($($type:ty => $name:literal $([$($field:ident $(as $flag:literal)?),*])?;)+) => {$(
        impl Command for $type {
            fn operation(&self) -> &'static str {
                $name
            }

            fn flags(&self) -> Vec<&'static str> {
                let all: &[(&'static str, bool)] =
                    &[$($(([$($flag,)? stringify!($field)][0], self.$field.is_set())),*)?];
                all.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect()
            }

            fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
                self.plan(catalog, context)
            }
        }
    )+};
}

commands! {
    AddUsers => "AddUsers" [move_users as "move"];
    RemoveUsers => "RemoveUsers";
    SetDefault => "SetDefault" [replace_current, drop_rank_and_roles];
    RemoveDefault => "RemoveDefault";
    SetRankAndRoles => "SetRankAndRoles" [displace, override_managed];
    RemoveRankAndRoles => "RemoveRankAndRoles" [override_managed];
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
    stored::not_built_in(object, operation, "clone it and change the copy")
}

/// Refuses a change of a managed object.
fn not_managed<T: Named>(object: &T, operation: &str) -> Result<(), Refusal> {
    let advice = if T::KIND == Kind::Profile {
        "set override_managed where the call has it"
    } else {
        "clone it and change the copy"
    };
    stored::not_managed(object, operation, advice)
}

/// Refuses when the caller saw another state than the current one (SPEC §7.2).
fn same_etag<T: Stored>(object: &T, sent: Option<&str>) -> Result<(), Refusal> {
    stored::same_etag(object.name(), Some(object), sent)
}

#[cfg(test)]
mod tests;
