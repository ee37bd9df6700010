//! Who refers to a library object, and how the reference goes (SPEC §2.3).

use super::Strategy;
use crate::{
    catalog::{Catalog, NamedKey},
    command::Context,
    domain::{
        Change, Common, Kind, Reason, Refusal, UniqueName, named_kinds, refs::OnDelete,
        refusal::Preconditions,
    },
};

/// Most referrers that a refusal names; it counts all of them.
const MAX_NAMED: usize = 100;

/// An object that refers to another one.
#[derive(Debug, Clone)]
struct Referrer {
    kind: Kind,
    name: UniqueName,
    /// The object without the reference, or why the reference cannot go.
    without: Result<Change, String>,
}

/// Expands to [`referrer`].
macro_rules! referrers {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// An object of whatever kind with what becomes of its reference to the target.
        fn referrer(
            catalog: &Catalog,
            (kind, name): &NamedKey,
            target: (Kind, &UniqueName),
            context: &Context,
        ) -> Option<Referrer> {
            match kind {
                $(Kind::$variant => {
                    let object = catalog.tables.$table.get(name)?;
                    Some(without(catalog, object.as_ref(), target, context))
                })+
                Kind::User | Kind::Team | Kind::Settings => None,
            }
        }
    };
}

named_kinds!(referrers);

/// An object as it would be without its references to the target.
fn without<T: Strategy>(
    catalog: &Catalog,
    before: &T,
    (kind, name): (Kind, &UniqueName),
    context: &Context,
) -> Referrer {
    let mut next = before.clone();
    let mut stuck = locked(before.common());
    for edge in T::EDGES.iter().filter(|edge| edge.kind == kind && edge.holds(before, name)) {
        match edge.on_delete {
            OnDelete::Restrict(why) => stuck = stuck.or_else(|| Some(why.to_owned())),
            OnDelete::Detach => {
                edge.edit(&mut next, &mut |held| (held != name).then(|| held.clone()));
            }
        }
    }
    let stuck =
        stuck.or_else(|| broken(catalog, &next).filter(|_| broken(catalog, before).is_none()));
    next.stamp_mut().touch(context.revision, context.time, &context.actor.subject);
    let without = stuck.map_or_else(|| Ok(Change::Put(next.into_object())), Err);
    Referrer { kind: T::KIND, name: before.common().unique_name.clone(), without }
}

fn locked(common: &Common) -> Option<String> {
    if common.is_built_in() {
        Some("is built in and keeps its references".to_owned())
    } else {
        common.is_managed().then(|| "is managed and keeps its references".to_owned())
    }
}

/// The rule that the object does not keep.
fn broken<T: Strategy>(catalog: &Catalog, object: &T) -> Option<String> {
    let mut failed = Preconditions::new();
    object.preconditions(catalog, &mut failed);
    failed.finish().err().map(|refusal| format!("would break a rule: {}", refusal.message))
}

/// The referrers without their references, or why the object has to stay.
pub(in crate::command) fn release(
    catalog: &Catalog,
    (kind, name): (Kind, &UniqueName),
    force: bool,
    context: &Context,
) -> Result<Vec<Change>, Refusal> {
    let mut released = Vec::new();
    let mut holding = Vec::new();
    let referrers = catalog.tables.references.of(kind, name);
    for referrer in referrers.filter_map(|by| referrer(catalog, by, (kind, name), context)) {
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
