//! What waits for one stream: the newest of each kind, and when it is due (SPEC §10.1 rules 2 to 7).

use std::{collections::BTreeMap, sync::Arc, task::Waker, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Cause, CauseKind, Contents, Health, Message, Reset, Resolved, Settings, Snapshot, StoreId,
    contents::Variant, resolved, token::Binding,
};
use crate::{
    catalog::Catalog,
    content,
    domain::{App, Reason, Refusal, UniqueName, UserId},
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
    pub(super) contents: &'a Contents,
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

#[derive(Debug)]
struct Pending {
    catalog: Arc<Catalog>,
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
    opening: Option<Opening>,
    pending: Option<Pending>,
    health: BTreeMap<UniqueName, Health>,
    health_since: Option<Instant>,
    leaving: Option<Leaving>,
    ended: Option<Refusal>,
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
            opening: Some(opening),
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

    /// Takes the content of a newer catalog; answers whom to wake.
    pub(super) fn offer(
        &mut self,
        catalog: &Arc<Catalog>,
        variant: &Variant,
        causes: impl FnOnce(&Variant) -> Vec<Cause>,
        settings: &Settings,
        now: Instant,
    ) -> Option<Waker> {
        let digest = &variant.content.digest;
        if *digest == self.held.content.digest {
            self.pending = None;
            return None;
        }
        if self.pending.as_ref().is_some_and(|p| p.variant.content.digest == *digest) {
            return None;
        }
        let causes = causes(&self.held);
        let quiet = settings.quiet;
        let off = quiet.is_zero() || settings.longest.is_zero();
        let at_once = off || self.sent_at.is_none_or(|at| now.duration_since(at) >= quiet);
        let pending = self.pending.get_or_insert_with(|| Pending {
            catalog: Arc::clone(catalog),
            variant: variant.clone(),
            causes: Causes::new(),
            at_once,
            first: now,
            last: now,
        });
        pending.catalog = Arc::clone(catalog);
        pending.variant = variant.clone();
        pending.last = now;
        pending.causes.extend(causes.into_iter().map(|c| ((c.revision, c.kind), c.request_id)));
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
        self.ended = Some(refusal);
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
            return Step::End(refusal);
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

    fn due(
        &mut self,
        face: &Face<'_>,
        reached: i64,
        now: Instant,
    ) -> Result<Option<Message>, Refusal> {
        if let Some(opening) = self.opening.take() {
            return self.first(face, opening).map(Some);
        }
        let leaving = self.leaving.as_ref();
        let told_to_leave = leaving.is_some_and(|leaving| leaving.bookmarked);
        let hurried = leaving.is_some();
        let ready = |pending: &mut Pending| hurried || pending.due(face.settings) <= now;
        if let Some(pending) = self.pending.take_if(|pending| !told_to_leave && ready(pending)) {
            return self.newer(face, pending).map(Some);
        }
        if let Some(leaving) = &mut self.leaving {
            if !leaving.bookmarked {
                leaving.bookmarked = true;
            } else if !leaving.drained {
                leaving.drained = true;
                let reconnect_after = leaving.reconnect_after;
                let deadline = face.settings.drain_deadline;
                return Ok(Some(Message::Drain { reconnect_after, deadline }));
            } else {
                return Err(leaving.refusal());
            }
            return Ok(Some(self.bookmark(face, reached)));
        }
        while let Some((provider, health)) = self.health.pop_first() {
            self.health_since = self.health_since.filter(|_| !self.health.is_empty());
            if self.held.content.providers.contains(&provider) {
                return Ok(Some(Message::ProviderHealth { provider, health }));
            }
        }
        let silent = self.bookmark_at <= now && self.pending.is_none();
        Ok(silent.then(|| self.bookmark(face, reached)))
    }

    fn next(&self, settings: &Settings) -> Instant {
        let pending = self.pending.as_ref().map(|pending| pending.due(settings));
        pending.map_or(self.bookmark_at, |due| due).min(self.ages_at)
    }

    /// The first message; what came since the stream was opened is in it.
    fn first(&mut self, face: &Face<'_>, opening: Opening) -> Result<Message, Refusal> {
        let mut causes = Causes::new();
        let (resolved, in_sync) = match self.pending.take() {
            None => (opening.resolved, opening.in_sync),
            Some(pending) => {
                causes = pending.causes;
                self.held = pending.variant;
                (current(face, &pending.catalog)?, false)
            }
        };
        self.told = resolved.revision;
        if in_sync {
            return Ok(Message::InSync {
                revision: self.told,
                digest: self.held.content.digest.clone(),
                resume_token: self.token(face),
            });
        }
        self.forget_health();
        causes.insert((resolved.revision, CauseKind::Initial), None);
        if opening.reset.is_some() {
            causes.insert((resolved.revision, CauseKind::Reset), None);
        }
        Ok(self.snapshot(face, resolved, opening.reset, causes, Vec::new()))
    }

    fn newer(&mut self, face: &Face<'_>, pending: Pending) -> Result<Message, Refusal> {
        let resolved = current(face, &pending.catalog)?;
        let (before, after) = (&self.held.content.bytes, &pending.variant.content.bytes);
        let changed = content::changed_sections(before, after);
        self.held = pending.variant;
        self.told = resolved.revision;
        self.forget_health();
        Ok(self.snapshot(face, resolved, None, pending.causes, changed))
    }

    /// A snapshot carries the health of every provider.
    fn forget_health(&mut self) {
        self.health.clear();
        self.health_since = None;
    }

    fn snapshot(
        &self,
        face: &Face<'_>,
        resolved: Resolved,
        reset: Option<Reset>,
        causes: Causes,
        changed_sections: Vec<&'static str>,
    ) -> Message {
        let told = |request_id: Option<Uuid>| request_id.filter(|_| face.admin);
        let causes = causes.into_iter().map(|((revision, kind), request_id)| Cause {
            kind,
            revision,
            request_id: told(request_id),
        });
        let (causes, resume_token) = (causes.collect(), self.token(face));
        let snapshot = Snapshot { resolved, reset, causes, changed_sections, resume_token };
        Message::Snapshot(Box::new(snapshot))
    }

    fn bookmark(&mut self, face: &Face<'_>, reached: i64) -> Message {
        self.told = self.told.max(reached);
        Message::Bookmark { revision: self.told, resume_token: self.token(face) }
    }

    fn token(&self, face: &Face<'_>) -> String {
        let binding = Binding { store: face.store, user: face.user, app: face.app };
        binding.issue(self.told, &self.held.content.digest)
    }
}

impl Pending {
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

/// The profile that the stream shows, in that catalog.
fn current(face: &Face<'_>, catalog: &Catalog) -> Result<Resolved, Refusal> {
    let resolved = resolved(catalog, face.contents, face.user, face.app)?;
    resolved.ok_or_else(|| Refusal::new(Reason::Internal, "Profiles no longer apply in the app."))
}

/// The duration, give or take a tenth.
fn about(duration: Duration, random: &mut Rng) -> Duration {
    duration.mul_f64(0.9 + 0.2 * random.f64())
}
