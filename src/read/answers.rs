//! What a role class is answered, worked out once and kept with the class.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapWeak;

use super::contents::{Contents, Entry, Variant};
use crate::{
    catalog::{Catalog, OfClass, RoleClass, Seated},
    content::Gates,
    domain::{App, UniqueName},
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
    apps: [OfApp; APPS.len()],
}

/// What users of the class get in one app.
#[derive(Debug, Default)]
struct OfApp {
    resolution: OnceLock<Arc<Resolution>>,
    /// The cached content that was answered last. It is current as long as the class keeps these
    /// answers, which is until something other than users and teams changes; the cache owns it, so
    /// a class that nobody asks about keeps no content alive.
    content: ArcSwapWeak<Entry>,
}

impl OfClass for ClassAnswers {
    fn of(catalog: &Catalog, class: &RoleClass) -> Self {
        Self { gates: Gates::of(catalog, class), apps: Default::default() }
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
        let answer = self.of_app(app)?;
        let of_class = || {
            let make = || {
                let class = catalog.class(seated.class);
                Arc::new(resolve::of_class(catalog, class, app))
            };
            Arc::clone(answer.resolution.get_or_init(make))
        };
        Some(resolve::of_seated(catalog, seated, app, of_class))
    }

    /// The content of a profile for users of the class; `None` when there is no such profile.
    pub(super) fn variant(
        &self,
        catalog: &Catalog,
        contents: &Contents,
        profile: &UniqueName,
        app: App,
    ) -> Option<Variant> {
        let last = self.of_app(app).map(|answer| &answer.content);
        let known = last.and_then(|last| last.load().upgrade());
        if let Some(variant) = known.and_then(|entry| entry.compiled_for(profile)) {
            contents.count_hit();
            return Some(variant);
        }
        let (entry, variant) = contents.entry(catalog, profile, &self.gates)?;
        if let Some(last) = last {
            last.store(Arc::downgrade(&entry));
        }
        Some(variant)
    }

    fn of_app(&self, app: App) -> Option<&OfApp> {
        let place = APPS.iter().position(|known| *known == app)?;
        self.apps.get(place)
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
