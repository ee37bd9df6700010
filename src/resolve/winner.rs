//! Only the profile of the winning step, for comparisons over many role classes, in which neither
//! losers nor findings are asked for.

use super::steps::{built_in, last};
use crate::{
    catalog::{Candidate, Catalog, ClassId, Seated},
    domain::{App, Method, UniqueName, profile::Profile},
};

/// The first candidate of step 1, if there is any.
pub(super) fn direct<'a>(catalog: &'a Catalog, seated: &Seated<'_>) -> Option<&'a UniqueName> {
    let candidates = seated.links().into_iter().filter_map(|link| {
        let profile = catalog.profile_of(seated.written(), link)?;
        let candidate = (last(profile.rank), last(link.assigned_at), profile.name());
        profile.common.is_active().then_some(candidate)
    });
    candidates.min().map(|(_, _, name)| name)
}

/// What users of a class get without a direct link: the first candidate of steps 2 to 4, of which the
/// caller knows that of step 2.
pub(super) fn of_class<'a>(
    catalog: &'a Catalog,
    class: ClassId,
    by_role: Option<&'a Candidate>,
    app: App,
) -> (&'a UniqueName, Method) {
    if let Some(first) = by_role {
        return (&first.profile, Method::RoleBased);
    }
    // Ascending by name, and the first of equals is the least.
    let defaults = catalog.defaults().filter(|profile| profile.common.is_active());
    let key = |profile: &&Profile| last(profile.default_set_time);
    if let Some(first) = defaults.min_by_key(key) {
        return (first.name(), Method::DefaultCustom);
    }
    (built_in(catalog, catalog.class(class), app), Method::DefaultBuiltIn)
}
