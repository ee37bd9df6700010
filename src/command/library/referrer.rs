//! Who refers to a library object, and how the reference goes (SPEC §2.3).

use crate::{
    catalog::Catalog,
    command::{Context, patch},
    domain::{
        Change, Common, Kind, Reason, Refusal, UniqueName, profile::Profile,
        refusal::Preconditions, stored::Named,
    },
};

/// Most referrers that a refusal names; it counts all of them.
const MAX_NAMED: usize = 100;

/// An object that refers to another one.
#[derive(Debug, Clone)]
pub struct Referrer {
    kind: Kind,
    name: UniqueName,
    /// The object without the reference, or why the reference cannot go.
    without: Result<Change, String>,
}

impl Referrer {
    /// A referrer as it would be without the reference; `stuck` says why it cannot be so.
    pub(super) fn new<T: Named>(
        before: &T,
        mut next: T,
        stuck: Option<String>,
        context: &Context,
    ) -> Self {
        next.stamp_mut().touch(context.revision, context.time, &context.actor.subject);
        let without = match locked(before.common()).or(stuck) {
            Some(why) => Err(why),
            None => Ok(Change::Put(next.into_object())),
        };
        Self { kind: T::KIND, name: before.common().unique_name.clone(), without }
    }
}

fn locked(common: &Common) -> Option<String> {
    if common.is_built_in() {
        Some("is built in and keeps its references".to_owned())
    } else {
        common.is_managed().then(|| "is managed and keeps its references".to_owned())
    }
}

/// The profiles that `take` changes: it takes the reference out.
pub(super) fn profiles(
    catalog: &Catalog,
    context: &Context,
    take: impl Fn(&mut Profile),
) -> Vec<Referrer> {
    let mut found = Vec::new();
    for profile in catalog.tables.profiles.iter() {
        let mut next = Profile::clone(profile);
        take(&mut next);
        if next != **profile {
            let stuck = broken(catalog, &next).filter(|_| broken(catalog, profile).is_none());
            found.push(Referrer::new(profile.as_ref(), next, stuck, context));
        }
    }
    found
}

/// The rule that the profile does not keep.
fn broken(catalog: &Catalog, profile: &Profile) -> Option<String> {
    let mut failed = Preconditions::new();
    patch::rules(catalog, profile, &mut failed);
    failed.finish().err().map(|refusal| format!("would break a rule: {}", refusal.message))
}

/// The referrers without their references, or why the object has to stay.
pub(super) fn release(
    kind: Kind,
    name: &UniqueName,
    referrers: Vec<Referrer>,
    force: bool,
) -> Result<Vec<Change>, Refusal> {
    let mut released = Vec::new();
    let mut holding = Vec::new();
    for referrer in referrers {
        match referrer.without {
            Ok(change) if force => released.push(change),
            Ok(_) => holding.push((referrer.kind, referrer.name, "refers to it".to_owned())),
            Err(why) => holding.push((referrer.kind, referrer.name, why)),
        }
    }
    if holding.is_empty() { Ok(released) } else { Err(in_use(kind, name, &holding, force)) }
}

fn in_use(
    kind: Kind,
    name: &UniqueName,
    holding: &[(Kind, UniqueName, String)],
    force: bool,
) -> Refusal {
    let named = || holding.iter().take(MAX_NAMED);
    let list: Vec<_> =
        named().map(|(kind, name, why)| format!("{} {name} {why}", kind.as_str())).collect();
    let way_out = if force {
        "change these first, force cannot"
    } else {
        "set force to remove the references too"
    };
    let message = format!(
        "{} {name} is in use by {} objects; {way_out}: {}.",
        kind.as_str(),
        holding.len(),
        list.join("; "),
    );
    let mut refusal = Refusal::new(Reason::ObjectInUse, message).with("referrers", holding.len());
    for (kind, name, why) in named() {
        refusal = refusal.precondition(kind.as_str(), name, why.as_str()).resource(
            kind.as_str(),
            name,
            why,
        );
    }
    refusal
}
