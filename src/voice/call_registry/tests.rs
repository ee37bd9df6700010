use futures_util::FutureExt as _;

use super::*;
use crate::live;

fn registry() -> CallRegistry {
    let streams = CallStreams::new(live::Settings::default(), fastrand::Rng::with_seed(7));
    CallRegistry::new(Log::in_memory(), Vec::new(), streams)
}

fn request() -> Request {
    Request { caller: "anna".to_owned(), id: Uuid::from_u128(1), payload: [7; 32] }
}

fn begin(registry: &CallRegistry, call_id: u128) -> StartAttempt {
    let (user, provider) =
        (UserId::parse("anna").unwrap(), UniqueName::parse("con_voice").unwrap());
    let (id, to) = (Uuid::from_u128(call_id), "+14155550100".to_owned());
    let mut call = Call::outbound(id, user, provider, to, Time::from_micros(1));
    call.request = Some(request());
    registry.begin_start(call, &request()).unwrap()
}

fn first(attempt: StartAttempt) -> StartGuard {
    match attempt {
        StartAttempt::First(_, guard) => guard,
        StartAttempt::Repetition(earlier) => panic!("a repetition: {earlier:?}"),
    }
}

fn earlier(attempt: StartAttempt) -> EarlierStart {
    match attempt {
        StartAttempt::Repetition(earlier) => earlier,
        StartAttempt::First(..) => panic!("a first start"),
    }
}

#[tokio::test]
async fn a_repetition_waits_for_the_result_of_the_first_start() {
    let registry = registry();
    let guard = first(begin(&registry, 1));
    let mut waiting = Box::pin(earlier(begin(&registry, 2)).result());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let call = registry.get(Uuid::from_u128(1)).unwrap();
    guard.complete(Ok(Arc::clone(&call)));
    assert_eq!(waiting.await.unwrap(), call);
    assert_eq!(earlier(begin(&registry, 2)).result().now_or_never().unwrap().unwrap(), call);
    assert_eq!(registry.count(|_| true), 1, "the repetitions registered no call");
}

#[tokio::test]
async fn a_start_whose_future_is_dropped_is_no_longer_in_progress() {
    let registry = registry();
    let guard = first(begin(&registry, 1));
    let waiting = earlier(begin(&registry, 2)).result();
    drop(guard);
    assert_eq!(waiting.await.unwrap_err().reason, Reason::Internal);
    let known = earlier(begin(&registry, 2)).result().now_or_never().unwrap().unwrap();
    assert_eq!(
        known.call_id,
        Uuid::from_u128(1),
        "its outcome is not known, so it is not repeated"
    );
    assert!(registry.state().starting.is_empty());
}

#[tokio::test]
async fn a_start_that_is_not_durable_is_discarded_and_may_be_repeated() {
    let registry = registry();
    let guard = first(begin(&registry, 1));
    let waiting = earlier(begin(&registry, 2)).result();
    assert_eq!(guard.discard().reason, Reason::StoreUnavailable);
    assert_eq!(waiting.await.unwrap_err().reason, Reason::StoreUnavailable);
    assert_eq!(registry.count(|_| true), 0);
    first(begin(&registry, 2)).complete(Err(not_durable()));
}
