//! The whole judgement of a write: its own rules, then the sizes that no write may exceed.

use serde_json::value::RawValue;

use super::{
    plan::{Command, Context, Plan},
    privilege,
};
use crate::{
    catalog::{Catalog, Delta, Reach},
    content::{self, Parts},
    domain::{Change, Kind, Object, Reason, Refusal, UserId, refusal::Preconditions},
    impact::{Impact, Preview},
};

/// Most bytes of any resource but a team, as it is stored (SPEC §2.1).
const MAX_RESOURCE: usize = 128 * 1024;

/// A write that is not refused.
#[derive(Debug)]
pub struct Judgement {
    /// What it does.
    pub plan: Plan,
    /// The catalog that follows.
    pub next: Catalog,
    /// What that means for users.
    pub impact: Impact,
    /// The encodings of the objects that the plan puts, in order.
    pub encoded: Vec<Box<RawValue>>,
}

/// Judges a write: what it changes with the catalog that follows, or why it is refused.
///
/// Commits, dry runs and previews all come through here.
pub fn judge(
    command: &dyn Command,
    catalog: &Catalog,
    context: &Context,
) -> Result<Judgement, Refusal> {
    let plan = permitted(command, catalog, context)?;
    if !plan.changed() {
        let (next, impact) = (catalog.clone(), Impact::default());
        return Ok(Judgement { plan, next, impact, encoded: Vec::new() });
    }
    let Applied { next, delta, encoded } = apply(catalog, &plan.changes, context)?;
    let impact = Impact::of(catalog, &next, &delta);
    Ok(Judgement { plan, next, impact, encoded })
}

/// Plans a write, and refuses what the caller's scope does not permit of it.
pub(super) fn permitted(
    command: &dyn Command,
    catalog: &Catalog,
    context: &Context,
) -> Result<Plan, Refusal> {
    let plan = command.plan(catalog, context)?;
    privilege::check(catalog, &plan.changes, context)?;
    Ok(plan)
}

/// Judges a write as [`judge`] does, and answers what it would mean with the users behind `after` whom
/// it would lead to another profile, at most `most` of them.
pub fn preview(
    command: &dyn Command,
    catalog: &Catalog,
    context: &Context,
    after: Option<&UserId>,
    most: usize,
) -> Result<(Plan, Preview), Refusal> {
    let plan = permitted(command, catalog, context)?;
    if !plan.changed() {
        return Ok((plan, Preview::default()));
    }
    let Applied { next, delta, .. } = apply(catalog, &plan.changes, context)?;
    let preview = Preview::of(catalog, &next, &delta, after, most);
    Ok((plan, preview))
}

/// Changes that exceed no size, applied.
#[derive(Debug)]
pub(super) struct Applied {
    /// The catalog that follows.
    pub(super) next: Catalog,
    /// What they change.
    pub(super) delta: Delta,
    /// The encodings of the objects that they put, in order.
    pub(super) encoded: Vec<Box<RawValue>>,
}

/// Applies changes, or refuses them for the size of what they leave.
pub(super) fn apply(
    catalog: &Catalog,
    changes: &[Change],
    context: &Context,
) -> Result<Applied, Refusal> {
    let encoded = resources(changes)?;
    let (next, delta) = catalog.advance(changes, context.revision, context.time);
    profiles(catalog, &next, &delta)?;
    Ok(Applied { next, delta, encoded })
}

/// Encodes what is put, and refuses resources that are too large, all of them together.
fn resources(changes: &[Change]) -> Result<Vec<Box<RawValue>>, Refusal> {
    let mut refusal: Option<Refusal> = None;
    let mut all = Vec::new();
    for change in changes {
        let Change::Put(object) = change else { continue };
        let encoded = encode(object)?;
        let size = encoded.get().len();
        all.push(encoded);
        if size <= MAX_RESOURCE || object.kind() == Kind::Team {
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
    refusal.map_or(Ok(all), Err)
}

fn encode(object: &Object) -> Result<Box<RawValue>, Refusal> {
    object.encode().map_err(|error| {
        Refusal::new(Reason::Internal, format!("The object cannot be encoded: {error}"))
    })
}

/// Refuses when content would be too large with every gate open (SPEC §3.1). A profile that is too
/// large already may stay so, but not grow: otherwise it could not be repaired step by step.
fn profiles(old: &Catalog, new: &Catalog, delta: &Delta) -> Result<(), Refusal> {
    // Settings and roles only close gates, and here every gate is open.
    let keys = delta.iter().map(|changed| &changed.key);
    let grow = keys.filter(|key| !matches!(key.kind, Kind::Settings | Kind::Role));
    let mut failed = Preconditions::new();
    let (mut before, mut after) = (Parts::new(old), Parts::new(new));
    for profile in Reach::of(new, grow).profiles(new) {
        let size = after.largest(profile);
        let name = profile.name();
        if size <= content::MAX_BYTES
            || old.tables.profiles.get(name).is_some_and(|stored| before.largest(stored) >= size)
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
