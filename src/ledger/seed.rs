//! Built-in content: written at the first start, and again where a newer program ships other
//! content (SPEC §4.7).

use crate::{
    catalog::{Catalog, Delta, builtin},
    clock::Clock,
    domain::{Actor, Change, Object, Provenance, Stamp, Time, profile::Profile},
    store::{Batch, Commit, Error, Record, Result, Store},
};

/// A catalog with built-in content, and the record that brought it there with what it changed, if one
/// was needed.
pub(super) struct Seeded {
    pub(super) catalog: Catalog,
    pub(super) committed: Option<(Record, Delta)>,
}

/// A built-in object that replaces the stored one: it is the same object, changed.
fn again(object: Object, old: &Stamp) -> Object {
    let Stamp { revision, update_time, updated_by, .. } = object.stamp().clone();
    object.with_stamp(Stamp { revision, update_time, updated_by, ..old.clone() })
}

/// A built-in profile with the settings that its stored state adopted.
fn adopted(object: Object, old: &Object) -> Object {
    match (object, old) {
        (Object::Profile(new), Object::Profile(old)) if old.adopted => {
            let Profile { session_templates, pane, all_active_channels, adopted, .. } =
                Profile::clone(old);
            let new = Profile::clone(&new);
            let kept = Profile { session_templates, pane, all_active_channels, adopted, ..new };
            Object::Profile(kept.into())
        }
        (object, _) => object,
    }
}

/// Writes what is new or different as one revision of the actor `system`.
pub(super) async fn seed(store: &dyn Store, catalog: Catalog, clock: &Clock) -> Result<Seeded> {
    let revision = catalog.revision + 1;
    let time = Time::next_commit(clock.now(), catalog.time);
    let first = catalog.revision == 0;
    let changes: Vec<_> = builtin::objects(revision, time)
        .into_iter()
        // Settings are the organisation's from the first start on.
        .filter(|object| first || !matches!(object, Object::Settings(_)))
        .filter_map(|object| match catalog.object(&object.key()) {
            Some(old) if !first => {
                let object = adopted(object, &old);
                object.differs(&old).then(|| again(object, old.stamp()))
            }
            _ => Some(object),
        })
        .map(Change::Put)
        .collect();
    if changes.is_empty() {
        return Ok(Seeded { catalog, committed: None });
    }
    let record = Record {
        revision,
        time,
        operation: "SeedBuiltIns".to_owned(),
        actor: Actor::system(),
        provenance: Provenance::default(),
        reason: String::new(),
        flags: Vec::new(),
        request: None,
        changes: changes.clone(),
    };
    match store.commit(Batch::new(catalog.revision, vec![record.clone()])?).await? {
        Commit::Committed(_) => {
            let (catalog, delta) = catalog.advance(&changes, revision, time);
            Ok(Seeded { catalog, committed: Some((record, delta)) })
        }
        other => Err(Error::Engine(format!("built-in content was not written: {other:?}"))),
    }
}
