//! How long the preview of one rank change takes among many users (budget: 100 ms at p99 with a
//! million users), and how long the first and a later page of it take.
//!
//! `cargo bench --bench preview`. `DESKPLANE_PREVIEW_USERS` is the number of users, a million by
//! default, `DESKPLANE_PREVIEW_RUNS` how often each preview is measured, 200 times by default.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use deskplane::{
    catalog::{Catalog, builtin},
    command::{self, ApplyChanges, Context, DirectoryPolicy, Displace, SetRankAndRoles},
    domain::{
        Actor, Common, Object, Stamp, Time, UniqueName, UserId,
        directory::{User, UserKind},
        profile::Profile,
    },
};
use uuid::Uuid;

/// Roles that users hold, two each in many pairs: so many role classes.
const ROLES: [&str; 6] = [
    "msdyn_csr",
    "msdyn_csr_manager",
    "msdyn_oc_agent",
    "msdyn_oc_supervisor",
    "msdyn_basic_user",
    "msdyn_productivity_administrator",
];
/// Profiles, each mapped to one of the roles.
const PROFILES: usize = 60;

fn main() {
    // Cargo asks every target for its tests; this one has none.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return;
    }
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let users = number("DESKPLANE_PREVIEW_USERS", 1_000_000);
    let runs = number("DESKPLANE_PREVIEW_RUNS", 200);
    let since = Instant::now();
    let catalog = organisation(users);
    let classes = catalog.classes().count();
    println!("{users} users in {classes} role classes, made in {:.1?}", since.elapsed());
    for (what, rank, after) in [
        ("a rank that leads many elsewhere", 99, None),
        ("the same, a page in the middle", 99, Some(users / 2)),
        ("a rank that leads some elsewhere", 2, None),
    ] {
        let after = after.map(user_id);
        let mut times: Vec<_> =
            (0..runs).map(|_| preview(&catalog, rank, after.as_ref())).collect();
        let affected = times.first().map_or(0, |(_, affected)| *affected);
        times.sort();
        let at = |part: usize| times[(times.len() - 1) * part / 100].0;
        println!("{what}: {affected} users; p50 {:.2?}, p99 {:.2?}", at(50), at(99));
    }
}

/// Previews another rank of the strongest profile, with a page of a hundred users.
fn preview(catalog: &Catalog, rank: i64, after: Option<&UserId>) -> (Duration, u64) {
    let operation = SetRankAndRoles {
        profile: profile_name(0),
        etag: None,
        rank: Some(rank),
        roles: vec![ROLES[0].to_owned()],
        displace: Displace::Reject,
        override_managed: false,
    };
    let command = ApplyChanges { operations: vec![Box::new(operation)], expected_revision: None };
    let context = Context {
        actor: Actor::system(),
        revision: catalog.revision + 1,
        time: Time::from_micros(2),
        uid: Uuid::nil(),
        policy: DirectoryPolicy::default(),
    };
    let since = Instant::now();
    let (_, preview) = command::preview(&command, catalog, &context, after, 100).unwrap();
    (since.elapsed(), preview.affected.total_count)
}

fn organisation(users: usize) -> Catalog {
    let profiles = (0..PROFILES).map(profile);
    let objects = builtin::objects(1, Time::default()).into_iter().chain(profiles);
    Catalog::from_objects(objects.chain((0..users).map(user)), 1, Time::default())
}

fn stamp() -> Stamp {
    Stamp::new(Uuid::nil(), 1, Time::default(), "bench")
}

fn profile_name(number: usize) -> UniqueName {
    UniqueName::parse(&format!("contoso_profile_{number}")).unwrap()
}

/// Ranks 0, 2, 4, …: there is room between them and behind.
fn profile(number: usize) -> Object {
    let mut profile = Profile::empty(Common::custom(profile_name(number), "Profile"), stamp());
    profile.rank = u8::try_from((number * 3 / 2).min(98)).ok();
    profile.roles = BTreeSet::from([UniqueName::known(ROLES[number % ROLES.len()])]);
    Object::Profile(Arc::new(profile))
}

fn user_id(number: usize) -> UserId {
    UserId::parse(&format!("user{number:07}")).unwrap()
}

fn user(number: usize) -> Object {
    let roles = [number % ROLES.len(), number / ROLES.len() % ROLES.len()];
    Object::User(Arc::new(User {
        id: user_id(number),
        stamp: stamp(),
        display_name: format!("User {number}"),
        kind: UserKind::Human,
        email: String::new(),
        roles: roles.map(|role| UniqueName::known(ROLES[role])).into_iter().collect(),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }))
}
