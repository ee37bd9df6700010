//! What the rules of writes need of a stored object of any kind: its name, its notes, its change.

use std::sync::Arc;

use super::{Context, Plan};
use crate::domain::{
    Change, Common, Kind, Object, ObjectKey, Reason, Refusal, Stamp,
    directory::{SecurityRole, Team, User},
    profile::Profile,
    settings::Settings,
};

/// An object that commands write.
pub(super) trait Stored: Clone + PartialEq {
    /// Its kind.
    const KIND: Kind;

    /// Its name or id as stored.
    fn name(&self) -> &str;

    /// The server's notes on it.
    fn stamp(&self) -> &Stamp;

    /// The server's notes on it, to change them.
    fn stamp_mut(&mut self) -> &mut Stamp;

    /// The object as one of any kind.
    fn wrap(self) -> Object;
}

/// Ties types to the trait: `type => kind, field that holds the name`.
macro_rules! stored {
    ($($type:ident => $kind:ident, |$object:ident| $name:expr;)+) => {$(
        impl Stored for $type {
            const KIND: Kind = Kind::$kind;

            fn name(&self) -> &str {
                let $object = self;
                $name
            }

            fn stamp(&self) -> &Stamp {
                &self.stamp
            }

            fn stamp_mut(&mut self) -> &mut Stamp {
                &mut self.stamp
            }

            fn wrap(self) -> Object {
                Object::$kind(Arc::new(self))
            }
        }
    )+};
}

stored! {
    Profile => Profile, |o| o.common.unique_name.as_str();
    SecurityRole => Role, |o| o.common.unique_name.as_str();
    User => User, |o| o.id.as_str();
    Team => Team, |o| o.id.as_str();
    Settings => Settings, |_o| "";
}

impl Plan {
    /// A plan that answers with the object of that kind and name.
    pub(super) fn about(kind: Kind, name: &str) -> Self {
        Self { answer: Some(ObjectKey::new(kind, name)), ..Self::default() }
    }

    /// Plans to write an object with the notes of this commit.
    pub(super) fn put<T: Stored>(&mut self, mut next: T, context: &Context) {
        next.stamp_mut().touch(context.revision, context.time, &context.actor.subject);
        self.changes.push(Change::Put(next.wrap()));
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

/// The notes on an object that this commit creates.
pub(super) fn fresh(uid: uuid::Uuid, context: &Context) -> Stamp {
    Stamp::new(uid, context.revision, context.time, &context.actor.subject)
}

/// Refuses when the caller saw another state than the current one, or an object that is gone.
pub(super) fn same_etag<T: Stored>(
    name: &str,
    current: Option<&T>,
    sent: Option<&str>,
) -> Result<(), Refusal> {
    let etag = current.map(|object| object.stamp().etag()).unwrap_or_default();
    let Some(sent) = sent else { return Ok(()) };
    if sent == etag && current.is_some() {
        return Ok(());
    }
    let kind = T::KIND.as_str();
    let (what, about) = match current {
        Some(_) => ("has changed", "changed meanwhile"),
        None => ("is gone", "deleted meanwhile"),
    };
    let message = format!("{kind} {name} {what} since it was read; read it again.");
    Err(Refusal::new(Reason::EtagMismatch, message)
        .with("current_etag", etag)
        .resource(kind, name, about))
}

/// Refuses a change of a built-in object.
pub(super) fn not_built_in(
    kind: Kind,
    common: &Common,
    operation: &str,
    advice: &str,
) -> Result<(), Refusal> {
    if !common.is_built_in() {
        return Ok(());
    }
    let (kind, name) = (kind.as_str(), &common.unique_name);
    let message = format!("{kind} {name} is built in and cannot be changed; {advice}.");
    Err(Refusal::new(Reason::BuiltInReadOnly, message)
        .with("operation", operation)
        .resource(kind, name, "built in"))
}

/// Refuses a change of a managed object.
pub(super) fn not_managed(
    kind: Kind,
    common: &Common,
    operation: &str,
    advice: &str,
) -> Result<(), Refusal> {
    if !common.is_managed() {
        return Ok(());
    }
    let (kind, name) = (kind.as_str(), &common.unique_name);
    let message = format!("{kind} {name} is managed and locked; {advice}.");
    Err(Refusal::new(Reason::ManagedReadOnly, message)
        .with("operation", operation)
        .resource(kind, name, "managed"))
}
