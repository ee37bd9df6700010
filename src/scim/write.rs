//! Writes: the commands of a request handed to the ledger as one write.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    caller::Caller,
    error::{Error, Result},
    locations::Locations,
    query::Query,
    shared::Shared,
};
use crate::{
    command::{ApplyChanges, Command},
    domain::{Reason, Refusal},
    ledger::{Accepted, Idempotency, Submission},
};

/// How often a request that was overtaken by another write is judged again.
pub(super) const TRIES: usize = 5;

/// A request that was read, of a caller who may make it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) caller: Caller,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
    pub(super) body: Bytes,
    pub(super) locations: Locations,
}

/// What a request comes to on the state that was read.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) commands: Vec<Box<dyn Command>>,
    /// Users who are disabled, deleted or lose roles.
    pub(super) losing: usize,
}

impl Request {
    /// The state that the caller wants to change; `None` stands for any.
    pub(super) fn if_match(&self) -> Option<&str> {
        self.tag(header::IF_MATCH).filter(|tag| *tag != "*")
    }

    /// Whether the caller has this state already.
    pub(super) fn has_state(&self, etag: Option<&str>) -> bool {
        let known = self.tag(header::IF_NONE_MATCH);
        known.is_some_and(|known| known == "*" || Some(known) == etag)
    }

    /// Refuses when the caller saw another state.
    pub(super) fn expects(&self, etag: Option<&str>) -> Result<()> {
        match self.if_match() {
            Some(seen) if Some(seen) != etag => Err(Error::changed()),
            _ => Ok(()),
        }
    }

    /// The etag in a header, without its quotes.
    fn tag(&self, name: header::HeaderName) -> Option<&str> {
        let text = self.headers.get(name)?.to_str().ok()?.trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
    }

    /// What makes two copies of the request one write: token, method, path, body and If-Match, and
    /// the state on which it is judged. Without the state a change that is made, undone and made
    /// again within a day would be taken for a repetition, and not be made.
    fn idempotency(&self, state: &str) -> Idempotency {
        let header = |name| self.headers.get(name).map_or(&b""[..], |value| value.as_bytes());
        let mut hash = Sha256::new();
        for part in [
            header(header::AUTHORIZATION),
            self.method.as_str().as_bytes(),
            self.path.as_bytes(),
            header(header::IF_MATCH),
            state.as_bytes(),
            &self.body,
        ] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let payload: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&payload[..16]);
        let id = uuid::Builder::from_custom_bytes(id).into_uuid();
        Idempotency { id, payload, former: Vec::new() }
    }
}

impl Shared {
    /// Commits a change that was judged on a state; `None` when the state is another one by now and
    /// the caller named none, so that the request has to be judged again.
    pub(super) async fn commit(
        &self,
        request: &Request,
        state: &str,
        change: Change,
    ) -> Result<Option<Accepted>> {
        let users = self.ledger.catalog().user_count();
        self.guard.check(change.losing, users, self.clock.now())?;
        let Some(command) = one(change.commands) else { return Ok(None) };
        let submission = Submission {
            command,
            actor: request.caller.actor.clone(),
            provenance: request.caller.provenance.clone(),
            request: Some(request.idempotency(state)),
            validate_only: false,
            reason: String::new(),
        };
        match self.ledger.write(submission).await {
            Ok(accepted) => {
                if accepted.outcome.changed {
                    self.guard.note(change.losing, self.clock.now());
                }
                Ok(Some(accepted))
            }
            Err(refusal) if overtaken(&refusal) && request.if_match().is_none() => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

fn overtaken(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Reason::EtagMismatch | Reason::Conflict)
}

/// Several commands are one write.
fn one(mut commands: Vec<Box<dyn Command>>) -> Option<Box<dyn Command>> {
    match commands.len() {
        0 | 1 => commands.pop(),
        _ => Some(Box::new(ApplyChanges { operations: commands, expected_revision: None })),
    }
}

/// The refusal of a request that was overtaken again and again.
pub(super) fn too_busy() -> Error {
    let message = "Other writes changed the resource again and again meanwhile; nothing was done.";
    Refusal::new(Reason::Conflict, message).into()
}

/// The SCIM id in a path.
pub(super) fn uid(kind: &str, text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::not_found(&format!("{kind} {text}")))
}
