//! The commit task: plan, commit, publish, answer.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{
    answer::keep,
    compaction::{Compaction, IDLE},
    group::{Group, Planned, Rests, Verdict, Write, too_large},
    job::{Job, Reply},
    refusals::{not_encoded, over, read_only},
    requests::{Checked, Found, Requests, reused},
    seed,
    write::{Committed, Outcome, Submission},
};
use crate::{
    catalog::{Catalog, Compacted},
    clock::Clock,
    command::{Context, DirectoryPolicy, Judgement, Plan, judge},
    domain::{Change, Object, ObjectKey, Reason, Refusal, Time, refusal::Code},
    impact::{Affected, Impact},
    store::{Batch, Commit, Error, Record, Request, RequestKey, Store},
    trace,
};

/// Most writes of one group.
const GROUP: usize = 256;

pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) current: Arc<ArcSwap<Catalog>>,
    pub(super) requests: Requests,
    pub(super) publish: Box<dyn FnMut(&Committed) + Send>,
    /// Whether built-in content is still to be written.
    pub(super) unseeded: bool,
    /// Whether the store must be opened again before it takes a write.
    pub(super) ended: bool,
    /// What the scope DIRECTORY may do beyond the table of access.
    pub(super) policy: DirectoryPolicy,
    pub(super) compaction: Compaction,
}

/// What became of a batch.
enum Fate {
    Durable,
    /// Nothing was written, and later writes may be taken.
    Refused(Refusal),
    /// What was written is not known, or the store takes no more.
    Ended(Refusal),
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Committer {
    /// Takes jobs until every handle is gone, or until the signal to finish those that wait.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>, finish: Arc<Notify>) {
        let mut condition = self.store.condition();
        // Writes may be taken again since the start.
        condition.mark_changed();
        let mut watched = true;
        let mut taken = Vec::with_capacity(GROUP);
        loop {
            tokio::select! {
                count = jobs.recv_many(&mut taken, GROUP) => {
                    if count == 0 {
                        return;
                    }
                }
                changed = condition.changed(), if watched && self.unseeded => {
                    watched = changed.is_ok();
                    if watched && condition.borrow_and_update().writable() {
                        self.seed().await;
                    }
                    continue;
                }
                () = sleep(IDLE), if self.compaction.waits(&self.current.load()) => {
                    self.compaction.pack(&self.current.load_full());
                    continue;
                }
                Some(packed) = self.compaction.next() => {
                    self.adopt(&packed);
                    continue;
                }
                () = finish.notified() => {
                    jobs.close();
                    continue;
                }
            }
            let mut waiting: VecDeque<_> = taken.drain(..).collect();
            while !waiting.is_empty() {
                let group = self.gather(&mut waiting, GROUP);
                self.commit_and_answer(group).await;
            }
        }
    }

    /// Judges writes one after the other, as long as they fit into one batch.
    fn gather(&mut self, waiting: &mut VecDeque<Job>, most: usize) -> Group {
        let max_bytes = self.store.identity().max_batch_bytes;
        let mut group = Group::new(self.current.load_full());
        while group.writes.len() < most
            && let Some(job) = waiting.pop_front()
        {
            // Nobody waits any more, and nothing was done yet.
            if job.is_abandoned() {
                continue;
            }
            let verdict = self.verdict(&group, &job);
            if !group.takes(&verdict, max_bytes) {
                // The next group judges it again.
                waiting.push_front(job);
                break;
            }
            group.add(job, verdict);
        }
        group
    }

    /// Judges one write on the group's newest catalog. A command that panics is refused: it is one
    /// write, and the task is everybody's.
    fn verdict(&mut self, group: &Group, job: &Job) -> Verdict {
        let Job { submission, checked, .. } = job;
        let _entered = job.request.clone().map(trace::enter);
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge(group, submission, *checked)));
        let judged = judged.unwrap_or_else(|_| {
            let operation = submission.command.operation();
            tracing::error!(operation, "the rules of a write panicked");
            let message = format!("{operation} failed because of a mistake of the server.");
            Err(Refusal::new(Reason::Internal, message))
        });
        judged.unwrap_or_else(|refusal| Verdict::Answer(Err(refusal)))
    }

    fn judge(
        &mut self,
        group: &Group,
        submission: &Submission,
        checked: Checked,
    ) -> Result<Verdict, Refusal> {
        let now = self.clock.now();
        self.requests.expire(now);
        let (actor, command) = (&submission.actor, submission.command.as_ref());
        let old = &group.catalog;
        let context = Context {
            actor: actor.clone(),
            revision: old.revision + 1,
            time: Time::next_commit(now, old.time),
            uid: self.clock.uid(),
            policy: self.policy,
        };
        let request = submission.request.as_ref().filter(|_| !submission.validate_only);
        let mut reuse = None;
        if let Some(request) = request {
            let key = RequestKey::new(&actor.subject, request.id);
            reuse = match group.replay(&key, request) {
                Some(Some(first)) => return Ok(Verdict::Answer(Ok(first))),
                Some(None) => Some(reused(request.id)),
                None => match self.requests.find(&key, request, checked) {
                    Some(Found::Repeated(first)) => return Ok(Verdict::Repeated(first)),
                    Some(Found::Unknown) => return Ok(Verdict::Unknown),
                    Some(Found::Reused) => Some(reused(request.id)),
                    None => None,
                },
            };
        }
        let judged = judge(command, old, &context);
        if let Some(reused) = reuse {
            // Bad fields come before the question whether the id is known (SPEC §7.2).
            let bad = judged.err().filter(|r| r.reason.code() == Code::InvalidArgument);
            return Err(bad.unwrap_or(reused));
        }
        let Judgement { plan, next, impact, encoded } = judged?;
        if !plan.changed() {
            return Ok(Verdict::Answer(Ok(outcome(old, plan, old.revision, Affected::default()))));
        }
        let changes = plan.changes.clone();
        let outcome = outcome(&next, plan, context.revision, impact.affected.clone());
        let record = record(submission, &context, &outcome, changes)?;
        // A dry run is judged by the record that the write would have, its request id included.
        let encoded = record.encode_with(&encoded).map_err(|error| not_encoded(&error))?;
        let limit = self.store.identity().max_record_bytes;
        if encoded.len() > limit {
            return Err(too_large(encoded.len(), limit));
        }
        if submission.validate_only {
            return Ok(Verdict::Answer(Ok(Outcome { revision: old.revision, ..outcome })));
        }
        Ok(Verdict::Record(Box::new(Planned { record, encoded, next, impact, outcome })))
    }

    /// Makes the group durable, publishes it and answers.
    async fn commit_and_answer(&mut self, mut group: Group) {
        if group.records.is_empty() {
            group.writes.into_iter().for_each(Write::answer);
            return;
        }
        let alone = group.records.len() == 1;
        match self.commit(&mut group).await {
            Fate::Durable => group.writes.into_iter().for_each(Write::answer),
            Fate::Refused(refusal) if alone => self.apart(group, Some(&refusal)).await,
            Fate::Refused(_) => self.apart(group, None).await,
            Fate::Ended(refusal) => {
                self.ended = true;
                self.without_store(group, &refusal);
            }
        }
    }

    /// Answers a group that the store did not take. The refusal belongs to the only write that has a
    /// record; when there are several, each comes to the store alone. All others are judged on what
    /// is published, for the catalogs of the group never came to be.
    async fn apart(&mut self, group: Group, refusal: Option<&Refusal>) {
        for write in group.writes {
            match (write.rests, refusal) {
                (Rests::Published, _) => write.answer(),
                (Rests::Record, Some(refusal)) => write.refuse(refusal),
                (Rests::Record | Rests::Group, _) => {
                    let mut job = VecDeque::from([write.job]);
                    let group = self.gather(&mut job, 1);
                    // It holds one write, so this comes here once more at most.
                    Box::pin(self.commit_and_answer(group)).await;
                }
            }
        }
    }

    /// Answers a group after which nothing can be written: a write that needs no store gets
    /// the answer that is true for what is published.
    fn without_store(&mut self, group: Group, refusal: &Refusal) {
        let published = Group::new(self.current.load_full());
        for write in group.writes {
            match write.rests {
                Rests::Published => write.answer(),
                Rests::Record => write.refuse(refusal),
                Rests::Group => match self.verdict(&published, &write.job) {
                    Verdict::Answer(judged) => {
                        write.job.answer(judged, Arc::clone(&published.catalog));
                    }
                    Verdict::Record(_) => write.refuse(&over()),
                    Verdict::Repeated(first) => write.job.reply(Reply::Repeated(first)),
                    Verdict::Unknown => write.job.hand_back(),
                },
            }
        }
    }

    /// Makes the records of a group durable and publishes them.
    async fn commit(&mut self, group: &mut Group) -> Fate {
        if self.ended {
            return Fate::Ended(over());
        }
        let records: Arc<[Record]> = std::mem::take(&mut group.records).into();
        let encoded = std::mem::take(&mut group.encoded);
        let size = encoded.iter().map(Vec::len).sum();
        let batch = Batch::encoded(group.base.revision, records.to_vec(), encoded);
        let committed = match batch {
            Ok(batch) => self.store.commit(batch).await,
            Err(error) => Err(error),
        };
        let fate = self.fate(committed, size);
        if matches!(fate, Fate::Durable) {
            for header in records.iter().filter_map(Record::header) {
                self.requests.remember(&header);
            }
            self.current.store(Arc::clone(&group.catalog));
            self.compaction.start(&group.catalog);
            let (before, after) = (Arc::clone(&group.base), Arc::clone(&group.catalog));
            let impacts = std::mem::take(&mut group.impacts).into();
            (self.publish)(&Committed { before, after, records, impacts });
        }
        fate
    }

    /// Takes over users that were packed beside the writes. The catalog says what it said.
    fn adopt(&mut self, packed: &Compacted) {
        let before = self.current.load_full();
        if let Some(after) = before.adopting(packed).map(Arc::new) {
            self.current.store(Arc::clone(&after));
            let (records, impacts) = (Arc::default(), Arc::default());
            (self.publish)(&Committed { before, after, records, impacts });
        }
        self.compaction.start(&self.current.load_full());
    }

    fn fate(&self, committed: Result<Commit, Error>, size: usize) -> Fate {
        match committed {
            Ok(Commit::Committed(_)) => Fate::Durable,
            Ok(Commit::Refused(why)) => {
                tracing::warn!(why, size, "the store refused a batch");
                Fate::Refused(too_large(size, self.store.identity().max_batch_bytes))
            }
            Err(Error::ReadOnly(lack)) => Fate::Refused(read_only(lack)),
            Err(Error::Broken) => Fate::Ended(over()),
            Ok(Commit::Conflict(head)) => {
                let message =
                    format!("The store is at revision {head} by another hand; try again.");
                Fate::Ended(Refusal::new(Reason::Conflict, message))
            }
            Ok(Commit::Unknown) | Err(_) => {
                let message = "The store did not answer; whether the write took effect is not known. \
                               Repeat it with the same request_id.";
                Fate::Ended(Refusal::new(Reason::StoreUnavailable, message))
            }
        }
    }

    /// Writes the built-in content that the start had no room for.
    async fn seed(&mut self) {
        let before = self.current.load_full();
        match seed::seed(self.store.as_ref(), (*before).clone(), &self.clock).await {
            Ok(seed::Seeded { catalog, committed }) => {
                self.unseeded = false;
                let after = Arc::new(catalog);
                self.current.store(Arc::clone(&after));
                if let Some((record, delta)) = committed {
                    let impact = Impact::of(&before, &after, &delta);
                    let (records, impacts) = ([record].into(), [impact].into());
                    (self.publish)(&Committed { before, after, records, impacts });
                }
            }
            Err(Error::ReadOnly(_)) => {}
            Err(error) => {
                // Whatever it is, the next write meets it and says so.
                tracing::error!(%error, "built-in content could not be written");
                self.unseeded = false;
            }
        }
    }
}

/// The record of a write.
fn record(
    submission: &Submission,
    context: &Context,
    outcome: &Outcome,
    changes: Vec<Change>,
) -> Result<Record, Refusal> {
    let request = match &submission.request {
        None => None,
        Some(request) => {
            let answer = keep(outcome, &changes).map_err(|error| not_encoded(&error))?;
            Some(Request { id: request.id, payload: request.payload, answer })
        }
    };
    Ok(Record {
        revision: context.revision,
        time: context.time,
        operation: submission.command.operation().to_owned(),
        actor: submission.actor.clone(),
        provenance: submission.provenance.clone(),
        reason: submission.reason.clone(),
        flags: submission.command.flags().iter().map(|&flag| flag.to_owned()).collect(),
        request,
        changes,
    })
}

fn outcome(catalog: &Catalog, plan: Plan, revision: i64, affected: Affected) -> Outcome {
    let find = |key| find(catalog, key, &plan.changes);
    let objects = plan.answers.iter().filter_map(find).collect();
    Outcome {
        revision,
        changed: plan.changed(),
        objects,
        affected,
        warnings: plan.warnings,
        findings: plan.findings,
        not_assigned: plan.not_assigned,
        resealed: plan.resealed,
        steps: plan.steps,
        imported: plan.imported,
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
