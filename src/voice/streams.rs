//! Streams of calls: of each call the newest state, and nothing that was superseded (SPEC §14.2).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::Call;
use crate::live::{Payload, Settings, Stream, Streams, Turn};

/// All streams of calls of a server.
pub type CallStreams = Streams<CallSlot>;

/// A stream of one user's calls.
pub type CallStream = Stream<CallSlot>;

/// One message of a stream.
#[derive(Debug, Clone)]
pub enum Message {
    /// A call as it now is.
    Call(Arc<Call>),
    /// All live calls were sent; how many there were.
    InSync(usize),
    /// The stream ends; how long to wait before opening another one.
    Drain(Duration),
}

/// The payload of WatchCalls: one place for each call, in which the newest state wins.
#[derive(Debug, Default)]
pub struct CallSlot {
    waiting: BTreeMap<Uuid, Arc<Call>>,
    /// Number of live calls, until the client is in sync.
    opening: Option<usize>,
    /// Since when the oldest of that waits, or the last message went out.
    since: Option<Instant>,
    /// Sequence that was sent last of each call. Changes become durable in their order, but may come
    /// here in another.
    sent: HashMap<Uuid, i64>,
}

impl CallSlot {
    /// Sends the calls that are live when the stream opens, then that the client is in sync.
    pub(crate) fn open(&mut self, live: Vec<Arc<Call>>, now: Instant) {
        self.opening = Some(live.len());
        self.since = Some(now);
        for call in live {
            self.take(&call, now);
        }
    }

    /// Takes a state of a call; answers whether the stream is to be woken. One that is older than
    /// what waits or was sent is superseded.
    pub(crate) fn take(&mut self, call: &Arc<Call>, now: Instant) -> bool {
        let waiting = self.waiting.get(&call.call_id).map(|known| known.sequence);
        let known = waiting.or_else(|| self.sent.get(&call.call_id).copied());
        if known.is_some_and(|known| known >= call.sequence) {
            return false;
        }
        self.waiting.insert(call.call_id, Arc::clone(call));
        self.since.get_or_insert(now);
        true
    }
}

impl Payload for CallSlot {
    type Message = Message;
    type Topic = ();
    type Index = ();

    const ORGANISATION: bool = false;

    fn committed(&mut self, _: i64, _: Instant) -> bool {
        false
    }

    fn due_since(&self, _: &Settings) -> Option<Instant> {
        self.since
    }

    fn next(&mut self, _ending: bool, turn: &mut Turn<'_>) -> Option<Message> {
        let message = match self.waiting.pop_first() {
            Some((id, call)) => {
                self.sent.insert(id, call.sequence);
                Message::Call(call)
            }
            None => Message::InSync(self.opening.take()?),
        };
        let more = !self.waiting.is_empty() || self.opening.is_some();
        self.since = more.then_some(turn.now);
        Some(message)
    }

    fn wakes_at(&self, _: &Settings) -> Option<Instant> {
        None
    }

    fn farewell(&mut self, _: &mut Turn<'_>) -> Option<Message> {
        None
    }

    fn drain(reconnect_after: Duration, _: Duration) -> Message {
        Message::Drain(reconnect_after)
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.opening = None;
        self.since = None;
    }
}
