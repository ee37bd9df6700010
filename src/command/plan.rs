//! What a write is: a command, what it is judged with, and what it does.

use std::sync::Arc;

use super::bundle::ImportSummary;
use crate::{
    catalog::Catalog,
    domain::{
        Actor, Change, Finding, Kind, ObjectKey, Refusal, Time, UniqueName, UserId, stored::Stored,
    },
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

/// What the scope DIRECTORY may do beyond reading and writing users, teams and roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryPolicy {
    /// Give and take roles that grant ADMIN, and change their holders.
    pub grants_admin: bool,
    /// Link users directly to profiles.
    pub assigns: bool,
}

/// Who runs a command, and what its commit would have.
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
    /// What the scope DIRECTORY may do beyond the table of access.
    pub policy: DirectoryPolicy,
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

/// What one command of a [`Sequence`](super::Sequence) did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Step {
    /// Name of the operation: `SetDefault`.
    pub operation: String,
    /// Whether it changed anything of what the commands before it left.
    pub changed: bool,
    /// Resource names of the objects that it is about; none after a delete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Remarks for the caller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Findings of the command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Users whom RemoveUsers was given and who were not linked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_assigned: Vec<UserId>,
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
    /// What each command did, where the write is a [`Sequence`](super::Sequence) of several.
    pub steps: Vec<Step>,
    /// What became of the objects of a bundle.
    pub imported: Option<Box<ImportSummary>>,
}

impl Plan {
    /// A plan that answers with that profile.
    pub(super) fn answering(profile: &UniqueName) -> Self {
        Self::about(Kind::Profile, profile.as_str())
    }

    /// Whether the command changes anything.
    pub fn changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// A plan that answers with the object of that kind and name.
    pub(super) fn about(kind: Kind, name: &str) -> Self {
        Self { answers: vec![ObjectKey::new(kind, name)], ..Self::default() }
    }

    /// Plans to write an object with the notes of this commit.
    pub(super) fn put<T: Stored>(&mut self, mut next: T, context: &Context) {
        next.stamp_mut().touch(context.revision, context.time, &context.actor.subject);
        self.changes.push(Change::Put(next.into_object()));
    }

    /// Plans to write an object unless it is as it was.
    pub(super) fn put_changed<T: Stored>(
        &mut self,
        next: T,
        before: Option<&Arc<T>>,
        context: &Context,
    ) {
        if before.is_none_or(|before| **before != next) {
            self.put(next, context);
        }
    }

    /// Plans to delete an object.
    pub(super) fn delete<T: Stored>(&mut self, object: &T) {
        self.changes.push(Change::Delete(ObjectKey::new(T::KIND, object.name())));
    }
}
