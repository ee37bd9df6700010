//! §11.2: streams of transactions in the engine. They carry positions; the service reads the rest.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::{super::*, world::*};
use crate::domain::Scope;

/// What a caller without a user watches the organisation by.
fn access() -> Access {
    let caller = actor("auditor", &[Scope::Reader]);
    Access {
        caller,
        own_credential: false,
        expires: None,
        recheck: Box::new(|_| Ok(())),
        user: id("0"),
    }
}

impl World {
    fn try_changes(&self, access: Access, after: i64) -> Result<ChangeStream, Refusal> {
        let ledger = self.ledger.clone();
        self.hub.watch_changes(move || ledger.catalog(), access, after)
    }

    fn changes(&self, after: i64) -> ChangeStream {
        self.try_changes(access(), after).unwrap()
    }
}

async fn next(stream: &mut ChangeStream) -> ChangeMessage {
    stream.next().await.unwrap().unwrap()
}

async fn end(stream: &mut ChangeStream) -> Reason {
    loop {
        if let Err(refusal) = stream.next().await.unwrap() {
            return refusal.reason;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_2_a_stream_is_notified_how_far_there_is_something_to_read() {
    let world = World::new().await;
    let start = world.revision();
    let mut stream = world.changes(0);
    assert_eq!(next(&mut stream).await, ChangeMessage::Reached(start));
    stream.prepare(ChangeSlot::caught_up);
    world.create("abc_one").await;
    world.create("abc_two").await;
    moment().await;
    // The newest alone waits, whatever came before it.
    assert_eq!(next(&mut stream).await, ChangeMessage::Reached(start + 2));
    stream.prepare(ChangeSlot::caught_up);
    let silent = tokio::time::Instant::now();
    assert_eq!(next(&mut stream).await, ChangeMessage::Bookmark(start + 2));
    let waited = silent.elapsed().as_secs();
    assert!((27..=33).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn s11_2_a_stream_that_is_not_read_ends_and_one_that_is_read_slowly_goes_on() {
    let world = World::new().await;
    let (mut slow, mut stalled) = (world.changes(0), world.changes(0));
    let reached = ChangeMessage::Reached(world.revision());
    assert_eq!((next(&mut slow).await, next(&mut stalled).await), (reached, reached));
    for _ in 0..10 {
        pass(4_000).await;
        // One more of what the store holds was sent, and the stream is asked for its end.
        let asked = tokio::time::timeout(Duration::ZERO, slow.next()).await;
        assert!(asked.is_err(), "{asked:?}");
    }
    assert_eq!(end(&mut stalled).await, Reason::SlowConsumer);
    slow.prepare(ChangeSlot::caught_up);
    world.create("abc_one").await;
    moment().await;
    assert_eq!(next(&mut slow).await, ChangeMessage::Reached(world.revision()));
}

#[tokio::test(start_paused = true)]
async fn s11_2_streams_are_admitted_drained_and_ended_as_all_others() {
    let world = World::new().await;
    let limit = usize::from(world.ledger.catalog().settings.max_streams_per_user);
    let mut open: Vec<_> = (0..limit).map(|_| world.changes(world.revision())).collect();
    let refusal = world.try_changes(access(), 0).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooManyStreams);
    let other = Access { caller: actor("other", &[Scope::Reader]), ..access() };
    drop(world.try_changes(other, 0).unwrap());
    let mut last = open.pop().unwrap();
    drop(open);
    world.hub.drain();
    assert_eq!(next(&mut last).await, ChangeMessage::Bookmark(world.revision()));
    assert!(matches!(next(&mut last).await, ChangeMessage::Drain { .. }));
    assert_eq!(end(&mut last).await, Reason::Draining);
    assert_eq!(world.try_changes(access(), 0).unwrap_err().reason, Reason::Draining);
}

#[tokio::test(start_paused = true)]
async fn s11_2_a_caller_who_loses_the_rights_loses_the_stream() {
    let world = World::new().await;
    let own = |rights: bool| {
        let caller = crate::domain::Actor { user: Some(id("ann")), ..actor("ann", &[]) };
        let recheck: Recheck = Box::new(move |catalog| {
            let ann = catalog.user(&id("ann")).map(|seated| seated.user().roles.len());
            match rights || ann == Some(1) {
                true => Ok(()),
                false => Err(Refusal::new(Reason::ScopeRevoked, "gone")),
            }
        });
        Access { caller, own_credential: true, expires: None, recheck, user: id("0") }
    };
    let mut loses = world.try_changes(own(false), world.revision()).unwrap();
    let mut keeps = world.try_changes(own(true), world.revision()).unwrap();
    world.put(vec![put_user(user("ann", &[]))]).await;
    moment().await;
    assert_eq!(end(&mut loses).await, Reason::ScopeRevoked);
    assert_eq!(next(&mut keeps).await, ChangeMessage::Reached(world.revision()));
    // The stand-in is nobody: a user of that name may come and go.
    world.put(vec![put_user(user("0", &[]))]).await;
    world.put(vec![delete(crate::domain::Kind::User, "0")]).await;
    moment().await;
    assert_eq!(next(&mut keeps).await, ChangeMessage::Reached(world.revision()));
}
