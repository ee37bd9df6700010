use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};

use super::*;

/// Callers who together may fill the queue.
const CALLERS: [&str; 2] = ["ann", "bob"];

/// A queue with all turns taken, and what waits.
async fn full(queue: &Queue) -> (Vec<Turn>, Vec<BoxFuture<'_, Result<Turn, Refusal>>>) {
    let running = join_all((0..RUNNING).map(|at| queue.turn(CALLERS[at % 2]))).await;
    let running = running.into_iter().map(Result::unwrap).collect();
    let mut waiting: Vec<_> = (0..WAITING).map(|at| queue.turn(CALLERS[at % 2]).boxed()).collect();
    assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
    (running, waiting)
}

fn busy(refused: Option<Result<Turn, Refusal>>) {
    let refusal = refused.expect("it is refused at once").unwrap_err();
    assert_eq!(refusal.reason, Reason::ServerBusy);
    assert!(refusal.retry_after_ms.is_some());
}

#[tokio::test]
async fn some_run_some_wait_and_the_rest_is_refused_at_once() {
    let queue = Queue::default();
    let (mut running, mut waiting) = full(&queue).await;
    busy(queue.turn("carl").now_or_never());
    drop(running.pop());
    let first = waiting.remove(0).now_or_never().unwrap().unwrap();
    assert!((&mut waiting[0]).now_or_never().is_none(), "in the order of arrival");
    assert!(queue.turn("carl").now_or_never().is_none(), "a place is free");
    drop((first, running, waiting));
    assert_eq!(lock(&queue.admitted).all, 0);
    assert!(lock(&queue.admitted).of_caller.is_empty());
}

#[tokio::test]
async fn no_caller_takes_all_places() {
    let queue = Queue::default();
    let mut own: Vec<_> = (0..OF_ONE_CALLER).map(|_| Box::pin(queue.turn("ann"))).collect();
    let taken: Vec<_> = own.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
    assert_eq!(taken.len(), RUNNING);
    busy(queue.turn("ann").now_or_never());
    let mut other = Box::pin(queue.turn("bob"));
    assert!(other.as_mut().now_or_never().is_none(), "waits");
    drop((taken, own));
    assert!(other.await.is_ok());
}

#[tokio::test]
async fn a_caller_who_goes_away_frees_its_place() {
    let queue = Queue::default();
    let (running, mut waiting) = full(&queue).await;
    busy(queue.turn("carl").now_or_never());
    drop(waiting.remove(3));
    let mut next = Box::pin(queue.turn("carl"));
    assert!(next.as_mut().now_or_never().is_none());
    busy(queue.turn("dora").now_or_never());
    drop((running, waiting));
    assert!(next.await.is_ok());
}

#[tokio::test]
async fn work_holds_its_turn_to_its_end_and_gives_it_back_after_a_panic() {
    let queue = Queue::default();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let turn = queue.turn("ann").await.unwrap();
    let mut work = Box::pin(turn.run(move || held.recv().is_err()));
    assert!(work.as_mut().now_or_never().is_none());
    // The caller goes away.
    drop(work);
    assert_eq!(lock(&queue.admitted).all, 1);
    drop(hold);
    let second = queue.turn("ann").await.unwrap();
    let third = queue.turn("ann").await.unwrap();
    assert_eq!(second.run(|| 7).await.unwrap(), 7);
    let panicked = third.run(|| panic!("of a test")).await;
    assert_eq!(panicked.unwrap_err().reason, Reason::Internal);
    let all = join_all((0..RUNNING).map(|_| queue.turn("ann"))).await;
    assert!(all.iter().all(Result::is_ok));
}
