//! What of that goes out next, and as which message (SPEC §10.1 rules 1 to 7).

use uuid::Uuid;

use super::{
    super::{Cause, CauseKind, Message, Reset, Snapshot, Turn, token::Binding},
    Causes, Opening, Pending, ProfileSlot,
};
use crate::{content, read::Resolved};

impl ProfileSlot {
    pub(super) fn due(&mut self, ending: bool, turn: &Turn<'_>) -> Option<Message> {
        if let Some(opening) = self.opening.take() {
            return Some(self.first(*opening));
        }
        let ready = |pending: &mut Box<Pending>| ending || pending.due(turn.settings) <= turn.now;
        if let Some(pending) = self.pending.take_if(ready) {
            return Some(self.newer(*pending));
        }
        if ending {
            return None;
        }
        while let Some((provider, health)) = self.health.pop_first() {
            self.health_since = self.health_since.filter(|_| !self.health.is_empty());
            if self.held.content.providers.contains(&provider) {
                return Some(Message::ProviderHealth { provider, health });
            }
        }
        let silent = self.bookmark_at <= turn.now && self.pending.is_none();
        silent.then(|| self.bookmark())
    }

    /// The first message; what came since the stream was opened is in it.
    fn first(&mut self, opening: Opening) -> Message {
        let mut causes = Causes::new();
        let (resolved, in_sync) = match self.pending.take() {
            None => (opening.resolved, opening.in_sync),
            Some(pending) => {
                let resolved = pending.resolved(&self.subject);
                causes = pending.causes;
                self.held = pending.variant;
                (resolved, false)
            }
        };
        self.sent = resolved.revision;
        if in_sync {
            self.presence.confirms(&resolved);
            return Message::InSync {
                revision: self.sent,
                digest: self.held.content.digest.clone(),
                resume_token: self.token(),
            };
        }
        self.drop_health();
        causes.insert((resolved.revision, CauseKind::Initial), None);
        if opening.reset.is_some() {
            causes.insert((resolved.revision, CauseKind::Reset), None);
        }
        self.snapshot(resolved, opening.reset, causes, Vec::new())
    }

    fn newer(&mut self, pending: Pending) -> Message {
        let resolved = pending.resolved(&self.subject);
        let (before, after) = (&self.held.content.bytes, &pending.variant.content.bytes);
        let changed = content::changed_sections(before, after);
        self.held = pending.variant;
        self.sent = resolved.revision;
        self.drop_health();
        self.snapshot(resolved, None, pending.causes, changed)
    }

    /// A snapshot carries the health of every provider.
    fn drop_health(&mut self) {
        self.health.clear();
        self.health_since = None;
    }

    fn snapshot(
        &self,
        resolved: Resolved,
        reset: Option<Reset>,
        causes: Causes,
        changed_sections: Vec<&'static str>,
    ) -> Message {
        self.presence.sends(&resolved);
        let shown = |request_id: Option<Uuid>| request_id.filter(|_| self.subject.admin);
        let causes = causes.into_iter().map(|((revision, kind), request_id)| Cause {
            kind,
            revision,
            request_id: shown(request_id),
        });
        let (causes, resume_token) = (causes.collect(), self.token());
        let snapshot = Snapshot { resolved, reset, causes, changed_sections, resume_token };
        Message::Snapshot(Box::new(snapshot))
    }

    /// What the hub has compared is in this slot, which is locked; so the bookmark skips nothing.
    pub(super) fn bookmark(&mut self) -> Message {
        self.sent = self.sent.max(self.subject.compared());
        Message::Bookmark { revision: self.sent, resume_token: self.token() }
    }

    fn token(&self) -> String {
        let subject = &self.subject;
        let binding = Binding { store: &subject.store, user: &subject.user, app: subject.app };
        binding.issue(self.sent, &self.held.content.digest)
    }
}
