//! Which objects of a catalog a bundle holds.

use std::collections::BTreeSet;

use super::kinds;
use crate::{
    catalog::Catalog,
    command::no_bundle,
    domain::{Kind, Object, ObjectKey, Reason, Refusal, UniqueName, Violations},
};

/// What a bundle is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Everything that travels.
    All,
    /// These profiles and the library objects that they refer to, directly or through others.
    Profiles(Vec<UniqueName>),
    /// The managed objects of a bundle, and what they refer to.
    Installed(UniqueName),
}

/// Whether an object travels: one of a kind that does, made here or imported. A built-in profile
/// does when an import has given it its settings.
pub fn travels(object: &Object) -> bool {
    let built_in = object.common().is_none_or(|common| common.is_built_in());
    let adopted = matches!(object, Object::Profile(profile) if profile.adopted);
    object.kind() != Kind::Role && (!built_in || adopted)
}

impl Selection {
    /// The objects, ascending by collection, then by unique name.
    ///
    /// # Errors
    /// `PROFILE_NOT_FOUND` and `OBJECT_NOT_FOUND` for what is not there, `FIELD_INVALID` for a built-in
    /// profile.
    pub fn objects(&self, catalog: &Catalog) -> Result<Vec<Object>, Refusal> {
        let all = || kinds().into_iter().flat_map(|kind| catalog.tables.after(kind, None));
        let roots = match self {
            Self::All => return Ok(all().filter(travels).collect()),
            Self::Profiles(names) => profiles(catalog, names)?,
            Self::Installed(bundle) => installed(all(), bundle)?,
        };
        let mut held = BTreeSet::new();
        let mut waiting = roots;
        while let Some(object) = waiting.pop() {
            if !held.insert(object.key()) {
                continue;
            }
            object.references(&mut |reference| {
                let key = ObjectKey::new(reference.kind, reference.name.as_str());
                waiting.extend(catalog.object(&key).filter(travels));
            });
        }
        Ok(all().filter(|object| held.contains(&object.key())).collect())
    }
}

fn profiles(catalog: &Catalog, names: &[UniqueName]) -> Result<Vec<Object>, Refusal> {
    let (mut found, mut missing, mut v) = (Vec::new(), Vec::new(), Violations::new());
    for (at, name) in names.iter().enumerate() {
        let key = ObjectKey::new(Kind::Profile, name.as_str());
        match catalog.object(&key) {
            Some(profile) if travels(&profile) => found.push(profile),
            Some(_) => v.invalid(format!("profiles[{at}]"), "is built in and does not travel"),
            None => missing.push(name),
        }
    }
    v.finish()?;
    if missing.is_empty() {
        return Ok(found);
    }
    let list = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let refusal = Refusal::new(Reason::ProfileNotFound, format!("There is no profile {list}."));
    let about = |refusal: Refusal, name| refusal.resource("Profile", name, "does not exist");
    Err(missing.into_iter().fold(refusal, about))
}

fn installed(
    objects: impl Iterator<Item = Object>,
    bundle: &UniqueName,
) -> Result<Vec<Object>, Refusal> {
    let is_of =
        |object: &Object| object.common().is_some_and(|common| common.origin.is_bundle(bundle));
    let found: Vec<_> = objects.filter(is_of).collect();
    if found.is_empty() { Err(no_bundle(bundle)) } else { Ok(found) }
}
