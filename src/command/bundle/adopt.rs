//! Built-in profiles that take the settings of an upgraded organisation.

use std::sync::Arc;

use super::row::Row;
use crate::{
    catalog::Catalog,
    domain::{Object, Reason, Refusal, Violations, profile::Profile},
};

/// Refuses unless nothing was adopted before and no profile was made or imported yet.
pub(super) fn allowed(catalog: &Catalog) -> Result<(), Refusal> {
    let mut profiles = catalog.tables.profiles.iter();
    let Some(first) = profiles.find(|p| p.adopted || !p.common.is_built_in()) else {
        return Ok(());
    };
    let (name, why) = match first.adopted {
        true => (first.name(), "has adopted settings"),
        false => (first.name(), "exists"),
    };
    let message = format!(
        "Built-in profiles adopt settings once per store and before any other profile exists; \
         profile {name} {why}."
    );
    Err(Refusal::new(Reason::AlreadyAdopted, message)
        .precondition("ALREADY_ADOPTED", name, why)
        .resource("Profile", name, why))
}

/// The stored built-in profile with what it takes of its row: pane, channels and session templates.
/// Everything else that the row says otherwise is noted, for it would be lost.
pub(super) fn adopted(row: &Row<'_>, sent: Object, v: &mut Violations) -> Object {
    let (Some(stored), Object::Profile(sent)) = (row.stored_profile(), &sent) else { return sent };
    let next = Profile {
        session_templates: sent.session_templates.clone(),
        pane: sent.pane.clone(),
        all_active_channels: sent.all_active_channels,
        adopted: true,
        ..Profile::clone(&stored)
    };
    let same = Profile { adopted: stored.adopted, ..next.clone() } == **sent;
    let unassigned = row.incoming.assignment().is_none_or(|sent| *sent == Default::default());
    if !same || !unassigned {
        let rule = "a built-in profile adopts pane, channels and session_templates; all other \
                    fields must be as they are";
        v.invalid(row.incoming.path(), rule);
    }
    Object::Profile(Arc::new(next))
}
