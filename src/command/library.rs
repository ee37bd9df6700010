//! Writes of library objects: one mechanism for every kind (SPEC §2.3).
//!
//! A kind is an [`Entry`]: its patch, its rules and who refers to it. The five commands know
//! nothing else of it, so all kinds are created, changed, copied and deleted alike.

mod credential;
mod entry;
#[macro_use]
mod patch;
mod provider;
mod referrer;
mod session_template;
mod tab_template;
mod tool;

use std::marker::PhantomData;

use self::entry::operations;
pub use self::{
    entry::{Entry, Operations},
    patch::Patch,
    provider::{ProviderPatch, Providers},
    referrer::Referrer,
    session_template::{SessionTemplatePatch, SessionTemplates},
    tab_template::{TabTemplatePatch, TabTemplates},
    tool::{ToolPatch, Tools},
};
use super::{
    Command, Context, Plan,
    name::{new_name, not_taken},
    not_built_in, not_found, not_managed, same_etag, stored,
};
use crate::{
    catalog::Catalog,
    domain::{
        Change, Common, ObjectKey, Origin, Refusal, Stamp, State, UniqueName, Violations,
        check::{self, Controls},
        refusal::Preconditions,
        stored::{Named, Stored},
    },
};

/// Makes a custom, active object.
#[derive(Debug, Clone)]
pub struct Create<E: Entry> {
    /// Name as given.
    pub unique_name: String,
    /// Other fields; a display name is required.
    pub patch: E::Patch,
}

/// Changes fields of an object.
#[derive(Debug, Clone)]
pub struct Update<E: Entry> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values.
    pub patch: E::Patch,
    /// Whether an object that does not exist is created; never where the caller saw one (`etag`).
    pub allow_missing: bool,
}

/// Copies the definition of an object: not its state, origin or lock.
#[derive(Debug, Clone)]
pub struct CloneObject<E: Entry> {
    /// Any object of the kind: built-in, managed or inactive too.
    pub source: UniqueName,
    /// Name of the copy as given.
    pub unique_name: String,
    /// Its display name.
    pub display_name: String,
    entry: PhantomData<E>,
}

impl<E: Entry> CloneObject<E> {
    /// The copy of `source` under another name.
    pub fn new(source: UniqueName, unique_name: String, display_name: String) -> Self {
        Self { source, unique_name, display_name, entry: PhantomData }
    }
}

/// Activates or deactivates an object, whoever refers to it.
#[derive(Debug, Clone)]
pub struct SetState<E: Entry> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// The new state.
    pub state: State,
    entry: PhantomData<E>,
}

impl<E: Entry> SetState<E> {
    /// The change of the object to that state.
    pub fn new(name: UniqueName, etag: Option<String>, state: State) -> Self {
        Self { name, etag, state, entry: PhantomData }
    }
}

/// Deletes an object.
#[derive(Debug, Clone)]
pub struct Delete<E: Entry> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Whether references to the object go along.
    pub force: bool,
    entry: PhantomData<E>,
}

impl<E: Entry> Delete<E> {
    /// The removal of the object.
    pub fn new(name: UniqueName, etag: Option<String>, force: bool) -> Self {
        Self { name, etag, force, entry: PhantomData }
    }
}

// ===== impl Command =====

impl<E: Entry> Command for Create<E> {
    fn operation(&self) -> &'static str {
        E::OPERATIONS.create
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        create::<E>(catalog, context, &self.unique_name, &self.patch)
    }
}

impl<E: Entry> Command for Update<E> {
    fn operation(&self) -> &'static str {
        E::OPERATIONS.update
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let Some(target) = E::table(catalog).get(&self.name).map(AsRef::as_ref) else {
            if self.allow_missing && self.etag.is_none() {
                return create::<E>(catalog, context, self.name.as_str(), &self.patch);
            }
            let mut v = Violations::new();
            syntax::<E>(&self.patch, &mut v);
            v.finish()?;
            if self.allow_missing {
                stored::same_etag::<E::Object>(self.name.as_str(), None, self.etag.as_deref())?;
            }
            return Err(not_found(E::KIND, self.name.as_str()));
        };
        let mut v = Violations::new();
        syntax::<E>(&self.patch, &mut v);
        self.patch.immutable(target, &mut v);
        let mut next = E::Object::clone(target);
        self.patch.apply(&mut next);
        let findings = E::settle(&mut next, Some(target), &self.patch, context);
        if target.common().origin == Origin::Custom {
            E::check(catalog, &next, Some(target), &self.patch, &mut v);
        }
        v.finish()?;
        unlocked(target, "UPDATE", self.etag.as_deref())?;
        let plan = finish::<E>(catalog, context, next, Some(target))?;
        Ok(Plan { findings, ..plan })
    }
}

impl<E: Entry> Command for CloneObject<E> {
    fn operation(&self) -> &'static str {
        E::OPERATIONS.clone
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut v = Violations::new();
        let name = new_name(&mut v, &self.unique_name);
        let display_name = check::display_name(&mut v, "display_name", &self.display_name, 100);
        v.finish()?;
        let Some(name) = name else { return Ok(Plan::default()) };
        let source = find::<E>(catalog, &self.source)?;
        let mut copy = source.clone();
        *copy.common_mut() = Common {
            description: source.common().description.clone(),
            owner: source.common().owner.clone(),
            ..Common::custom(name, &display_name)
        };
        *copy.stamp_mut() = stamp(context);
        let mut v = Violations::new();
        E::detach(&mut copy, &mut v);
        v.finish()?;
        not_taken(E::table(catalog), &copy.common().unique_name)?;
        finish::<E>(catalog, context, copy, Some(source))
    }
}

impl<E: Entry> Command for SetState<E> {
    fn operation(&self) -> &'static str {
        match self.state {
            State::Active => E::OPERATIONS.activate,
            State::Inactive => E::OPERATIONS.deactivate,
        }
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let operation = if self.state == State::Active { "ACTIVATE" } else { "DEACTIVATE" };
        let target = find::<E>(catalog, &self.name)?;
        unlocked(target, operation, self.etag.as_deref())?;
        let mut plan = Plan::about(E::KIND, target.name());
        if target.common().state != self.state {
            let mut next = target.clone();
            next.common_mut().state = self.state;
            plan.put(next, context);
        }
        Ok(plan)
    }
}

impl<E: Entry> Command for Delete<E> {
    fn operation(&self) -> &'static str {
        E::OPERATIONS.delete
    }

    fn flags(&self) -> Vec<&'static str> {
        self.force.then_some("force").into_iter().collect()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let target = find::<E>(catalog, &self.name)?;
        unlocked(target, "DELETE", self.etag.as_deref())?;
        let name = &target.common().unique_name;
        let referrers = E::referrers(catalog, name, context);
        let released = referrer::release(E::KIND, name, referrers, self.force)?;
        let key = ObjectKey::new(E::KIND, name.as_str());
        let changes = std::iter::once(Change::Delete(key)).chain(released).collect();
        Ok(Plan { changes, ..Plan::default() })
    }
}

// ===== the common rules =====

fn find<'a, E: Entry>(catalog: &'a Catalog, name: &UniqueName) -> Result<&'a E::Object, Refusal> {
    let found = E::table(catalog).get(name);
    found.map(AsRef::as_ref).ok_or_else(|| not_found(E::KIND, name.as_str()))
}

fn stamp(context: &Context) -> Stamp {
    Stamp::new(context.uid, context.revision, context.time, &context.actor.subject)
}

/// Refuses a change of what is built in, managed or not as the caller saw it.
fn unlocked<T: Named>(target: &T, operation: &str, etag: Option<&str>) -> Result<(), Refusal> {
    not_built_in(target, operation)?;
    not_managed(target, operation)?;
    same_etag(target, etag)
}

fn syntax<E: Entry>(patch: &E::Patch, v: &mut Violations) {
    if let Some(name) = patch.display_name() {
        check::display_name(v, "display_name", name, 100);
    }
    if let Some(text) = patch.description() {
        check::text(v, "description", text, 0..=E::MAX_DESCRIPTION, Controls::TabAndNewline);
    }
    if let Some(owner) = patch.owner() {
        check::line(v, "owner", owner, 0..=100);
    }
    E::syntax(patch, v);
}

fn create<E: Entry>(
    catalog: &Catalog,
    context: &Context,
    given: &str,
    patch: &E::Patch,
) -> Result<Plan, Refusal> {
    let mut v = Violations::new();
    let name = new_name(&mut v, given);
    if patch.display_name().is_none() {
        v.invalid("display_name", "is required");
    }
    syntax::<E>(patch, &mut v);
    // A refused name has a stand-in: what else is wrong is told together with it.
    let name = name.unwrap_or_else(|| UniqueName::known("new_object"));
    let mut next = E::empty(Common::custom(name, ""), stamp(context));
    patch.apply(&mut next);
    let findings = E::settle(&mut next, None, patch, context);
    E::check(catalog, &next, None, patch, &mut v);
    v.finish()?;
    not_taken(E::table(catalog), &next.common().unique_name)?;
    let plan = finish::<E>(catalog, context, next, None)?;
    Ok(Plan { findings, ..plan })
}

/// Checks an object as it would be and plans to write it.
fn finish<E: Entry>(
    catalog: &Catalog,
    context: &Context,
    mut next: E::Object,
    before: Option<&E::Object>,
) -> Result<Plan, Refusal> {
    let name = next.common().unique_name.clone();
    E::references(catalog, &mut next, before)?;
    let mut failed = Preconditions::new();
    E::limits(&next, &mut failed);
    failed.finish()?;
    let mut plan = Plan::about(E::KIND, name.as_str());
    if before != Some(&next) {
        plan.put(next, context);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
