//! Answers that repetitions of a request get (SPEC §7.1 rule 6).

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::{Outcome, RequestKey};
use crate::{
    domain::{Actor, Reason, Refusal, Time},
    store::{REQUEST_AGE, Request},
};

type Key = (String, Uuid);

/// Requests of the last 24 hours, by caller and id.
#[derive(Debug, Default)]
pub(super) struct Requests {
    known: HashMap<Key, ([u8; 32], serde_json::Value)>,
    ages: VecDeque<(Time, Key)>,
}

impl Requests {
    pub(super) fn remember(&mut self, time: Time, actor: &Actor, request: &Request) {
        let key = (actor.subject.clone(), request.id);
        self.known.insert(key.clone(), (request.payload, request.answer.clone()));
        self.ages.push_back((time, key));
    }

    /// Forgets what is older than 24 hours.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((time, _)) = self.ages.front() {
            if now.micros() - time.micros() <= REQUEST_AGE {
                break;
            }
            if let Some((_, key)) = self.ages.pop_front() {
                self.known.remove(&key);
            }
        }
    }

    /// The first answer to this request; a refusal when the id came with another payload.
    pub(super) fn replay(
        &self,
        actor: &Actor,
        request: &RequestKey,
    ) -> Option<Result<Outcome, Refusal>> {
        let (known, answer) = self.known.get(&(actor.subject.clone(), request.id))?;
        if !request.is(known) {
            return Some(Err(reused(request.id)));
        }
        Some(serde_json::from_value(answer.clone()).map_err(|error| {
            Refusal::new(Reason::Internal, format!("The stored answer cannot be read: {error}"))
        }))
    }
}

/// The refusal because a request id came with another payload.
pub(super) fn reused(id: Uuid) -> Refusal {
    let message = format!("Request id {id} was used with another payload; choose a new one.");
    Refusal::new(Reason::RequestIdReused, message)
        .with("request_id", id)
        .violation("request_id", "was used with another payload")
}
