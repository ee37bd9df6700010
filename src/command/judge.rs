//! The whole judgement of a write: its own rules, then the sizes that no write may exceed.

use std::io;

use super::{Command, Context, Plan};
use crate::{
    catalog::{Catalog, Delta},
    content::{self, Reach},
    domain::{Change, Kind, Object, Reason, Refusal, refusal::Preconditions},
};

/// Most bytes of any resource but a team, as it is stored (SPEC §2.1).
const MAX_RESOURCE: u64 = 128 * 1024;

/// A write that is not refused.
#[derive(Debug)]
pub struct Judgement {
    /// What it does.
    pub plan: Plan,
    /// The catalog that follows.
    pub next: Catalog,
    /// What the one has and the other has not.
    pub delta: Delta,
}

/// Judges a write: what it changes with the catalog that follows, or why it is refused.
///
/// Commits, dry runs and previews all come through here.
pub fn judge(
    command: &dyn Command,
    catalog: &Catalog,
    context: &Context,
) -> Result<Judgement, Refusal> {
    let plan = command.plan(catalog, context)?;
    if !plan.changed() {
        return Ok(Judgement { plan, next: catalog.clone(), delta: Delta::default() });
    }
    resources(&plan.changes)?;
    let (next, delta) = catalog.advance(&plan.changes, context.revision, context.time);
    profiles(catalog, &next, &plan.changes)?;
    Ok(Judgement { plan, next, delta })
}

/// Refuses resources that are too large, all of them together.
fn resources(changes: &[Change]) -> Result<(), Refusal> {
    let mut refusal: Option<Refusal> = None;
    for change in changes {
        let Change::Put(object) = change else { continue };
        if object.kind() == Kind::Team {
            continue;
        }
        let size = stored_size(object)?;
        if size <= MAX_RESOURCE {
            continue;
        }
        let (kind, name) = (object.kind().as_str(), object.name());
        let text = format!("{kind} {name} would have {size} bytes of at most {MAX_RESOURCE}");
        let so_far = refusal.take().unwrap_or_else(|| {
            let message = format!("{text}; make it smaller.");
            Refusal::new(Reason::ResourceTooLarge, message)
                .with("limit", MAX_RESOURCE)
                .with("size", size)
        });
        refusal = Some(so_far.violation("name", text).resource(kind, name, "too large"));
    }
    refusal.map_or(Ok(()), Err)
}

/// Bytes of an object in the form in which it is stored.
fn stored_size(object: &Object) -> Result<u64, Refusal> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, object).map_err(|error| {
        Refusal::new(Reason::Internal, format!("The object cannot be encoded: {error}"))
    })?;
    Ok(counter.0)
}

/// Counts what is written.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses when content would be too large with every gate open (SPEC §3.1). A profile that is too
/// large already may stay so, but not grow: otherwise it could not be repaired step by step.
fn profiles(old: &Catalog, new: &Catalog, changes: &[Change]) -> Result<(), Refusal> {
    // Settings and roles only close gates, and here every gate is open.
    let grow = |change: &&Change| !matches!(change.key().kind, Kind::Settings | Kind::Role);
    let mut failed = Preconditions::new();
    for profile in Reach::of(new, changes.iter().filter(grow)).profiles(new) {
        let size = content::largest(new, profile);
        let name = profile.name();
        if size <= content::MAX_BYTES
            || old
                .tables
                .profiles
                .get(name)
                .is_some_and(|before| content::largest(old, before) >= size)
        {
            continue;
        }
        let limit = content::MAX_BYTES;
        let message = format!(
            "The content of profile {name} could take {size} bytes of at most {limit}; shorten \
             or remove templates, tools, views or providers."
        );
        failed.fail(
            Refusal::new(Reason::ProfileTooLarge, message)
                .with("limit", limit)
                .with("size", size)
                .precondition("PROFILE_TOO_LARGE", name, format!("{size} of {limit}"))
                .resource("Profile", name, "too large"),
        );
    }
    failed.finish()
}

#[cfg(test)]
mod tests;
