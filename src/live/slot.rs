//! What every stream has, whatever it carries: its age, its end, and whether its client reads.

use std::{fmt, hash::Hash, task::Waker, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;

use super::{Settings, ids::StreamId};
use crate::{
    domain::{Reason, Refusal},
    executor::Parked,
};

/// Shortest and longest time after which a stream that reached its age may come back.
const RETURN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1_000));

/// What one kind of stream carries: of everything that waits only the newest, so that a client that
/// does not read costs a bounded amount and holds up nobody (SPEC §10.5).
pub trait Payload: fmt::Debug + Send + 'static {
    /// One message of the stream.
    type Message;
    /// What tells the streams of one caller on one user apart.
    type Topic: Copy + Eq + Hash + fmt::Debug + Send + Sync;
    /// By what streams of this kind are found, beside the users that they concern.
    type Index: Index;

    /// Whether streams of this kind are about the whole organisation instead of a user: they are
    /// notified of every commit, and no user needs to exist for them.
    const ORGANISATION: bool;

    /// Notes that a revision was committed, of which streams about the organisation are notified;
    /// answers whether the stream is to be woken.
    fn committed(&mut self, revision: i64, now: Instant) -> bool;

    /// Since when a message is due that was not taken; a time to come when nothing is.
    fn due_since(&self, settings: &Settings) -> Option<Instant>;

    /// Takes out the next message that is due. All that waits is due when the stream ends as planned.
    fn next(&mut self, ending: bool, turn: &mut Turn<'_>) -> Option<Self::Message>;

    /// When something becomes due without anybody saying so.
    fn wakes_at(&self, settings: &Settings) -> Option<Instant>;

    /// What goes out last before a planned end is announced.
    fn farewell(&mut self, turn: &mut Turn<'_>) -> Option<Self::Message>;

    /// The announcement of a planned end.
    fn drain(reconnect_after: Duration, deadline: Duration) -> Self::Message;

    /// Drops all that waits, for the stream has ended.
    fn clear(&mut self);
}

/// What finds streams by more than their users.
pub trait Index: Default + fmt::Debug + Send {
    /// Takes a stream out.
    fn remove(&mut self, id: StreamId);
}

impl Index for () {
    fn remove(&mut self, _: StreamId) {}
}

/// What a payload is given when it is asked for a message.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Times and limits.
    pub settings: &'a Settings,
    /// The time.
    pub now: Instant,
    /// Random numbers.
    pub random: &'a mut Rng,
}

/// What a stream does next.
#[derive(Debug)]
pub(super) enum Step<M> {
    /// This message goes out.
    Send(M),
    /// The stream ends with this refusal.
    End(Refusal),
    /// The stream has ended.
    Over,
    /// Nothing is due before that.
    Wait(Instant),
}

/// A planned end on its way.
#[derive(Debug)]
struct Leaving {
    reason: Reason,
    since: Instant,
    reconnect_after: Duration,
    farewell: bool,
    drained: bool,
}

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Slot<P> {
    payload: P,
    leaving: Option<Box<Leaving>>,
    ended: Option<Box<Refusal>>,
    over: bool,
    polled_at: Instant,
    /// When the stream has reached its age, or the caller's credential runs out before.
    ages_at: Instant,
    /// Whether it is the credential that runs out.
    expires: bool,
    random: Rng,
    waker: Option<Parked>,
}

impl<P: Payload> Slot<P> {
    /// The slot of a stream that opens at `now`, of a caller whose credential may run out.
    pub(super) fn new(
        payload: P,
        settings: &Settings,
        expires: Option<Instant>,
        now: Instant,
        mut random: Rng,
    ) -> Self {
        let aged = now + about(settings.max_age, &mut random);
        Self {
            payload,
            leaving: None,
            ended: None,
            over: false,
            polled_at: now,
            ages_at: expires.map_or(aged, |end| end.min(aged)),
            expires: expires.is_some_and(|end| end <= aged),
            random,
            waker: None,
        }
    }

    /// What the stream carries.
    pub(super) fn payload(&self) -> &P {
        &self.payload
    }

    /// Changes what waits; answers whom to wake, if `change` says that there is something to send.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut P) -> bool) -> Option<Parked> {
        if change(&mut self.payload) { self.waker.take() } else { None }
    }

    /// Starts a planned end; answers whom to wake.
    pub(super) fn leave(
        &mut self,
        reason: Reason,
        reconnect_after: Duration,
        now: Instant,
    ) -> Option<Parked> {
        let (farewell, drained) = (false, false);
        let leaving = Leaving { reason, since: now, reconnect_after, farewell, drained };
        self.leaving = Some(Box::new(leaving));
        self.waker.take()
    }

    /// Ends the stream at once; answers whom to wake.
    pub(super) fn end(&mut self, refusal: Refusal) -> Option<Parked> {
        self.payload.clear();
        self.ended = Some(Box::new(refusal));
        self.waker.take()
    }

    /// Notes whom to wake when something comes.
    pub(super) fn park(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            self.waker = Some(Parked::here(waker));
        }
    }

    /// Whether the transport has taken nothing for too long while something was due.
    pub(super) fn is_stalled(&self, settings: &Settings, now: Instant) -> bool {
        let due = [self.payload.due_since(settings), self.leaving.as_ref().map(|l| l.since)];
        let since = due.into_iter().flatten().min().map(|due| due.max(self.polled_at));
        since.is_some_and(|since| now.saturating_duration_since(since) >= settings.stalled)
    }

    /// The next step.
    pub(super) fn step(&mut self, settings: &Settings, now: Instant) -> Step<P::Message> {
        if self.over {
            return Step::Over;
        }
        if let Some(refusal) = self.ended.take() {
            return self.over(*refusal);
        }
        if self.is_stalled(settings, now) {
            return self.over(slow_consumer());
        }
        self.polled_at = now;
        if now >= self.ages_at && self.expires {
            self.payload.clear();
            return self.over(token_expired());
        }
        if now >= self.ages_at && self.leaving.is_none() {
            let (shortest, longest) = RETURN;
            let back = shortest + (longest - shortest).mul_f64(self.random.f64());
            self.leave(Reason::MaxAge, back, now);
        }
        let turn = &mut Turn { settings, now, random: &mut self.random };
        let Some(leaving) = &mut self.leaving else {
            return match self.payload.next(false, turn) {
                Some(message) => Step::Send(message),
                None => {
                    let due = self.payload.wakes_at(settings);
                    Step::Wait(due.map_or(self.ages_at, |due| due.min(self.ages_at)))
                }
            };
        };
        if !leaving.farewell {
            if let Some(message) = self.payload.next(true, turn) {
                return Step::Send(message);
            }
            leaving.farewell = true;
            if let Some(message) = self.payload.farewell(turn) {
                return Step::Send(message);
            }
        }
        if !leaving.drained {
            leaving.drained = true;
            return Step::Send(P::drain(leaving.reconnect_after, settings.drain_deadline));
        }
        let refusal = leaving.refusal();
        self.over(refusal)
    }

    fn over(&mut self, refusal: Refusal) -> Step<P::Message> {
        self.over = true;
        Step::End(refusal)
    }
}

impl Leaving {
    fn refusal(&self) -> Refusal {
        let message = match self.reason {
            Reason::MaxAge => "The stream has reached its age; open another one.",
            _ => "The server ends; open another stream after the given time.",
        };
        let millis = u64::try_from(self.reconnect_after.as_millis()).unwrap_or(u64::MAX);
        Refusal::new(self.reason, message).retry_after_ms(millis)
    }
}

/// The end of a stream whose caller's credential ran out.
fn token_expired() -> Refusal {
    let message = "The credential of the stream has expired; renew it and open another stream.";
    Refusal::new(Reason::TokenExpired, message)
}

/// The end of a stream whose client does not read.
pub(super) fn slow_consumer() -> Refusal {
    let message = "Messages could not be delivered in time; reconnect and read faster.";
    Refusal::new(Reason::SlowConsumer, message)
}

/// The duration, give or take a tenth.
pub(super) fn about(duration: Duration, random: &mut Rng) -> Duration {
    duration.mul_f64(0.9 + 0.2 * random.f64())
}
