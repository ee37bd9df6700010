//! Properties of resolution over random states, valid and broken ones (SPEC §13; the numbers are
//! those of its list).

mod live;
mod writes;

use std::{collections::BTreeSet, sync::Arc};

use deskplane::{
    catalog::{Catalog, builtin},
    domain::{
        App, Change, Common, Object, Stamp, State, TeamId, Time, UniqueName, UserId,
        directory::{DirectLink, Team, User, UserKind},
        profile::Profile,
    },
    read::{Contents, resolved},
    resolve::{Outcome, Resolution, class_winner, explain, of_class, resolve},
};
use proptest::prelude::*;

const ROLES: &[&str] = &[
    "msdyn_csr",
    "msdyn_csr_manager",
    "msdyn_oc_agent",
    "msdyn_oc_supervisor",
    "msdyn_basic_user",
];
const APPS: &[App] =
    &[App::Unspecified, App::Workspace, App::Omnichannel, App::ContactCenterWorkspace];

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn roles(numbers: &[usize]) -> BTreeSet<UniqueName> {
    numbers.iter().map(|n| name(ROLES[n % ROLES.len()])).collect()
}

prop_compose! {
    fn profile(number: usize)(
        rank in proptest::option::of(0u8..4),
        mapped in proptest::collection::vec(0usize..5, 0..3),
        default in proptest::option::weighted(0.3, proptest::option::of(0i64..3)),
        active in any::<bool>(),
    ) -> Profile {
        let mut common = Common::custom(name(&format!("prof_{number}")), "P");
        common.state = if active { State::Active } else { State::Inactive };
        let mut profile = Profile::empty(common, stamp());
        profile.rank = rank;
        profile.roles = roles(&mapped);
        profile.is_default = default.is_some();
        profile.default_set_time = default.flatten().map(Time::from_micros);
        profile
    }
}

prop_compose! {
    fn user(number: usize)(
        held in proptest::collection::vec(0usize..5, 0..3),
        links in proptest::collection::vec((0usize..6, proptest::option::of(0i64..3)), 0..3),
        disabled in any::<bool>(),
    ) -> User {
        let direct = links.into_iter().map(|(p, at)| DirectLink {
            profile: name(&format!("prof_{p}")),
            assigned_at: at.map(Time::from_micros),
            assigned_by: String::new(),
        });
        User {
            id: UserId::parse(&format!("u{number}")).unwrap(),
            stamp: stamp(),
            display_name: String::new(),
            kind: UserKind::Human,
            email: String::new(),
            roles: roles(&held),
            direct: direct.collect(),
            disabled,
            business_unit: String::new(),
            synced: None,
        }
    }
}

#[derive(Debug, Clone)]
struct World {
    profiles: Vec<Profile>,
    users: Vec<User>,
    teams: Vec<(Vec<usize>, Vec<usize>)>,
}

prop_compose! {
    fn state()(
        profiles in (profile(0), profile(1), profile(2), profile(3)),
        users in (user(0), user(1), user(2)),
        teams in proptest::collection::vec(
            (proptest::collection::vec(0usize..3, 0..3), proptest::collection::vec(0usize..5, 0..3)), 0..2),
    ) -> World {
        World {
            profiles: vec![profiles.0, profiles.1, profiles.2, profiles.3],
            users: vec![users.0, users.1, users.2],
            teams,
        }
    }
}

impl World {
    fn objects(&self) -> Vec<Object> {
        let mut objects = builtin::objects(1, Time::default());
        objects.extend(self.profiles.iter().map(|p| Object::Profile(Arc::new(p.clone()))));
        objects.extend(self.users.iter().map(|u| Object::User(Arc::new(u.clone()))));
        objects.extend(self.teams.iter().enumerate().map(|(at, (members, held))| {
            Object::Team(Arc::new(Team {
                id: TeamId::parse(&format!("team {at}")).unwrap(),
                stamp: stamp(),
                display_name: String::new(),
                members: members.iter().map(|m| self.users[*m].id.clone()).collect(),
                roles: roles(held),
                external_id: None,
            }))
        }));
        objects
    }

    /// The changes that lead from another world to this one; a random part of them, by a seed.
    fn changes_from(&self, other: &Self, seed: u64) -> Vec<Change> {
        let (old, new) = (other.objects(), self.objects());
        let gone = old.iter().map(Object::key).filter(|key| new.iter().all(|o| o.key() != *key));
        let gone: Vec<_> = gone.map(Change::Delete).collect();
        let put =
            new.into_iter().filter(|object| !object.common().is_some_and(Common::is_built_in));
        let all = gone.into_iter().chain(put.map(Change::Put)).enumerate();
        all.filter(|(at, _)| seed >> (at % 64) & 1 == 1).map(|(_, change)| change).collect()
    }

    fn catalog(&self) -> Catalog {
        Catalog::from_objects(self.objects(), 1, Time::default())
    }

    /// Every answer, of every user in every app where profiles apply.
    fn answers(&self, catalog: &Catalog) -> Vec<Resolution> {
        let users = self.users.iter().flat_map(|u| APPS.iter().map(move |app| (u, *app)));
        users
            .map(|(user, app)| match resolve(catalog, &user.id, app) {
                Outcome::Resolved(resolution) => resolution,
                other => panic!("{}: {other:?}", user.id),
            })
            .collect()
    }

    fn outcomes(&self) -> Vec<(UniqueName, deskplane::domain::Method, bool)> {
        let answers = self.answers(&self.catalog());
        answers.into_iter().map(|r| (r.profile, r.method, r.ambiguous)).collect()
    }
}

proptest! {
    #[test]
    fn p1_every_user_gets_exactly_one_existing_active_profile(state in state()) {
        let catalog = state.catalog();
        for answer in state.answers(&catalog) {
            let profile = catalog.tables.profiles.get(&answer.profile).expect("the profile exists");
            prop_assert!(profile.common.is_active());
        }
    }

    #[test]
    fn p2_the_result_does_not_depend_on_insertion_order_or_uids(state in state(), seed in any::<u64>()) {
        let mut objects = state.objects();
        let mut random = seed;
        for at in (1..objects.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            objects.swap(at, (random >> 33) as usize % (at + 1));
        }
        let shuffled = Catalog::from_objects(objects, 1, Time::default());
        let catalog = state.catalog();
        prop_assert_eq!(state.answers(&catalog), state.answers(&shuffled));
        for user in &state.users {
            let of = |c: &Catalog| explain(c, &user.id, App::Unspecified);
            prop_assert_eq!(of(&catalog), of(&shuffled));
        }
    }

    #[test]
    fn what_is_kept_with_a_class_is_what_explain_works_out(
        worlds in proptest::collection::vec((state(), any::<u64>()), 1..5),
    ) {
        let contents = Contents::new();
        let mut catalogs = vec![worlds[0].0.catalog()];
        for (at, pair) in worlds.windows(2).enumerate() {
            let changes = pair[1].0.changes_from(&pair[0].0, pair[1].1);
            let newest = &catalogs[at];
            catalogs.push(newest.apply(&changes, newest.revision + 1, Time::default()));
        }
        // Readers of old catalogs and new ones take turns.
        for catalog in catalogs.iter().chain(catalogs.iter().rev()) {
            for seated in catalog.users() {
                for app in APPS {
                    let id = &seated.id();
                    let read = resolved(catalog, &contents, id, *app).unwrap().unwrap();
                    let explained = explain(catalog, id, *app).unwrap().outcome;
                    prop_assert_eq!(&explained, &Outcome::Resolved((*read.resolution).clone()));
                    prop_assert_eq!(explained, resolve(catalog, id, *app));
                }
            }
        }
    }

    #[test]
    fn the_winner_of_a_class_is_the_first_candidate_of_its_steps(state in state()) {
        let catalog = state.catalog();
        for (id, class) in catalog.classes() {
            let by_role = catalog.strongest_of(catalog.roots_of(id));
            prop_assert_eq!(catalog.strongest_of_all().of(catalog.roots_of(id)), by_role);
            for app in APPS {
                let answer = of_class(&catalog, class, *app);
                let winner = class_winner(&catalog, id, by_role, *app);
                prop_assert_eq!(winner, (&answer.profile, answer.method));
            }
        }
    }

    #[test]
    fn p3_a_profile_without_users_roles_and_flag_changes_nobody(state in state(), rank in proptest::option::of(0u8..4)) {
        let mut more = state.clone();
        let mut idle = Profile::empty(Common::custom(name("prof_idle"), "P"), stamp());
        idle.rank = rank;
        more.profiles.push(idle);
        prop_assert_eq!(state.outcomes(), more.outcomes());
    }

    #[test]
    fn p4_a_team_role_changes_nobodys_profile_method_or_ambiguity(state in state()) {
        let mut without = state.clone();
        without.teams.clear();
        prop_assert_eq!(state.outcomes(), without.outcomes());
    }

    #[test]
    fn p5_one_direct_link_to_an_active_profile_resists_everything(state in state(), other in state()) {
        let mut state = state;
        state.profiles[0].common.state = State::Active;
        for user in &mut state.users {
            user.direct = vec![DirectLink { profile: name("prof_0"), assigned_at: None, assigned_by: String::new() }];
        }
        let before = state.outcomes();
        for (profile, other) in state.profiles.iter_mut().zip(other.profiles) {
            profile.rank = other.rank;
            profile.roles = other.roles;
            profile.is_default = other.is_default;
            profile.default_set_time = other.default_set_time;
        }
        prop_assert_eq!(before, state.outcomes());
    }

    #[test]
    fn p6_without_ties_nothing_is_ambiguous(state in state()) {
        let mut state = state;
        for (at, profile) in state.profiles.iter_mut().enumerate() {
            profile.rank = Some(at as u8);
            profile.is_default = at == 0;
        }
        for user in &mut state.users {
            user.direct.truncate(1);
        }
        prop_assert!(state.outcomes().iter().all(|(_, _, ambiguous)| !ambiguous));
    }
}
