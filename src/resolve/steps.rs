//! The four steps with their candidates, excluded routes and findings (SPEC §6.1, §6.2, §6.5).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{LossReason, Resolution, Route};
use crate::{
    catalog::{Catalog, RoleClass, Seated},
    domain::{
        App, Finding, FindingCode, Method, Time, UniqueName,
        directory::packed::LinkEntry,
        profile::Profile,
        role::{RoleFamily, family},
    },
};

/// Built-in profile of the Customer Service family.
static CSW: LazyLock<UniqueName> = LazyLock::new(|| known("msdyn_csw_default_profile"));
/// Built-in profile of the Omnichannel family.
static OC: LazyLock<UniqueName> = LazyLock::new(|| known("msdyn_omnichannel_default_profile"));
/// Built-in profile of both.
static CSW_PLUS: LazyLock<UniqueName> =
    LazyLock::new(|| known("msdyn_csw_channels_default_profile"));

fn known(name: &'static str) -> UniqueName {
    UniqueName::known(name)
}

/// One step: candidates in the order of SPEC §6.1, then what was left out and why.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) candidates: Vec<Route>,
    pub(super) excluded: Vec<(Route, LossReason)>,
}

/// All four steps of one user, or of a role class: of users without a direct link.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    catalog: &'a Catalog,
    class: &'a RoleClass,
    app: App,
    pub(super) steps: [Step; 4],
}

fn route(profile: &Profile, method: Method) -> Route {
    Route {
        profile: profile.name().clone(),
        method,
        rank: profile.rank,
        matched_roles: Vec::new(),
        assigned_at: None,
        default_set_time: None,
    }
}

/// Sorts nothing after everything.
pub(super) fn last<T: Ord>(value: Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value)
}

impl<'a> Steps<'a> {
    /// The steps of a user.
    pub(super) fn of(catalog: &'a Catalog, seated: &Seated, app: App) -> Self {
        Self::with(catalog, catalog.class(seated.class), Some(seated), app)
    }

    /// The steps of users of a class without a direct link.
    pub(super) fn of_class(catalog: &'a Catalog, class: &'a RoleClass, app: App) -> Self {
        Self::with(catalog, class, None, app)
    }

    fn with(catalog: &'a Catalog, class: &'a RoleClass, user: Option<&Seated>, app: App) -> Self {
        let steps = [
            user.map(|user| direct(catalog, user)).unwrap_or_default(),
            role_based(catalog, class),
            default_custom(catalog),
            default_built_in(catalog, class, app),
        ];
        Self { catalog, class, app, steps }
    }

    /// The answer, without the findings on the user's own state; see [`user_findings`].
    pub(super) fn resolution(&self) -> Resolution {
        let winner = self.winner();
        Resolution {
            profile: winner.profile.clone(),
            method: winner.method,
            rank: winner.rank,
            matched_roles: winner.matched_roles.clone(),
            ambiguous: self.ambiguous(),
            findings: self.findings(),
        }
    }

    /// Position of the winning step.
    pub(super) fn winning(&self) -> usize {
        self.steps.iter().position(|s| !s.candidates.is_empty()).unwrap_or(3)
    }

    /// The answer.
    pub(super) fn winner(&self) -> &Route {
        &self.steps[self.winning()].candidates[0]
    }

    /// Whether the winning step had a tie that only a tie-break decided (SPEC §6.3).
    pub(super) fn ambiguous(&self) -> bool {
        let at = self.winning();
        let candidates = &self.steps[at].candidates;
        match at {
            0 | 2 => candidates.len() > 1,
            1 => candidates.get(1).is_some_and(|second| second.rank == candidates[0].rank),
            _ => false,
        }
    }

    /// Findings of SPEC §6.5 but those on the user's own state, ascending by code.
    fn findings(&self) -> Vec<Finding> {
        use FindingCode as F;
        let mut found = BTreeMap::new();
        let mut add = |code: F, message: &str| {
            found.entry(code).or_insert_with(|| Finding::new(code, "", message));
        };
        let at = self.winning();
        let excluded =
            |step: usize, why: LossReason| self.steps[step].excluded.iter().any(|(_, r)| *r == why);

        if excluded(0, LossReason::Dangling) {
            add(F::DanglingDirect, DANGLING);
        }
        if excluded(0, LossReason::Inactive) || (at >= 1 && excluded(1, LossReason::Inactive)) {
            add(F::InactiveSkipped, INACTIVE);
        }
        if self.steps[0].candidates.len() > 1 {
            add(F::MultipleDirect, "More than one active profile is assigned directly.");
        }
        if at >= 1 {
            if excluded(1, LossReason::RoleViaTeamOnly) {
                add(
                    F::RoleOnlyViaTeam,
                    "A mapped role is held only through a team and does not count.",
                );
            }
            if self.steps[1].candidates.iter().any(|c| c.rank.is_none()) {
                add(F::RankMissing, "A profile with a mapped role has no rank.");
            }
        }
        if at == 1 && self.ambiguous() {
            add(F::DuplicateRank, "The best rank is shared by several profiles.");
        }
        if at >= 2 && excluded(2, LossReason::Inactive) {
            add(F::DefaultInactive, "A profile flagged default is inactive.");
        }
        if at == 2 && self.ambiguous() {
            add(F::MultipleDefaults, "More than one active profile is flagged default.");
        }
        let winner = self.catalog.tables.profiles.get(&self.winner().profile);
        if let Some(winner) = winner {
            let has = winner.rank.is_some() || !winner.roles.is_empty();
            if (at == 1 || at == 2) && winner.is_default && has {
                add(F::DefaultHasRoles, "The profile is the default and carries a rank or roles.");
            }
        }
        if at == 3 {
            let with_teams = RoleClass {
                held: self.class.held.union(&self.class.team_only).cloned().collect(),
                team_only: BTreeSet::new(),
            };
            if built_in_choice(&with_teams, self.app) != built_in_choice(self.class, self.app) {
                add(
                    F::RoleOnlyViaTeam,
                    "A role held only through a team would change the built-in profile.",
                );
            }
            if excluded(3, LossReason::ChannelsNotProvisioned) {
                add(F::ChannelsNotProvisioned, "The built-in profile with channels is not chosen.");
            }
        }
        if winner.is_some_and(|winner| unprovisioned(self.catalog, winner).is_some()) {
            add(F::ChannelsNotProvisioned, UNPROVISIONED);
        }
        found.into_values().collect()
    }
}

/// The findings on the user's own state: what he holds as given, and the flag.
pub(super) fn user_findings(
    catalog: &Catalog,
    seated: &Seated,
) -> impl Iterator<Item = Finding> + use<> {
    use FindingCode as F;
    let roleless = !seated.has_roles() && catalog.team_roles(&seated.id()).next().is_none();
    let roleless = (roleless, F::NoSecurityRole, "The user holds no security role.");
    let disabled = (seated.is_disabled(), F::UserDisabled, "The user is disabled.");
    [roleless, disabled]
        .into_iter()
        .filter(|(holds, ..)| *holds)
        .map(|(_, code, message)| Finding::new(code, "", message))
}

/// The finding that the winner opens channels that the organisation does not have.
pub(super) fn unprovisioned(catalog: &Catalog, winner: &Profile) -> Option<Finding> {
    let closed = winner.all_active_channels && !catalog.settings.channels_provisioned;
    closed.then(|| Finding::new(FindingCode::ChannelsNotProvisioned, "", UNPROVISIONED))
}

/// The finding of step 1 for one link that leads to no active profile.
pub(super) fn lost_link(catalog: &Catalog, written: Time, link: LinkEntry<'_>) -> Finding {
    let (code, message) = match catalog.profile_of(written, link) {
        None => (FindingCode::DanglingDirect, DANGLING),
        Some(_) => (FindingCode::InactiveSkipped, INACTIVE),
    };
    Finding::new(code, "", message)
}

const UNPROVISIONED: &str = "The profile opens channels, but none are provisioned.";
const DANGLING: &str = "A direct link leads to a profile that does not exist.";
const INACTIVE: &str = "An inactive profile was left out.";

fn direct(catalog: &Catalog, seated: &Seated) -> Step {
    let mut step = Step::default();
    for link in seated.links() {
        let Some(profile) = catalog.profile_of(seated.written(), link) else {
            let lost = Route {
                profile: link.profile.clone(),
                method: Method::Direct,
                rank: None,
                matched_roles: Vec::new(),
                assigned_at: link.assigned_at,
                default_set_time: None,
            };
            step.excluded.push((lost, LossReason::Dangling));
            continue;
        };
        let route = Route { assigned_at: link.assigned_at, ..route(profile, Method::Direct) };
        if profile.common.is_active() {
            step.candidates.push(route);
        } else {
            step.excluded.push((route, LossReason::Inactive));
        }
    }
    step.candidates.sort_by(|a, b| {
        (last(a.rank), last(a.assigned_at), &a.profile).cmp(&(
            last(b.rank),
            last(b.assigned_at),
            &b.profile,
        ))
    });
    // A profile linked twice is one route.
    step.candidates.dedup_by(|b, a| a.profile == b.profile);
    step.excluded.sort_by(|(a, _), (b, _)| a.profile.cmp(&b.profile));
    step
}

fn role_based(catalog: &Catalog, class: &RoleClass) -> Step {
    let mut step = Step::default();
    let mut via_team = reached(catalog, &class.team_only);
    for (name, (profile, matched_roles)) in reached(catalog, &class.held) {
        via_team.remove(name);
        let route = Route { matched_roles, ..route(profile, Method::RoleBased) };
        if profile.common.is_active() {
            step.candidates.push(route);
        } else {
            step.excluded.push((route, LossReason::Inactive));
        }
    }
    for (profile, matched_roles) in via_team.into_values().filter(|(p, _)| p.common.is_active()) {
        let route = Route { matched_roles, ..route(profile, Method::RoleBased) };
        step.excluded.push((route, LossReason::RoleViaTeamOnly));
    }
    // The profiles came ascending by name, so equal ranks stay in the order of names.
    step.candidates.sort_by_key(|c| last(c.rank));
    step.excluded.sort_by(|(a, _), (b, _)| a.profile.cmp(&b.profile));
    step
}

/// Custom profiles that map one of the roots, by name, each with the roots that lead to it.
fn reached<'a>(
    catalog: &'a Catalog,
    roots: &BTreeSet<UniqueName>,
) -> BTreeMap<&'a UniqueName, (&'a Profile, Vec<UniqueName>)> {
    let mut found = BTreeMap::new();
    for root in roots {
        for profile in catalog.mapped(root) {
            let (_, matched) = found.entry(profile.name()).or_insert((profile, Vec::new()));
            matched.push(root.clone());
        }
    }
    found
}

fn default_custom(catalog: &Catalog) -> Step {
    let mut step = Step::default();
    for profile in catalog.defaults() {
        let mut route = route(profile, Method::DefaultCustom);
        route.default_set_time = profile.default_set_time;
        if profile.common.is_active() {
            step.candidates.push(route);
        } else {
            step.excluded.push((route, LossReason::Inactive));
        }
    }
    step.candidates.sort_by_key(|c| last(c.default_set_time));
    step
}

fn default_built_in(catalog: &Catalog, class: &RoleClass, app: App) -> Step {
    let (choice, chosen) = (built_in_choice(class, app), built_in(catalog, class, app));
    let route = |profile: &UniqueName| Route {
        profile: profile.clone(),
        method: Method::DefaultBuiltIn,
        rank: None,
        matched_roles: Vec::new(),
        assigned_at: None,
        default_set_time: None,
    };
    let mut step = Step::default();
    step.candidates.push(route(chosen));
    if chosen != choice {
        step.excluded.push((route(choice), LossReason::ChannelsNotProvisioned));
    }
    step
}

/// The built-in profile of a class: without channels only the one of Customer Service has any use.
pub(super) fn built_in(catalog: &Catalog, class: &RoleClass, app: App) -> &'static UniqueName {
    if catalog.settings.channels_provisioned { built_in_choice(class, app) } else { &CSW }
}

/// The built-in step before provisioning is asked (SPEC §6.2).
fn built_in_choice(class: &RoleClass, app: App) -> &'static UniqueName {
    let holds = |wanted| class.held.iter().any(|role| family(role) == Some(wanted));
    let (cs, oc) = (holds(RoleFamily::CustomerService), holds(RoleFamily::Omnichannel));
    match app {
        App::Omnichannel => &OC,
        App::Workspace | App::ContactCenterWorkspace if oc => &CSW_PLUS,
        App::Workspace | App::ContactCenterWorkspace => &CSW,
        _ if cs && oc => &CSW_PLUS,
        _ if oc => &OC,
        _ => &CSW,
    }
}
