//! The call registry: every call that the server keeps, and the indexes over them.
//!
//! A change is made in memory and handed to the log under one lock, so both have one order. It is
//! published to the streams, and acted on, once the log has made it durable.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use deskplane_providers::CallEvent;
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use super::{
    Call, Request,
    call::Applied,
    log::{Log, PendingWrite},
    streams::CallStreams,
};
use crate::domain::{Reason, Refusal, Time, UniqueName, UserId};

/// The result of a start; none while it is in progress.
type StartResult = Option<Result<Arc<Call>, Refusal>>;

/// The calls of this server.
#[derive(Debug)]
pub(super) struct CallRegistry {
    state: Arc<Mutex<State>>,
    log: Log,
    pub(super) streams: CallStreams,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<Uuid, Arc<Call>>,
    by_vendor: HashMap<(UniqueName, String), Uuid>,
    by_request: HashMap<(String, Uuid), Uuid>,
    by_user: HashMap<UserId, BTreeSet<Uuid>>,
    /// Starts that are in progress. An entry goes with its [`StartGuard`].
    starting: HashMap<Uuid, watch::Receiver<StartResult>>,
}

/// A request to start a call, registered.
#[derive(Debug)]
pub(super) enum StartAttempt {
    /// The first with its idempotency key: the call is dialled once it is durable.
    First(PendingWrite, StartGuard),
    /// One whose idempotency key is known.
    Repetition(EarlierStart),
}

/// The start that a repetition repeats.
#[derive(Debug)]
pub(super) enum EarlierStart {
    InProgress(watch::Receiver<StartResult>),
    Completed(Arc<Call>),
}

/// A start in progress. However it ends (with a result, a panic or a dropped future), its entry in
/// the registry is removed, and repetitions get the call as it then is.
#[derive(Debug)]
pub(super) struct StartGuard {
    call_id: Uuid,
    state: Arc<Mutex<State>>,
    result: watch::Sender<StartResult>,
}

/// A change of a call, with the write that makes it durable; none when nothing changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) call: Arc<Call>,
    write: Option<PendingWrite>,
}

// === impl CallRegistry ===

impl CallRegistry {
    /// A registry of the calls that the log held.
    pub(super) fn new(log: Log, calls: Vec<Call>, streams: CallStreams) -> Self {
        let mut state = State::default();
        for call in calls {
            state.insert(Arc::new(call));
        }
        Self { state: Arc::new(Mutex::new(state)), log, streams }
    }

    /// The earlier start with the idempotency key of a request.
    pub(super) fn find_start(&self, request: &Request) -> Result<Option<EarlierStart>, Refusal> {
        self.state().find_start(request)
    }

    /// Registers a call that is to be started, or finds the earlier start of the same request.
    pub(super) fn begin_start(
        &self,
        call: Call,
        request: &Request,
    ) -> Result<StartAttempt, Refusal> {
        let mut state = self.state();
        if let Some(earlier) = state.find_start(request)? {
            return Ok(StartAttempt::Repetition(earlier));
        }
        let (result, receiver) = watch::channel(None);
        state.starting.insert(call.call_id, receiver);
        let guard = StartGuard { call_id: call.call_id, state: Arc::clone(&self.state), result };
        let write = self.log.append(&call);
        state.insert(Arc::new(call));
        Ok(StartAttempt::First(write, guard))
    }

    /// Changes a call; `change` answers whether there is anything to make durable.
    pub(super) fn change(
        &self,
        call_id: Uuid,
        change: impl FnOnce(&mut Call) -> bool,
    ) -> Option<Change> {
        let mut state = self.state();
        let before = state.calls.get(&call_id)?;
        let mut call = Call::clone(before);
        if !change(&mut call) {
            return Some(Change { call: Arc::clone(before), write: None });
        }
        let write = Some(self.log.append(&call));
        let call = Arc::new(call);
        state.insert(Arc::clone(&call));
        Some(Change { call, write })
    }

    /// Applies an event of a provider to the call that it is about; none when there is no such call.
    pub(super) fn apply(
        &self,
        provider: &UniqueName,
        event: &CallEvent,
        now: Time,
    ) -> Option<(Applied, Change)> {
        let call_id = self.state().find(provider, event)?;
        let mut applied = Applied::Late;
        let change = self.change(call_id, |call| {
            applied = call.apply(event, now);
            applied == Applied::Changed
        })?;
        Some((applied, change))
    }

    /// Registers an inbound call, unless another event of it registered it before.
    pub(super) fn open(&self, call: Call) -> Change {
        let mut state = self.state();
        let key = (call.provider.clone(), call.provider_call_id.clone());
        if let Some(known) = state.by_vendor.get(&key).and_then(|id| state.calls.get(id)) {
            return Change { call: Arc::clone(known), write: None };
        }
        let write = Some(self.log.append(&call));
        let call = Arc::new(call);
        state.insert(Arc::clone(&call));
        Change { call, write }
    }

    /// Waits until a change is durable, then publishes it to the streams on the call's user.
    pub(super) async fn publish_when_durable(&self, change: Change) -> Result<Arc<Call>, Refusal> {
        let Change { call, write } = change;
        if let Some(write) = write {
            if !write.durable().await {
                return Err(not_durable());
            }
            let now = Instant::now();
            self.streams.update(&call.user, |slot| slot.take(&call, now));
        }
        Ok(call)
    }

    /// The call of that id.
    pub(super) fn get(&self, call_id: Uuid) -> Option<Arc<Call>> {
        self.state().calls.get(&call_id).cloned()
    }

    /// The calls that pass, of one user or of all, newest first.
    pub(super) fn list(
        &self,
        user: Option<&UserId>,
        pass: impl Fn(&Call) -> bool,
    ) -> Vec<Arc<Call>> {
        let mut found = self.state().list(user, pass);
        found.sort_by_key(|call| std::cmp::Reverse((call.start_time, call.call_id)));
        found
    }

    /// How many calls pass.
    pub(super) fn count(&self, pass: impl Fn(&Call) -> bool) -> usize {
        self.state().calls.values().filter(|call| pass(call)).count()
    }

    /// Removes the calls that have expired. The log drops them at its next compaction.
    pub(super) fn remove_expired(&self, expired: impl Fn(&Call) -> bool) {
        let mut state = self.state();
        let gone: Vec<_> = state.calls.values().filter(|call| expired(call)).cloned().collect();
        for call in gone {
            state.remove(&call);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl EarlierStart ===

impl EarlierStart {
    /// The result of the earlier start, once there is one.
    pub(super) async fn result(self) -> Result<Arc<Call>, Refusal> {
        let mut result = match self {
            Self::Completed(call) => return Ok(call),
            Self::InProgress(result) => result,
        };
        let completed = result.wait_for(Option::is_some).await.map_err(|_| interrupted())?;
        completed.clone().unwrap_or_else(|| Err(interrupted()))
    }
}

// === impl StartGuard ===

impl StartGuard {
    /// Ends the start with a result, which repetitions that wait get as well.
    pub(super) fn complete(self, result: Result<Arc<Call>, Refusal>) {
        self.result.send_replace(Some(result));
    }

    /// Removes the call, which was not made durable and never dialled: a repetition is a first start
    /// again.
    pub(super) fn discard(self) -> Refusal {
        let mut state = lock(&self.state);
        if let Some(call) = state.calls.get(&self.call_id).cloned() {
            state.remove(&call);
        }
        drop(state);
        self.complete(Err(not_durable()));
        not_durable()
    }
}

impl Drop for StartGuard {
    fn drop(&mut self) {
        lock(&self.state).starting.remove(&self.call_id);
    }
}

// === impl State ===

impl State {
    fn find_start(&self, request: &Request) -> Result<Option<EarlierStart>, Refusal> {
        let known = self.by_request.get(&(request.caller.clone(), request.id));
        let Some(known) = known.and_then(|id| self.calls.get(id)) else { return Ok(None) };
        if known.request.as_ref().is_some_and(|first| first.payload != request.payload) {
            let message = "This request_id was used for another call; take a fresh one.";
            return Err(Refusal::new(Reason::RequestIdReused, message)
                .violation("request_id", "was used with another payload"));
        }
        Ok(Some(match self.starting.get(&known.call_id) {
            Some(result) => EarlierStart::InProgress(result.clone()),
            None => EarlierStart::Completed(Arc::clone(known)),
        }))
    }

    /// The call that an event of a provider is about.
    fn find(&self, provider: &UniqueName, event: &CallEvent) -> Option<Uuid> {
        let by_our_id = event
            .call_id
            .filter(|id| self.calls.get(id).is_some_and(|call| call.provider == *provider));
        let key = (provider.clone(), event.provider_call_id.clone());
        by_our_id.or_else(|| self.by_vendor.get(&key).copied())
    }

    /// The calls that pass, of one user or of all, in no order.
    fn list(&self, user: Option<&UserId>, pass: impl Fn(&Call) -> bool) -> Vec<Arc<Call>> {
        let Some(user) = user else {
            return self.calls.values().filter(|call| pass(call)).cloned().collect();
        };
        let ids = self.by_user.get(user).into_iter().flatten();
        let calls = ids.filter_map(|id| self.calls.get(id));
        calls.filter(|call| pass(call)).cloned().collect()
    }

    fn insert(&mut self, call: Arc<Call>) {
        if let Some(before) = self.calls.get(&call.call_id).cloned() {
            self.remove_keys(&before);
        }
        if !call.provider_call_id.is_empty() {
            let key = (call.provider.clone(), call.provider_call_id.clone());
            self.by_vendor.insert(key, call.call_id);
        }
        if let Some(request) = &call.request {
            self.by_request.insert((request.caller.clone(), request.id), call.call_id);
        }
        self.by_user.entry(call.user.clone()).or_default().insert(call.call_id);
        self.calls.insert(call.call_id, call);
    }

    fn remove(&mut self, call: &Call) {
        self.remove_keys(call);
        if let Some(of_user) = self.by_user.get_mut(&call.user) {
            of_user.remove(&call.call_id);
            if of_user.is_empty() {
                self.by_user.remove(&call.user);
            }
        }
        self.calls.remove(&call.call_id);
    }

    /// Removes a call from the indexes by vendor and by request, whose keys change with it.
    fn remove_keys(&mut self, call: &Call) {
        self.by_vendor.remove(&(call.provider.clone(), call.provider_call_id.clone()));
        if let Some(request) = &call.request {
            self.by_request.remove(&(request.caller.clone(), request.id));
        }
    }
}

/// The refusal because the log of calls does not take a state.
pub(super) fn not_durable() -> Refusal {
    let message = "The state of the call cannot be kept on the disk of the server at present. Try again; when \
                   it stays so, the log of the server says why.";
    Refusal::new(Reason::StoreUnavailable, message)
}

/// The refusal because a start ended without a result. Its outcome is found out in the background.
pub(super) fn interrupted() -> Refusal {
    let message = "Starting the call failed because of a mistake of the server. Repeat the request with the same \
                   request_id to learn what became of the call.";
    Refusal::new(Reason::Internal, message)
}

#[cfg(test)]
mod tests;
