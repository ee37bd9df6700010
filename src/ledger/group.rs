//! The commit task: plan, commit, publish, answer.

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::{
    GROUP, Job, Outcome, Published, Submission,
    requests::{Requests, reused},
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    command::{Context, Plan, affected, judge},
    domain::{Actor, Change, Object, ObjectKey, Reason, Refusal, Time, refusal::Code},
    store::{Batch, Commit, Error, Record, Request, Store},
};

type Judged = Result<Outcome, Refusal>;
type Answer = oneshot::Sender<Judged>;

pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) current: Arc<ArcSwap<Catalog>>,
    pub(super) requests: Requests,
    pub(super) publish: Box<dyn FnMut(&Published) + Send>,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Writes that are planned and wait for the store together.
struct Group {
    catalog: Arc<Catalog>,
    records: Vec<Record>,
    answers: Vec<(Answer, Judged)>,
    /// Requests of this group: a second copy waits for the outcome of the first.
    asked: HashMap<(String, Uuid), ([u8; 32], Outcome)>,
}

impl Group {
    /// The answer to a request that this group holds already; see [`Requests::replay`].
    fn replay(&self, actor: &Actor, id: Uuid, payload: &[u8; 32]) -> Option<Judged> {
        let (known, outcome) = self.asked.get(&(actor.subject.clone(), id))?;
        Some(if known == payload { Ok(outcome.clone()) } else { Err(reused(id)) })
    }
}

impl Committer {
    /// Takes jobs until every handle is gone, or until it is told to finish those that wait.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>, finish: Arc<Notify>) {
        let mut taken = Vec::with_capacity(GROUP);
        loop {
            tokio::select! {
                count = jobs.recv_many(&mut taken, GROUP) => {
                    if count == 0 {
                        return;
                    }
                }
                () = finish.notified() => {
                    jobs.close();
                    continue;
                }
            }
            let mut group = Group {
                catalog: self.current.load_full(),
                records: Vec::new(),
                answers: Vec::new(),
                asked: HashMap::new(),
            };
            for job in taken.drain(..) {
                let result = self.judge(&mut group, job.submission);
                group.answers.push((job.answer, result));
            }
            if !self.commit(group).await {
                return;
            }
        }
    }

    /// Judges one write on the group's newest catalog.
    fn judge(&mut self, group: &mut Group, submission: Submission) -> Judged {
        let now = self.clock.now();
        self.requests.expire(now);
        let request = submission.request.filter(|_| !submission.validate_only);
        let old = Arc::clone(&group.catalog);
        let context = Context {
            actor: submission.actor.clone(),
            revision: old.revision + 1,
            time: Time::next_commit(now, old.time),
            uid: self.clock.uid(),
        };
        let known = request.and_then(|(id, payload)| {
            let known = group.replay(&submission.actor, id, &payload);
            known.or_else(|| self.requests.replay(&submission.actor, id, &payload))
        });
        if let Some(Ok(first)) = known {
            return Ok(first);
        }
        let judged = judge(submission.command.as_ref(), &old, &context);
        if let Some(Err(reused)) = known {
            // Bad fields come before the question whether the id is known (SPEC §7.2).
            let bad = judged.err().filter(|r| r.reason.code() == Code::InvalidArgument);
            return Err(bad.unwrap_or(reused));
        }
        let (plan, next) = judged?;
        if !plan.changed() {
            return Ok(outcome(&old, &old, plan, old.revision));
        }
        let changes = plan.changes.clone();
        let revision = if submission.validate_only { old.revision } else { context.revision };
        let outcome = outcome(&old, &next, plan, revision);
        if submission.validate_only {
            return Ok(outcome);
        }
        let request = match request {
            None => None,
            Some((id, payload)) => {
                let answer = serde_json::to_value(&outcome).map_err(|error| {
                    Refusal::new(Reason::Internal, format!("The answer cannot be kept: {error}"))
                })?;
                let key = (submission.actor.subject.clone(), id);
                group.asked.insert(key, (payload, outcome.clone()));
                Some(Request { id, payload, answer })
            }
        };
        group.records.push(Record {
            revision: context.revision,
            time: context.time,
            operation: submission.command.operation().to_owned(),
            actor: submission.actor,
            reason: submission.reason,
            flags: submission.command.flags().iter().map(|&flag| flag.to_owned()).collect(),
            request,
            changes,
        });
        group.catalog = Arc::new(next);
        Ok(outcome)
    }

    /// Makes the group durable, publishes it and answers; false when the store must be reopened.
    async fn commit(&mut self, group: Group) -> bool {
        if group.records.is_empty() {
            send(group.answers);
            return true;
        }
        let before = self.current.load_full();
        let records: Arc<[Record]> = group.records.into();
        let committed = match Batch::new(before.revision, records.to_vec()) {
            Ok(batch) => self.store.commit(batch).await,
            Err(error) => Err(error),
        };
        let (refusal, go_on) = match committed {
            Ok(Commit::Committed(_)) => {
                for record in records.iter() {
                    if let Some(request) = &record.request {
                        self.requests.remember(record.time, &record.actor, request);
                    }
                }
                self.current.store(Arc::clone(&group.catalog));
                (self.publish)(&Published { before, after: group.catalog, records });
                send(group.answers);
                return true;
            }
            Ok(Commit::Conflict(head)) => {
                let message =
                    format!("The store is at revision {head} by another hand; try again.");
                (Refusal::new(Reason::Conflict, message), false)
            }
            Ok(Commit::Refused(limit)) => {
                let message = format!("The write is too large for the store: {limit}.");
                (Refusal::new(Reason::ResourceTooLarge, message), true)
            }
            Err(error @ Error::ReadOnly { .. }) => {
                let message = format!(
                    "The store takes no writes at present ({error}). Free disk space, then try again."
                );
                (Refusal::new(Reason::StoreUnavailable, message), true)
            }
            Ok(Commit::Unknown) | Err(_) => {
                let message = "The store did not answer; whether the write took effect is not known. \
                               Repeat it with the same request_id.";
                (Refusal::new(Reason::StoreUnavailable, message), false)
            }
        };
        // No-ops and refusals of a failed group were judged on catalogs that never came to be.
        send(group.answers.into_iter().map(|(answer, _)| (answer, Err(refusal.clone()))).collect());
        go_on
    }
}

fn send(answers: Vec<(Answer, Judged)>) {
    for (answer, result) in answers {
        // A caller who no longer waits needs no answer.
        let _ = answer.send(result);
    }
}

fn outcome(old: &Catalog, new: &Catalog, plan: Plan, revision: i64) -> Outcome {
    let objects = plan.answers.iter().filter_map(|key| find(new, key, &plan.changes)).collect();
    Outcome {
        revision,
        changed: plan.changed(),
        objects,
        affected: affected(old, new, &plan.changes),
        warnings: plan.warnings,
        findings: plan.findings,
        not_assigned: plan.not_assigned,
        resealed: plan.resealed,
    }
}

/// The object of the answer: from the changes, else from the catalog.
fn find(catalog: &Catalog, key: &ObjectKey, changes: &[Change]) -> Option<Object> {
    let changed = changes.iter().find_map(|change| match change {
        Change::Put(object) if object.key() == *key => Some(object.clone()),
        _ => None,
    });
    changed.or_else(|| catalog.object(key))
}
