//! The calls of the scriptable vendor.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    CallEvent, CallRef, CallState, CallStatus, Cause, Direction, Effect, Error, ErrorKind,
    Presence, Result, SetPresence, StartCall, Started,
};

/// Events that may wait for a listener; one that is further behind loses its stream.
pub(super) const BACKLOG: usize = 1_024;

static SWITCHBOARDS: LazyLock<Mutex<HashMap<String, Arc<Switchboard>>>> =
    LazyLock::new(Mutex::default);

/// The operations of the vendor.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Checking the account.
    Check,
    /// Making a token.
    MintClientToken,
    /// Starting a call.
    StartCall,
    /// Ending one.
    EndCall,
    /// Holding and resuming.
    Hold,
    /// Transferring.
    Transfer,
    /// Setting a presence.
    SetPresence,
    /// Subscribing to events.
    Events,
    /// Polling a call.
    PollCall,
}

/// How an operation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Behaviour {
    /// As it should.
    #[default]
    Good,
    /// The vendor refuses it.
    Refuse,
    /// The vendor does not know the credentials.
    Credentials,
    /// Too many requests; certainly not carried out.
    RateLimited,
    /// No connection; certainly not carried out.
    Unavailable,
    /// Carried out, and the answer is lost.
    LostAnswer,
    /// The connection breaks before the vendor reads; nobody can know.
    LostRequest,
    /// The vendor never answers.
    Hang,
    /// Carried out, and the vendor answers nonsense.
    Nonsense,
    /// Carried out, and the adapter panics.
    Panic,
}

/// A vendor's calls, and how it behaves. Tests share it by name.
#[derive(Debug, Default)]
pub struct Switchboard {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    behaviour: HashMap<Operation, Behaviour>,
    asked: HashMap<Operation, u64>,
    calls: BTreeMap<String, Line>,
    presence: HashMap<String, Presence>,
    listeners: Vec<mpsc::Sender<CallEvent>>,
}

#[derive(Debug)]
struct Line {
    request: StartCall,
    state: CallState,
    cause: Option<Cause>,
}

/// An event as a test writes it, also in webhooks.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VendorEvent {
    /// The vendor's id of the call.
    pub provider_call_id: String,
    /// Identifies it among the events of the call.
    pub key: String,
    /// Vendor's word: `queued`, `dialing`, `ringing`, `answered`, `bridged`, `held`, `busy`,
    /// `no-answer`, `completed`, `failed`; any other is an unknown cause.
    pub status: String,
    /// Whether it is an inbound call.
    #[serde(default)]
    pub inbound: bool,
    /// Id of the user who takes part.
    #[serde(default)]
    pub agent: Option<String>,
    /// The calling party.
    #[serde(default)]
    pub from: String,
    /// The called party.
    #[serde(default)]
    pub to: String,
}

// === impl Switchboard ===

impl Switchboard {
    /// The switchboard of that name; one that nobody asked for yet is new.
    pub fn named(name: &str) -> Arc<Self> {
        let mut all = SWITCHBOARDS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.to_owned()).or_default())
    }

    /// Chooses how an operation ends from now on.
    pub fn set(&self, operation: Operation, behaviour: Behaviour) {
        self.state().behaviour.insert(operation, behaviour);
    }

    /// How often an operation was asked for.
    pub fn asked(&self, operation: Operation) -> u64 {
        self.state().asked.get(&operation).copied().unwrap_or_default()
    }

    /// How many calls the vendor has really begun to that address.
    pub fn dialled(&self, to: &str) -> usize {
        self.state().calls.values().filter(|line| line.request.to.as_str() == to).count()
    }

    /// An agent's presence at the vendor.
    pub fn presence(&self, agent: &str) -> Option<Presence> {
        self.state().presence.get(agent).copied()
    }

    /// The vendor's ids of all calls, oldest first.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.keys().cloned().collect()
    }

    /// Moves a call and sends the event to every listener.
    pub fn emit(&self, event: &VendorEvent) {
        let event = event.to_call_event(SystemTime::now());
        let mut state = self.state();
        if let Some(line) = state.calls.get_mut(&event.provider_call_id) {
            (line.state, line.cause) = (event.state, event.cause.clone());
        }
        state.listeners.retain(|listener| listener.try_send(event.clone()).is_ok());
    }

    /// Ends every stream, as a vendor that restarts does.
    pub fn hang_up_listeners(&self) {
        self.state().listeners.clear();
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.state().listeners.len()
    }

    /// Counts the request, and ends it as scripted.
    pub(super) async fn behave<T>(
        &self,
        operation: Operation,
        done: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let behaviour = {
            let mut state = self.state();
            *state.asked.entry(operation).or_default() += 1;
            state.behaviour.get(&operation).copied().unwrap_or_default()
        };
        let fail = |kind, message: &str| Err(Error::new(kind, message).with_vendor_code("fake"));
        match behaviour {
            Behaviour::Good => done(),
            Behaviour::Refuse => fail(ErrorKind::Refused, "the vendor refuses"),
            Behaviour::Credentials => fail(ErrorKind::Unauthenticated, "unknown credentials"),
            Behaviour::RateLimited => fail(ErrorKind::RateLimited, "too many requests"),
            Behaviour::Unavailable => fail(ErrorKind::Unavailable, "no connection"),
            Behaviour::LostAnswer => {
                done()?;
                let error = Error::new(ErrorKind::Unavailable, "the connection broke");
                Err(error.with_effect(Effect::Unknown))
            }
            Behaviour::LostRequest => {
                let error = Error::new(ErrorKind::Unavailable, "the connection broke");
                Err(error.with_effect(Effect::Unknown))
            }
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Nonsense => {
                done()?;
                fail(ErrorKind::Protocol, "the answer is nonsense")
            }
            Behaviour::Panic => {
                done()?;
                // Without the panic hook of the process: this one is intended.
                std::panic::resume_unwind(Box::new("the script asks for a panic"))
            }
        }
    }

    pub(super) fn listen(&self) -> mpsc::Receiver<CallEvent> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.state().listeners.push(sender);
        receiver
    }

    pub(super) fn dial(&self, provider: &str, request: StartCall) -> Started {
        let mut state = self.state();
        let provider_call_id = format!("{provider}-{:06}", state.calls.len() + 1);
        let line = Line { request, state: CallState::Dialing, cause: None };
        state.calls.insert(provider_call_id.clone(), line);
        Started { provider_call_id, state: CallState::Dialing }
    }

    pub(super) fn end(&self, call: &CallRef) -> bool {
        let mut state = self.state();
        match state.calls.get_mut(&call.provider_call_id) {
            Some(line) if line.state != CallState::Ended => {
                (line.state, line.cause) = (CallState::Ended, Some(Cause::Normal));
                true
            }
            _ => false,
        }
    }

    pub(super) fn hold(&self, call: &CallRef, on: bool) -> Result<()> {
        self.change(call, if on { CallState::Held } else { CallState::Bridged })
    }

    pub(super) fn transfer(&self, call: &CallRef) -> Result<()> {
        self.change(call, CallState::Transferring)
    }

    fn change(&self, call: &CallRef, next: CallState) -> Result<()> {
        let mut state = self.state();
        match state.calls.get_mut(&call.provider_call_id) {
            Some(line) if line.state == CallState::Ended => {
                Err(Error::new(ErrorKind::Conflict, "the call is over"))
            }
            Some(line) => {
                line.state = next;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::NotFound, "no such call")),
        }
    }

    pub(super) fn present(&self, request: SetPresence) {
        self.state().presence.insert(request.agent, request.presence);
    }

    pub(super) fn status(&self, call: &CallRef) -> Option<CallStatus> {
        let state = self.state();
        let ours = |(id, line): &(&String, &Line)| {
            **id == call.provider_call_id || line.request.call_id == call.call_id
        };
        let (id, line) = state.calls.iter().find(ours)?;
        let (provider_call_id, cause) = (id.clone(), line.cause.clone());
        Some(CallStatus { provider_call_id, state: line.state, cause })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Operation ===

impl Operation {
    /// What an error calls it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::MintClientToken => "client token",
            Self::StartCall => "dialling",
            Self::EndCall => "ending",
            Self::Hold => "hold",
            Self::Transfer => "transfer",
            Self::SetPresence => "presence",
            Self::Events => "stream of events",
            Self::PollCall => "look-up of calls",
        }
    }
}

// === impl VendorEvent ===

impl VendorEvent {
    /// An event of a call that we began.
    pub fn of(provider_call_id: &str, status: &str) -> Self {
        Self {
            provider_call_id: provider_call_id.to_owned(),
            key: Uuid::new_v4().to_string(),
            status: status.to_owned(),
            inbound: false,
            agent: None,
            from: String::new(),
            to: String::new(),
        }
    }

    pub(super) fn to_call_event(&self, now: SystemTime) -> CallEvent {
        let (state, cause) = meaning(&self.status);
        CallEvent {
            provider_call_id: self.provider_call_id.clone(),
            call_id: None,
            key: self.key.clone(),
            state,
            cause,
            direction: if self.inbound { Direction::Inbound } else { Direction::Outbound },
            from: self.from.clone(),
            to: self.to.clone(),
            agent: self.agent.clone(),
            occurred_at: Some(now),
        }
    }
}

fn meaning(status: &str) -> (CallState, Option<Cause>) {
    let live = match status {
        "queued" => CallState::Queued,
        "dialing" => CallState::Dialing,
        "ringing" => CallState::Ringing,
        "answered" => CallState::Answered,
        "bridged" => CallState::Bridged,
        "held" => CallState::Held,
        "transferring" => CallState::Transferring,
        _ => CallState::Ended,
    };
    let cause = match status {
        "completed" => Cause::Normal,
        "busy" => Cause::Busy,
        "no-answer" => Cause::NoAnswer,
        "failed" => Cause::Failed,
        other => Cause::Other(other.to_owned()),
    };
    (live, (live == CallState::Ended).then_some(cause))
}
