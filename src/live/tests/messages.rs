//! §10.1 and §10.2: what is sent, when, and why.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    super::{token::Binding, *},
    world::*,
};
use crate::{
    command::{DeleteProfile, Displace, ProfilePatch, SetRankAndRoles},
    domain::{Change, Kind, Object, Scope, State},
};

#[tokio::test(start_paused = true)]
async fn p10_1_1_the_first_message_reflects_every_acknowledged_write() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut watch = world.watch(own("ANN"));
    let first = watch.snapshot().await;
    assert_eq!(first.profile(), "abc_one");
    assert_eq!(first.resolved.revision, world.revision());
    assert_eq!(first.resolved.user.as_str(), "ann");
    assert_eq!(first.kinds(), [CauseKind::Initial]);
    assert!(first.reset.is_none() && first.changed_sections.is_empty());

    let digest = first.resolved.content.digest.clone();
    let mut again = world.watch(Subscription { digest: digest.clone(), ..own("ann") });
    match again.next().await {
        Message::InSync { revision, digest: current, .. } => {
            assert_eq!((revision, current), (world.revision(), digest));
        }
        other => panic!("{other:?}"),
    }
    world.describe("abc_one", "new").await;
    assert_eq!(again.snapshot().await.changed_sections, ["profile"]);
}

#[tokio::test(start_paused = true)]
async fn p10_1_1_what_comes_before_the_first_read_is_in_the_first_message() {
    let world = World::new().await;
    let digest = world.resolved("ann").content.digest.clone();
    let mut watch = world.watch(Subscription { digest, ..own("ann") });
    world.create_for("abc_one", "ann").await;
    moment().await;
    let first = watch.snapshot().await;
    assert_eq!(first.profile(), "abc_one");
    assert_eq!(first.kinds(), [CauseKind::Initial, CauseKind::AssignmentChanged]);
    watch.silent(1_000).await;
}

#[tokio::test(start_paused = true)]
async fn p10_1_2_a_write_that_changes_nothing_for_the_client_does_not_wake_it() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.create_for("abc_two", "bob").await;
    let mut ann = world.watching("ann").await;
    world.describe("abc_two", "of bob").await;
    world.default("abc_two").await;
    let mut renamed = user("ann", &["msdyn_csr", "msdyn_oc_agent"]);
    renamed.direct = world.ledger.catalog().user(&id("ann")).unwrap().user().direct.clone();
    world.put(vec![put_user(renamed)]).await;
    world.put(vec![put_provider("abc_voice", "Voice")]).await;
    ann.silent(5_000).await;
}

#[tokio::test(start_paused = true)]
async fn p10_1_2_a_change_that_is_taken_back_in_the_window_sends_nothing() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watching("ann").await;
    world.describe("abc_one", "b").await;
    moment().await;
    world.describe("abc_one", "").await;
    ann.silent(5_000).await;
    world.describe("abc_one", "c").await;
    let snapshot = ann.snapshot().await;
    assert_eq!((snapshot.description().as_str(), snapshot.causes.len()), ("c", 1));
}

#[tokio::test(start_paused = true)]
async fn p10_1_3_snapshots_are_complete_and_name_what_differs() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.put(vec![put_provider("abc_voice", "Voice")]).await;
    let mut ann = world.watching("ann").await;
    world.update("abc_one", ProfilePatch::default(), &["abc_voice"]).await;
    let snapshot = ann.snapshot().await;
    assert_eq!(snapshot.changed_sections, ["providers", "extension_libraries"]);
    assert_eq!(snapshot.resolved.content, world.resolved("ann").content);
}

#[tokio::test(start_paused = true)]
async fn p10_1_4_revisions_rise() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watch(own("ann"));
    let mut last = ann.snapshot().await.resolved.revision;
    for text in ["a", "b", "c"] {
        let revision = world.describe("abc_one", text).await;
        let told = ann.snapshot().await.resolved.revision;
        assert!(told > last && told == revision);
        last = told;
    }
    world.create("abc_other").await;
    for _ in 0..2 {
        match ann.next().await {
            Message::Bookmark { revision, .. } => assert_eq!(revision, world.revision()),
            other => panic!("{other:?}"),
        }
    }
    let revision = world.describe("abc_one", "d").await;
    assert_eq!(ann.snapshot().await.resolved.revision, revision);
}

#[tokio::test(start_paused = true)]
async fn p10_1_5_a_transaction_is_seen_whole() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.create("abc_two").await;
    let mut ann = world.watching("ann").await;
    pass(1_000).await;
    let catalog = world.ledger.catalog();
    let mut two = catalog.tables.profiles.find("abc_two").unwrap().as_ref().clone();
    two.common.description = "made for ann".to_owned();
    let mut linked = catalog.user(&id("ann")).unwrap().user().as_ref().clone();
    linked.direct[0].profile = name("abc_two");
    let gone = delete(Kind::Profile, "abc_one");
    let put = Change::Put(Object::Profile(Arc::new(two)));
    world.put(vec![gone, put, put_user(linked)]).await;
    let snapshot = ann.snapshot().await;
    assert_eq!((snapshot.profile(), snapshot.description().as_str()), ("abc_two", "made for ann"));
    ann.silent(1_000).await;
}

#[tokio::test(start_paused = true)]
async fn p10_1_6_changes_are_gathered_as_the_times_say() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watching("ann").await;
    // Quiet for long enough: at once.
    pass(50).await;
    world.describe("abc_one", "a").await;
    assert!(ann.timed().await.1 <= 1);
    // Right after a message: 50 ms after the last change.
    world.describe("abc_one", "b").await;
    pass(30).await;
    world.describe("abc_one", "c").await;
    let (snapshot, took) = ann.timed().await;
    assert_eq!((snapshot.description().as_str(), snapshot.causes.len()), ("c", 2));
    assert!((49..=52).contains(&took), "{took}");
    // Never quiet: 250 ms after the first.
    let start = Instant::now();
    world.describe("abc_one", "first").await;
    let (snapshot, mut changes) = loop_until_sent(&world, &mut ann).await;
    let took = start.elapsed().as_millis();
    assert!((249..=253).contains(&took), "{took}");
    changes += 1;
    assert_eq!(snapshot.causes.len(), changes);
}

/// Changes the profile every 20 ms until a snapshot comes; answers the number of changes in it.
async fn loop_until_sent(world: &World, watch: &mut Watch) -> (Snapshot, usize) {
    let mut changes = 0;
    loop {
        let soon = tokio::time::timeout(Duration::from_millis(20), watch.snapshot());
        if let Ok(snapshot) = soon.await {
            return (snapshot, changes);
        }
        changes += 1;
        world.describe("abc_one", &format!("change {changes}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn p10_1_6_zero_gathers_nothing() {
    let quiet = Duration::ZERO;
    let world = World::with(Settings { quiet, ..Settings::default() }).await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watching("ann").await;
    for text in ["a", "b"] {
        world.describe("abc_one", text).await;
        let (snapshot, took) = ann.timed().await;
        assert!(snapshot.description() == text && took <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn p10_1_7_bookmarks_come_after_silence() {
    let world = World::new().await;
    let mut ann = world.watching("ann").await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        world.create(&format!("abc_{}", waits.len())).await;
        let start = Instant::now();
        match ann.next().await {
            Message::Bookmark { revision, .. } => assert_eq!(revision, world.revision()),
            other => panic!("{other:?}"),
        }
        waits.push(start.elapsed());
    }
    let (least, most) = (Duration::from_secs(27), Duration::from_millis(33_002));
    assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{waits:?}");
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn p10_1_8_causes_name_the_change_and_its_revision() {
    use CauseKind as K;
    let world = World::new().await;
    world.create("abc_one").await;
    world.create("abc_two").await;
    let mut ann = world.watching("ann").await;
    let told = async |ann: &mut Watch| {
        let snapshot = ann.snapshot().await;
        assert!(snapshot.causes.iter().all(|c| c.revision == world.revision()));
        assert!(snapshot.causes.iter().all(|c| c.request_id.is_none()));
        snapshot.kinds()
    };
    world.default("abc_one").await;
    assert_eq!(told(&mut ann).await, [K::DefaultChanged]);
    let rank = SetRankAndRoles {
        profile: name("abc_two"),
        etag: None,
        rank: Some(1),
        roles: vec!["msdyn_csr".to_owned()],
        displace: Displace::default(),
        override_managed: false,
    };
    world.submit(rank).await;
    assert_eq!(told(&mut ann).await, [K::RankOrRolesChanged]);
    world.put(vec![put_user(user("ann", &[]))]).await;
    assert_eq!(told(&mut ann).await, [K::UserRolesChanged]);
    world.link("abc_two", "ann").await;
    assert_eq!(told(&mut ann).await, [K::AssignmentChanged]);
    world.state("abc_two", State::Inactive).await;
    assert_eq!(told(&mut ann).await, [K::ProfileStateChanged]);
    world.state("abc_two", State::Active).await;
    assert_eq!(told(&mut ann).await, [K::ProfileStateChanged]);
    world.describe("abc_two", "x").await;
    assert_eq!(told(&mut ann).await, [K::ProfileChanged]);
    world.put(vec![put_provider("abc_voice", "Voice")]).await;
    world.update("abc_two", ProfilePatch::default(), &["abc_voice"]).await;
    assert_eq!(told(&mut ann).await, [K::ProfileChanged]);
    world.put(vec![put_provider("abc_voice", "Other")]).await;
    assert_eq!(told(&mut ann).await, [K::ProviderChanged]);
    world.submit(Put(vec![put_provider("abc_voice", "Third")], "ImportBundle")).await;
    assert_eq!(told(&mut ann).await, [K::Import]);
    world.submit(Put(vec![put_provider("abc_voice", "Other")], "Rollback")).await;
    assert_eq!(told(&mut ann).await, [K::Rollback]);
    let channels = ProfilePatch { all_active_channels: Some(true), ..ProfilePatch::default() };
    world.update("abc_two", channels, &[]).await;
    assert_eq!(told(&mut ann).await, [K::ProfileChanged]);
    let mut settings = world.ledger.catalog().settings.as_ref().clone();
    settings.channels_provisioned = false;
    world.put(vec![Change::Put(Object::Settings(Arc::new(settings)))]).await;
    assert_eq!(told(&mut ann).await, [K::SettingsChanged]);
    let delete = DeleteProfile::new(name("abc_two"), None, true);
    world.submit(delete).await;
    assert_eq!(told(&mut ann).await, [K::AssignmentChanged, K::ProfileDeleted]);
}

#[tokio::test(start_paused = true)]
async fn p10_1_8_administrators_are_told_request_ids() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut watch =
        world.watch(Subscription { caller: actor("ops", &[Scope::Admin]), ..own("ann") });
    watch.snapshot().await;
    let request = Uuid::from_u128(world.revision() as u128);
    world.describe("abc_one", "x").await;
    assert_eq!(watch.snapshot().await.causes[0].request_id, Some(request));
}

#[tokio::test(start_paused = true)]
async fn p10_1_9_the_next_candidate_comes_in_one_snapshot() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watching("ann").await;
    pass(1_000).await;
    world.state("abc_one", State::Inactive).await;
    let next = ann.snapshot().await;
    assert!(next.profile().starts_with("msdyn_"), "{}", next.profile());
    ann.silent(1_000).await;
    world.state("abc_one", State::Active).await;
    assert_eq!(ann.snapshot().await.profile(), "abc_one");
    world.submit(DeleteProfile::new(name("abc_one"), None, true)).await;
    assert!(ann.snapshot().await.profile().starts_with("msdyn_"));
    ann.silent(1_000).await;
}

#[tokio::test(start_paused = true)]
async fn p10_2_a_usable_token_decides_by_its_digest() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let token = world.watch(own("ann")).snapshot().await.resume_token;
    let resume = |digest: &str| Subscription {
        resume_token: token.clone(),
        digest: digest.to_owned(),
        ..own("ann")
    };
    world.create("abc_other").await;
    let first = world.watch(resume("d1:whatever")).next().await;
    assert!(matches!(first, Message::InSync { .. }), "{first:?}");
    world.describe("abc_one", "new").await;
    let current = world.resolved("ann").content.digest.clone();
    let old = world.watch(resume(&current)).snapshot().await;
    assert_eq!((old.reset, old.description().as_str()), (None, "new"));
}

#[tokio::test(start_paused = true)]
async fn p10_2_an_unusable_token_is_a_reset_whatever_the_digest_says() {
    let world = World::new().await;
    let digest = world.resolved("ann").content.digest.clone();
    let (store, incarnation) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let issue = |store: Uuid, incarnation: Uuid, user: &str, revision: i64| {
        let store = StoreId { store, incarnation };
        let (user, app) = (id(user), App::Unspecified);
        Binding { store: &store, user: &user, app }.issue(revision, &digest)
    };
    let cases = [
        ("nonsense".to_owned(), Reset::TokenInvalid),
        (issue(store, incarnation, "bob", 1), Reset::TokenOtherSubject),
        (issue(Uuid::max(), incarnation, "ann", 1), Reset::ForeignStore),
        (issue(store, Uuid::max(), "ann", 1), Reset::StoreRestored),
        (issue(store, incarnation, "ann", 99), Reset::StoreRestored),
    ];
    for (resume_token, reset) in cases {
        let sent = Subscription { resume_token, digest: digest.clone(), ..own("ann") };
        let first = world.watch(sent).snapshot().await;
        assert_eq!(first.reset, Some(reset));
        assert_eq!(first.kinds(), [CauseKind::Initial, CauseKind::Reset]);
    }
}

#[tokio::test(start_paused = true)]
async fn p10_2_every_message_brings_a_token_that_resumes() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut ann = world.watch(own("ann"));
    let mut tokens = vec![ann.snapshot().await.resume_token];
    world.describe("abc_one", "x").await;
    tokens[0] = ann.snapshot().await.resume_token;
    if let Message::Bookmark { resume_token, .. } = ann.next().await {
        tokens.push(resume_token);
    }
    assert_eq!(tokens.len(), 2);
    for resume_token in tokens {
        let first = world.watch(Subscription { resume_token, ..own("ann") }).next().await;
        let Message::InSync { resume_token, .. } = first else { panic!("{first:?}") };
        let first = world.watch(Subscription { resume_token, ..own("ann") }).next().await;
        assert!(matches!(first, Message::InSync { .. }), "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn p10_1_health_goes_to_those_whose_content_lists_the_provider() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.put(vec![put_provider("abc_voice", "Voice")]).await;
    world.update("abc_one", ProfilePatch::default(), &["abc_voice"]).await;
    let (mut ann, mut bob) = (world.watching("ann").await, world.watching("bob").await);
    let voice = name("abc_voice");
    assert_eq!(world.hub.health(&voice), Health::default());
    for state in [HealthState::Degraded, HealthState::Down] {
        let report = |detail: &str, at| {
            world.hub.report(&voice, state, detail.to_owned(), Time::from_micros(at))
        };
        let changes = [report("slow", 5), report("slow", 6), report("slower", 7)];
        assert_eq!(changes, [true, false, true]);
    }
    match ann.next().await {
        Message::ProviderHealth { provider, health } => {
            assert_eq!((provider, health.state), (voice.clone(), HealthState::Down));
        }
        other => panic!("{other:?}"),
    }
    let since = Some(Time::from_micros(5));
    let want = (Health { state: HealthState::Down, since }, "slower".to_owned());
    assert_eq!(world.hub.described_health(&voice), want);
    ann.silent(1_000).await;
    bob.silent(1_000).await;
    // A client that resumes without a snapshot is told what it may have missed.
    let digest = world.resolved("ann").content.digest.clone();
    let mut again = world.watch(Subscription { digest, ..own("ann") });
    assert!(matches!(again.next().await, Message::InSync { .. }));
    assert!(matches!(again.next().await, Message::ProviderHealth { .. }));
}
