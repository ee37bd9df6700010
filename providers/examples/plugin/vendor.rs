//! The vendor: calls in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use deskplane_proto::provider::v1::{CallEvent, CallState, Cause, Direction, StartCallRequest};
use tokio::sync::broadcast;

/// Is always busy.
pub(crate) const BUSY: &str = "sip:busy@example.com";
/// Does not exist.
pub(crate) const NOBODY: &str = "sip:nobody@example.com";

/// A vendor whose parties answer at once.
pub(crate) struct Vendor {
    calls: Mutex<HashMap<String, Call>>,
    events: broadcast::Sender<CallEvent>,
}

/// A call of the vendor, under the caller's id.
#[derive(Clone)]
pub(crate) struct Call {
    /// The vendor's id.
    pub(crate) id: String,
    /// The caller's id.
    pub(crate) call_id: String,
    /// How far it is.
    pub(crate) state: CallState,
    /// Why it is over.
    pub(crate) cause: Cause,
    user: String,
    to: String,
    events: u32,
}

impl Default for Vendor {
    fn default() -> Self {
        Self { calls: Mutex::default(), events: broadcast::channel(256).0 }
    }
}

impl Vendor {
    /// Starts a call, unless the caller's id is known: then it is the call that was started.
    pub(crate) fn dial(&self, request: &StartCallRequest) -> Call {
        let mut calls = self.calls();
        if let Some(call) = calls.get(&request.call_id) {
            return call.clone();
        }
        let mut call = Call {
            id: format!("example-{:06}", calls.len() + 1),
            call_id: request.call_id.clone(),
            state: CallState::Dialing,
            cause: Cause::Unspecified,
            user: request.user.clone(),
            to: request.to.clone(),
            events: 0,
        };
        self.report(&mut call);
        let begun = call.clone();
        (call.state, call.cause) = match request.to.as_str() {
            BUSY => (CallState::Ended, Cause::Busy),
            _ => (CallState::Bridged, Cause::Unspecified),
        };
        self.report(&mut call);
        calls.insert(request.call_id.clone(), call);
        begun
    }

    /// The call of that caller's id, or of that vendor's id.
    pub(crate) fn find(&self, call_id: &str, id: &str) -> Option<Call> {
        let calls = self.calls();
        calls.get(call_id).or_else(|| calls.values().find(|call| call.id == id)).cloned()
    }

    /// Moves a call that is not over.
    pub(crate) fn change(&self, of: &Call, state: CallState, cause: Cause) {
        if let Some(call) = self.calls().get_mut(&of.call_id)
            && call.state != CallState::Ended
            && call.state != state
        {
            (call.state, call.cause) = (state, cause);
            self.report(call);
        }
    }

    /// Everything that happens from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<CallEvent> {
        self.events.subscribe()
    }

    fn report(&self, call: &mut Call) {
        call.events += 1;
        let event = CallEvent {
            provider_call_id: call.id.clone(),
            call_id: call.call_id.clone(),
            key: call.events.to_string(),
            state: call.state.into(),
            cause: call.cause.into(),
            direction: Direction::Outbound.into(),
            to: call.to.clone(),
            user: call.user.clone(),
            ..CallEvent::default()
        };
        // An error only says that nobody listens.
        let _listeners = self.events.send(event);
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
