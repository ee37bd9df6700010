//! Tasks, threads and scopes.

use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

#[tokio::test]
async fn a_panic_is_counted_by_name_and_ends_nothing_else() {
    let tasks = Tasks::default();
    let sound = tasks.spawn("sound", OnPanic::EndProcess, async { 7 });
    let doomed = tasks.spawn("doomed", OnPanic::Report, async { panic!("of {}", "a test") });
    let () = doomed.await.unwrap_or_default();
    assert_eq!(sound.await, Some(7));
    assert_eq!(tasks.child().panics(), BTreeMap::from([("doomed", 1), ("sound", 0)]));
    assert!(tasks.failed().now_or_never().is_none());
}

#[test]
fn a_task_spawned_from_elsewhere_runs_at_home() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (home, elsewhere) = (runtime(), runtime());
    let tasks = home.block_on(async { Tasks::default().at_home().child() });
    let ran = async { tokio::runtime::Handle::current().id() };
    let entered = elsewhere.enter();
    let task = tasks.spawn("at home", OnPanic::Report, ran);
    drop(entered);
    drop(elsewhere);
    assert_eq!(home.block_on(task), Some(home.handle().id()));
}

#[tokio::test]
async fn the_first_panic_of_a_needed_task_is_the_reason_of_the_end() {
    let tasks = Tasks::default();
    let waiting = tasks.failed();
    for name in ["first", "second"] {
        let task = tasks.child().spawn(name, OnPanic::EndProcess, async { panic!("gone") });
        assert_eq!(task.await, None::<()>);
    }
    assert_eq!(waiting.await, "first");
    assert_eq!(tasks.failed().await, "first", "who asks later learns the same");
    assert_eq!(tasks.panics(), BTreeMap::from([("first", 1), ("second", 1)]));
}

#[tokio::test]
async fn those_that_run_are_counted_by_name() {
    let tasks = Tasks::default();
    let running = |name| tasks.figures().get(name).map(|figures| figures.running);
    let waits: Vec<_> =
        (0..2).map(|_| tasks.spawn("waits", OnPanic::Report, pending::<()>())).collect();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    tasks.thread("deskplane-waits", OnPanic::Report, move || _ = ended.recv()).unwrap();
    assert_eq!((running("waits"), running("deskplane-waits")), (Some(2), Some(1)));
    let [first, second] = <[_; 2]>::try_from(waits).unwrap();
    first.abort();
    assert_eq!(first.await, None);
    assert_eq!(running("waits"), Some(1), "one was aborted");
    tasks.cancel();
    assert_eq!(second.await, None);
    drop(end);
    while running("deskplane-waits") != Some(0) {
        std::thread::yield_now();
    }
    assert_eq!(running("waits"), Some(0));
}

#[tokio::test]
async fn a_thread_that_panics_is_a_task_that_panics() {
    let tasks = Tasks::default();
    tasks.thread("deskplane-doomed", OnPanic::EndProcess, || panic!("gone")).unwrap();
    assert_eq!(tasks.failed().await, "deskplane-doomed");
    assert_eq!(tasks.panics()["deskplane-doomed"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_started_again_after_growing_pauses() {
    let (tasks, begun) = (Tasks::default(), Instant::now());
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    let task = tasks.spawn_restarting("flaky", move || {
        let start = counted.fetch_add(1, Ordering::Relaxed);
        assert_ne!(start, 1, "it may fail before there is a future");
        async move {
            assert!(start > 2, "start {start}");
            begun.elapsed()
        }
    });
    assert_eq!(task.await, Some(Duration::from_secs(1 + 2 + 4)));
    assert_eq!(tasks.panics()["flaky"], 3);
    assert!(tasks.failed().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_tasks_of_all_scopes_inside() {
    let tasks = Tasks::default();
    let (inner, other) = (tasks.child(), tasks.child());
    let held = Arc::new(());
    let hold = |scope: &Tasks| {
        let held = Arc::clone(&held);
        scope.spawn("holds", OnPanic::EndProcess, async move {
            pending::<()>().await;
            drop(held);
        })
    };
    let (first, _second, _third) = (hold(&inner), hold(&other), hold(&tasks));
    inner.cancel();
    assert_eq!(first.await, None);
    assert!(inner.shutdown(Duration::ZERO).await);
    assert_eq!(Arc::strong_count(&held), 3, "the other scopes go on");
    assert!(tasks.shutdown(Duration::from_secs(1)).await);
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(hold(&inner).await, None, "what comes too late is dropped at once");
    assert_eq!(tasks.panics(), BTreeMap::from([("holds", 0)]));
    assert!(tasks.failed().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_up_what_does_not_end() {
    let (tasks, (ends, wait)) = (Tasks::default(), std::sync::mpsc::channel::<()>());
    let blocked = tasks.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _task = blocked.spawn_on(runtime.handle(), "blocked", OnPanic::Report, async move {
        wait.recv().ok();
    });
    // Nothing drives that runtime, so its task cannot end.
    assert!(!tasks.shutdown(Duration::from_secs(1)).await);
    drop(ends);
    runtime.shutdown_background();
}
