//! Streams of transactions (SPEC §11.2): a slot holds how far commits have come and how far its
//! reader has, never the transactions, so a slow reader costs a position.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::{Payload, Settings, Stream, Streams, Turn, slot::about};

/// Most streams of transactions of a server: each commit wakes them all.
const MAX_STREAMS: usize = 1_000;

/// All streams of transactions of a server.
pub type ChangeStreams = Streams<ChangeSlot>;

/// One stream of transactions.
pub type ChangeStream = Stream<ChangeSlot>;

/// One message of a stream of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeMessage {
    /// Transactions up to this revision are there to be read.
    Reached(i64),
    /// Nothing up to this revision is still on its way.
    Bookmark(i64),
    /// The server ends the stream.
    Drain {
        /// Time to wait after the end before reconnecting.
        reconnect_after: Duration,
        /// Time until which the stream is ended at the latest.
        deadline: Duration,
    },
}

/// The payload of WatchChanges.
pub struct ChangeSlot {
    /// The newest revision that was committed.
    reached: i64,
    /// Revision up to which the reader was asked to read.
    announced: i64,
    /// Since when the reader has something to read, or a bookmark is due.
    behind: Option<Instant>,
    /// Absent before the first message.
    bookmark_at: Option<Instant>,
}

/// The settings of streams of transactions, out of those of streams of profiles.
pub(super) fn settings(settings: &Settings) -> Settings {
    Settings { max_streams: settings.max_streams.min(MAX_STREAMS), ..settings.clone() }
}

impl ChangeSlot {
    /// The slot of a reader that has everything up to a revision.
    pub fn new(after: i64) -> Self {
        Self { reached: after, announced: after, behind: None, bookmark_at: None }
    }

    /// Notes that the reader has sent everything up to the announced revision.
    pub fn caught_up(&mut self) {
        if self.reached == self.announced {
            self.behind = None;
        }
    }

    /// Whether the reader has read up to the announced revision.
    fn is_idle(&self) -> bool {
        self.behind.is_none()
    }
}

impl Payload for ChangeSlot {
    type Message = ChangeMessage;
    type Topic = ();
    type Index = ();

    const ORGANISATION: bool = true;

    fn committed(&mut self, revision: i64, now: Instant) -> bool {
        if revision <= self.reached {
            return false;
        }
        self.reached = revision;
        self.behind.get_or_insert(now);
        true
    }

    fn due_since(&self, _: &Settings) -> Option<Instant> {
        let due = [self.behind, self.bookmark_at];
        due.into_iter().flatten().min()
    }

    fn next(&mut self, ending: bool, turn: &mut Turn<'_>) -> Option<ChangeMessage> {
        let silence = turn.settings.bookmark;
        let bookmark_at =
            *self.bookmark_at.get_or_insert_with(|| turn.now + about(silence, turn.random));
        let message = if self.reached > self.announced {
            self.announced = self.reached;
            self.behind = Some(turn.now);
            ChangeMessage::Reached(self.announced)
        } else if !ending && bookmark_at <= turn.now {
            if !self.is_idle() {
                // What is being read has news of a later revision.
                self.bookmark_at = None;
                return None;
            }
            ChangeMessage::Bookmark(self.announced)
        } else {
            return None;
        };
        self.bookmark_at = Some(turn.now + about(silence, turn.random));
        Some(message)
    }

    fn wakes_at(&self, _: &Settings) -> Option<Instant> {
        self.bookmark_at
    }

    fn farewell(&mut self, _: &mut Turn<'_>) -> Option<ChangeMessage> {
        self.is_idle().then_some(ChangeMessage::Bookmark(self.announced))
    }

    fn drain(reconnect_after: Duration, deadline: Duration) -> ChangeMessage {
        ChangeMessage::Drain { reconnect_after, deadline }
    }

    fn clear(&mut self) {
        self.behind = None;
    }
}

impl fmt::Debug for ChangeSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeSlot")
            .field("reached", &self.reached)
            .field("announced", &self.announced)
            .finish_non_exhaustive()
    }
}
