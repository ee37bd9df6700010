//! Supervision: every task and every thread of the server has a name, and a panic in one is logged
//! with that name, counted, and handled by the policy of the task.
//!
//! | Policy | For | After a panic |
//! |---|---|---|
//! | [`OnPanic::EndProcess`] | a task without which the server goes on with stale or half-changed state | [`Tasks::failed`] completes; the server drains and exits with an error |
//! | [`OnPanic::Report`] | a task that works for one request or connection | who waits for it gets no output |
//! | [`Tasks::spawn_restarting`] | a task that keeps no state between its rounds | started again after a back-off |
//!
//! Tasks are spawned in a **scope**. A scope can be cancelled, and scopes inside it are cancelled
//! with it: its tasks are dropped where they wait. [`Tasks::shutdown`] waits until they are gone.

use std::{
    any::Any,
    collections::BTreeMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Shortest pause before a task that panicked is started again.
const RESTART_MIN: Duration = Duration::from_secs(1);
/// Longest such pause. A task that ran for so long counts as sound again.
const RESTART_MAX: Duration = Duration::from_secs(60);

/// What a panic of a task brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPanic {
    /// The server drains, and the process exits with an error.
    EndProcess,
    /// Nothing beyond the log and the metric.
    Report,
}

/// A scope of supervised tasks. Cheap to clone; a clone is the same scope.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    supervisor: Arc<Supervisor>,
    cancelled: CancellationToken,
    tracker: TaskTracker,
    /// The executor of the tasks; without one each runs on that of who spawns it.
    home: Option<Handle>,
    /// The trackers of the scopes around this one: their shutdown waits for these tasks, too.
    outer: Vec<TaskTracker>,
}

/// What all scopes of a process share.
#[derive(Debug, Default)]
struct Supervisor {
    figures: Mutex<BTreeMap<&'static str, TaskFigures>>,
    /// The first task whose panic ends the process.
    failed: watch::Sender<Option<&'static str>>,
}

/// Figures of the tasks and threads of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskFigures {
    /// Panics since the start.
    pub panics: u64,
    /// Those that run.
    pub running: u64,
}

/// A task or thread that runs until this is dropped.
#[derive(Debug)]
struct Running(&'static str, Arc<Supervisor>);

/// A supervised task. It goes on when this is dropped.
#[derive(Debug)]
pub struct Task<T>(JoinHandle<Option<T>>);

// === impl Tasks ===

impl Tasks {
    /// A scope inside this one, which can be cancelled by itself.
    pub fn child(&self) -> Self {
        let mut outer = self.outer.clone();
        outer.push(self.tracker.clone());
        Self {
            supervisor: Arc::clone(&self.supervisor),
            cancelled: self.cancelled.child_token(),
            tracker: TaskTracker::new(),
            home: self.home.clone(),
            outer,
        }
    }

    /// The same scope, whose tasks run on the executor of the caller from whatever executor they are
    /// spawned. Must be called within a tokio runtime.
    pub fn at_home(&self) -> Self {
        Self { home: Some(Handle::current()), ..self.clone() }
    }

    /// Runs a future until it completes or the scope is cancelled. Must be called within a tokio
    /// runtime.
    pub fn spawn<F>(&self, name: &'static str, on_panic: OnPanic, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let home = self.home.clone().unwrap_or_else(Handle::current);
        self.spawn_on(&home, name, on_panic, future)
    }

    /// The same on the executor of a runtime.
    pub fn spawn_on<F>(
        &self,
        runtime: &Handle,
        name: &'static str,
        on_panic: OnPanic,
        future: F,
    ) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let tracked: Vec<_> = self.outer.iter().map(TaskTracker::token).collect();
        let cancelled = self.cancelled.clone();
        // Each layer around it keeps room for the future twice, so it is kept elsewhere.
        let future = cancelled.run_until_cancelled_owned(Box::pin(future));
        let guarded = self.guard(name, on_panic, future);
        let running = Supervisor::running(&self.supervisor, name);
        let task = async move {
            // Goes with the future, also when that is dropped before its end.
            let (_tracked, _running) = (tracked, running);
            guarded.await.flatten()
        };
        Task(self.tracker.spawn_on(task, runtime))
    }

    /// Runs the future that `start` makes, and another one after each panic, with a back-off
    /// between 1 and 60 seconds. Ends when a future completes or the scope is cancelled.
    pub fn spawn_restarting<F>(
        &self,
        name: &'static str,
        mut start: impl FnMut() -> F + Send + 'static,
    ) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let tasks = self.clone();
        let policy = ExponentialBuilder::new()
            .with_min_delay(RESTART_MIN)
            .with_max_delay(RESTART_MAX)
            .without_max_times();
        // `start` itself may panic; that has to leave the loop in no half-done state.
        let restarts = async move {
            let mut pauses = policy.build();
            loop {
                let begun = Instant::now();
                let future = AssertUnwindSafe(&mut start);
                let run = async move { { future }.0().await };
                if let Some(output) = tasks.guard(name, OnPanic::Report, run).await {
                    return output;
                }
                if begun.elapsed() >= RESTART_MAX {
                    pauses = policy.build();
                }
                sleep(pauses.next().unwrap_or(RESTART_MAX)).await;
            }
        };
        self.spawn(name, OnPanic::EndProcess, restarts)
    }

    /// Supervises a future that its owner drives itself: none is its output when it panics.
    pub fn guard<F: Future>(
        &self,
        name: &'static str,
        on_panic: OnPanic,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + use<F> {
        let supervisor = Arc::clone(&self.supervisor);
        supervisor.register(name);
        async move {
            let done = AssertUnwindSafe(future).catch_unwind().await;
            done.inspect_err(|panic| supervisor.panicked(name, on_panic, &**panic)).ok()
        }
    }

    /// Starts a thread of that name. It is not cancelled with the scope: what it works for has to
    /// end it.
    ///
    /// # Errors
    /// When the operating system grants no further thread.
    pub fn thread(
        &self,
        name: &'static str,
        on_panic: OnPanic,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let supervisor = Arc::clone(&self.supervisor);
        let running = Supervisor::running(&supervisor, name);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _running = running;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                supervisor.panicked(name, on_panic, &*panic);
            }
        })?;
        Ok(())
    }

    /// Completes once a panic is to end the process, with the name of the task.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.supervisor.failed.subscribe();
        // The sender is part of this value, so it is there.
        match failed.wait_for(Option::is_some).await.ok().and_then(|name| *name) {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// How many panics there were, by the name of every task and thread since the start.
    pub fn panics(&self) -> BTreeMap<&'static str, u64> {
        self.figures().into_iter().map(|(name, figures)| (name, figures.panics)).collect()
    }

    /// Figures of every task and thread since the start, by name.
    pub fn figures(&self) -> BTreeMap<&'static str, TaskFigures> {
        self.supervisor.figures().clone()
    }

    /// Completes when every task of the scope has ended; for a scope that gets no further one.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Drops every task of the scope where it waits.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// The same, and waits until all are gone; false when some are left after that time.
    pub async fn shutdown(&self, within: Duration) -> bool {
        self.cancel();
        self.tracker.close();
        timeout(within, self.tracker.wait()).await.is_ok()
    }
}

// === impl Supervisor ===

impl Supervisor {
    /// Counts from zero on, so that an alert on the first panic has something to compare it with.
    fn register(&self, task: &'static str) {
        self.figures().entry(task).or_default();
    }

    /// Counts a task or thread that begins.
    fn running(supervisor: &Arc<Self>, task: &'static str) -> Running {
        supervisor.figures().entry(task).or_default().running += 1;
        Running(task, Arc::clone(supervisor))
    }

    fn panicked(&self, task: &'static str, on_panic: OnPanic, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(task, panic = text.unwrap_or("no text"), ?on_panic, "a task panicked");
        self.figures().entry(task).or_default().panics += 1;
        if on_panic == OnPanic::EndProcess {
            self.failed.send_if_modified(|failed| failed.replace(failed.unwrap_or(task)).is_none());
        }
    }

    fn figures(&self) -> MutexGuard<'_, BTreeMap<&'static str, TaskFigures>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut figures = self.1.figures();
        if let Some(of) = figures.get_mut(self.0) {
            of.running -= 1;
        }
    }
}

// === impl Task ===

impl<T> Task<T> {
    /// Drops the task where it waits.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for Task<T> {
    /// None after a panic or a cancellation.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_unpin(cx).map(|done| done.ok().flatten())
    }
}

#[cfg(test)]
mod tests;
