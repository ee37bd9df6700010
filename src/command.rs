//! The rules of every write: (catalog, arguments) to a change set, or a refusal (SPEC §7).
//!
//! One file per group of writes. Nothing here does I/O, reads a clock or draws a random number: the
//! context brings time and identity, so a preview runs the very same code as a commit.

mod assignment;
mod default;
mod impact;
mod inbox;
mod patch;
mod profile;
mod rank;

use std::sync::Arc;

use crate::{
    catalog::Catalog,
    domain::{
        Actor, Change, Finding, Kind, Object, ObjectKey, Reason, Refusal, Time, UniqueName, UserId,
        profile::Profile,
    },
};

pub use self::{
    assignment::{AddUsers, RemoveUsers},
    default::{RemoveDefault, SetDefault},
    impact::{Affected, AffectedUser, affected},
    patch::ProfilePatch,
    profile::{CloneProfile, CreateProfile, DeleteProfile, SetProfileState, UpdateProfile},
    rank::{Displace, RemoveRankAndRoles, SetRankAndRoles},
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

/// Ties commands to the trait: `type => name, [flag if field]`.
macro_rules! commands {
    ($($type:ty => $name:literal $([$($flag:ident),*])?;)+) => {$(
        impl Command for $type {
            fn operation(&self) -> &'static str {
                $name
            }

            fn flags(&self) -> Vec<&'static str> {
                let all: &[(&'static str, bool)] = &[$($((stringify!($flag), self.$flag)),*)?];
                all.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect()
            }

            fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
                self.plan(catalog, context)
            }
        }
    )+};
}

commands! {
    AddUsers => "AddUsers" [move_users];
    RemoveUsers => "RemoveUsers";
    SetDefault => "SetDefault" [replace_current, drop_rank_and_roles];
    RemoveDefault => "RemoveDefault";
    SetRankAndRoles => "SetRankAndRoles" [override_managed];
    RemoveRankAndRoles => "RemoveRankAndRoles" [override_managed];
    CreateProfile => "CreateProfile";
    CloneProfile => "CloneProfile";
    UpdateProfile => "UpdateProfile";
    SetProfileState => "SetProfileState";
    DeleteProfile => "DeleteProfile" [force];
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
    /// The object to answer with, as it is after the write.
    pub answer: Option<ObjectKey>,
    /// Remarks for the caller.
    pub warnings: Vec<Warning>,
    /// Findings of the write.
    pub findings: Vec<Finding>,
    /// Users whom RemoveUsers was given and who were not linked.
    pub not_assigned: Vec<UserId>,
}

impl Plan {
    fn answering(profile: &UniqueName) -> Self {
        Self { answer: Some(ObjectKey::new(Kind::Profile, profile.as_str())), ..Self::default() }
    }

    fn put_profile(&mut self, mut profile: Profile, context: &Context) {
        profile.stamp.touch(context.revision, context.time, &context.actor.subject);
        self.changes.push(Change::Put(Object::Profile(Arc::new(profile))));
    }

    /// Whether the command changes anything.
    pub fn changed(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The profile of that name, or why there is none.
fn find_profile<'a>(catalog: &'a Catalog, name: &UniqueName) -> Result<&'a Arc<Profile>, Refusal> {
    catalog.profiles.get(name).ok_or_else(|| not_found(Kind::Profile, name.as_str()))
}

/// The refusal because an object does not exist.
fn not_found(kind: Kind, name: &str) -> Refusal {
    let message = format!("{} {name} does not exist.", kind.as_str());
    Refusal::new(kind.not_found(), message).resource(kind.as_str(), name, "does not exist")
}

/// Refuses a change of a built-in profile.
fn not_built_in(profile: &Profile, operation: &str) -> Result<(), Refusal> {
    if !profile.common.is_built_in() {
        return Ok(());
    }
    let name = profile.name();
    let message =
        format!("Profile {name} is built in and cannot be changed; clone it and change the copy.");
    Err(Refusal::new(Reason::BuiltInReadOnly, message)
        .with("operation", operation)
        .resource("Profile", name, "built in"))
}

/// Refuses a change of a managed profile.
fn not_managed(profile: &Profile, operation: &str) -> Result<(), Refusal> {
    if !profile.common.is_managed() {
        return Ok(());
    }
    let name = profile.name();
    let message = format!(
        "Profile {name} is managed and locked; set override_managed where the call has it."
    );
    Err(Refusal::new(Reason::ManagedReadOnly, message)
        .with("operation", operation)
        .resource("Profile", name, "managed"))
}

/// Refuses when the caller saw another state than the current one (SPEC §7.2).
fn same_etag(profile: &Profile, sent: Option<&str>) -> Result<(), Refusal> {
    let current = profile.stamp.etag();
    match sent {
        Some(sent) if sent != current => {
            let name = profile.name();
            let message = format!("Profile {name} has changed since it was read; read it again.");
            Err(Refusal::new(Reason::EtagMismatch, message).with("current_etag", current).resource(
                "Profile",
                name,
                "changed meanwhile",
            ))
        }
        _ => Ok(()),
    }
}
