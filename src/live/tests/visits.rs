//! What a commit costs the streams of profiles: slots that are visited.

use std::{collections::BTreeSet, sync::Arc};

use super::{super::*, world::*};
use crate::domain::{
    Change, Common, Kind, Object, Origin, Scope, Stamp,
    profile::Profile,
    role::{Persona, SecurityRole},
};

/// A role that ann holds beside the one of all, and the profile that it leads to.
const OWN: &str = "abc_own";
const LED: &str = "abc_led";

fn stamp() -> Stamp {
    Stamp::new(Uuid::nil(), 1, Time::default(), "test")
}

fn role(change: impl FnOnce(&mut SecurityRole)) -> Change {
    let mut role = SecurityRole {
        common: Common::custom(name(OWN), "Own"),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: None,
        grants: BTreeSet::new(),
        persona: Persona::None,
    };
    change(&mut role);
    Change::Put(Object::Role(Arc::new(role)))
}

fn profile(text: &str, change: impl FnOnce(&mut Profile)) -> Change {
    let mut profile = Profile::empty(Common::custom(name(text), text), stamp());
    change(&mut profile);
    Change::Put(Object::Profile(Arc::new(profile)))
}

fn led(change: impl FnOnce(&mut Profile)) -> Change {
    profile(LED, |profile| {
        profile.roles = [name(OWN)].into();
        profile.rank = Some(1);
        profile.providers = [name("abc_voice")].into();
        change(profile);
    })
}

/// Slots that were looked at for a commit of these changes.
async fn visits(world: &World, changes: Vec<Change>) -> usize {
    moment().await;
    let before = world.hub.visits();
    world.put(changes).await;
    moment().await;
    world.hub.visits() - before
}

/// Twenty who watch themselves by the role of all, and ann, who is led by her own.
async fn crowd() -> (World, Vec<Watch>, Watch) {
    let world = World::new().await;
    let crowd: Vec<_> = (0..20).map(|n| format!("user{n}")).collect();
    let mut changes: Vec<_> = crowd.iter().map(|u| put_user(user(u, &["msdyn_csr"]))).collect();
    changes.extend([role(|_| {}), put_provider("abc_voice", "Voice"), led(|_| {})]);
    world.put(changes).await;
    world.put(vec![put_user(user("ann", &["msdyn_csr", OWN]))]).await;
    let mut others = Vec::new();
    for user in &crowd {
        others.push(world.watching(user).await);
    }
    let mut ann = world.watch(own("ann"));
    assert_eq!(ann.snapshot().await.profile(), LED);
    (world, others, ann)
}

#[tokio::test(start_paused = true)]
async fn a_role_that_changes_visits_the_streams_of_its_holders_alone() {
    let (world, mut others, mut ann) = crowd().await;
    // Nothing that a stream shows depends on it.
    assert_eq!(visits(&world, vec![role(|role| role.persona = Persona::Agent)]).await, 0);
    let channels = led(|profile| profile.all_active_channels = true);
    assert_eq!(visits(&world, vec![channels]).await, 1);
    ann.snapshot().await;
    // Now the persona decides over her presence, and she is the only one of her class.
    assert_eq!(visits(&world, vec![role(|_| {})]).await, 1);
    assert_eq!(ann.snapshot().await.kinds(), [CauseKind::UserRolesChanged]);
    // What it grants is asked again of its holders.
    let grants = role(|role| role.grants = BTreeSet::from([Scope::Reader]));
    assert_eq!(visits(&world, vec![grants]).await, 1);
    ann.silent(1_000).await;
    assert_eq!(visits(&world, vec![delete(Kind::Role, OWN)]).await, 1);
    let snapshot = ann.snapshot().await;
    assert_ne!(snapshot.profile(), LED);
    assert_eq!(snapshot.kinds(), [CauseKind::UserRolesChanged]);
    for other in &mut others {
        other.silent(1_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ranks_defaults_and_the_library_visit_the_streams_that_differ() {
    let (world, mut others, mut ann) = crowd().await;
    let rank = led(|profile| profile.rank = Some(2));
    assert_eq!(visits(&world, vec![rank]).await, 0, "the same profile for everyone");
    assert_eq!(visits(&world, vec![put_provider("abc_voice", "Other")]).await, 1);
    assert_eq!(ann.snapshot().await.kinds(), [CauseKind::ProviderChanged]);
    assert_eq!(visits(&world, vec![put_provider("abc_other", "Voice")]).await, 0);
    let default = profile("abc_all", |profile| profile.is_default = true);
    assert_eq!(visits(&world, vec![default]).await, others.len(), "whom no role leads");
    for other in &mut others {
        assert_eq!(other.snapshot().await.profile(), "abc_all");
    }
    ann.silent(1_000).await;
}

#[tokio::test(start_paused = true)]
async fn classes_that_are_numbered_from_the_start_again_mislead_no_stream() {
    let (world, mut others, mut ann) = crowd().await;
    // A newer program ships a profile: everybody is seated again.
    let shipped = profile("msdyn_new", |profile| profile.common.origin = Origin::BuiltIn);
    assert_eq!(visits(&world, vec![shipped]).await, others.len() + 1);
    assert_eq!(visits(&world, vec![put_provider("abc_voice", "Other")]).await, 1);
    assert_eq!(ann.snapshot().await.profile(), LED);
    for other in &mut others {
        other.silent(1_000).await;
    }
}
