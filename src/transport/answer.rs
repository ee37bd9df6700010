//! Answers that wait to be read: how many bytes of them, and how long.
//!
//! HTTP/2 takes an answer as fast as the peer's window permits, and a peer may open none. So the first
//! frame of an answer, which is all of it but for streams, is encoded at once and counted until its
//! bytes were written; one for which there is no room is refused instead. Behind the first frame a
//! stream makes a message when the one before was taken, and its own rules say how long it waits.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    ConnectionMeters, Limits,
    body::{Fault, Refuse},
    room::{OwnRoom, Room},
};

/// What holds for the answers of one connection.
#[derive(Debug)]
pub(super) struct Answers {
    room: OwnRoom,
    /// Calls that are open: not answered, or with an answer that is not at its end.
    open: AtomicUsize,
    /// Calls that ever began.
    begun: AtomicU64,
    /// First frames that wait, by the period in which they were made.
    unread: [AtomicUsize; 2],
    /// Which of the two this period is.
    second: AtomicBool,
    refuse: Refuse,
    meters: ConnectionMeters,
}

/// A call that is open until this is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Answers>);

/// An answer on its way to the peer.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    /// The frame that was made at once, until it is asked for.
    first: Option<Result<Frame<Bytes>, Status>>,
    _open: Open,
}

/// The bytes of a first frame, which count until they are dropped.
struct Unread {
    bytes: Bytes,
    period: usize,
    answers: Arc<Answers>,
}

/// Why a connection ends that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No call is open, and none was for too long.
    Idle,
    /// It does not read an answer.
    Unread,
}

/// Bytes that the peer must take in a period for what waits to be on its way.
const PROGRESS: u64 = 64 << 10;

/// Judges a connection after each period.
#[derive(Debug)]
pub(super) struct Judge {
    answers: Arc<Answers>,
    /// Bytes that had been sent when it judged last.
    sent: u64,
    /// Periods without a call after which the connection is idle.
    idle_after: u64,
    idle: u64,
    /// Calls that had begun when it judged last.
    begun: u64,
}

impl Answers {
    pub(super) fn new(all: Arc<Room>, refuse: Refuse, meters: ConnectionMeters) -> Arc<Self> {
        Arc::new(Self {
            room: OwnRoom::half_of(all),
            open: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            unread: Default::default(),
            second: AtomicBool::new(false),
            refuse,
            meters,
        })
    }

    /// Counts a call that begins.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    fn period(&self) -> usize {
        usize::from(self.second.load(Ordering::Relaxed))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Answer {
    /// The answer to a call; another one if there is no room for it.
    pub(super) fn begin(
        answer: Response<Body>,
        open: Open,
        cx: &mut Context<'_>,
    ) -> Response<Self> {
        let (head, mut body) = answer.into_parts();
        let mut first = None;
        if !body.is_end_stream()
            && let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(cx)
        {
            first = frame;
        }
        if let Some(Ok(frame)) =
            first.take_if(|first| matches!(first, Ok(frame) if frame.is_data()))
        {
            match frame.into_data().map(|bytes| Unread::counted(bytes, &open.0)) {
                Ok(Some(bytes)) => first = Some(Ok(Frame::data(bytes))),
                Ok(None) => return Self::refused(open),
                Err(frame) => first = Some(Ok(frame)),
            }
        }
        Response::from_parts(head, Self { body, first, _open: open })
    }

    fn refused(open: Open) -> Response<Self> {
        open.0.meters.answers_without_room.increment(1);
        let status: Response<Body> = (open.0.refuse)(Fault::NoRoomForAnswer).into_http();
        status.map(|body| Self { body, first: None, _open: open })
    }
}

impl Unread {
    /// The same bytes, counted; none when there is no room.
    fn counted(bytes: Bytes, answers: &Arc<Answers>) -> Option<Bytes> {
        if bytes.is_empty() {
            return Some(bytes);
        }
        if !answers.room.take(bytes.len()) {
            return None;
        }
        let period = answers.period();
        answers.unread[period].fetch_add(1, Ordering::Relaxed);
        Some(Bytes::from_owner(Self { bytes, period, answers: Arc::clone(answers) }))
    }
}

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.answers.unread[self.period].fetch_sub(1, Ordering::Relaxed);
        self.answers.room.give_back(self.bytes.len());
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = match &self.first {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => 0,
        };
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}

impl Judge {
    /// A judge who is asked once in each [`Limits::write_stall`].
    pub(super) fn new(answers: Arc<Answers>, limits: &Limits) -> Self {
        let period = limits.write_stall.max(Duration::from_millis(1));
        let idle_after = limits.idle.as_nanos().div_ceil(period.as_nanos());
        let idle_after = u64::try_from(idle_after).unwrap_or(u64::MAX);
        Self { answers, sent: 0, idle_after, idle: 0, begun: 0 }
    }

    /// Ends a period, at whose end so many bytes had been sent: an answer that was made in the period
    /// before must have been read by now, or be on its way.
    pub(super) fn period_ended(&mut self, sent: u64) -> Option<Verdict> {
        let answers = &self.answers;
        let before = 1 - answers.period();
        let stands_still = sent - self.sent < PROGRESS;
        self.sent = sent;
        if answers.unread[before].load(Ordering::Relaxed) > 0 {
            return stands_still.then_some(Verdict::Unread);
        }
        answers.second.store(before == 1, Ordering::Relaxed);
        let begun = answers.begun.load(Ordering::Relaxed);
        let quiet = begun == self.begun && answers.open.load(Ordering::Relaxed) == 0;
        self.begun = begun;
        self.idle = if quiet { self.idle + 1 } else { 0 };
        (self.idle >= self.idle_after).then_some(Verdict::Idle)
    }
}

/// What a call of a service that never fails came to.
pub(super) fn infallible<T>(answer: Result<T, Infallible>) -> T {
    answer.unwrap_or_else(|never| match never {})
}

#[cfg(test)]
mod tests;
