//! What becomes of commits while the hub does not come to look at them.

use super::{
    super::{feed::MAX_WAITING, *},
    world::*,
};

#[tokio::test(start_paused = true)]
async fn a_hub_that_falls_behind_keeps_a_bounded_number_and_misses_no_end() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.create_for("abc_two", "bob").await;
    let (mut ann, mut bob) = (world.watching("ann").await, world.watching("bob").await);
    world.hold_back();
    world.describe("abc_two", "early").await;
    let early = world.revision();
    for at in 0..MAX_WAITING + 50 {
        world.describe("abc_one", &format!("state {at}")).await;
    }
    // Handed over without a turn for the hub's task in between.
    world.tell(usize::MAX);
    assert_eq!(world.hub.waiting(), MAX_WAITING);
    moment().await;
    assert_eq!(world.hub.waiting(), 0);

    let snapshot = ann.snapshot().await;
    assert_eq!(snapshot.description(), format!("state {}", MAX_WAITING + 49));
    assert_eq!(snapshot.resolved.revision, world.revision());
    assert!(snapshot.kinds().contains(&CauseKind::ProfileChanged));
    // What was among the united ones only is sent, too, with what is known of its causes.
    let snapshot = bob.snapshot().await;
    assert_eq!(snapshot.description(), "early");
    assert!(snapshot.kinds().contains(&CauseKind::ProfileChanged), "{:?}", snapshot.causes);
    assert!(snapshot.causes.iter().all(|cause| cause.revision >= early));
    for stream in [&mut ann, &mut bob] {
        stream.silent(1_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_gone_leaves_no_task_behind() {
    let world = World::new().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (contents, settings) = (std::sync::Arc::new(Contents::new()), Settings::default());
    let store = StoreId { store: uuid::Uuid::nil(), incarnation: uuid::Uuid::nil() };
    let hub = Hub::new(
        &crate::tasks::Tasks::default(),
        store,
        settings,
        contents,
        world.hub.fleet().clone(),
        fastrand::Rng::with_seed(1),
    );
    assert_eq!(tasks(), before + 1);
    drop(hub);
    moment().await;
    assert_eq!(tasks(), before);
    drop(world);
}
