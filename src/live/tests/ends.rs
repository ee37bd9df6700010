//! §10.3 to §10.6: how streams end, and how many there may be.

use std::{sync::Arc, time::Duration};

use super::{super::*, world::*};
use crate::domain::{Change, Kind, Object, Scope};

fn client(subscription: Subscription, client: &str) -> Subscription {
    Subscription { client_id: Some(client.to_owned()), ..subscription }
}

#[tokio::test(start_paused = true)]
async fn p10_3_unknown_users_and_other_apps_are_refused_at_the_start() {
    let world = World::new().await;
    let unknown = world.try_watch(own("carl")).map(|_| ()).unwrap_err();
    assert_eq!(unknown.reason, Reason::UserNotFound);
    let unknown = Subscription { app: App::Mobile, ..own("carl") };
    assert_eq!(world.try_watch(unknown).map(|_| ()).unwrap_err().reason, Reason::UserNotFound);
    let other = Subscription { app: App::Mobile, ..own("ann") };
    let refusal = world.try_watch(other).map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::AppNotApplicable);
    assert_eq!(world.hub.streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn p10_3_a_deleted_user_ends_the_streams_on_it() {
    let world = World::new().await;
    let (mut ann, mut bob) = (world.watching("ann").await, world.watching("bob").await);
    world.put(vec![delete(Kind::User, "ann")]).await;
    assert_eq!(ann.end().await.reason, Reason::UserDeleted);
    bob.silent(1_000).await;
    assert_eq!(world.hub.streams(), 1);
}

#[tokio::test(start_paused = true)]
async fn p10_3_a_disabled_user_loses_only_streams_of_his_own_credential() {
    let world = World::new().await;
    let mut ann = world.watching("ann").await;
    let caller = Actor { user: Some(id("ann")), ..actor("ann", &[Scope::Admin]) };
    let mut over_bob = world.watch(Subscription { caller, ..own("bob") });
    over_bob.snapshot().await;
    let service = actor("service", &[Scope::Service]);
    let other = Subscription { caller: service, own_credential: false, ..own("ann") };
    let mut other = world.watch(other);
    other.snapshot().await;
    let mut disabled = user("ann", &["msdyn_csr"]);
    disabled.disabled = true;
    world.put(vec![put_user(disabled)]).await;
    assert_eq!(ann.end().await.reason, Reason::CallerDisabled);
    assert_eq!(over_bob.end().await.reason, Reason::CallerDisabled);
    other.silent(1_000).await;
    let refusal = world.try_watch(own("ann")).map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::CallerDisabled);
}

#[tokio::test(start_paused = true)]
async fn p10_3_rights_are_judged_again_when_the_caller_or_a_role_changes() {
    let world = World::new().await;
    let needs_role = || -> Recheck {
        Box::new(|catalog| match catalog.user(&id("ann")) {
            Some(seated) if !seated.user().roles.is_empty() => Ok(()),
            _ => Err(Refusal::new(Reason::ScopeRevoked, "The role is gone.")),
        })
    };
    let caller = Actor { user: Some(id("ann")), ..actor("ann", &[Scope::Admin]) };
    let mut watch = world.watch(Subscription { caller, recheck: needs_role(), ..own("bob") });
    watch.snapshot().await;
    world.put(vec![put_user(user("bob", &["msdyn_csr"]))]).await;
    let role = world.ledger.catalog().tables.roles.find("msdyn_csr").cloned().unwrap();
    world.put(vec![Change::Put(Object::Role(role))]).await;
    watch.silent(1_000).await;
    world.put(vec![put_user(user("ann", &[]))]).await;
    assert_eq!(watch.end().await.reason, Reason::ScopeRevoked);
    let again = Subscription { recheck: needs_role(), ..own("ann") };
    assert_eq!(world.try_watch(again).map(|_| ()).unwrap_err().reason, Reason::ScopeRevoked);
}

#[tokio::test(start_paused = true)]
async fn p10_3_max_age_is_announced() {
    let world = World::new().await;
    let mut ann = world.watching("ann").await;
    let start = tokio::time::Instant::now();
    let mut before = Vec::new();
    let reconnect_after = loop {
        match ann.next().await {
            Message::Bookmark { .. } => before.push(start.elapsed()),
            Message::Drain { reconnect_after, .. } => break reconnect_after,
            other => panic!("{other:?}"),
        }
    };
    let age = start.elapsed();
    assert_eq!(before.last(), Some(&age));
    let (least, most) = (Duration::from_secs(54 * 60), Duration::from_secs(66 * 60 + 1));
    assert!((least..=most).contains(&age), "{age:?}");
    let end = ann.end().await;
    assert_eq!(end.reason, Reason::MaxAge);
    assert_eq!(end.retry_after_ms.map(u128::from), Some(reconnect_after.as_millis()));
    assert_eq!(world.hub.streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn p10_4_a_drain_spreads_the_reconnects_and_ends_every_stream() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut watches = Vec::new();
    for _ in 0..5 {
        watches.push(world.watching("ann").await);
    }
    let revision = world.describe("abc_one", "last words").await;
    moment().await;
    world.hub.drain();
    let mut delays = Vec::new();
    for watch in &mut watches {
        assert_eq!(watch.snapshot().await.description(), "last words");
        match watch.next().await {
            Message::Bookmark { revision: reached, .. } => assert_eq!(reached, revision),
            other => panic!("{other:?}"),
        }
        match watch.next().await {
            Message::Drain { reconnect_after, deadline } => {
                assert_eq!(deadline, Duration::from_secs(30));
                delays.push(reconnect_after.as_millis() / 2_000);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(watch.end().await.reason, Reason::Draining);
    }
    delays.sort_unstable();
    assert_eq!(delays, [0, 1, 2, 3, 4]);
    let refusal = world.try_watch(own("ann")).map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Draining);
    assert_eq!(world.hub.streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn p10_4_what_is_left_at_the_deadline_is_cut() {
    let stalled = Duration::from_secs(3_600);
    let settings =
        Settings { stalled, drain_deadline: Duration::from_secs(1_000), ..Settings::default() };
    let world = World::with(settings).await;
    let mut ann = world.watching("ann").await;
    world.hub.drain();
    pass(999_000).await;
    assert_eq!(world.hub.streams(), 1);
    pass(800_000).await;
    assert_eq!(world.hub.streams(), 0);
    assert_eq!(ann.end().await.reason, Reason::Draining);
}

#[tokio::test(start_paused = true)]
async fn p10_5_a_client_that_does_not_read_is_let_go() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watching("ann").await;
    // Nothing waits: nothing is slow.
    pass(20_000).await;
    for number in 0..50 {
        world.describe("abc_one", &format!("change {number}")).await;
        pass(50).await;
    }
    // Half the time passed, the newest is there, in one message.
    let snapshot = ann.snapshot().await;
    assert_eq!((snapshot.description().as_str(), snapshot.causes.len()), ("change 49", 50));
    world.describe("abc_one", "unread").await;
    pass(5_051).await;
    assert_eq!(ann.end().await.reason, Reason::SlowConsumer);

    let mut forgotten = world.watching("ann").await;
    world.describe("abc_one", "unread too").await;
    pass(7_600).await;
    assert_eq!(world.hub.streams(), 0, "it counts no longer although nobody asked");
    let end = forgotten.end().await;
    assert!(end.reason == Reason::SlowConsumer && end.retry_after_ms.is_some());
}

#[tokio::test(start_paused = true)]
async fn p10_6_streams_are_counted_by_caller_and_watched_user() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(world.watching("ann").await);
    }
    let refusal = world.try_watch(own("ann")).map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooManyStreams);
    assert!(refusal.retry_after_ms.is_some());
    world.watch(own("bob"));
    let service = Subscription { caller: actor("service", &[Scope::Service]), ..own("ann") };
    open.push(world.watch(service));
    drop(open.remove(0));
    open.push(world.watch(own("ann")));
    let mut settings = world.ledger.catalog().settings.as_ref().clone();
    settings.max_streams_per_user = 11;
    world.put(vec![Change::Put(Object::Settings(Arc::new(settings)))]).await;
    open.push(world.watch(own("ann")));
    assert!(world.try_watch(own("ann")).is_err());
    assert_eq!(world.hub.streams(), 12);
}

#[tokio::test(start_paused = true)]
async fn p10_6_a_full_server_says_so() {
    let world = World::with(Settings { max_streams: 2, ..Settings::default() }).await;
    let open = [world.watching("ann").await, world.watching("bob").await];
    let refusal = world.try_watch(own("ann")).map(|_| ()).unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after_ms), (Reason::ServerBusy, Some(5_000)));
    drop(open);
    world.watching("ann").await;
}

#[tokio::test(start_paused = true)]
async fn p10_6_the_same_client_replaces_its_predecessor() {
    let world = World::new().await;
    let mut open: Vec<_> =
        (0..10).map(|n| world.watch(client(own("ann"), &format!("tab-{n}")))).collect();
    let mut newer = world.watch(client(own("ann"), "tab-0"));
    assert_eq!(open[0].end().await.reason, Reason::Replaced);
    newer.snapshot().await;
    assert_eq!(world.hub.streams(), 10);
    // The end of the older stream leaves the newer one alone.
    drop(open.remove(0));
    assert_eq!(world.hub.streams(), 10);
    let other_app = Subscription { app: App::Workspace, ..client(own("ann"), "tab-1") };
    assert!(world.try_watch(other_app).is_err());
    let nobody = client(own("carl"), "tab-1");
    assert!(world.try_watch(nobody).is_err());
    open[0].snapshot().await;
    assert_eq!(world.hub.streams(), 10);
}
