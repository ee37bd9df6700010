//! What waits for a watcher of a profile: the newest of each kind (SPEC §10.1 rule 6, §10.5).

mod next_message;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Cause, CauseKind, Health, Message, Payload, Reset, Settings, StoreId, Turn, fleet::Presence,
    index::ProfileIndex, slot::about,
};
use crate::{
    domain::{App, UniqueName, UserId},
    read::{Resolved, Variant},
    resolve::Resolution,
};

/// Most causes of one snapshot; a client that waits longer gets the newest.
const MAX_CAUSES: usize = 100;

/// Causes by revision and kind, with the request id.
type Causes = BTreeMap<(i64, CauseKind), Option<Uuid>>;

/// What never changes of a stream.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) store: StoreId,
    pub(super) user: UserId,
    pub(super) app: App,
    /// Whether the caller gets request ids.
    pub(super) admin: bool,
    /// Revision up to which the hub has compared every stream.
    pub(super) compared: Arc<AtomicI64>,
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

/// The payload of WatchProfile.
#[derive(Debug)]
pub struct ProfileSlot {
    subject: Subject,
    /// Where deliveries are noted.
    presence: Presence,
    opening: Option<Box<Opening>>,
    /// In a box, as whatever a stream does not have as a rule.
    pending: Option<Box<Pending>>,
    health: BTreeMap<UniqueName, Health>,
    health_since: Option<Instant>,
    /// What the client holds once the opening is out.
    held: Variant,
    /// Revision of the last message.
    sent: i64,
    sent_at: Option<Instant>,
    bookmark_at: Instant,
}

impl ProfileSlot {
    /// The slot of a stream that opens; `health` is what a client that gets no snapshot gets first.
    pub(super) fn new(
        (subject, presence): (Subject, Presence),
        opening: Opening,
        held: Variant,
        health: BTreeMap<UniqueName, Health>,
        settings: &Settings,
        random: &mut Rng,
    ) -> Self {
        let now = opening.since;
        Self {
            subject,
            presence,
            sent: opening.resolved.revision,
            opening: Some(Box::new(opening)),
            pending: None,
            health_since: (!health.is_empty()).then_some(now),
            health,
            held,
            sent_at: None,
            bookmark_at: now + about(settings.bookmark, random),
        }
    }

    /// What the client will hold once everything that waits is out.
    pub(super) fn newest(&self) -> &Variant {
        self.pending.as_ref().map_or(&self.held, |pending| &pending.variant)
    }

    /// Takes newer content; answers whether the stream is to be woken.
    pub(super) fn offer(&mut self, offer: &Offer, settings: &Settings, now: Instant) -> bool {
        let digest = &offer.variant.content.digest;
        if *digest == self.held.content.digest {
            self.pending = None;
            self.presence.withdrawn();
            return false;
        }
        if *digest == self.newest().content.digest {
            return false;
        }
        let quiet = settings.quiet;
        let off = quiet.is_zero() || settings.longest.is_zero();
        let at_once = off || self.sent_at.is_none_or(|at| now.duration_since(at) >= quiet);
        let waited = self.pending.take();
        let pending = self.pending.insert(Box::new(Pending {
            revision: offer.revision,
            resolution: Arc::clone(&offer.resolution),
            variant: offer.variant.clone(),
            at_once: waited.as_ref().map_or(at_once, |waited| waited.at_once),
            first: waited.as_ref().map_or(now, |waited| waited.first),
            last: now,
            causes: waited.map(|waited| waited.causes).unwrap_or_default(),
        }));
        let causes = offer.causes.iter().map(|c| ((c.revision, c.kind), c.request_id));
        pending.causes.extend(causes);
        while pending.causes.len() > MAX_CAUSES {
            pending.causes.pop_first();
        }
        self.presence.offered(offer.revision);
        true
    }

    /// Takes the health of a provider, if the content lists it; answers whether the stream is to be
    /// woken.
    pub(super) fn report(&mut self, provider: &UniqueName, health: Health, now: Instant) -> bool {
        let pending = self.pending.as_ref().map(|pending| &pending.variant);
        let mut held = [Some(&self.held), pending].into_iter().flatten();
        if !held.any(|variant| variant.content.providers.contains(provider)) {
            return false;
        }
        self.health.insert(provider.clone(), health);
        self.health_since.get_or_insert(now);
        true
    }

    /// Notes that a message goes out, from which silence is measured.
    fn note_sent(&mut self, turn: &mut Turn<'_>) {
        self.sent_at = Some(turn.now);
        self.bookmark_at = turn.now + about(turn.settings.bookmark, turn.random);
    }
}

impl Payload for ProfileSlot {
    type Message = Message;
    type Topic = App;
    type Index = ProfileIndex;

    const ORGANISATION: bool = false;

    fn committed(&mut self, _: i64, _: Instant) -> bool {
        false
    }

    fn due_since(&self, settings: &Settings) -> Option<Instant> {
        let due = [
            self.opening.as_ref().map(|opening| opening.since),
            self.pending.as_ref().map(|pending| pending.due(settings)),
            self.health_since,
            Some(self.bookmark_at),
        ];
        due.into_iter().flatten().min()
    }

    fn next(&mut self, ending: bool, turn: &mut Turn<'_>) -> Option<Message> {
        let message = self.due(ending, turn)?;
        self.note_sent(turn);
        Some(message)
    }

    fn wakes_at(&self, settings: &Settings) -> Option<Instant> {
        let pending = self.pending.as_ref().map(|pending| pending.due(settings));
        Some(pending.unwrap_or(self.bookmark_at))
    }

    fn farewell(&mut self, turn: &mut Turn<'_>) -> Option<Message> {
        self.note_sent(turn);
        Some(self.bookmark())
    }

    fn drain(reconnect_after: Duration, deadline: Duration) -> Message {
        Message::Drain { reconnect_after, deadline }
    }

    fn clear(&mut self) {
        self.opening = None;
        self.pending = None;
        self.presence.end();
    }
}

impl Subject {
    fn compared(&self) -> i64 {
        self.compared.load(Ordering::Acquire)
    }
}

impl Pending {
    fn resolved(&self, subject: &Subject) -> Resolved {
        Resolved {
            revision: self.revision,
            user: subject.user.clone(),
            app: subject.app,
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
