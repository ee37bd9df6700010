//! What writes of every kind share: planning a change, and refusing what is built in, managed or
//! seen in another state.

use std::sync::Arc;

use super::{Context, Plan};
use crate::domain::{
    Change, Kind, ObjectKey, Reason, Refusal, Stamp,
    stored::{Named, Stored},
};

impl Plan {
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

/// Refuses a change of a built-in object; the advice says what to do instead.
pub(super) fn not_built_in<T: Named>(
    object: &T,
    operation: &str,
    advice: &str,
) -> Result<(), Refusal> {
    if !object.common().is_built_in() {
        return Ok(());
    }
    let (kind, name) = (T::KIND.as_str(), object.name());
    let message = format!("{kind} {name} is built in and cannot be changed; {advice}.");
    Err(Refusal::new(Reason::BuiltInReadOnly, message)
        .with("operation", operation)
        .resource(kind, name, "built in"))
}

/// Refuses a change of a managed object; the advice says what to do instead.
pub(super) fn not_managed<T: Named>(
    object: &T,
    operation: &str,
    advice: &str,
) -> Result<(), Refusal> {
    if !object.common().is_managed() {
        return Ok(());
    }
    let (kind, name) = (T::KIND.as_str(), object.name());
    let message = format!("{kind} {name} is managed and locked; {advice}.");
    Err(Refusal::new(Reason::ManagedReadOnly, message)
        .with("operation", operation)
        .resource(kind, name, "managed"))
}
