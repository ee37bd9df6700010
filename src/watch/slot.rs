//! What waits for one stream: the newest of each kind (SPEC §10.1 rule 6, §10.5).

mod due;

use std::{collections::BTreeMap, sync::Arc, task::Waker, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Cause, CauseKind, Health, Message, Reset, Resolved, Settings, StoreId};
use crate::{
    domain::{App, Reason, Refusal, UniqueName, UserId},
    read::Variant,
    resolve::Resolution,
};

/// Most causes of one snapshot; a client that waits longer hears of the newest.
const MAX_CAUSES: usize = 100;
/// Shortest and longest time after which a stream that grew old may come back.
const RETURN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1_000));

/// Causes by revision and kind, with the request id.
type Causes = BTreeMap<(i64, CauseKind), Option<Uuid>>;

/// What never changes of a stream, and what it needs of its hub.
#[derive(Debug)]
pub(super) struct Face<'a> {
    pub(super) store: &'a StoreId,
    pub(super) settings: &'a Settings,
    pub(super) user: &'a UserId,
    pub(super) app: App,
    /// Whether the caller is told request ids.
    pub(super) admin: bool,
}

/// The first message, until it is read.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) resolved: Resolved,
    pub(super) reset: Option<Reset>,
    /// Whether the client holds the current content already.
    pub(super) in_sync: bool,
    pub(super) since: Instant,
}

/// New content for a stream.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) revision: i64,
    pub(super) resolution: Arc<Resolution>,
    pub(super) variant: Variant,
    pub(super) causes: Vec<Cause>,
}

#[derive(Debug)]
struct Pending {
    revision: i64,
    resolution: Arc<Resolution>,
    variant: Variant,
    causes: Causes,
    at_once: bool,
    first: Instant,
    last: Instant,
}

/// A planned end on its way.
#[derive(Debug)]
struct Leaving {
    reason: Reason,
    since: Instant,
    reconnect_after: Duration,
    bookmarked: bool,
    drained: bool,
}

/// What a stream does next.
#[derive(Debug)]
pub(super) enum Step {
    /// This message goes out.
    Send(Message),
    /// The stream ends with this refusal.
    End(Refusal),
    /// The stream has ended.
    Over,
    /// Nothing is due before that.
    Wait(Instant),
}

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Slot {
    opening: Option<Box<Opening>>,
    pending: Option<Pending>,
    health: BTreeMap<UniqueName, Health>,
    health_since: Option<Instant>,
    leaving: Option<Leaving>,
    ended: Option<Box<Refusal>>,
    over: bool,
    /// What the client holds once the opening is out.
    held: Variant,
    /// Revision of the last message.
    told: i64,
    sent_at: Option<Instant>,
    polled_at: Instant,
    bookmark_at: Instant,
    ages_at: Instant,
    random: Rng,
    waker: Option<Waker>,
}

impl Slot {
    /// The slot of a stream that opens; the health is what a client that gets no snapshot is told.
    pub(super) fn new(
        opening: Opening,
        held: Variant,
        health: BTreeMap<UniqueName, Health>,
        settings: &Settings,
        mut random: Rng,
    ) -> Self {
        let now = opening.since;
        Self {
            told: opening.resolved.revision,
            opening: Some(Box::new(opening)),
            pending: None,
            health_since: (!health.is_empty()).then_some(now),
            health,
            leaving: None,
            ended: None,
            over: false,
            held,
            sent_at: None,
            polled_at: now,
            bookmark_at: now + about(settings.bookmark, &mut random),
            ages_at: now + about(settings.max_age, &mut random),
            random,
            waker: None,
        }
    }

    /// What the client will hold once everything that waits is out.
    pub(super) fn newest(&self) -> &Variant {
        self.pending.as_ref().map_or(&self.held, |pending| &pending.variant)
    }

    /// Takes newer content; answers whom to wake.
    pub(super) fn offer(
        &mut self,
        offer: &Offer,
        settings: &Settings,
        now: Instant,
    ) -> Option<Waker> {
        let digest = &offer.variant.content.digest;
        if *digest == self.held.content.digest {
            self.pending = None;
            return None;
        }
        if *digest == self.newest().content.digest {
            return None;
        }
        let quiet = settings.quiet;
        let off = quiet.is_zero() || settings.longest.is_zero();
        let at_once = off || self.sent_at.is_none_or(|at| now.duration_since(at) >= quiet);
        let waited = self.pending.take();
        let pending = self.pending.insert(Pending {
            revision: offer.revision,
            resolution: Arc::clone(&offer.resolution),
            variant: offer.variant.clone(),
            at_once: waited.as_ref().map_or(at_once, |waited| waited.at_once),
            first: waited.as_ref().map_or(now, |waited| waited.first),
            last: now,
            causes: waited.map(|waited| waited.causes).unwrap_or_default(),
        });
        let causes = offer.causes.iter().map(|c| ((c.revision, c.kind), c.request_id));
        pending.causes.extend(causes);
        while pending.causes.len() > MAX_CAUSES {
            pending.causes.pop_first();
        }
        self.waker.take()
    }

    /// Takes the health of a provider, if the content lists it; answers whom to wake.
    pub(super) fn report(
        &mut self,
        provider: &UniqueName,
        health: Health,
        now: Instant,
    ) -> Option<Waker> {
        let pending = self.pending.as_ref().map(|pending| &pending.variant);
        let mut held = [Some(&self.held), pending].into_iter().flatten();
        if !held.any(|variant| variant.content.providers.contains(provider)) {
            return None;
        }
        self.health.insert(provider.clone(), health);
        self.health_since.get_or_insert(now);
        self.waker.take()
    }

    /// Starts a planned end; answers whom to wake.
    pub(super) fn leave(
        &mut self,
        reason: Reason,
        reconnect_after: Duration,
        now: Instant,
    ) -> Option<Waker> {
        let (bookmarked, drained) = (false, false);
        self.leaving = Some(Leaving { reason, since: now, reconnect_after, bookmarked, drained });
        self.waker.take()
    }

    /// Ends the stream at once; answers whom to wake.
    pub(super) fn end(&mut self, refusal: Refusal) -> Option<Waker> {
        self.opening = None;
        self.pending = None;
        self.ended = Some(Box::new(refusal));
        self.waker.take()
    }

    /// Notes whom to wake when something comes.
    pub(super) fn park(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Whether the transport has taken nothing for too long while something was due.
    pub(super) fn is_stalled(&self, settings: &Settings, now: Instant) -> bool {
        let due = [
            self.opening.as_ref().map(|opening| opening.since),
            self.pending.as_ref().map(|pending| pending.due(settings)),
            self.health_since,
            self.leaving.as_ref().map(|leaving| leaving.since),
            Some(self.bookmark_at),
        ];
        let since = due.into_iter().flatten().min().map(|due| due.max(self.polled_at));
        since.is_some_and(|since| now.saturating_duration_since(since) >= settings.stalled)
    }

    /// The next step; `reached` is a revision up to which everything relevant is in the slot.
    pub(super) fn step(&mut self, face: &Face<'_>, reached: i64, now: Instant) -> Step {
        if self.over {
            return Step::Over;
        }
        if let Some(refusal) = self.ended.take() {
            self.over = true;
            return Step::End(*refusal);
        }
        if self.is_stalled(face.settings, now) {
            self.over = true;
            return Step::End(slow_consumer());
        }
        self.polled_at = now;
        if now >= self.ages_at && self.leaving.is_none() {
            let (shortest, longest) = RETURN;
            let back = shortest + (longest - shortest).mul_f64(self.random.f64());
            self.leave(Reason::MaxAge, back, now);
        }
        match self.due(face, reached, now) {
            Ok(Some(message)) => {
                self.sent_at = Some(now);
                self.bookmark_at = now + about(face.settings.bookmark, &mut self.random);
                Step::Send(message)
            }
            Ok(None) => Step::Wait(self.next(face.settings)),
            Err(refusal) => {
                self.over = true;
                Step::End(refusal)
            }
        }
    }
}

impl Pending {
    fn resolved(&self, face: &Face<'_>) -> Resolved {
        Resolved {
            revision: self.revision,
            user: face.user.clone(),
            app: face.app,
            resolution: Arc::clone(&self.resolution),
            content: Arc::clone(&self.variant.content),
        }
    }

    /// When it goes out (SPEC §10.1 rule 6).
    fn due(&self, settings: &Settings) -> Instant {
        if self.at_once {
            self.first
        } else {
            (self.last + settings.quiet).min(self.first + settings.longest)
        }
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

/// The end of a stream whose client does not read.
pub(super) fn slow_consumer() -> Refusal {
    let message = "Messages could not be delivered in time; reconnect and read faster.";
    Refusal::new(Reason::SlowConsumer, message)
}

/// The duration, give or take a tenth.
fn about(duration: Duration, random: &mut Rng) -> Duration {
    duration.mul_f64(0.9 + 0.2 * random.f64())
}
