//! Random writes against the rights of callers: a stream lives as long as its caller may have it.

use std::{collections::BTreeSet, sync::Arc};

use fastrand::Rng;
use futures_util::StreamExt as _;

use super::{super::*, world::*};
use crate::{
    auth::role_scopes,
    domain::{
        Change, Common, Kind, Object, Scope, Stamp, TeamId,
        directory::Team,
        role::{Persona, SecurityRole},
    },
    voice::{CallSlot, CallStream, CallStreams},
};

const USERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];
/// Two that come and go, of which one may be a copy, and one that stays.
const ROLES: [&str; 3] = ["abc_lead", "abc_copy", "msdyn_csr"];

fn stamp() -> Stamp {
    Stamp::new(Uuid::nil(), 1, Time::default(), "test")
}

fn some_roles(random: &mut Rng, catalog: &Catalog) -> BTreeSet<UniqueName> {
    let there = ROLES.iter().filter(|role| catalog.tables.roles.find(role).is_some());
    there.filter(|_| random.bool()).map(|role| name(role)).collect()
}

fn change(random: &mut Rng, catalog: &Catalog) -> Change {
    let some = random.usize(..ROLES.len());
    match random.u8(..6) {
        0..=2 => {
            let grants: &[Scope] = if random.bool() { &[Scope::Agent] } else { &[] };
            let persona = if random.bool() { Persona::Agent } else { Persona::None };
            let copy = ROLES[some] == "abc_copy" && random.bool();
            Change::Put(Object::Role(Arc::new(SecurityRole {
                common: match catalog.tables.roles.find(ROLES[some]) {
                    Some(stored) => stored.common.clone(),
                    None => Common::custom(name(ROLES[some]), "Role"),
                },
                stamp: stamp(),
                business_unit: String::new(),
                root_role: copy.then(|| name("abc_lead")),
                grants: grants.iter().copied().collect(),
                persona,
            })))
        }
        3 if some < 2 => delete(Kind::Role, ROLES[some]),
        4 => Change::Put(Object::Team(Arc::new(Team {
            id: TeamId::parse("desk").unwrap(),
            stamp: stamp(),
            display_name: String::new(),
            members: [id(USERS[random.usize(..USERS.len())])].into(),
            roles: some_roles(random, catalog),
            external_id: None,
        }))),
        _ => {
            let mut user = user(USERS[random.usize(..USERS.len())], &[]);
            user.roles = some_roles(random, catalog);
            put_user(user)
        }
    }
}

fn may(catalog: &Catalog, caller: &str) -> bool {
    let seated = catalog.user(&id(caller));
    seated.is_some_and(|seated| role_scopes(catalog, &seated.user()).has(Scope::Agent))
}

/// A stream of that caller on the calls of a user.
fn open(
    world: &World,
    streams: &CallStreams,
    caller: &'static str,
    on: &str,
) -> Option<CallStream> {
    let recheck: Recheck = Box::new(move |catalog| match may(catalog, caller) {
        true => Ok(()),
        false => Err(Refusal::new(Reason::ScopeRevoked, "No role grants it.")),
    });
    let access = Access { user: id(on), recheck, ..own(caller).into_access() };
    let ledger = world.ledger.clone();
    streams.open(move || ledger.catalog(), access, (), CallSlot::default()).ok()
}

#[tokio::test(start_paused = true)]
async fn a_stream_lives_as_long_as_its_caller_may_have_it() {
    let (mut ended, mut kept) = (0, 0);
    for seed in 0..12 {
        let mut random = Rng::with_seed(seed);
        let world = World::new().await;
        let streams = CallStreams::new(Settings::default(), Rng::with_seed(seed));
        world.hub.drive(&streams);
        world.put(USERS.map(|u| put_user(user(u, &["msdyn_csr"]))).to_vec()).await;
        let mut open_streams: Vec<(&str, CallStream)> = Vec::new();
        for _ in 0..60 {
            let (caller, on) = (USERS[random.usize(..4)], USERS[random.usize(..4)]);
            let stream = open(&world, &streams, caller, on);
            assert_eq!(stream.is_some(), may(&world.ledger.catalog(), caller), "seed {seed}");
            open_streams.extend(stream.map(|stream| (caller, stream)));
            let change = change(&mut random, &world.ledger.catalog());
            world.put(vec![change]).await;
            moment().await;
            let catalog = world.ledger.catalog();
            let mut left = Vec::new();
            for (caller, mut stream) in open_streams.drain(..) {
                let wait = std::time::Duration::from_millis(1);
                match tokio::time::timeout(wait, stream.next()).await {
                    Ok(Some(Err(refusal))) => {
                        assert_eq!(refusal.reason, Reason::ScopeRevoked);
                        assert!(!may(&catalog, caller), "seed {seed}: {caller} lost a stream");
                        ended += 1;
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => {
                        assert!(may(&catalog, caller), "seed {seed}: {caller} keeps a stream");
                        kept += 1;
                        left.push((caller, stream));
                    }
                }
            }
            open_streams = left;
            // Below the limit of streams for one caller and user.
            open_streams.truncate(8);
        }
    }
    assert!(ended > 50 && kept > 500, "{ended} ended, {kept} kept");
}
