//! Bodies of webhooks while they arrive: how many, how long, and which is evicted.
//!
//! Anyone can send a body. A slow sender costs a buffer until its deadline; when there are
//! [`MAX_BODIES`], the one that has been arriving for longest is evicted for the next. The body of a
//! vendor is there within milliseconds, so keeping it out takes some ten thousand requests a second,
//! over however many connections.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::{sync::oneshot, time::timeout};

/// Most bytes of a body.
pub const MAX_BODY: usize = 64 << 10;
/// Bodies in memory at a time: 32 MiB of them at most.
const MAX_BODIES: usize = 512;
/// Time in which a whole body must be there.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It was not there in time, was evicted, or broke off.
    Incomplete,
    /// It is longer than [`MAX_BODY`].
    TooLong,
    /// Too many are being processed.
    Busy,
}

/// The bodies of a server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Bodies(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// Those that arrive, oldest first. Dropping the sender evicts a body.
    arriving: BTreeMap<u64, oneshot::Sender<()>>,
    /// Those that are complete and processed.
    whole: usize,
}

/// A body that is being read.
#[derive(Debug)]
struct Arriving<'a> {
    number: u64,
    evicted: oneshot::Receiver<()>,
    bodies: &'a Bodies,
}

/// A body that is held in memory.
#[derive(Debug)]
pub(super) struct Held(Bodies);

impl Bodies {
    /// Reads a whole body. It counts until the second value is dropped.
    pub(super) async fn read(&self, body: Body) -> Result<(Bytes, Held), Unread> {
        let length = usize::try_from(axum::body::HttpBody::size_hint(&body).lower());
        if length.is_ok_and(|length| length <= MAX_BODY) {
            let mut arriving = self.admit().ok_or(Unread::Busy)?;
            let read = tokio::select! {
                read = timeout(BODY_TIMEOUT, whole(body)) => read.unwrap_or(Err(Unread::Incomplete)),
                _ = &mut arriving.evicted => Err(Unread::Incomplete),
            }?;
            return Ok((read, arriving.into_whole()?));
        }
        Err(Unread::TooLong)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits one more body, and evicts the oldest when there are too many; none when all of them are
    /// being processed.
    fn admit(&self) -> Option<Arriving<'_>> {
        let mut queue = self.queue();
        if queue.arriving.len() + queue.whole >= MAX_BODIES {
            queue.arriving.pop_first()?;
        }
        let number = queue.next;
        queue.next += 1;
        let (stays, evicted) = oneshot::channel();
        queue.arriving.insert(number, stays);
        Some(Arriving { number, evicted, bodies: self })
    }
}

impl Arriving<'_> {
    /// The body is complete and cannot be evicted any more.
    fn into_whole(self) -> Result<Held, Unread> {
        let mut queue = self.bodies.queue();
        // It may have been evicted in the same moment.
        queue.arriving.remove(&self.number).ok_or(Unread::Incomplete)?;
        queue.whole += 1;
        Ok(Held(self.bodies.clone()))
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.bodies.queue().arriving.remove(&self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.queue().whole -= 1;
    }
}

/// All bytes of a body. They are copied together: a frame may be one byte of a large buffer.
async fn whole(mut body: Body) -> Result<Bytes, Unread> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Incomplete)?;
        // Trailers carry no data.
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Unread::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::BoxFuture, stream};
    use tokio::time::Instant;

    use super::*;

    type Read<'a> = BoxFuture<'a, Result<(Bytes, Held), Unread>>;

    /// A body of some bytes that never ends.
    fn endless() -> Body {
        let begun = stream::iter([Ok::<_, std::io::Error>("begun")]);
        Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()))
    }

    /// Bodies that have begun to arrive.
    fn arriving(bodies: &Bodies, count: usize) -> Vec<Read<'_>> {
        let mut reads: Vec<Read<'_>> = (0..count).map(|_| bodies.read(endless()).boxed()).collect();
        assert!(reads.iter_mut().all(|read| read.now_or_never().is_none()));
        reads
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_a_deadline_and_a_limit() {
        let (bodies, begun) = (Bodies::default(), Instant::now());
        assert_eq!(bodies.read(endless()).await.unwrap_err(), Unread::Incomplete);
        assert_eq!(begun.elapsed(), BODY_TIMEOUT);
        let full = bodies.read(Body::from(vec![0; MAX_BODY])).await.unwrap();
        assert_eq!(full.0.len(), MAX_BODY);
        let long = || Body::from(vec![0; MAX_BODY + 1]);
        assert_eq!(bodies.read(long()).await.unwrap_err(), Unread::TooLong);
        // Its length is not known before.
        let frames = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 100]));
        assert_eq!(bodies.read(Body::from_stream(frames)).await.unwrap_err(), Unread::TooLong);
        let broken = stream::iter([Ok("begun"), Err(std::io::Error::other("broken off"))]);
        assert_eq!(bodies.read(Body::from_stream(broken)).await.unwrap_err(), Unread::Incomplete);
        drop(full);
        let queue = bodies.queue();
        assert_eq!((queue.arriving.len(), queue.whole), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_evicted_for_the_next() {
        let bodies = Bodies::default();
        let mut slow = arriving(&bodies, MAX_BODIES);
        bodies.read(Body::from("quick")).await.unwrap();
        assert_eq!(slow.remove(0).await.unwrap_err(), Unread::Incomplete);
        assert!(slow.iter_mut().all(|read| read.now_or_never().is_none()), "and no other");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_processed_is_not_evicted() {
        let bodies = Bodies::default();
        let mut held = Vec::new();
        for _ in 0..MAX_BODIES {
            held.push(bodies.read(Body::from("whole")).await.unwrap());
        }
        assert_eq!(bodies.read(Body::from("next")).await.unwrap_err(), Unread::Busy);
        held.pop();
        bodies.read(Body::from("next")).await.unwrap();
    }
}
