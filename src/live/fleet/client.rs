//! What is known of one client. There may be 100 000, so it is small, at most 200 bytes with its place
//! in the index: contents are named by shared ids, of the deliveries before the newest short hashes
//! are kept, and what is rarely there is allocated when it is.

use std::{
    cmp::Ordering as Order,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{RejectReason, Report, ReportStatus, app_client_id::AppClientId};
use crate::{
    content::ContentId,
    domain::{App, Refusal, Time, UserId},
};

/// How long a client that has said nothing is pending, in microseconds (SPEC §10.8).
pub(super) const PENDING: i64 = 10 * 1_000_000;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// So many deliveries back a client may report on (SPEC §10.7).
pub(super) const RECENT: usize = 8;

/// One client of a user in an app.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) user: UserId,
    pub(super) id: AppClientId,
    /// Revision of the oldest content that waits to be delivered; 0 when none waits.
    waiting: AtomicI64,
    state: Mutex<State>,
}

/// What a client was sent and has said, in 80 bytes without a gap.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Content of the newest delivery.
    pub(super) sent: Option<Arc<ContentId>>,
    pub(super) sent_revision: i64,
    pub(super) sent_time: Time,
    /// Revision of what the client said last that it applied; 0 when it applied nothing.
    pub(super) applied_revision: i64,
    /// What is rarely there.
    pub(super) more: Option<Box<More>>,
    /// Short hashes of the newest deliveries, the newest first.
    recent: [Option<NonZeroU32>; RECENT],
    /// See [`Self::since`], in whole seconds.
    since: u32,
    /// Open streams.
    pub(super) streams: u16,
    pub(super) said: Said,
    /// Whether `sent` is what the client said last that it applied; otherwise that is in `more`.
    applied_sent: bool,
}

/// How far a client has been heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// It has never reported.
    #[default]
    Nothing,
    /// It has reported, and did not reject the newest delivery.
    Something,
    /// It rejected the newest delivery.
    RejectedNewest,
}

/// What is known besides of a client that has not applied what it was sent.
#[derive(Debug, Default)]
pub(super) struct More {
    applied: Option<Applied>,
    /// What arrived but is not applied yet.
    pub(super) received: Option<(i64, Arc<ContentId>)>,
    /// In a box of its own, for it is the rarest.
    rejected: Option<Box<Rejected>>,
}

/// What a client applied that is not what it was sent last.
#[derive(Debug)]
struct Applied {
    content: Arc<ContentId>,
    /// Last revision at which it is known to have been current, once something else was sent.
    until: i64,
}

/// A rejection.
#[derive(Debug, Clone)]
pub(super) struct Rejected {
    pub(super) revision: i64,
    pub(super) content: Arc<ContentId>,
    pub(super) reason: RejectReason,
    pub(super) detail: Box<str>,
}

impl Client {
    pub(super) fn new(user: UserId, app: App, client_id: &str) -> Self {
        let (waiting, state) = (AtomicI64::default(), Mutex::default());
        Self { user, id: AppClientId::new(app, client_id), waiting, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In which order clients are listed.
    pub(super) fn compare(&self, other: &Self) -> Order {
        self.user.cmp(&other.user).then_with(|| self.id.cmp(&other.id))
    }

    /// Revision of the oldest content that waits for the client; 0 when none does.
    pub(super) fn waiting(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Notes that content of a revision waits, unless older content does.
    pub(super) fn wait(&self, revision: i64) {
        let _ = self.waiting.compare_exchange(0, revision, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes that a stream opens on a client without one. While it had none it was compared with no
    /// write, so whatever is behind what is known of it counts as waiting until the first delivery.
    pub(super) fn wait_for_the_first(&self, state: &State) {
        let known = state.known_revision();
        if known > 0 {
            self.wait(known + 1);
        }
    }

    /// Notes that nothing waits any more.
    pub(super) fn clear_waiting(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Notes a delivery; answers whether its digest differs from that of the one before.
    pub(super) fn deliver(&self, content: &Arc<ContentId>, revision: i64, now: Time) -> bool {
        let waiting = self.waiting.swap(0, Ordering::Relaxed);
        let mut state = self.state();
        let differs = !is(state.sent.as_ref(), &content.digest);
        if differs {
            if state.has_applied_newest() {
                // Several changes may go out as one delivery: what was applied was current until the
                // first of them. An answer that comes before the comparison says nothing of that.
                let until = match waiting {
                    0 => state.known_revision(),
                    waiting => waiting.min(revision) - 1,
                };
                state.keep_applied(until);
            }
            state.remember(&content.digest);
            state.sent = Some(Arc::clone(content));
        }
        state.sent_revision = revision;
        state.sent_time = now;
        if state.said == Said::RejectedNewest {
            state.said = Said::Something;
        }
        differs
    }

    /// Takes what the client says; answers whether it was stale.
    pub(super) fn report(
        &self,
        report: Report,
        current: Option<&Arc<ContentId>>,
    ) -> Result<bool, Refusal> {
        let mut state = self.state();
        if report.revision < state.reported_revision() {
            return Ok(true);
        }
        // A client to which this server has delivered nothing since its start is accepted.
        if state.sent.is_some() && !state.remembers(&report.digest) {
            return Err(report.not_sent());
        }
        let content = state.named(&report.digest, current);
        state.take(report, content);
        Ok(false)
    }
}

impl State {
    /// When the newest stream opened or, without one, when the last was seen.
    pub(super) fn since(&self) -> Time {
        Time::from_micros(i64::from(self.since) * SECOND)
    }

    pub(super) fn set_since(&mut self, now: Time) {
        self.since = u32::try_from(now.micros().div_euclid(SECOND)).unwrap_or_default();
    }

    /// Whether what the client applied is what it was sent last.
    pub(super) fn has_applied_newest(&self) -> bool {
        self.applied().is_some_and(|applied| is(self.sent.as_ref(), &applied.digest))
    }

    /// Content that the client said last that it applied.
    pub(super) fn applied(&self) -> Option<&Arc<ContentId>> {
        match self.applied_sent {
            true => self.sent.as_ref(),
            false => self.applied_before().map(|applied| &applied.content),
        }
    }

    /// Last revision at which that is known to have been current; of use once something else was
    /// sent.
    pub(super) fn applied_until(&self) -> i64 {
        self.applied_before().map_or(0, |applied| applied.until)
    }

    fn applied_before(&self) -> Option<&Applied> {
        self.more.as_ref()?.applied.as_ref()
    }

    pub(super) fn received(&self) -> Option<(i64, &Arc<ContentId>)> {
        let more = self.more.as_ref().and_then(|more| more.received.as_ref());
        let applied = self.applied().map(|content| (self.applied_revision, content));
        more.map(|(revision, content)| (*revision, content)).or(applied)
    }

    pub(super) fn rejected(&self) -> Option<&Rejected> {
        self.more.as_ref()?.rejected.as_deref()
    }

    /// The newest revision at which what was sent or applied last was current for certain.
    pub(super) fn known_revision(&self) -> i64 {
        self.applied_revision.max(self.sent_revision)
    }

    /// The newest revision that the client has reported on.
    fn reported_revision(&self) -> i64 {
        let more = self.more.as_deref();
        let received = more.and_then(|more| more.received.as_ref()).map_or(0, |(at, _)| *at);
        let rejected = self.rejected().map_or(0, |rejected| rejected.revision);
        self.applied_revision.max(received).max(rejected)
    }

    /// Keeps what the client applied, which is about to be superseded.
    fn keep_applied(&mut self, until: i64) {
        if let Some(content) = self.applied().cloned() {
            self.more.get_or_insert_default().applied = Some(Applied { content, until });
            self.applied_sent = false;
        }
    }

    fn remember(&mut self, digest: &str) {
        self.recent.rotate_right(1);
        self.recent[0] = Some(short(digest));
    }

    fn remembers(&self, digest: &str) -> bool {
        self.recent.contains(&Some(short(digest)))
    }

    /// The id of the content of a digest; that of content which is no longer held names no profile.
    fn named(&self, digest: &str, current: Option<&Arc<ContentId>>) -> Arc<ContentId> {
        let more = self.more.as_deref();
        let held = [
            self.sent.as_ref(),
            self.applied(),
            more.and_then(|more| more.received.as_ref()).map(|(_, content)| content),
            self.rejected().map(|rejected| &rejected.content),
            current,
        ];
        let found = held.into_iter().flatten().filter(|content| content.digest == digest);
        // Content that was reported while only its digest was known may be known by now.
        found
            .max_by_key(|content| content.profile.is_some())
            .cloned()
            .unwrap_or_else(|| Arc::new(ContentId { digest: digest.to_owned(), profile: None }))
    }

    fn take(&mut self, report: Report, content: Arc<ContentId>) {
        let newest = is(self.sent.as_ref(), &content.digest);
        let revision = report.revision;
        if self.said == Said::Nothing {
            self.said = Said::Something;
        }
        match report.status {
            ReportStatus::Received
                if self.applied().is_some() && self.applied_revision >= revision => {}
            ReportStatus::Received => {
                self.more.get_or_insert_default().received = Some((revision, content));
            }
            ReportStatus::Applied => {
                self.applied_revision = revision;
                // Nothing that was reported is newer.
                self.more = None;
                self.applied_sent = newest;
                if newest {
                    self.said = Said::Something;
                } else {
                    // What was superseded already was current when it was delivered, at least.
                    let until = revision.min(self.sent_revision - 1).max(0);
                    self.more.get_or_insert_default().applied = Some(Applied { content, until });
                }
            }
            ReportStatus::Rejected { reason, detail } => {
                let more = self.more.get_or_insert_default();
                more.received = Some((revision, Arc::clone(&content)));
                let detail = detail.into_boxed_str();
                more.rejected = Some(Box::new(Rejected { revision, content, reason, detail }));
                if newest {
                    self.said = Said::RejectedNewest;
                }
            }
        }
    }
}

/// Whether this is the content of that digest.
fn is(content: Option<&Arc<ContentId>>, digest: &str) -> bool {
    content.is_some_and(|content| content.digest == digest)
}

/// FNV-1a of a digest, 1 in place of 0.
fn short(digest: &str) -> NonZeroU32 {
    let hash = digest
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    NonZeroU32::new(hash).unwrap_or(NonZeroU32::MIN)
}
