//! What no sequence of writes can do (SPEC §13.9, §13.11).

use std::collections::BTreeSet;

use deskplane::{
    catalog::{Catalog, builtin},
    clock::Clock,
    command::{
        AddUsers, BatchUpsertUsers, CloneProfile, Command, Context, CreateProfile, DeleteProfile,
        DeleteRole, DeleteTeam, DeleteUser, DirectoryPolicy, Displace, Judgement, ProfilePatch,
        RemoveDefault, RemoveRankAndRoles, RemoveUsers, RolePatch, SetDefault, SetProfileState,
        SetRankAndRoles, SetUserDisabled, SetUserRoles, SettingsPatch, TeamPatch, UpdateProfile,
        UpdateSettings, UpsertRole, UpsertTeam, UserPatch, UserRow, judge,
    },
    domain::{Actor, App, Object, Origin, Provenance, State, TeamId, Time, UniqueName, UserId},
    ledger::{Ledger, Submission},
    read::{Contents, resolved},
    store::Memory,
};
use proptest::prelude::*;

/// A write in small numbers, so that writes meet each other.
#[derive(Debug, Clone)]
struct Step {
    write: u8,
    profile: u8,
    other: u8,
    users: BTreeSet<u8>,
    roles: BTreeSet<u8>,
    rank: i64,
    displace: u8,
    flags: (bool, bool),
}

prop_compose! {
    fn step()(
        write in 0u8..22,
        profile in 0u8..5,
        other in 0u8..5,
        users in proptest::collection::btree_set(0u8..4, 1..3),
        roles in proptest::collection::btree_set(0u8..4, 1..3),
        rank in prop_oneof![9 => 0i64..3, 1 => 98i64..103],
        displace in 0u8..3,
        flags in any::<(bool, bool)>(),
    ) -> Step {
        Step { write, profile, other, users, roles, rank, displace, flags }
    }
}

/// Four custom profiles and a built-in one.
fn profile(number: u8) -> UniqueName {
    let custom = format!("prof_{number}");
    UniqueName::parse(if number == 4 { "msdyn_csw_default_profile" } else { &custom }).unwrap()
}

/// Two custom roles, of which one may be a copy, and two built-in ones.
fn role(number: u8) -> UniqueName {
    let names = ["role_a", "role_b", "msdyn_csr", "msdyn_oc_agent"];
    UniqueName::parse(names[usize::from(number)]).unwrap()
}

fn user(number: u8) -> UserId {
    UserId::parse(&format!("u{number}")).unwrap()
}

fn named() -> ProfilePatch {
    ProfilePatch { display_name: Some("P".into()), ..ProfilePatch::default() }
}

impl Step {
    fn users(&self) -> Vec<UserId> {
        self.users.iter().map(|number| user(*number)).collect()
    }

    fn roles<C: FromIterator<UniqueName>>(&self) -> C {
        self.roles.iter().map(|number| role(*number)).collect()
    }

    fn rows(&self) -> Vec<UserRow> {
        let row = |id| UserRow {
            etag: None,
            id,
            patch: UserPatch { roles: Some(self.roles()), ..UserPatch::default() },
            profile: self.flags.0.then(|| profile(self.profile)),
        };
        self.users().into_iter().map(row).collect()
    }

    fn command(&self) -> Box<dyn Command> {
        let (profile, other, etag) = (profile(self.profile), profile(self.other), None);
        let first = user(self.users.first().copied().unwrap_or_default());
        let id = TeamId::parse("team").unwrap();
        match self.write {
            0 | 1 => {
                let unique_name = profile.to_string();
                Box::new(CreateProfile { unique_name, patch: named() })
            }
            2 => Box::new(CloneProfile::new(other, profile.to_string(), "Copy".into())),
            3 => Box::new(DeleteProfile::new(profile, etag, self.flags.0)),
            4 => {
                let state = if self.flags.0 { State::Active } else { State::Inactive };
                Box::new(SetProfileState::new(profile, etag, state))
            }
            5 | 6 => {
                let (replace_current, drop_rank_and_roles) = self.flags;
                Box::new(SetDefault { profile, etag, replace_current, drop_rank_and_roles })
            }
            7 => Box::new(RemoveDefault { profile, etag }),
            8..=11 => Box::new(SetRankAndRoles {
                profile,
                etag,
                rank: Some(self.rank),
                roles: self.roles::<Vec<_>>().iter().map(ToString::to_string).collect(),
                displace: [Displace::Reject, Displace::Swap, Displace::Shift]
                    [usize::from(self.displace)],
                override_managed: self.flags.1,
            }),
            12 => Box::new(RemoveRankAndRoles { profile, etag, override_managed: self.flags.0 }),
            13 | 14 => {
                Box::new(AddUsers { profile, etag, users: self.users(), move_users: self.flags.0 })
            }
            15 => Box::new(RemoveUsers { profile, etag, users: self.users() }),
            16 => Box::new(BatchUpsertUsers { rows: self.rows() }),
            17 if self.flags.0 => Box::new(DeleteUser { user: first, etag }),
            17 => Box::new(SetUserDisabled { user: first, etag, disabled: self.flags.1 }),
            18 => Box::new(SetUserRoles { user: first, etag, roles: self.roles() }),
            19 if self.flags.0 => {
                let root_role = self.flags.1.then(|| role(2));
                let patch = RolePatch {
                    display_name: Some("R".into()),
                    root_role: Some(root_role),
                    ..RolePatch::default()
                };
                Box::new(UpsertRole { name: role(self.other % 2).to_string(), etag, patch })
            }
            19 => Box::new(DeleteRole { name: role(self.other % 3), etag }),
            20 if self.flags.0 => Box::new(DeleteTeam { id, etag }),
            20 => {
                let members = Some(self.users().into_iter().collect());
                let (display_name, roles) = (Some("T".into()), Some(self.roles()));
                let patch = TeamPatch { display_name, members, roles, external_id: None };
                Box::new(UpsertTeam { id, etag, patch })
            }
            _ if self.flags.0 => Box::new(UpdateSettings {
                etag,
                patch: SettingsPatch {
                    channels_provisioned: Some(self.flags.1),
                    ..SettingsPatch::default()
                },
            }),
            _ => Box::new(UpdateProfile {
                allow_missing: self.flags.1,
                ..UpdateProfile::new(
                    profile,
                    ProfilePatch {
                        all_active_channels: Some(self.flags.1),
                        pane_on: Some(self.flags.0),
                        ..named()
                    },
                )
            }),
        }
    }
}

/// Random writes after those that make every profile, role and user, so that most are accepted.
fn steps(at_most: usize) -> impl Strategy<Value = Vec<Step>> {
    let make = |write, profile| Step {
        write,
        profile,
        other: profile,
        users: (0..4).collect(),
        roles: BTreeSet::from([2]),
        rank: 0,
        displace: 0,
        flags: (write == 19, false),
    };
    let first: Vec<_> = [(0, 0), (0, 1), (0, 2), (0, 3), (19, 0), (19, 1), (16, 4)]
        .map(|(write, profile)| make(write, profile))
        .into();
    proptest::collection::vec(step(), 1..at_most)
        .prop_map(move |steps| first.iter().cloned().chain(steps).collect())
}

/// The rules of SPEC §13.9 that a state breaks.
fn broken(catalog: &Catalog) -> Vec<String> {
    let mut found = Vec::new();
    let (mut ranks, mut defaults) = (BTreeSet::new(), 0);
    for profile in catalog.tables.profiles.iter() {
        let name = profile.name();
        defaults += usize::from(profile.is_default);
        if profile.rank.is_some_and(|rank| rank > 100 || !ranks.insert(rank)) {
            found.push(format!("{name} shares rank {:?} or has none of 0 to 100", profile.rank));
        }
        if profile.rank.is_none() && !profile.roles.is_empty() {
            found.push(format!("{name} has roles without a rank"));
        }
        let exceptional = profile.is_default || profile.common.origin == Origin::BuiltIn;
        if exceptional && (profile.rank.is_some() || !profile.roles.is_empty()) {
            found.push(format!("{name} is default or built in and has a rank or roles"));
        }
        if profile.is_default != profile.default_set_time.is_some() {
            found.push(format!("{name} has a flag without a time or a time without a flag"));
        }
    }
    if defaults > 1 {
        found.push(format!("{defaults} defaults"));
    }
    for seated in catalog.users() {
        let direct = &seated.user().direct;
        if direct.len() > 1
            || direct.iter().any(|l| catalog.tables.profiles.get(&l.profile).is_none())
        {
            found.push(format!("{} has links {direct:?}", seated.id()));
        }
    }
    found
}

/// Profiles with a rank and no role.
fn without_role(catalog: &Catalog) -> BTreeSet<String> {
    let lone = catalog.tables.profiles.iter().filter(|p| p.rank.is_some() && p.roles.is_empty());
    lone.map(|profile| profile.name().to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn p9_no_writes_lead_to_a_broken_state(steps in steps(40)) {
        let mut catalog =
            Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
        for step in &steps {
            let context = Context {
                actor: Actor::system(),
                revision: catalog.revision + 1,
                time: Time::from_micros(catalog.revision),
                uid: uuid::Uuid::from_u128(catalog.revision.unsigned_abs().into()),
                policy: DirectoryPolicy::default(),
            };
            let command = step.command();
            let Ok(Judgement { plan, next, .. }) = judge(command.as_ref(), &catalog, &context) else {
                continue;
            };
            prop_assert_eq!(broken(&next), Vec::<String>::new(), "{:?}", command);
            let new: Vec<_> =
                without_role(&next).difference(&without_role(&catalog)).cloned().collect();
            prop_assert!(
                new.is_empty() || command.operation() == "DeleteRole",
                "{:?}: {:?} have a rank and no role", command, new
            );
            prop_assert_eq!(plan.changed(), next.revision != catalog.revision, "{:?}", command);
            catalog = next;
        }
    }
}

/// What a call that changes nothing must leave alone: revision, etags and digests.
fn seen(catalog: &Catalog) -> (i64, Vec<String>, Vec<String>) {
    let contents = Contents::new();
    let etag = |object: Object| format!("{:?} {}", object.key(), object.stamp().etag());
    let digests = catalog.users().map(|seated| {
        let found = resolved(catalog, &contents, &seated.id(), App::Unspecified).unwrap();
        found.unwrap().content.digest.clone()
    });
    (catalog.revision, catalog.objects().map(etag).collect(), digests.collect())
}

/// Submits each step as a question and then in earnest.
async fn asked_first(steps: &[Step]) -> Result<(), TestCaseError> {
    let store = std::sync::Arc::new(Memory::new());
    let adapters = std::sync::Arc::new(deskplane_providers::Registry::builtin());
    let ledger =
        Ledger::open(&deskplane::tasks::Tasks::default(), store, Clock::system(), adapters, |_| ())
            .await
            .unwrap();
    for step in steps {
        let submission = |validate_only| Submission {
            command: step.command(),
            actor: Actor::system(),
            provenance: Provenance::default(),
            request: None,
            validate_only,
            reason: String::new(),
        };
        let before = seen(&ledger.catalog());
        let asked = ledger.submit(submission(true)).await;
        prop_assert_eq!(&seen(&ledger.catalog()), &before, "asking changed something: {:?}", step);
        let done = ledger.submit(submission(false)).await;
        let after = seen(&ledger.catalog());
        match (asked, done) {
            (Ok(asked), Ok(done)) => {
                prop_assert_eq!(asked.changed, done.changed, "{:?}", step);
                prop_assert_eq!(asked.affected, done.affected, "{:?}", step);
                prop_assert_eq!(asked.warnings, done.warnings, "{:?}", step);
                prop_assert_eq!(done.changed, after != before, "{:?}", step);
                prop_assert_eq!(done.revision, after.0, "{:?}", step);
                prop_assert_eq!(after.0, before.0 + i64::from(done.changed));
            }
            (Err(asked), Err(done)) => {
                prop_assert_eq!(asked, done, "{:?}", step);
                prop_assert_eq!(after, before, "a refusal changed something: {:?}", step);
            }
            (asked, done) => prop_assert!(false, "{step:?}: {asked:?}, then {done:?}"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn p11_questions_and_refusals_change_nothing(
        steps in steps(25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(asked_first(&steps))?;
    }
}
