//! One call, and how events of its vendor change it (SPEC §14.3). Pure: no clock, no I/O.

use std::collections::{BTreeMap, VecDeque};

use deskplane_providers::{CallEvent, CallRef, CallState, CallStatus, Cause, Direction, Started};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Time, UniqueName, UserId};

/// Newest events of a call whose keys are kept, to recognise repetitions.
const SEEN_KEYS: usize = 64;

/// A call as the server knows it, and as the log stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Our id.
    pub call_id: Uuid,
    /// The user who takes part.
    pub user: UserId,
    /// The provider that carries it.
    pub provider: UniqueName,
    /// The vendor's id; empty until the vendor has sent it.
    pub provider_call_id: String,
    /// Which side began it.
    pub direction: Direction,
    /// Called party.
    pub to: String,
    /// Calling party; empty when none is known.
    pub from: String,
    /// Its state.
    pub state: CallState,
    /// Why it is over.
    pub cause: Option<Cause>,
    /// When it was requested, or offered.
    pub start_time: Time,
    /// When a party answered first.
    pub answer_time: Option<Time>,
    /// When it was over.
    pub end_time: Option<Time>,
    /// The context of StartCall.
    pub context: BTreeMap<String, String>,
    /// Counts the changes, from 1 on.
    pub sequence: i64,
    /// The request that started it, while a repetition is answered with this call.
    pub request: Option<Request>,
    /// Keys of the newest events.
    seen: VecDeque<String>,
}

/// The idempotency key of a StartCall, with a hash of its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Subject of the caller.
    pub caller: String,
    /// The id that the caller gave.
    pub id: Uuid,
    /// Hash of the request.
    pub payload: [u8; 32],
}

/// The outcome of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The call changed.
    Changed,
    /// The same event was applied before.
    Repeated,
    /// The call has passed this state.
    Late,
}

impl Call {
    /// An outbound call that was not sent to its vendor yet.
    pub fn outbound(
        call_id: Uuid,
        user: UserId,
        provider: UniqueName,
        to: String,
        now: Time,
    ) -> Self {
        Self {
            call_id,
            user,
            provider,
            provider_call_id: String::new(),
            direction: Direction::Outbound,
            to,
            from: String::new(),
            state: CallState::Queued,
            cause: None,
            start_time: now,
            answer_time: None,
            end_time: None,
            context: BTreeMap::new(),
            sequence: 1,
            request: None,
            seen: VecDeque::new(),
        }
    }

    /// An inbound call, from its first event.
    pub fn inbound(
        call_id: Uuid,
        user: UserId,
        provider: UniqueName,
        event: &CallEvent,
        now: Time,
    ) -> Self {
        let mut call = Self::outbound(call_id, user, provider, event.to.clone(), now);
        call.direction = Direction::Inbound;
        call.from.clone_from(&event.from);
        call.apply(event, now);
        call.sequence = 1;
        call
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.state.is_final()
    }

    /// Applies an event of the vendor.
    pub fn apply(&mut self, event: &CallEvent, now: Time) -> Applied {
        if self.seen.contains(&event.key) {
            return Applied::Repeated;
        }
        if self.seen.len() == SEEN_KEYS {
            self.seen.pop_front();
        }
        self.seen.push_back(event.key.clone());
        let named = self.provider_call_id.is_empty() && !event.provider_call_id.is_empty();
        if named {
            self.provider_call_id.clone_from(&event.provider_call_id);
        }
        // A status that the adapter does not know moves no call.
        let known = event.state != CallState::Unknown;
        let moved = known && self.become_state(event.state, event.cause.clone(), now);
        if named && !moved {
            self.sequence += 1;
        }
        if named || moved { Applied::Changed } else { Applied::Late }
    }

    /// Applies the vendor's answer to the start; events may have overtaken it.
    pub fn started(&mut self, started: &Started, now: Time) {
        self.provider_call_id.clone_from(&started.provider_call_id);
        if !self.become_state(started.state, None, now) {
            self.sequence += 1;
        }
    }

    /// Applies the status that a poll found; none when the vendor has no such call.
    pub fn found(&mut self, status: Option<&CallStatus>, now: Time) -> bool {
        match status {
            Some(status) => {
                let named = self.provider_call_id != status.provider_call_id;
                self.provider_call_id.clone_from(&status.provider_call_id);
                let moved = self.become_state(status.state, status.cause.clone(), now);
                self.sequence += i64::from(named && !moved);
                named || moved
            }
            None => self.become_state(CallState::Ended, Some(Cause::Failed), now),
        }
    }

    /// Moves the call, if it may go there.
    pub fn become_state(&mut self, next: CallState, cause: Option<Cause>, now: Time) -> bool {
        if !self.state.may_become(next) {
            return false;
        }
        self.state = next;
        self.sequence += 1;
        let answered = CallState::Answered..=CallState::Transferring;
        if answered.contains(&next) && self.answer_time.is_none() {
            self.answer_time = Some(now);
        }
        if next.is_final() {
            self.cause = Some(cause.unwrap_or(Cause::Normal));
            self.end_time = Some(now);
        }
        true
    }

    /// The call as adapters refer to it.
    pub fn reference(&self) -> CallRef {
        CallRef {
            call_id: self.call_id,
            provider_call_id: self.provider_call_id.clone(),
            agent: self.user.as_str().to_owned(),
            to: self.to.clone(),
            from: (!self.from.is_empty()).then(|| self.from.clone()),
            start_time: self.start_time.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        let (user, provider) =
            (UserId::parse("anna").unwrap(), UniqueName::parse("con_voice").unwrap());
        Call::outbound(Uuid::nil(), user, provider, "+14155550100".to_owned(), Time::from_micros(1))
    }

    fn event(key: &str, state: CallState) -> CallEvent {
        CallEvent {
            provider_call_id: "v1".to_owned(),
            call_id: None,
            key: key.to_owned(),
            state,
            cause: None,
            direction: Direction::Outbound,
            from: String::new(),
            to: String::new(),
            agent: None,
            occurred_at: None,
        }
    }

    fn at(micros: i64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn late_and_repeated_events_change_nothing() {
        let mut call = call();
        assert_eq!(call.apply(&event("a", CallState::Ringing), at(2)), Applied::Changed);
        assert_eq!(call.apply(&event("a", CallState::Ringing), at(3)), Applied::Repeated);
        assert_eq!(call.apply(&event("b", CallState::Dialing), at(3)), Applied::Late);
        assert_eq!(call.apply(&event("c", CallState::Bridged), at(4)), Applied::Changed);
        assert_eq!((call.answer_time, call.sequence), (Some(at(4)), 3));
        assert_eq!(call.apply(&event("d", CallState::Ended), at(5)), Applied::Changed);
        assert_eq!((call.cause.clone(), call.end_time), (Some(Cause::Normal), Some(at(5))));
        let over = call.clone();
        assert_eq!(call.apply(&event("e", CallState::Ringing), at(6)), Applied::Late);
        assert_eq!((call.state, call.sequence), (over.state, over.sequence));
    }

    #[test]
    fn an_answer_that_events_overtook_gives_its_id_and_moves_nothing_back() {
        let mut call = call();
        call.apply(
            &CallEvent { provider_call_id: String::new(), ..event("a", CallState::Bridged) },
            at(2),
        );
        let started = Started { provider_call_id: "v9".to_owned(), state: CallState::Queued };
        call.started(&started, at(3));
        assert_eq!((call.state, call.provider_call_id.as_str()), (CallState::Bridged, "v9"));
        assert_eq!(call.sequence, 3);
    }

    #[test]
    fn an_unknown_call_takes_the_state_that_the_vendor_reports() {
        for (status, state) in [
            (Some(CallState::Bridged), CallState::Bridged),
            (Some(CallState::Queued), CallState::Queued),
            (None, CallState::Ended),
        ] {
            let mut call = call();
            assert!(call.become_state(CallState::Unknown, None, at(2)));
            let status = status.map(|state| CallStatus {
                provider_call_id: "v1".to_owned(),
                state,
                cause: None,
            });
            assert!(call.found(status.as_ref(), at(3)));
            assert_eq!(call.state, state);
        }
    }

    #[test]
    fn an_unknown_status_moves_nothing() {
        let mut call = call();
        call.apply(&event("a", CallState::Bridged), at(2));
        let strange = CallEvent {
            cause: Some(Cause::Other("odd".to_owned())),
            ..event("b", CallState::Unknown)
        };
        assert_eq!(call.apply(&strange, at(3)), Applied::Late);
        assert_eq!(call.state, CallState::Bridged);
    }

    #[test]
    fn the_number_of_seen_keys_is_bounded() {
        let mut call = call();
        for key in 0..1_000 {
            call.apply(&event(&key.to_string(), CallState::Ringing), at(2));
        }
        assert_eq!(call.seen.len(), SEEN_KEYS);
    }
}
