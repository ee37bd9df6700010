//! One object of a bundle: what was sent of it, and the rules that it goes through.

use std::{
    collections::BTreeSet,
    fmt::{self, Debug},
};

use super::refused::Refused;
use crate::{
    catalog::Catalog,
    command::{
        Context,
        library::{Patch as _, Strategy, syntax},
        references::References,
    },
    domain::{Common, Finding, Kind, Object, Origin, Reason, Stamp, State, UniqueName, Violations},
};

/// Rank, roles and default flag of a profile as a bundle gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// 0 to 100.
    pub rank: Option<u8>,
    /// Names of roles, which need not exist.
    pub roles: BTreeSet<UniqueName>,
    /// Whether it is the custom default.
    pub is_default: bool,
}

/// One object of a bundle, of whatever kind.
pub trait Incoming: Debug + Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// Its name.
    fn name(&self) -> &UniqueName;

    /// Its place in the bundle: `objects.profiles[3]`.
    fn path(&self) -> &str;

    /// Rank, roles and default flag; nothing of what is no profile.
    fn assignment(&self) -> Option<&Assignment>;

    /// The object as it would be without its assignment, and what was not taken over. Rules that it
    /// breaks by itself or beside the stored object of its name are noted.
    fn draft(&self, site: &Site<'_>, v: &mut Violations) -> (Object, Vec<Finding>);

    /// The object with its references spelled as they are stored, judged on a catalog in which all
    /// objects of the bundle are in place.
    fn judge(
        &self,
        before: &Catalog,
        staged: &Catalog,
        refused: &mut Refused,
        findings: &mut Vec<Finding>,
    ) -> Option<Object>;
}

/// Where an object comes to.
#[derive(Debug)]
pub struct Site<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) context: &'a Context,
    /// Uid of an object that is new.
    pub(super) uid: uuid::Uuid,
    /// Where the object comes from, once it is here.
    pub(super) origin: &'a Origin,
}

/// An object of a kind that the generic writes know.
pub struct Sent<T: Strategy> {
    path: String,
    name: UniqueName,
    state: State,
    patch: T::Patch,
    assignment: Option<Assignment>,
}

impl<T: Strategy> Sent<T> {
    /// An object with all its fields; those that break their plain rules are noted.
    pub fn new(
        (path, name): (String, UniqueName),
        state: State,
        patch: T::Patch,
        assignment: Option<Assignment>,
        v: &mut Violations,
    ) -> Self {
        let mut own = Violations::new();
        syntax::<T>(&patch, &mut own);
        note(own, &path, v);
        Self { path, name, state, patch, assignment }
    }
}

impl<T: Strategy> Debug for Sent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("path", &self.path).field("name", &self.name).finish()
    }
}

/// Notes violations of one object under its place in the bundle. A secret that is missing is none: it
/// cannot travel.
fn note(own: Violations, path: &str, v: &mut Violations) {
    let found = own.finish().err().map(|refusal| refusal.violations).unwrap_or_default();
    for bad in found.into_iter().filter(|bad| bad.reason != Reason::AdapterSecretMissing) {
        v.add(bad.reason, format!("{path}.{}", bad.field), bad.description);
    }
}

impl<T: Strategy> Incoming for Sent<T> {
    fn kind(&self) -> Kind {
        T::KIND
    }

    fn name(&self) -> &UniqueName {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn assignment(&self) -> Option<&Assignment> {
        self.assignment.as_ref()
    }

    fn draft(&self, site: &Site<'_>, v: &mut Violations) -> (Object, Vec<Finding>) {
        let Site { catalog, context, uid, origin } = site;
        let before = T::table(&catalog.tables).get(&self.name).map(AsRef::as_ref);
        let mut own = Violations::new();
        let mut next = match before {
            Some(before) => {
                self.patch.immutable(before, &mut own);
                before.clone()
            }
            None => {
                let by = &context.actor.subject;
                let stamp = Stamp::new(*uid, context.revision, context.time, by);
                T::empty(Common::custom(self.name.clone(), ""), stamp)
            }
        };
        self.patch.apply(&mut next);
        let common = next.common_mut();
        common.state = self.state;
        if !common.is_built_in() {
            common.origin = Origin::clone(origin);
        }
        if let Some(before) = before {
            next.keep_local(before);
        }
        let findings = next.canonicalize(before, &self.patch, context);
        next.validate(catalog, before, &self.patch, &mut own);
        note(own, &self.path, v);
        (next.into_object(), findings)
    }

    fn judge(
        &self,
        before: &Catalog,
        staged: &Catalog,
        refused: &mut Refused,
        findings: &mut Vec<Finding>,
    ) -> Option<Object> {
        let stored = |catalog| T::table(catalog).get(&self.name).map(AsRef::as_ref);
        let mut next: T = T::clone(stored(&staged.tables)?);
        let before: Option<&T> = stored(&before.tables);
        let mut references = References::new(staged);
        references.edges(&mut next, before);
        references.user_fields(&mut next, before);
        refused.reference(references.finish());
        refused.reference(next.dependencies(staged));
        let mut own = Violations::new();
        next.validate_others(before, staged, &mut own);
        note(own, &self.path, refused.violations());
        refused.state(|failed| next.judged_in_import(staged).preconditions(staged, failed));
        findings.extend(next.import_findings(staged));
        Some(next.into_object())
    }
}
