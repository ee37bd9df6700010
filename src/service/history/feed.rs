//! A stream of transactions: the engine says how far there is something to read, and the store is
//! read as fast as the client takes it.

use std::{collections::VecDeque, ops::ControlFlow};

use deskplane_proto::v1::{self, ChangesBookmark, ChangesDrain, watch_changes_response::Event};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use prost::Message as _;
use tonic::Status;

use super::super::{EventStream, convert};
use crate::{
    clock::Clock,
    domain::Refusal,
    history::History,
    live::{ChangeMessage, ChangeSlot, ChangeStream, ChangeToken, StoreId},
};

/// Most transactions that are read ahead of the client.
const AHEAD: usize = 64;
/// Bytes of transactions at which no further one is read ahead.
const AHEAD_BYTES: usize = 1 << 20;

/// One stream, as it is read.
#[derive(Debug)]
pub(super) struct Feed {
    stream: ChangeStream,
    history: History,
    store: StoreId,
    clock: Clock,
    /// Revision up to which everything was sent.
    at: i64,
    /// Revision up to which there is something to send.
    until: i64,
    ready: VecDeque<v1::ChangeRecord>,
    /// Whether a message was sent.
    begun: bool,
    over: bool,
}

impl Feed {
    /// The transactions behind a revision.
    pub(super) fn new(
        stream: ChangeStream,
        history: History,
        store: StoreId,
        clock: Clock,
        after: i64,
    ) -> Self {
        let (at, until, ready) = (after, after, VecDeque::new());
        let (begun, over) = (false, false);
        Self { stream, history, store, clock, at, until, ready, begun, over }
    }

    /// The messages of the stream.
    pub(super) fn into_stream(self) -> EventStream<v1::WatchChangesResponse> {
        Box::pin(stream::unfold(self, |mut feed| async move {
            if feed.over {
                return None;
            }
            let next = feed.next().await.transpose()?;
            (feed.begun, feed.over) = (true, next.is_err());
            Some((next.map_err(Status::from), feed))
        }))
    }

    /// The next message; none when the stream is over.
    async fn next(&mut self) -> Result<Option<v1::WatchChangesResponse>, Refusal> {
        loop {
            let idle = self.at >= self.until;
            let message = match idle && self.begun {
                true => Some(self.stream.next().await),
                // Asked at each step, so that the end of a stream does not wait for its past.
                false => self.stream.next().now_or_never(),
            };
            match message {
                // A client without anything to read learns where it stands.
                None if idle => {
                    let bookmark = ChangesBookmark { revision: self.at };
                    return Ok(Some(self.event(Event::Bookmark(bookmark))));
                }
                Some(None) => return Ok(None),
                Some(Some(message)) => match message? {
                    ChangeMessage::Reached(revision) => self.until = self.until.max(revision),
                    ChangeMessage::Bookmark(revision) => {
                        let revision = revision.max(self.at);
                        return Ok(Some(self.event(Event::Bookmark(ChangesBookmark { revision }))));
                    }
                    ChangeMessage::Drain { reconnect_after, deadline } => {
                        let drain = ChangesDrain {
                            reconnect_after: prost_types::Duration::try_from(reconnect_after).ok(),
                            deadline: Some(convert::timestamp_after(self.clock.now(), deadline)),
                        };
                        return Ok(Some(self.event(Event::Drain(drain))));
                    }
                },
                None => {
                    if self.ready.is_empty() {
                        self.read().await?;
                    }
                    if let Some(change) = self.ready.pop_front() {
                        self.advance(change.revision);
                        return Ok(Some(self.event(Event::Change(change))));
                    }
                    // There was nothing in between.
                    self.advance(self.until);
                }
            }
        }
    }

    /// Reads transactions ahead.
    async fn read(&mut self) -> Result<(), Refusal> {
        let (ready, mut bytes) = (&mut self.ready, 0);
        let take = |record| {
            let change = convert::change_record(&record);
            bytes += change.encoded_len();
            ready.push_back(change);
            match ready.len() < AHEAD && bytes < AHEAD_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        self.history.each_change(self.at, self.until, take).await
    }

    fn advance(&mut self, revision: i64) {
        self.at = self.at.max(revision);
        if self.at >= self.until {
            self.stream.prepare(ChangeSlot::caught_up);
        }
    }

    fn event(&self, event: Event) -> v1::WatchChangesResponse {
        let resume_token = ChangeToken::issue(&self.store, self.at);
        v1::WatchChangesResponse { event: Some(event), resume_token }
    }
}
