//! What of that goes out next, and as which message (SPEC §10.1 rules 1 to 7).

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use uuid::Uuid;

use super::{
    super::{Cause, CauseKind, Message, Reset, Snapshot, Turn, token::Binding},
    Causes, Opening, Pending, ProfileSlot,
};
use crate::{
    content::{self, Compiled},
    read::Resolved,
};

thread_local! {
    /// The contents that were compared last, and what differs: a change reaches very many streams of
    /// the same two contents. A weak reference keeps nothing but the address, so that no other content
    /// gets it.
    static COMPARED: RefCell<Compared> = RefCell::default();
}

#[derive(Default)]
struct Compared {
    before: Weak<Compiled>,
    after: Weak<Compiled>,
    changed: Vec<&'static str>,
}

/// The sections in which two contents differ.
fn changed_sections(before: &Arc<Compiled>, after: &Arc<Compiled>) -> Vec<&'static str> {
    let is = |known: &Weak<Compiled>, content| known.as_ptr() == Arc::as_ptr(content);
    COMPARED.with_borrow_mut(|last| {
        if !is(&last.before, before) || !is(&last.after, after) {
            *last = Compared {
                before: Arc::downgrade(before),
                after: Arc::downgrade(after),
                changed: content::changed_sections(&before.bytes, &after.bytes),
            };
        }
        last.changed.clone()
    })
}

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
        let changed = changed_sections(&self.held.content, &pending.variant.content);
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
