//! Writes of profiles and library objects: one mechanism for every kind (SPEC §2.3, §7.5).
//!
//! A kind is a [`Strategy`], which follows from its field table and its rules. The five commands know
//! nothing else of it, so all kinds are created, changed, copied and deleted alike, with one order of
//! refusals.

mod credential;
mod patch;
mod provider;
mod referrer;
pub(super) mod restore;
mod strategy;

use std::marker::PhantomData;

use self::strategy::operations;
#[cfg(test)]
pub(crate) use self::strategy::samples;
pub use self::{patch::Patch, provider::ProviderPatch, strategy::Strategy};
pub(super) use self::{patch::set, referrer::release};
use super::{
    Command, Context, Plan,
    new_name::{accepted_name, new_name, not_taken},
    preconditions::{not_built_in, not_found, not_managed, same_etag, same_etag_of},
    references::References,
};
use crate::{
    catalog::Catalog,
    domain::{
        Change, Common, ObjectKey, Origin, Refusal, Stamp, State, UniqueName, Violations,
        check::{self, Controls},
        refusal::Preconditions,
        stored::Named,
    },
};

/// Makes a custom, active object.
#[derive(Debug, Clone)]
pub struct Create<T: Strategy> {
    /// Name as given.
    pub unique_name: String,
    /// Other fields; a display name is required.
    pub patch: T::Patch,
}

/// Changes fields of an object.
#[derive(Debug, Clone)]
pub struct Update<T: Strategy> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values.
    pub patch: T::Patch,
    /// Whether an object that does not exist is created; never where the caller saw one (`etag`).
    pub allow_missing: bool,
    /// Name of the operation as refusals give it: `UPDATE`, `SET_PANE`, ….
    pub operation: &'static str,
}

impl<T: Strategy> Update<T> {
    /// The change of an object that exists.
    pub fn new(name: UniqueName, patch: T::Patch) -> Self {
        Self { name, etag: None, patch, allow_missing: false, operation: "UPDATE" }
    }
}

/// Copies the definition of an object: not its state, origin or lock.
#[derive(Debug, Clone)]
pub struct CloneObject<T: Strategy> {
    /// Any object of the kind: built-in, managed or inactive too.
    pub source: UniqueName,
    /// Name of the copy as given.
    pub unique_name: String,
    /// Its display name.
    pub display_name: String,
    kind: PhantomData<T>,
}

impl<T: Strategy> CloneObject<T> {
    /// The copy of `source` under another name.
    pub fn new(source: UniqueName, unique_name: String, display_name: String) -> Self {
        Self { source, unique_name, display_name, kind: PhantomData }
    }
}

/// Activates or deactivates an object, whoever refers to it.
#[derive(Debug, Clone)]
pub struct SetState<T: Strategy> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// The new state.
    pub state: State,
    kind: PhantomData<T>,
}

impl<T: Strategy> SetState<T> {
    /// The change of the object to that state.
    pub fn new(name: UniqueName, etag: Option<String>, state: State) -> Self {
        Self { name, etag, state, kind: PhantomData }
    }
}

/// Deletes an object.
#[derive(Debug, Clone)]
pub struct Delete<T: Strategy> {
    /// The object.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// Whether references to the object go along.
    pub force: bool,
    kind: PhantomData<T>,
}

impl<T: Strategy> Delete<T> {
    /// The removal of the object.
    pub fn new(name: UniqueName, etag: Option<String>, force: bool) -> Self {
        Self { name, etag, force, kind: PhantomData }
    }
}

// ===== impl Command =====

impl<T: Strategy> Command for Create<T> {
    fn operation(&self) -> &'static str {
        operations(T::KIND).create
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        create::<T>(catalog, context, &self.unique_name, &self.patch)
    }
}

impl<T: Strategy> Command for Update<T> {
    fn operation(&self) -> &'static str {
        operations(T::KIND).update
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let Some(target) = T::table(&catalog.tables).get(&self.name).map(AsRef::as_ref) else {
            if self.allow_missing && self.etag.is_none() {
                return create::<T>(catalog, context, self.name.as_str(), &self.patch);
            }
            let mut v = Violations::new();
            syntax::<T>(&self.patch, &mut v);
            v.finish()?;
            if self.allow_missing {
                same_etag_of::<T>(self.name.as_str(), None, self.etag.as_deref())?;
            }
            return Err(not_found(T::KIND, self.name.as_str()));
        };
        let mut v = Violations::new();
        syntax::<T>(&self.patch, &mut v);
        self.patch.immutable(target, &mut v);
        let mut next = target.clone();
        self.patch.apply(&mut next);
        let findings = next.canonicalize(Some(target), &self.patch, context);
        if target.common().origin == Origin::Custom {
            next.validate(catalog, Some(target), &self.patch, &mut v);
        }
        v.finish()?;
        unlocked(target, self.operation, self.etag.as_deref())?;
        let plan = finish(catalog, context, next, Some(target))?;
        Ok(Plan { findings, ..plan })
    }
}

impl<T: Strategy> Command for CloneObject<T> {
    fn operation(&self) -> &'static str {
        operations(T::KIND).clone
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut v = Violations::new();
        let name = new_name(&mut v, &self.unique_name);
        let display_name = check::display_name(&mut v, "display_name", &self.display_name, 100);
        let name = accepted_name(v, name)?;
        let source = find::<T>(catalog, &self.source)?;
        let mut copy = source.clone();
        *copy.common_mut() = Common {
            description: source.common().description.clone(),
            owner: source.common().owner.clone(),
            ..Common::custom(name, &display_name)
        };
        *copy.stamp_mut() = stamp(context);
        let mut v = Violations::new();
        copy.prepare_clone(source, &mut v);
        v.finish()?;
        not_taken(T::table(&catalog.tables), &copy.common().unique_name)?;
        finish(catalog, context, copy, Some(source))
    }
}

impl<T: Strategy> Command for SetState<T> {
    fn operation(&self) -> &'static str {
        match self.state {
            State::Active => operations(T::KIND).activate,
            State::Inactive => operations(T::KIND).deactivate,
        }
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let operation = if self.state == State::Active { "ACTIVATE" } else { "DEACTIVATE" };
        let target = find::<T>(catalog, &self.name)?;
        unlocked(target, operation, self.etag.as_deref())?;
        let mut plan = Plan::about(T::KIND, target.name());
        if target.common().state != self.state {
            let mut next = target.clone();
            next.common_mut().state = self.state;
            plan.put(next, context);
        }
        Ok(plan)
    }
}

impl<T: Strategy> Command for Delete<T> {
    fn operation(&self) -> &'static str {
        operations(T::KIND).delete
    }

    fn flags(&self) -> Vec<&'static str> {
        self.force.then_some("force").into_iter().collect()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let target = find::<T>(catalog, &self.name)?;
        unlocked(target, "DELETE", self.etag.as_deref())?;
        if !self.force {
            target.unused(catalog)?;
        }
        let name = &target.common().unique_name;
        let released = referrer::release(catalog, (T::KIND, name), self.force, context)?;
        let key = ObjectKey::new(T::KIND, name.as_str());
        let changes = std::iter::once(Change::Delete(key)).chain(released).collect();
        Ok(Plan { changes, ..Plan::default() })
    }
}

// ===== the common rules =====

fn find<'a, T: Strategy>(catalog: &'a Catalog, name: &UniqueName) -> Result<&'a T, Refusal> {
    let found = T::table(&catalog.tables).get(name);
    found.map(AsRef::as_ref).ok_or_else(|| not_found(T::KIND, name.as_str()))
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

pub(super) fn syntax<T: Strategy>(patch: &T::Patch, v: &mut Violations) {
    if let Some(name) = patch.display_name() {
        check::display_name(v, "display_name", name, 100);
    }
    if let Some(text) = patch.description() {
        check::text(v, "description", text, 0..=T::MAX_DESCRIPTION, Controls::TabAndNewline);
    }
    if let Some(owner) = patch.owner() {
        check::line(v, "owner", owner, 0..=100);
    }
    T::syntax(patch, v);
}

fn create<T: Strategy>(
    catalog: &Catalog,
    context: &Context,
    given: &str,
    patch: &T::Patch,
) -> Result<Plan, Refusal> {
    let mut v = Violations::new();
    let name = new_name(&mut v, given);
    if patch.display_name().is_none() {
        v.invalid("display_name", "is required");
    }
    syntax::<T>(patch, &mut v);
    // A refused name has a stand-in, so that the other bad fields are found as well.
    let stand_in = || UniqueName::known("new_object");
    let mut next =
        T::empty(Common::custom(name.clone().unwrap_or_else(stand_in), ""), stamp(context));
    patch.apply(&mut next);
    let findings = next.canonicalize(None, patch, context);
    next.validate(catalog, None, patch, &mut v);
    let name = accepted_name(v, name)?;
    not_taken(T::table(&catalog.tables), &name)?;
    let plan = finish(catalog, context, next, None)?;
    Ok(Plan { findings, ..plan })
}

/// Checks an object as it would be and plans to write it.
fn finish<T: Strategy>(
    catalog: &Catalog,
    context: &Context,
    mut next: T,
    before: Option<&T>,
) -> Result<Plan, Refusal> {
    let mut references = References::new(catalog);
    references.edges(&mut next, before);
    references.user_fields(&mut next, before);
    references.finish()?;
    next.dependencies(catalog)?;
    let mut v = Violations::new();
    next.validate_others(before, catalog, &mut v);
    v.finish()?;
    let mut failed = Preconditions::new();
    next.preconditions(catalog, &mut failed);
    failed.finish()?;
    let mut plan = Plan::about(T::KIND, next.name());
    if before != Some(&next) {
        plan.put(next, context);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
