//! §10.7 and §10.8: what clients report, and how the fleet stands.

use super::{super::*, world::*};
use crate::{command::ProfilePatch, domain::State};

/// The user watches himself by a client of that name.
fn by(user: &str, client: &str) -> Subscription {
    Subscription { client_id: Some(client.to_owned()), ..own(user) }
}

impl World {
    /// Every client, in order.
    fn fleet(&self) -> Vec<ClientStatus> {
        self.hub.fleet().statuses(None, self.hub.compared()).collect()
    }

    /// The client `desk` of ann.
    fn desk(&self) -> ClientStatus {
        let desk = self.fleet().into_iter().find(|status| status.client_id == "desk");
        desk.expect("no client of that name")
    }

    fn state_of_desk(&self) -> ClientState {
        self.desk().state
    }

    /// What ann's client `desk` says of content; whether that was stale.
    fn says(&self, (revision, digest): (i64, &str), status: ReportStatus) -> Result<bool, Refusal> {
        let (user, app, client_id) = (id("ann"), App::Unspecified, "desk".to_owned());
        let digest = digest.to_owned();
        let report = Report { user, app, client_id, revision, digest, status };
        let current = self.resolved("ann").content.id.clone();
        self.hub.fleet().report(report, self.revision(), Some(&current))
    }
}

fn rejected(detail: &str) -> ReportStatus {
    ReportStatus::Rejected { reason: RejectReason::ProviderFailed, detail: detail.to_owned() }
}

/// What a report names of a snapshot.
fn of(snapshot: &Snapshot) -> (i64, String) {
    (snapshot.resolved.revision, snapshot.resolved.content.digest.clone())
}

/// The content that a client holds, as a report names it.
fn names(held: Option<&Held>) -> Option<(i64, String)> {
    held.map(|held| (held.revision, held.content.digest.clone()))
}

/// A world in which ann has a profile, and a watch of her client `desk` with its first snapshot.
async fn desk() -> (World, Watch, (i64, String)) {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let mut watch = world.watch(by("ann", "desk"));
    let first = of(&watch.snapshot().await);
    (world, watch, first)
}

#[tokio::test(start_paused = true)]
async fn s10_7_received_applied_and_rejected_are_kept_side_by_side() {
    let (world, mut watch, (revision, digest)) = desk().await;
    let status = world.desk();
    assert_eq!(names(status.sent.as_ref()), Some((revision, digest.clone())));
    assert_eq!((status.received, status.applied, status.current_at), (None, None, 0));
    let first = (revision, digest.as_str());
    assert_eq!(world.says(first, ReportStatus::Received), Ok(false));
    assert_eq!(names(world.desk().received.as_ref()), Some((revision, digest.clone())));
    assert_eq!(world.says(first, ReportStatus::Applied), Ok(false));
    let status = world.desk();
    assert_eq!(status.state, ClientState::Current);
    assert_eq!(status.applied.unwrap().content.profile, Some(name("abc_one")));
    // Reports may overtake each other.
    assert_eq!(world.says(first, ReportStatus::Received), Ok(false));
    assert_eq!(world.state_of_desk(), ClientState::Current);

    world.describe("abc_one", "new").await;
    let second = of(&watch.snapshot().await);
    assert_eq!(world.says((second.0, &second.1), rejected("no page")), Ok(false));
    let status = world.desk();
    assert_eq!(status.state, ClientState::Rejected);
    assert_eq!(names(status.applied.as_ref()), Some((revision, digest)), "the last good one");
    let rejection = status.rejected.unwrap();
    assert_eq!(names(Some(&rejection.held)), Some(second.clone()));
    assert_eq!((rejection.reason, &*rejection.detail), (RejectReason::ProviderFailed, "no page"));
    // A second try may work.
    assert_eq!(world.says((second.0, &second.1), ReportStatus::Applied), Ok(false));
    let status = world.desk();
    assert_eq!((status.state, status.rejected), (ClientState::Current, None));
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_report_of_an_older_revision_is_stale_and_changes_nothing() {
    let (world, mut watch, first) = desk().await;
    world.describe("abc_one", "new").await;
    let second = of(&watch.snapshot().await);
    for status in [ReportStatus::Received, rejected(""), ReportStatus::Applied] {
        assert_eq!(world.says((second.0, &second.1), status), Ok(false));
        let before = world.desk();
        for late in [ReportStatus::Received, ReportStatus::Applied, rejected("late")] {
            assert_eq!(world.says((first.0, &first.1), late), Ok(true));
            assert_eq!(world.desk(), before);
        }
    }
    // Also of content that was never sent: nothing about it is of interest any more.
    assert_eq!(world.says((first.0, "d1:other"), ReportStatus::Applied), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn s10_7_content_that_is_not_among_the_last_eight_was_not_sent() {
    let (world, mut watch, first) = desk().await;
    let mut sent = vec![first];
    for at in 0..20 {
        world.describe("abc_one", &format!("text {at}")).await;
        sent.push(of(&watch.snapshot().await));
        let newest = sent[sent.len() - 1].0;
        for (nth, (_, digest)) in sent.iter().rev().enumerate() {
            let answer = world.says((newest, digest), ReportStatus::Received);
            match nth < 8 {
                true => assert_eq!(answer, Ok(false), "{nth}"),
                false => {
                    let refusal = answer.unwrap_err();
                    assert_eq!(refusal.reason, Reason::NotSent, "{nth}");
                    assert_eq!(refusal.metadata["digest"], *digest);
                }
            }
        }
    }
    let newest = sent[sent.len() - 1].clone();
    let before = world.desk();
    let other = world.says((newest.0, "d1:other"), ReportStatus::Applied).unwrap_err();
    assert_eq!(other.reason, Reason::NotSent);
    let ahead = world.says((world.revision() + 1, &newest.1), ReportStatus::Applied).unwrap_err();
    assert_eq!(ahead.reason, Reason::NotSent, "no revision of this store");
    assert_eq!(world.desk(), before);
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_client_to_which_nothing_was_delivered_since_the_start_is_accepted() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    let now = world.resolved("ann");
    assert_eq!(world.says((1, "d1:of-before"), ReportStatus::Applied), Ok(false));
    let status = world.desk();
    assert_eq!((status.state, status.sent), (ClientState::Disconnected, None));
    assert_eq!(status.applied.unwrap().content.profile, None, "only the digest is known");
    let current = (now.revision, now.content.digest.as_str());
    assert_eq!(world.says(current, ReportStatus::Applied), Ok(false));
    assert_eq!(world.desk().applied.unwrap().content.profile, Some(name("abc_one")));
    // It comes back with what it holds.
    let digest = now.content.digest.clone();
    let mut watch = world.watch(Subscription { digest, ..by("ann", "desk") });
    assert!(matches!(watch.next().await, Message::InSync { .. }));
    assert_eq!(world.state_of_desk(), ClientState::Current);
    let other = world.says((now.revision, "d1:of-before"), ReportStatus::Applied);
    assert_eq!(other.unwrap_err().reason, Reason::NotSent, "something was answered since");
    // Nothing was delivered again.
    assert_eq!(world.delivered.0.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_rejected_digest_does_not_come_again_on_that_stream() {
    let (world, mut watch, first) = desk().await;
    let revision = world.describe("abc_one", "bad").await;
    let bad = of(&watch.snapshot().await);
    world.says((bad.0, &bad.1), rejected("")).unwrap();
    // Taken back and made again within one window, and a write that leaves it as it is.
    world.describe("abc_one", "").await;
    world.describe("abc_one", "bad").await;
    world.describe("abc_one", "bad").await;
    watch.silent(5_000).await;
    assert_eq!(world.state_of_desk(), ClientState::Rejected);
    // What the client kept is another content than the one sent last, so it is sent.
    world.describe("abc_one", "").await;
    let good = of(&watch.snapshot().await);
    assert_eq!(good.1, first.1);
    assert!(good.0 > revision);

    world.describe("abc_one", "bad").await;
    assert_eq!(of(&watch.snapshot().await).1, bad.1, "it is the newest again");
    world.says((world.revision(), &bad.1), rejected("")).unwrap();
    let mut updated = world.watch(by("ann", "desk"));
    assert_eq!(of(&updated.snapshot().await).1, bad.1, "the client may have been updated");
    assert_eq!(world.state_of_desk(), ClientState::Pending);
}

#[tokio::test(start_paused = true)]
async fn s10_8_a_client_is_in_the_first_state_that_holds() {
    let (world, watch, first) = desk().await;
    let first = (first.0, first.1.as_str());
    assert_eq!(world.state_of_desk(), ClientState::Pending);
    pass(9_999).await;
    assert_eq!(world.state_of_desk(), ClientState::Pending);
    assert_eq!(world.desk().lag, std::time::Duration::from_millis(9_999));
    pass(1).await;
    assert_eq!(world.state_of_desk(), ClientState::Unknown, "it has never reported");
    world.says(first, ReportStatus::Received).unwrap();
    assert_eq!(world.state_of_desk(), ClientState::Stale, "it has not applied it");
    world.says(first, ReportStatus::Applied).unwrap();
    assert_eq!(world.state_of_desk(), ClientState::Current);
    assert_eq!(world.desk().lag, std::time::Duration::ZERO);
    world.says(first, rejected("later")).unwrap();
    assert_eq!(world.state_of_desk(), ClientState::Rejected);
    let since = world.desk().since;
    pass(1_000).await;
    drop(watch);
    let status = world.desk();
    assert_eq!(status.state, ClientState::Disconnected);
    assert_eq!(status.since.micros() - since.micros(), 11_000_000);
    assert!(status.rejected.is_some() && status.applied.is_some(), "what it said is still there");
    let mut again = world.watch(by("ann", "desk"));
    again.snapshot().await;
    assert_eq!(world.state_of_desk(), ClientState::Current, "it holds what it applied");
}

#[tokio::test(start_paused = true)]
async fn s10_8_a_client_that_left_is_kept_for_a_day() {
    const DAY: u64 = 24 * 3_600 * 1_000;
    let (world, watch, _) = desk().await;
    let other = world.watch(by("ann", "desk"));
    drop(watch);
    assert_ne!(world.state_of_desk(), ClientState::Disconnected, "another stream replaced it");
    drop(other);
    pass(DAY - 1_000).await;
    assert_eq!(world.state_of_desk(), ClientState::Disconnected);
    let nameless = world.watching("bob").await;
    assert_eq!(world.fleet().len(), 1, "a stream without a client id is not in the fleet");
    pass(1_000).await;
    assert!(world.fleet().is_empty());
    drop(nameless);
}

#[tokio::test(start_paused = true)]
async fn s10_8_a_mark_holds_until_something_can_differ() {
    let (world, watch, first) = desk().await;
    let (fleet, compared) = (world.hub.fleet().clone(), || world.hub.compared());
    let mark = || fleet.mark(compared());
    let changed = |mark: &Mark| fleet.changed_since(mark, compared());
    moment().await;
    let pending = mark();
    assert_eq!(Mark::parse(&pending.to_string()), Some(pending.clone()));
    assert!(!changed(&pending));
    pass(8_000).await;
    assert!(!changed(&pending));
    pass(3_000).await;
    assert!(changed(&pending), "the client is not pending any more");
    let silent = mark();
    pass(20_000).await;
    assert!(!changed(&silent));
    world.says((first.0, &first.1), ReportStatus::Applied).unwrap();
    assert!(changed(&silent));
    let reported = mark();
    assert_eq!(world.says((1, "d1:x"), ReportStatus::Applied), Ok(true));
    assert!(!changed(&reported), "a stale report changes nothing");
    world.describe("abc_one", "new").await;
    moment().await;
    assert!(changed(&reported));
    let sent = mark();
    drop(watch);
    assert!(changed(&sent));
    let other = Fleet::new(clock(), std::sync::Arc::new(crate::domain::NoDeliveryLog));
    assert!(other.changed_since(&mark(), compared()), "of another process");
    for text in ["", "x", "--", &format!("{}-0", mark()), &mark().to_string().to_uppercase()] {
        assert_eq!(Mark::parse(text), None, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_8_a_client_is_on_a_revision_when_it_applied_what_was_current_then_or_later() {
    let (world, mut watch, first) = desk().await;
    world.create_for("abc_two", "bob").await;
    moment().await;
    let newest = world.revision();
    let at = || world.desk().current_at;
    assert_eq!(at(), 0, "nothing was applied");
    world.says((first.0, &first.1), ReportStatus::Applied).unwrap();
    assert_eq!(at(), newest, "the write for bob leaves the client's content current");
    // A change that waits in the stream counts before it is sent.
    let changed = world.describe("abc_one", "new").await;
    moment().await;
    assert_eq!(at(), changed - 1);
    let second = of(&watch.snapshot().await);
    assert_eq!(at(), changed - 1, "sent is not applied");
    world.describe("abc_two", "other").await;
    moment().await;
    assert_eq!(at(), changed - 1);
    world.says((second.0, &second.1), ReportStatus::Applied).unwrap();
    assert_eq!(at(), world.revision());
    // Taken back before it was sent: what is held is current again.
    world.describe("abc_one", "newer").await;
    world.describe("abc_one", "new").await;
    moment().await;
    assert_eq!(at(), world.revision());

    let summary = |revision| {
        let mut summary = Summary::default();
        world.fleet().iter().for_each(|status| summary.add(status, revision));
        summary
    };
    assert_eq!(summary(world.revision()).behind, 0);
    assert_eq!(summary(world.revision() + 1).behind, 1, "a revision to come");
    let mut bob = world.watch(by("bob", "desk-2"));
    bob.snapshot().await;
    let both = summary(world.revision());
    assert_eq!((both.behind, both.all_on), (1, Some(0)));
    assert_eq!((both.all.total(), both.all.of(ClientState::Current)), (2, 1));
    let of_two = both.profiles[&Some(name("abc_two"))];
    assert_eq!((of_two.total(), of_two.of(ClientState::Pending)), (1, 1));
    drop(bob);
    assert_eq!(summary(world.revision()).behind, 0, "only who is connected counts");
}

#[tokio::test(start_paused = true)]
async fn s11_3_each_delivery_with_another_digest_than_before_is_logged_once() {
    let (world, mut watch, first) = desk().await;
    let mut nameless = world.watching("ann").await;
    world.describe("abc_one", "new").await;
    watch.snapshot().await;
    nameless.snapshot().await;
    drop((watch, nameless));
    // The client comes back without saying what it holds, and is sent the same.
    let mut again = world.watch(by("ann", "desk"));
    let second = of(&again.snapshot().await);
    world.state("abc_one", State::Inactive).await;
    again.snapshot().await;
    let logged = world.delivered.0.lock().unwrap().clone();
    let shown: Vec<_> = logged.iter().map(|d| (&*d.client_id, &*d.digest)).collect();
    let (one, two) = (first.1.as_str(), second.1.as_str());
    assert_eq!(shown[..4], [("desk", one), ("", one), ("desk", two), ("", two)]);
    assert_eq!(shown.len(), 5);
    assert_eq!(logged[4].method, crate::domain::Method::DefaultBuiltIn);
    assert_eq!((&logged[0].user, logged[0].revision), (&id("ann"), first.0));
    assert_eq!((logged[0].profile.as_str(), logged[0].app), ("abc_one", App::Unspecified));
}

#[tokio::test(start_paused = true)]
async fn s10_8_an_answer_to_a_client_that_polls_counts_as_delivered() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    for _ in 0..3 {
        world.hub.fleet().answered(&world.resolved("ann"), "desk");
    }
    let now = world.resolved("ann");
    assert_eq!(
        world.says((now.revision, "d1:other"), ReportStatus::Applied).map_err(|r| r.reason),
        Err(Reason::NotSent)
    );
    assert_eq!(world.says((now.revision, &now.content.digest), ReportStatus::Applied), Ok(false));
    assert_eq!(world.state_of_desk(), ClientState::Disconnected);
    assert_eq!(world.delivered.0.lock().unwrap().len(), 1);
    let patch = ProfilePatch { description: Some("x".to_owned()), ..ProfilePatch::default() };
    world.update("abc_one", patch, &[]).await;
    world.hub.fleet().answered(&world.resolved("ann"), "desk");
    assert_eq!(world.delivered.0.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn s10_8_clients_are_listed_in_order_however_many_there_are() {
    let world = World::new().await;
    let apps = [App::Workspace, App::Unspecified];
    for at in 0..150 {
        let user = id(&format!("user{:03}", at * 7 % 150));
        for (app, client) in [(apps[at % 2], "b"), (apps[0], "a"), (apps[1], "B")] {
            drop(world.hub.fleet().connect(&user, app, Some(client)));
        }
    }
    let key = |status: &ClientStatus| (status.user.clone(), status.app, status.client_id.clone());
    let all = world.fleet();
    assert_eq!(all.len(), 450);
    let keys: Vec<_> = all.iter().map(key).collect();
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    for (at, status) in all.iter().enumerate().step_by(17) {
        let behind: Vec<_> =
            world.hub.fleet().statuses(Some(status.place()), 0).map(|s| key(&s)).collect();
        assert_eq!(behind, keys[at + 1..]);
    }
}
