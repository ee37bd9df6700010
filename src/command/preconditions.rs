//! What writes of every kind refuse: what does not exist, is built in, managed or seen in another
//! state.

use super::plan::Context;
use crate::{
    catalog::Catalog,
    domain::{
        Kind, Reason, Refusal, Stamp, UniqueName,
        profile::Profile,
        stored::{Named, Stored},
    },
};

/// The notes on an object that this commit creates.
pub(super) fn fresh(uid: uuid::Uuid, context: &Context) -> Stamp {
    Stamp::new(uid, context.revision, context.time, &context.actor.subject)
}

/// Refuses when the caller saw another state than the current one, or an object that is gone.
pub(super) fn same_etag_of<T: Stored>(
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
pub(super) fn not_built_in_but<T: Named>(
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
pub(super) fn not_managed_but<T: Named>(
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

/// The profile of that name, or why there is none.
pub(super) fn find_profile<'a>(
    catalog: &'a Catalog,
    name: &UniqueName,
) -> Result<&'a Profile, Refusal> {
    let found = catalog.tables.profiles.get(name).map(AsRef::as_ref);
    found.ok_or_else(|| not_found(Kind::Profile, name.as_str()))
}

/// The refusal because an object does not exist.
pub(crate) fn not_found(kind: Kind, name: &str) -> Refusal {
    let message = format!("{} {name} does not exist.", kind.as_str());
    Refusal::new(kind.not_found(), message).resource(kind.as_str(), name, "does not exist")
}

/// The refusal because no managed object is of a bundle.
pub(crate) fn no_bundle(bundle: &UniqueName) -> Refusal {
    let message = format!("No managed object is of bundle {bundle}.");
    Refusal::new(Reason::ObjectNotFound, message).resource("Bundle", bundle, "is not installed")
}

/// Refuses a change of a built-in object that can be cloned.
pub(super) fn not_built_in<T: Named>(object: &T, operation: &str) -> Result<(), Refusal> {
    not_built_in_but(object, operation, "clone it and change the copy")
}

/// Refuses a change of a managed object.
pub(super) fn not_managed<T: Named>(object: &T, operation: &str) -> Result<(), Refusal> {
    let advice = if T::KIND == Kind::Profile {
        "set override_managed where the call has it"
    } else {
        "clone it and change the copy"
    };
    not_managed_but(object, operation, advice)
}

/// Refuses when the caller saw another state than the current one (SPEC §7.2).
pub(super) fn same_etag<T: Stored>(object: &T, sent: Option<&str>) -> Result<(), Refusal> {
    same_etag_of(object.name(), Some(object), sent)
}
