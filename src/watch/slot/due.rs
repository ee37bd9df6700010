//! What of that goes out next, and as which message (SPEC §10.1 rules 1 to 7).

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    super::{Cause, CauseKind, Message, Reset, Resolved, Settings, Snapshot, token::Binding},
    Causes, Face, Opening, Pending, Slot,
};
use crate::{content, domain::Refusal};

impl Slot {
    pub(super) fn due(
        &mut self,
        face: &Face<'_>,
        reached: i64,
        now: Instant,
    ) -> Result<Option<Message>, Refusal> {
        if let Some(opening) = self.opening.take() {
            return Ok(Some(self.first(face, *opening)));
        }
        let leaving = self.leaving.as_ref();
        let told_to_leave = leaving.is_some_and(|leaving| leaving.bookmarked);
        let hurried = leaving.is_some();
        let ready = |pending: &mut Pending| hurried || pending.due(face.settings) <= now;
        if let Some(pending) = self.pending.take_if(|pending| !told_to_leave && ready(pending)) {
            return Ok(Some(self.newer(face, pending)));
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

    pub(super) fn next(&self, settings: &Settings) -> Instant {
        let pending = self.pending.as_ref().map(|pending| pending.due(settings));
        pending.map_or(self.bookmark_at, |due| due).min(self.ages_at)
    }

    /// The first message; what came since the stream was opened is in it.
    fn first(&mut self, face: &Face<'_>, opening: Opening) -> Message {
        let mut causes = Causes::new();
        let (resolved, in_sync) = match self.pending.take() {
            None => (opening.resolved, opening.in_sync),
            Some(pending) => {
                let resolved = pending.resolved(face);
                causes = pending.causes;
                self.held = pending.variant;
                (resolved, false)
            }
        };
        self.told = resolved.revision;
        if in_sync {
            return Message::InSync {
                revision: self.told,
                digest: self.held.content.digest.clone(),
                resume_token: self.token(face),
            };
        }
        self.forget_health();
        causes.insert((resolved.revision, CauseKind::Initial), None);
        if opening.reset.is_some() {
            causes.insert((resolved.revision, CauseKind::Reset), None);
        }
        self.snapshot(face, resolved, opening.reset, causes, Vec::new())
    }

    fn newer(&mut self, face: &Face<'_>, pending: Pending) -> Message {
        let resolved = pending.resolved(face);
        let (before, after) = (&self.held.content.bytes, &pending.variant.content.bytes);
        let changed = content::changed_sections(before, after);
        self.held = pending.variant;
        self.told = resolved.revision;
        self.forget_health();
        self.snapshot(face, resolved, None, pending.causes, changed)
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
