//! Streams of calls in the same engine: who gets an event, what it costs, and how they end (SPEC
//! §14.2, §10.3 to §10.6).

use std::{sync::Arc, time::Duration};

use deskplane_providers::CallState;
use futures_util::StreamExt as _;

use super::{super::*, world::*};
use crate::{
    auth::role_scopes,
    domain::{
        Change, Kind, Object, Scope,
        role::{Persona, SecurityRole},
    },
    voice::{Call, CallSlot, CallStream, CallStreams, Message},
};

struct Calls {
    world: World,
    streams: CallStreams,
}

/// A state of the call of that number.
fn call(user: &str, number: u128, sequence: i64) -> Arc<Call> {
    let (call_id, provider) = (Uuid::from_u128(number), name("abc_voice"));
    let mut call =
        Call::outbound(call_id, id(user), provider, "+14255550100".to_owned(), Time::default());
    call.sequence = sequence;
    call.state = CallState::Ringing;
    Arc::new(call)
}

/// The user watches his own calls.
fn own_calls(user: &str) -> Access {
    own(user).into_access()
}

/// Something that stands for no user watches the calls of one.
fn service(user: &str) -> Access {
    let caller = actor("service", &[Scope::Service]);
    Access { caller, own_credential: false, ..own_calls(user) }
}

impl Calls {
    async fn with(settings: Settings) -> Self {
        let world = World::with(settings.clone()).await;
        let streams = CallStreams::new(settings, fastrand::Rng::with_seed(3));
        world.hub.drive(&streams);
        Self { world, streams }
    }

    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    fn try_open(&self, access: Access, live: &[Arc<Call>]) -> Result<CallStream, Refusal> {
        let ledger = self.world.ledger.clone();
        let mut stream =
            self.streams.open(move || ledger.catalog(), access, (), CallSlot::default())?;
        stream.prepare(|slot| slot.open(live.to_vec(), tokio::time::Instant::now()));
        Ok(stream)
    }

    /// A stream without live calls, in sync.
    async fn open(&self, access: Access) -> CallStream {
        let mut stream = self.try_open(access, &[]).unwrap();
        assert_eq!(next(&mut stream).await, Got::InSync(0));
        stream
    }

    fn send(&self, call: &Arc<Call>) {
        let now = tokio::time::Instant::now();
        self.streams.update(&call.user, |slot| slot.take(call, now));
    }

    fn refused(&self, access: Access) -> Reason {
        self.try_open(access, &[]).map(|_| ()).unwrap_err().reason
    }

    /// Slots that were looked at while `act` went on.
    async fn visits(&self, act: impl Future<Output = ()>) -> usize {
        moment().await;
        let before = self.streams.visits();
        act.await;
        moment().await;
        self.streams.visits() - before
    }
}

/// A message, as far as the tests compare it.
#[derive(Debug, PartialEq)]
enum Got {
    Call(u128, i64),
    InSync(usize),
    Drain(Duration),
}

async fn next(stream: &mut CallStream) -> Got {
    match stream.next().await.unwrap().unwrap() {
        Message::Call(call) => Got::Call(call.call_id.as_u128(), call.sequence),
        Message::InSync(calls) => Got::InSync(calls),
        Message::Drain(after) => Got::Drain(after),
    }
}

async fn end(stream: &mut CallStream) -> Refusal {
    let refusal = stream.next().await.unwrap().unwrap_err();
    assert!(stream.next().await.is_none());
    refusal
}

async fn silent(stream: &mut CallStream) {
    let next = tokio::time::timeout(Duration::from_secs(1), stream.next()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn live_calls_come_first_and_of_each_call_the_newest_state() {
    let calls = Calls::new().await;
    let live = [call("ann", 1, 3), call("ann", 2, 1)];
    let mut stream = calls.try_open(own_calls("ann"), &live).unwrap();
    // Both before the first read: the newer state takes the place of the one that waits.
    calls.send(&call("ann", 1, 4));
    assert_eq!(next(&mut stream).await, Got::Call(1, 4));
    assert_eq!(next(&mut stream).await, Got::Call(2, 1));
    assert_eq!(next(&mut stream).await, Got::InSync(2));
    for sequence in 5..9 {
        calls.send(&call("ann", 1, sequence));
    }
    assert_eq!(next(&mut stream).await, Got::Call(1, 8));
    silent(&mut stream).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_superseded_is_never_sent() {
    let calls = Calls::new().await;
    let mut stream = calls.open(own_calls("ann")).await;
    calls.send(&call("ann", 1, 5));
    // Arrives late beside a newer one that waits, and again after that one went out.
    calls.send(&call("ann", 1, 4));
    assert_eq!(next(&mut stream).await, Got::Call(1, 5));
    calls.send(&call("ann", 1, 4));
    calls.send(&call("ann", 1, 5));
    silent(&mut stream).await;
    calls.send(&call("ann", 1, 6));
    assert_eq!(next(&mut stream).await, Got::Call(1, 6));
}

#[tokio::test(start_paused = true)]
async fn an_event_visits_the_streams_on_its_user_alone() {
    let calls = Calls::new().await;
    let crowd: Vec<_> = (0..50).map(|n| format!("user{n}")).collect();
    calls.world.put(crowd.iter().map(|u| put_user(user(u, &["msdyn_csr"]))).collect()).await;
    let mut others = Vec::new();
    for user in &crowd {
        others.push(calls.open(own_calls(user)).await);
    }
    // Ann watches the calls of another: her own are none of that stream's business.
    let caller = Actor { user: Some(id("ann")), ..actor("ann", &[Scope::Admin]) };
    others.push(calls.open(Access { caller, ..own_calls("bob") }).await);
    let (mut ann, mut wallboard) =
        (calls.open(own_calls("ann")).await, calls.open(service("ann")).await);
    let visits = calls.visits(async { calls.send(&call("ann", 1, 1)) }).await;
    assert_eq!(visits, 2);
    assert_eq!(next(&mut ann).await, Got::Call(1, 1));
    assert_eq!(next(&mut wallboard).await, Got::Call(1, 1));
    for other in &mut others {
        silent(other).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_visits_the_streams_of_changed_users_alone() {
    let calls = Calls::new().await;
    let crowd: Vec<_> = (0..20).map(|n| format!("user{n}")).collect();
    calls.world.put(crowd.iter().map(|u| put_user(user(u, &["msdyn_csr"]))).collect()).await;
    let mut streams = Vec::new();
    for user in &crowd {
        streams.push(calls.open(own_calls(user)).await);
    }
    assert_eq!(calls.visits(calls.world.create("abc_one")).await, 0);
    let changed = calls.world.put(vec![put_user(user("user7", &["msdyn_basic_user"]))]);
    assert_eq!(calls.visits(changed).await, 1);
    assert_eq!(calls.visits(calls.world.put(vec![delete(Kind::User, "user3")])).await, 1);
    assert_eq!(end(&mut streams[3]).await.reason, Reason::UserDeleted);
    assert_eq!(calls.streams.len(), 19);
}

#[tokio::test(start_paused = true)]
async fn rights_are_judged_again_when_the_caller_or_a_role_changes() {
    let calls = Calls::new().await;
    let with_role = || Access {
        recheck: Box::new(|catalog| match catalog.user(&id("ann")) {
            Some(seated) if !seated.user().roles.is_empty() => Ok(()),
            _ => Err(Refusal::new(Reason::ScopeRevoked, "The role is gone.")),
        }),
        ..own_calls("ann")
    };
    let over_bob = Access { user: id("bob"), ..with_role() };
    let (mut on_self, mut on_bob) = (calls.open(with_role()).await, calls.open(over_bob).await);
    let mut wallboard = calls.open(service("ann")).await;
    calls.world.put(vec![put_user(user("bob", &[]))]).await;
    silent(&mut on_bob).await;
    calls.world.put(vec![put_user(user("ann", &[]))]).await;
    assert_eq!(end(&mut on_self).await.reason, Reason::ScopeRevoked);
    assert_eq!(end(&mut on_bob).await.reason, Reason::ScopeRevoked);
    silent(&mut wallboard).await;
    assert_eq!(calls.refused(with_role()), Reason::ScopeRevoked);

    let mut bob = calls.open(own_calls("bob")).await;
    let mut disabled = user("bob", &[]);
    disabled.disabled = true;
    calls.world.put(vec![put_user(disabled)]).await;
    assert_eq!(end(&mut bob).await.reason, Reason::CallerDisabled);
    assert_eq!(calls.refused(own_calls("bob")), Reason::CallerDisabled);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_the_hub_has_not_followed_yet_ends_no_newer_stream() {
    let calls = Calls::new().await;
    calls.world.hold_back();
    calls.world.put(vec![delete(Kind::User, "ann")]).await;
    assert_eq!(calls.refused(own_calls("ann")), Reason::UserNotFound);
    calls.world.put(vec![put_user(user("ann", &[]))]).await;
    let mut ann = calls.open(own_calls("ann")).await;
    calls.world.tell(1);
    silent(&mut ann).await;
    calls.world.tell(usize::MAX);
    silent(&mut ann).await;
}

#[tokio::test(start_paused = true)]
async fn streams_are_counted_by_caller_and_watched_user_and_by_server() {
    let calls = Calls::with(Settings { max_streams: 12, ..Settings::default() }).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(calls.open(own_calls("ann")).await);
    }
    assert_eq!(calls.refused(own_calls("ann")), Reason::TooManyStreams);
    open.push(calls.open(service("ann")).await);
    open.push(calls.open(own_calls("bob")).await);
    let full = calls.try_open(own_calls("bob"), &[]).map(|_| ()).unwrap_err();
    assert_eq!((full.reason, full.retry_after_ms), (Reason::ServerBusy, Some(5_000)));
    // A stream that its client drops counts no longer.
    drop(open.remove(0));
    open.push(calls.open(own_calls("ann")).await);
    assert_eq!(calls.streams.len(), 12);
    drop(open);
    assert!(calls.streams.is_empty());
}

#[tokio::test(start_paused = true)]
async fn max_age_is_announced() {
    let calls = Calls::new().await;
    let mut stream = calls.open(own_calls("ann")).await;
    let start = tokio::time::Instant::now();
    let Got::Drain(reconnect_after) = next(&mut stream).await else { panic!("no drain") };
    let (least, most) = (Duration::from_secs(54 * 60), Duration::from_secs(66 * 60 + 1));
    assert!((least..=most).contains(&start.elapsed()), "{:?}", start.elapsed());
    let end = end(&mut stream).await;
    assert_eq!(end.reason, Reason::MaxAge);
    assert_eq!(end.retry_after_ms.map(u128::from), Some(reconnect_after.as_millis()));
    assert!(calls.streams.is_empty());
    assert_eq!(calls.streams.ends(), [(Reason::MaxAge, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_spreads_the_reconnects_after_what_waits_was_sent() {
    let calls = Calls::new().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(calls.open(own_calls("ann")).await);
    }
    calls.send(&call("ann", 1, 1));
    calls.world.hub.drain();
    let mut delays = Vec::new();
    for stream in &mut streams {
        assert_eq!(next(stream).await, Got::Call(1, 1));
        let Got::Drain(reconnect_after) = next(stream).await else { panic!("no drain") };
        delays.push(reconnect_after.as_millis() / 2_000);
        assert_eq!(end(stream).await.reason, Reason::Draining);
    }
    delays.sort_unstable();
    assert_eq!(delays, [0, 1, 2, 3, 4]);
    assert_eq!(calls.refused(own_calls("ann")), Reason::Draining);
    assert!(calls.streams.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_drain_leaves_over_is_cut_at_the_deadline() {
    let settings = Settings {
        stalled: Duration::from_secs(3_600),
        drain_deadline: Duration::from_secs(1_000),
        ..Settings::default()
    };
    let calls = Calls::with(settings).await;
    let mut stream = calls.open(own_calls("ann")).await;
    calls.world.hub.drain();
    pass(999_000).await;
    assert_eq!(calls.streams.len(), 1);
    pass(800_000).await;
    assert_eq!(calls.streams.len(), 0);
    assert_eq!(end(&mut stream).await.reason, Reason::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_let_go() {
    let calls = Calls::new().await;
    let mut slow = calls.open(own_calls("ann")).await;
    // Nothing waits: nothing is slow.
    pass(20_000).await;
    for number in 0..50 {
        calls.send(&call("ann", number, 1));
    }
    pass(4_900).await;
    // What is left waits from the last read on.
    assert_eq!(next(&mut slow).await, Got::Call(0, 1));
    pass(4_900).await;
    assert_eq!(next(&mut slow).await, Got::Call(1, 1));
    pass(7_600).await;
    assert!(calls.streams.is_empty(), "it counts no longer although nobody asked");
    let end = end(&mut slow).await;
    assert!(end.reason == Reason::SlowConsumer && end.retry_after_ms.is_some());
    assert_eq!(calls.streams.ends(), [(Reason::SlowConsumer, 1)]);
}

/// A built-in role with another persona, or with other grants.
fn changed_role(calls: &Calls, role: &str, change: impl FnOnce(&mut SecurityRole)) -> Change {
    let catalog = calls.world.ledger.catalog();
    let mut role = catalog.tables.roles.find(role).cloned().unwrap();
    change(Arc::make_mut(&mut role));
    Change::Put(Object::Role(role))
}

#[tokio::test(start_paused = true)]
async fn a_role_that_changes_has_the_callers_who_hold_it_judged_again() {
    let calls = Calls::new().await;
    calls.world.put(vec![put_user(user("bob", &["msdyn_basic_user"]))]).await;
    let while_granted = |user: &'static str| Access {
        recheck: Box::new(move |catalog| match catalog.user(&id(user)) {
            Some(seated) if role_scopes(catalog, &seated.user()).has(Scope::Agent) => Ok(()),
            _ => Err(Refusal::new(Reason::ScopeRevoked, "The role grants it no longer.")),
        }),
        ..own_calls(user)
    };
    let mut ann = calls.open(while_granted("ann")).await;
    let mut bob = calls.open(own_calls("bob")).await;
    let mut wallboard = calls.open(service("ann")).await;
    let ann_on_bob = Access { user: id("bob"), ..while_granted("ann") };
    let mut ann_on_bob = calls.open(ann_on_bob).await;

    let persona = changed_role(&calls, "msdyn_csr", |role| {
        role.persona = match role.persona {
            Persona::None => Persona::Agent,
            _ => Persona::None,
        };
    });
    assert_eq!(calls.visits(calls.world.put(vec![persona])).await, 0, "it grants nothing");
    let grants = changed_role(&calls, "msdyn_csr_manager", |role| role.grants.clear());
    assert_eq!(calls.visits(calls.world.put(vec![grants])).await, 0, "nobody holds it");
    let grants = changed_role(&calls, "msdyn_csr", |role| role.grants.clear());
    assert_eq!(calls.visits(calls.world.put(vec![grants])).await, 2, "both streams of ann");
    for stream in [&mut ann, &mut ann_on_bob] {
        assert_eq!(end(stream).await.reason, Reason::ScopeRevoked);
    }
    for stream in [&mut bob, &mut wallboard] {
        silent(stream).await;
    }
}
