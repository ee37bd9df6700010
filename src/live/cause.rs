//! What some commits in a row touched, and why a client gets a snapshot (SPEC §10.1 rule 8).

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    catalog::Catalog,
    domain::{UniqueName, UserId},
    impact::{CauseKind, Concern, Impact, Touched},
    ledger::Committed,
    store::Record,
};

/// One change behind a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// The revision that brought it.
    pub revision: i64,
    /// Request id of the write; only callers with the scope ADMIN get it.
    pub request_id: Option<Uuid>,
}

/// A cause with those whom it concerns.
#[derive(Debug)]
struct Because {
    concern: Concern,
    cause: Cause,
    /// The catalog before, where the concern is about it.
    before: Option<Arc<Catalog>>,
}

/// What some commits in a row changed, as far as streams can notice it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) touched: Touched,
    causes: Vec<Because>,
}

impl Changes {
    /// Adds what a group of writes changed.
    pub(super) fn add(&mut self, committed: &Committed) {
        for (record, impact) in committed.records.iter().zip(committed.impacts.iter()) {
            self.touched.merge(&impact.touched);
            self.explain(record, impact, &committed.before);
        }
    }

    fn explain(&mut self, record: &Record, impact: &Impact, before: &Arc<Catalog>) {
        let request_id = record.request.as_ref().map(|request| request.id);
        for (concern, kind) in &impact.causes {
            let kind = match record.operation.as_str() {
                "Rollback" => CauseKind::Rollback,
                "UninstallBundle" => CauseKind::Import,
                operation if operation.starts_with("Import") => CauseKind::Import,
                _ => *kind,
            };
            let before = matches!(concern, Concern::Linked(_)).then(|| Arc::clone(before));
            let cause = Cause { kind, revision: record.revision, request_id };
            self.causes.push(Because { concern: concern.clone(), cause, before });
        }
    }

    /// Drops the causes of commits that streams were compared with already.
    pub(super) fn forget_causes_until(&mut self, revision: i64) {
        self.causes.retain(|because| because.cause.revision > revision);
    }

    /// Keeps no more than that every stream must be compared, and the newest cause of each kind.
    pub(super) fn unite(&mut self) {
        let mut causes: Vec<Because> = Vec::new();
        for Because { cause, .. } in self.causes.drain(..).rev() {
            if causes.iter().all(|kept| kept.cause.kind != cause.kind) {
                causes.push(Because { concern: Concern::Everyone, cause, before: None });
            }
        }
        causes.reverse();
        *self = Self { touched: Touched::anything(), causes };
    }

    /// The causes for those whose profile was one and is now another; the user if he changed.
    pub(super) fn causes(
        &self,
        user: Option<&UserId>,
        old: &UniqueName,
        new: &UniqueName,
    ) -> Vec<Cause> {
        let all = || self.causes.iter().map(|because| &because.cause);
        let mine: Vec<_> = self
            .causes
            .iter()
            .filter(|because| because.concerns(user, [old, new]))
            .map(|because| &because.cause)
            .collect();
        // Several commits at once may hide by which way one of them led here.
        let mine = if mine.is_empty() { all().collect() } else { mine };
        mine.into_iter().cloned().collect()
    }
}

impl Because {
    fn concerns(&self, user: Option<&UserId>, profiles: [&UniqueName; 2]) -> bool {
        let was_linked = |name: &UniqueName| {
            let before = self.before.as_ref().zip(user);
            let seated = before.and_then(|(before, id)| before.user(id));
            seated.is_some_and(|seated| seated.links().iter().any(|link| link.profile == name))
        };
        match &self.concern {
            Concern::Everyone => true,
            Concern::User(id) => Some(id) == user,
            Concern::Linked(name) => was_linked(name),
            Concern::Profile(name) => profiles.contains(&name),
            Concern::Contents(reach) => profiles.into_iter().any(|profile| reach.contains(profile)),
        }
    }
}
