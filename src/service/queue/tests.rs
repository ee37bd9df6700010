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
    let mut waiting: Vec<_> =
        (0..WRITES_WAITING).map(|at| queue.turn(CALLERS[at % 2]).boxed()).collect();
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
    let queue = Queue::of_writes();
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
    let queue = Queue::of_writes();
    let mut own: Vec<_> = (0..queue.of_one_caller()).map(|_| Box::pin(queue.turn("ann"))).collect();
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
    let queue = Queue::of_writes();
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
    let queue = Queue::of_writes();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let turn = queue.turn("ann").await.unwrap();
    let mut work = Box::pin(turn.run(move |_| held.recv().is_err()));
    assert!(work.as_mut().now_or_never().is_none());
    // The caller goes away.
    drop(work);
    assert_eq!(lock(&queue.admitted).all, 1);
    drop(hold);
    let second = queue.turn("ann").await.unwrap();
    let third = queue.turn("ann").await.unwrap();
    assert_eq!(second.run(|_| 7).await.unwrap(), 7);
    let panicked = third.run(|_| panic!("of a test")).await;
    assert_eq!(panicked.unwrap_err().reason, Reason::Internal);
    let all = join_all((0..RUNNING).map(|_| queue.turn("ann"))).await;
    assert!(all.iter().all(Result::is_ok));
}

#[tokio::test]
async fn work_learns_that_its_caller_is_gone() {
    let queue = Queue::of_scans();
    let (begun, begins) = std::sync::mpsc::channel();
    let (ended, ends) = tokio::sync::oneshot::channel();
    let turn = queue.turn("ann").await.unwrap();
    let mut work = Box::pin(turn.run(move |caller| {
        begun.send(caller.is_gone()).unwrap();
        while !caller.is_gone() {
            std::thread::yield_now();
        }
        ended.send(()).unwrap();
    }));
    assert!(work.as_mut().now_or_never().is_none());
    assert!(!begins.recv().unwrap(), "it waits");
    drop(work);
    ends.await.unwrap();
}

#[tokio::test]
async fn callers_take_turns_and_each_keeps_its_order() {
    let queue = Queue::of_scans();
    let mut running = vec![queue.turn("ann").await.unwrap(), queue.turn("ann").await.unwrap()];
    let asked = ["ann", "ann", "ann", "bob", "ann", "carl", "bob"];
    let mut waiting: Vec<_> = asked
        .iter()
        .enumerate()
        .map(|(at, caller)| (at, *caller, queue.turn(caller).boxed()))
        .collect();
    for (_, _, turn) in &mut waiting {
        assert!(turn.now_or_never().is_none());
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(running.remove(0));
        let mut next = waiting.iter_mut().enumerate().filter_map(|(place, (at, caller, turn))| {
            turn.now_or_never().map(|turn| (place, *at, *caller, turn.unwrap()))
        });
        let (place, at, caller, turn) = next.next().expect("one has its turn");
        assert!(next.next().is_none(), "no further one has");
        drop(next);
        drop(waiting.remove(place));
        order.push((caller, at));
        running.push(turn);
    }
    let expected =
        [("ann", 0), ("bob", 3), ("carl", 5), ("ann", 1), ("bob", 6), ("ann", 2), ("ann", 4)];
    assert_eq!(order, expected);
    drop(running);
    let left = lock(&queue.admitted);
    assert_eq!((left.all, left.running, left.of_caller.len(), left.next.len()), (0, 0, 0, 0));
}

#[tokio::test]
async fn a_turn_given_to_one_who_is_just_gone_goes_to_the_next() {
    let queue = Queue::of_scans();
    let running = join_all((0..RUNNING).map(|_| queue.turn("ann"))).await;
    let mut gone = queue.turn("bob").boxed();
    let mut stays = queue.turn("carl").boxed();
    assert!((&mut gone).now_or_never().is_none() && (&mut stays).now_or_never().is_none());
    drop(running);
    // It was sent its turn, and never looked.
    drop(gone);
    assert!(stays.now_or_never().is_some());
    let left = lock(&queue.admitted);
    assert_eq!((left.all, left.running, left.of_caller.len(), left.next.len()), (0, 0, 0, 0));
}
