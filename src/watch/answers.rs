//! What a role class is answered, worked out once and kept with the class.

use std::sync::{Arc, OnceLock};

use crate::{
    catalog::{Catalog, OfClass, RoleClass, Seated},
    content::Gates,
    domain::App,
    resolve::{self, Resolution},
};

/// Apps in which profiles apply.
const APPS: [App; 4] =
    [App::Unspecified, App::Workspace, App::Omnichannel, App::ContactCenterWorkspace];

/// What users of one role class have in common: their gates, and in each app the profile of those
/// without a direct link.
#[derive(Debug)]
pub(super) struct ClassAnswers {
    /// The gates of all profiles.
    pub(super) gates: Gates,
    resolutions: [OnceLock<Arc<Resolution>>; APPS.len()],
}

impl OfClass for ClassAnswers {
    fn of(catalog: &Catalog, class: &RoleClass) -> Self {
        Self { gates: Gates::of(catalog, class), resolutions: Default::default() }
    }
}

impl ClassAnswers {
    /// Resolves the profile of a user of the class in an app; `None` where profiles do not apply.
    pub(super) fn resolve(
        &self,
        catalog: &Catalog,
        seated: &Seated,
        app: App,
    ) -> Option<Arc<Resolution>> {
        let place = APPS.iter().position(|known| *known == app)?;
        let of_class = || {
            let make = || {
                let class = catalog.class(seated.seat.class);
                Arc::new(resolve::of_class(catalog, class, app))
            };
            Arc::clone(self.resolutions[place].get_or_init(make))
        };
        Some(resolve::of_seated(catalog, seated, app, of_class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_in_which_profiles_apply_has_a_place() {
        for app in [
            App::Unspecified,
            App::Workspace,
            App::Omnichannel,
            App::ContactCenterWorkspace,
            App::CustomerServiceHub,
            App::Mobile,
            App::Teams,
            App::UnifiedServiceDesk,
            App::OnPremises,
            App::CustomApp,
        ] {
            assert_eq!(APPS.contains(&app), app.applies(), "{app:?}");
        }
    }
}
