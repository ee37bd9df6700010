//! All calls that are kept, and who is told of them.
//!
//! A change is made in memory and handed to the log under one lock, so both have one order; whoever
//! made it waits until it is on the disk before he acts on it or tells anybody.

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
    log::{Kept, Log},
    streams::CallStreams,
};
use crate::domain::{Reason, Refusal, Time, UniqueName, UserId};

/// How a start ended, once it has.
pub(super) type Ending = Option<Result<Arc<Call>, Refusal>>;

/// The calls of this server.
#[derive(Debug)]
pub(super) struct Book {
    state: Mutex<State>,
    log: Log,
    pub(super) streams: CallStreams,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<Uuid, Arc<Call>>,
    by_vendor: HashMap<(UniqueName, String), Uuid>,
    by_request: HashMap<(String, Uuid), Uuid>,
    by_user: HashMap<UserId, BTreeSet<Uuid>>,
    /// Starts that are under way.
    starting: HashMap<Uuid, watch::Receiver<Ending>>,
}

/// What a request to start a call is.
#[derive(Debug)]
pub(super) enum Begun {
    /// The first of its kind: the call is noted, and whoever gets this dials.
    New(Kept, watch::Sender<Ending>),
    /// A repetition while the first one is under way.
    UnderWay(watch::Receiver<Ending>),
    /// A repetition afterwards.
    Known(Arc<Call>),
}

/// A change that is being kept.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) call: Arc<Call>,
    kept: Option<Kept>,
}

impl Book {
    /// A book with the calls that were kept.
    pub(super) fn new(log: Log, calls: Vec<Call>, streams: CallStreams) -> Self {
        let mut state = State::default();
        for call in calls {
            state.insert(Arc::new(call));
        }
        Self { state: Mutex::new(state), log, streams }
    }

    /// The call that the same request asked for before.
    pub(super) fn requested(&self, request: &Request) -> Result<Option<Begun>, Refusal> {
        self.state().requested(request)
    }

    /// Notes a call that somebody asks for, or finds the one that he asked for before.
    pub(super) fn begin(&self, call: Call, request: &Request) -> Result<Begun, Refusal> {
        let mut state = self.state();
        if let Some(known) = state.requested(request)? {
            return Ok(known);
        }
        let (told, ending) = watch::channel(None);
        state.starting.insert(call.call_id, ending);
        let kept = self.log.put(&call);
        state.insert(Arc::new(call));
        Ok(Begun::New(kept, told))
    }

    /// Forgets a call that could not be kept, so that a repetition starts it.
    pub(super) fn unkept(&self, call_id: Uuid) {
        let mut state = self.state();
        if let Some(call) = state.calls.get(&call_id).cloned() {
            state.remove(&call);
        }
    }

    /// Says that a start is over: repetitions get the call from now on.
    pub(super) fn begun(&self, call_id: Uuid) {
        self.state().starting.remove(&call_id);
    }

    /// Changes a call; `change` answers whether there is anything to keep.
    pub(super) fn change(
        &self,
        call_id: Uuid,
        change: impl FnOnce(&mut Call) -> bool,
    ) -> Option<Change> {
        let mut state = self.state();
        let mut call = Call::clone(state.calls.get(&call_id)?);
        if !change(&mut call) {
            return Some(Change { call: Arc::clone(state.calls.get(&call_id)?), kept: None });
        }
        let kept = Some(self.log.put(&call));
        let call = Arc::new(call);
        state.insert(Arc::clone(&call));
        Some(Change { call, kept })
    }

    /// Takes an event of a provider; none when no call is meant.
    pub(super) fn apply(
        &self,
        provider: &UniqueName,
        event: &CallEvent,
        now: Time,
    ) -> Option<(Applied, Change)> {
        let call_id = self.meant(provider, event)?;
        let mut applied = Applied::Late;
        let change = self.change(call_id, |call| {
            applied = call.apply(event, now);
            applied == Applied::Changed
        })?;
        Some((applied, change))
    }

    /// Notes a call from outside, unless an event of it came first on another way.
    pub(super) fn open(&self, call: Call) -> Change {
        let mut state = self.state();
        let key = (call.provider.clone(), call.provider_call_id.clone());
        if let Some(known) = state.by_vendor.get(&key).and_then(|id| state.calls.get(id)) {
            return Change { call: Arc::clone(known), kept: None };
        }
        let kept = Some(self.log.put(&call));
        let call = Arc::new(call);
        state.insert(Arc::clone(&call));
        Change { call, kept }
    }

    /// Waits until a change is durable, then sends it to the streams on its user.
    pub(super) async fn settle(&self, change: Change) -> Result<Arc<Call>, Refusal> {
        let Change { call, kept } = change;
        if let Some(kept) = kept {
            if !kept.done().await {
                return Err(not_kept());
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
        let state = self.state();
        let mut found: Vec<_> = match user {
            Some(user) => {
                let ids = state.by_user.get(user).into_iter().flatten();
                ids.filter_map(|id| state.calls.get(id))
                    .filter(|call| pass(call))
                    .cloned()
                    .collect()
            }
            None => state.calls.values().filter(|call| pass(call)).cloned().collect(),
        };
        drop(state);
        found.sort_by_key(|call| std::cmp::Reverse((call.start_time, call.call_id)));
        found
    }

    /// How many calls pass.
    pub(super) fn count(&self, pass: impl Fn(&Call) -> bool) -> usize {
        self.state().calls.values().filter(|call| pass(call)).count()
    }

    /// Forgets calls that nobody wants any more. The log does so when it is written anew.
    pub(super) fn forget(&self, unwanted: impl Fn(&Call) -> bool) {
        let mut state = self.state();
        let gone: Vec<_> = state.calls.values().filter(|call| unwanted(call)).cloned().collect();
        for call in gone {
            state.remove(&call);
        }
    }

    fn meant(&self, provider: &UniqueName, event: &CallEvent) -> Option<Uuid> {
        let state = self.state();
        let ours = event
            .call_id
            .filter(|id| state.calls.get(id).is_some_and(|call| call.provider == *provider));
        let key = (provider.clone(), event.provider_call_id.clone());
        ours.or_else(|| state.by_vendor.get(&key).copied())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn requested(&self, request: &Request) -> Result<Option<Begun>, Refusal> {
        let known = self.by_request.get(&(request.caller.clone(), request.id));
        let Some(known) = known.and_then(|id| self.calls.get(id)) else { return Ok(None) };
        if known.request.as_ref().is_some_and(|first| first.payload != request.payload) {
            let message = "This request_id was used for another call; take a fresh one.";
            return Err(Refusal::new(Reason::RequestIdReused, message)
                .violation("request_id", "was used with another payload"));
        }
        Ok(Some(match self.starting.get(&known.call_id) {
            Some(ending) => Begun::UnderWay(ending.clone()),
            None => Begun::Known(Arc::clone(known)),
        }))
    }

    fn insert(&mut self, call: Arc<Call>) {
        if let Some(before) = self.calls.get(&call.call_id).cloned() {
            self.unlist(&before);
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
        self.unlist(call);
        if let Some(of_user) = self.by_user.get_mut(&call.user) {
            of_user.remove(&call.call_id);
            if of_user.is_empty() {
                self.by_user.remove(&call.user);
            }
        }
        self.calls.remove(&call.call_id);
    }

    fn unlist(&mut self, call: &Call) {
        self.by_vendor.remove(&(call.provider.clone(), call.provider_call_id.clone()));
        if let Some(request) = &call.request {
            self.by_request.remove(&(request.caller.clone(), request.id));
        }
    }
}

/// The refusal because the disk does not take what it must.
pub(super) fn not_kept() -> Refusal {
    let message = "The state of the call cannot be kept on the disk of the server at present. Try again; when \
                   it stays so, the log of the server says why.";
    Refusal::new(Reason::StoreUnavailable, message)
}
