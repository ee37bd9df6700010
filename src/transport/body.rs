//! The body of a request: how long it may take to come, and how much of it may wait.
//!
//! The time counts until the answer begins: behind that, a client that has more to say may take as
//! long as it likes, as on a stream of reflection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use super::{
    ConnectionMeters, Limits,
    room::{OwnRoom, Room},
};

/// Bytes of a body that earn it a second more.
const BYTES_A_SECOND: usize = 16 << 10;

/// Why a body is not read to its end, or an answer not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not come, or too slowly.
    Stalled,
    /// Those that are being received take all the room that there is.
    NoRoom,
    /// Answers that wait to be read take all the room that there is.
    NoRoomForAnswer,
}

/// Makes the status of a fault.
pub type Refuse = fn(Fault) -> Status;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What holds for the bodies of one connection.
#[derive(Debug)]
pub(super) struct Terms {
    /// Longest that a body may be waited for in all, apart from what its bytes earn it.
    patience: Duration,
    room: OwnRoom,
    refuse: Refuse,
    meters: ConnectionMeters,
}

/// A body that is being received.
#[derive(Debug)]
pub(super) struct Received<B> {
    inner: B,
    terms: Arc<Terms>,
    /// Bytes taken of the room.
    taken: usize,
    /// Shared with the call until that is answered.
    unanswered: Arc<()>,
    /// Time that it may still be waited for.
    patience: Duration,
    /// There while it is waited for.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Terms {
    pub(super) fn new(
        limits: &Limits,
        all: Arc<Room>,
        refuse: Refuse,
        meters: ConnectionMeters,
    ) -> Self {
        let room = OwnRoom::half_of(all);
        Self { patience: limits.body_stall, room, refuse, meters }
    }
}

impl<B> Received<B> {
    /// A body, and what its call holds until it is answered.
    pub(super) fn new(inner: B, terms: Arc<Terms>) -> (Self, Arc<()>) {
        let (patience, unanswered) = (terms.patience, Arc::new(()));
        let held = Arc::clone(&unanswered);
        (Self { inner, terms, taken: 0, unanswered, patience, wait: None }, held)
    }

    fn is_answered(&self) -> bool {
        Arc::strong_count(&self.unanswered) == 1
    }

    fn refused<T>(&self, fault: Fault) -> Poll<Option<Result<T, Error>>> {
        match fault {
            Fault::Stalled => self.terms.meters.stalled_bodies.increment(1),
            Fault::NoRoom | Fault::NoRoomForAnswer => {
                self.terms.meters.bodies_without_room.increment(1);
            }
        }
        Poll::Ready(Some(Err((self.terms.refuse)(fault).into())))
    }

    /// Counts what came: true when there is room for it.
    fn came(&mut self, bytes: usize) -> bool {
        if let Some(wait) = self.wait.take() {
            self.patience = wait.deadline().saturating_duration_since(Instant::now());
        }
        let earned = Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND as f64);
        self.patience = (self.patience + earned).min(self.terms.patience);
        let fits = self.terms.room.take(bytes);
        self.taken += if fits { bytes } else { 0 };
        fits
    }
}

impl<B> http_body::Body for Received<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<Error>> + Unpin,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match this.came(bytes) {
                    true => Poll::Ready(Some(Ok(frame))),
                    false => this.refused(Fault::NoRoom),
                }
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.is_answered() => {
                this.wait = None;
                Poll::Pending
            }
            Poll::Pending => {
                let patience = this.patience;
                let wait = this.wait.get_or_insert_with(|| Box::pin(sleep(patience)));
                match wait.as_mut().poll(cx) {
                    Poll::Ready(()) => this.refused(Fault::Stalled),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Received<B> {
    fn drop(&mut self) {
        self.terms.room.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;
    use tonic::Code;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn refuse(fault: Fault) -> Status {
        match fault {
            Fault::Stalled => Status::resource_exhausted("stalled"),
            Fault::NoRoom | Fault::NoRoomForAnswer => Status::resource_exhausted("no room"),
        }
    }

    fn terms(all: &Arc<Room>) -> Arc<Terms> {
        let limits = Limits { body_stall: PATIENCE, ..Limits::default() };
        Arc::new(Terms::new(&limits, Arc::clone(all), refuse, ConnectionMeters::default()))
    }

    /// The body of a call that is never answered.
    fn body(
        terms: &Arc<Terms>,
    ) -> (
        mpsc::Sender<usize>,
        Received<impl http_body::Body<Data = Bytes, Error = Status> + Unpin + use<>>,
    ) {
        let (sender, body, unanswered) = answered_body(terms);
        std::mem::forget(unanswered);
        (sender, body)
    }

    /// A body whose frames are sent, with its other end, and what its call holds.
    fn answered_body(
        terms: &Arc<Terms>,
    ) -> (
        mpsc::Sender<usize>,
        Received<impl http_body::Body<Data = Bytes, Error = Status> + Unpin + use<>>,
        Arc<()>,
    ) {
        let (sender, mut receiver) = mpsc::channel(16);
        let frames = futures_util::stream::poll_fn(move |cx| {
            let next = receiver.poll_recv(cx);
            next.map(|next| next.map(|count| Ok(Frame::data(Bytes::from(vec![0; count])))))
        });
        let (body, unanswered) = Received::new(StreamBody::new(frames), Arc::clone(terms));
        (sender, body, unanswered)
    }

    fn fault<T>(found: Option<Result<T, Error>>) -> String {
        let error = found.unwrap().err().expect("a fault");
        let status = error.downcast::<Status>().unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        status.message().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let terms = terms(&Arc::new(Room::new(1 << 30)));
        let (sender, mut body) = body(&terms);
        let begun = Instant::now();
        // One byte each second earns nothing worth the name.
        let drip = tokio::spawn(async move {
            while sender.send(1).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                found => break assert_eq!(fault(found), "stalled"),
            }
        }
        let took = begun.elapsed();
        assert!(took >= PATIENCE && took < PATIENCE + Duration::from_secs(2), "{took:?}");
        drop(body);
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_that_goes_on_is_taken_whole() {
        let terms = terms(&Arc::new(Room::new(1 << 30)));
        let (sender, mut body) = body(&terms);
        let slow = tokio::spawn(async move {
            for _ in 0..60 {
                sleep(Duration::from_secs(1)).await;
                sender.send(BYTES_A_SECOND).await.unwrap();
            }
        });
        let mut count = 0;
        while let Some(frame) = body.frame().await {
            count += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(count, 60 * BYTES_A_SECOND);
        slow.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_who_reads_is_not_that_of_who_sends() {
        let terms = terms(&Arc::new(Room::new(1 << 30)));
        let (sender, mut body) = body(&terms);
        for _ in 0..3 {
            sender.send(1).await.unwrap();
            sleep(PATIENCE).await;
            body.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn behind_the_begin_of_the_answer_a_body_has_all_time() {
        let terms = terms(&Arc::new(Room::new(1 << 30)));
        let (sender, mut body, unanswered) = answered_body(&terms);
        let frame = tokio::spawn(async move { body.frame().await.map(|frame| frame.is_ok()) });
        sleep(PATIENCE / 2).await;
        drop(unanswered);
        sleep(10 * PATIENCE).await;
        sender.send(1).await.unwrap();
        assert_eq!(frame.await.unwrap(), Some(true));
    }

    #[tokio::test]
    async fn a_connection_has_half_of_the_room_and_gives_it_back() {
        let all = Arc::new(Room::new(1_000));
        let (one, other, third) = (terms(&all), terms(&all), terms(&all));
        let (to_first, mut first) = body(&one);
        let (to_second, mut second) = body(&one);
        to_first.send(400).await.unwrap();
        first.frame().await.unwrap().unwrap();
        to_second.send(101).await.unwrap();
        assert_eq!(fault(second.frame().await), "no room", "of this connection");
        to_second.send(100).await.unwrap();
        second.frame().await.unwrap().unwrap();

        let (to_other, mut others) = body(&other);
        to_other.send(500).await.unwrap();
        others.frame().await.unwrap().unwrap();
        let (to_third, mut thirds) = body(&third);
        to_third.send(1).await.unwrap();
        assert_eq!(fault(thirds.frame().await), "no room", "of all");
        drop(others);
        to_third.send(500).await.unwrap();
        thirds.frame().await.unwrap().unwrap();
        drop((first, second, thirds));
        assert_eq!(all.taken(), 0);
    }
}
