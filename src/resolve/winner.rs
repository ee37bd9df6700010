//! Only the profile of the winning step, for comparisons over many role classes, in which neither
//! losers nor findings are asked for.

use super::steps::{built_in, last};
use crate::{
    catalog::{Catalog, RoleClass},
    domain::{App, Method, UniqueName, profile::Profile},
};

/// What users of a class get without a direct link: the first candidate of steps 2 to 4.
pub(super) fn of_class(catalog: &Catalog, class: &RoleClass, app: App) -> (UniqueName, Method) {
    let active = |profile: &&Profile| profile.common.is_active();
    let mapped = class.held.iter().flat_map(|root| catalog.mapped(root)).filter(active);
    if let Some(best) = mapped.min_by_key(|profile| (last(profile.rank), profile.name())) {
        return (best.name().clone(), Method::RoleBased);
    }
    // Ascending by name, and the first of equals is the least.
    let defaults = catalog.defaults().filter(active);
    if let Some(first) = defaults.min_by_key(|profile| last(profile.default_set_time)) {
        return (first.name().clone(), Method::DefaultCustom);
    }
    (UniqueName::known(built_in(catalog, class, app)), Method::DefaultBuiltIn)
}
