//! What is known of one client. There may be 100 000, so it is small: contents are named by shared
//! ids, and of the deliveries before the newest short hashes are kept.

use std::{
    cmp::Ordering as Order,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{RejectReason, Report, ReportStatus};
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
    pub(super) client_id: Box<str>,
    pub(super) app: App,
    /// Revision of the oldest content that waits to be delivered; 0 when none waits.
    waiting: AtomicI64,
    state: Mutex<State>,
}

/// What a client was sent and has said. Each field counts: see the tests.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Content of the newest delivery.
    pub(super) sent: Option<Arc<ContentId>>,
    pub(super) sent_revision: i64,
    pub(super) sent_time: Time,
    /// Content that the client said last that it applied.
    pub(super) applied: Option<Arc<ContentId>>,
    pub(super) applied_revision: i64,
    /// Last revision at which that is known to have been current, once something else was sent.
    pub(super) applied_until: i64,
    /// What is rarely there.
    pub(super) more: Option<Box<More>>,
    /// Short hashes of the newest deliveries, in a ring.
    recent: [u32; RECENT],
    /// See [`Self::since`], in whole seconds.
    since: u32,
    /// Open streams.
    pub(super) streams: u16,
    /// Deliveries so far, up to what says how full the ring is and where it goes on.
    deliveries: u8,
    pub(super) said: Said,
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

/// What a client says while it has not applied what it was sent.
#[derive(Debug, Default)]
pub(super) struct More {
    /// What arrived but is not applied yet.
    pub(super) received: Option<(i64, Arc<ContentId>)>,
    pub(super) rejected: Option<Rejected>,
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
        Self { user, client_id: client_id.into(), app, waiting, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In which order clients are listed.
    pub(super) fn compare(&self, other: &Self) -> Order {
        let by_user = self.user.cmp(&other.user);
        by_user
            .then_with(|| self.app.cmp(&other.app))
            .then_with(|| self.client_id.cmp(&other.client_id))
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
                state.applied_until = match waiting {
                    0 => state.known_revision(),
                    waiting => waiting.min(revision) - 1,
                };
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
        if state.deliveries > 0 && !state.remembers(&report.digest) {
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
        self.applied.as_ref().is_some_and(|applied| is(self.sent.as_ref(), &applied.digest))
    }

    pub(super) fn received(&self) -> Option<(i64, &Arc<ContentId>)> {
        let more = self.more.as_ref().and_then(|more| more.received.as_ref());
        let applied = self.applied.as_ref().map(|content| (self.applied_revision, content));
        more.map(|(revision, content)| (*revision, content)).or(applied)
    }

    pub(super) fn rejected(&self) -> Option<&Rejected> {
        self.more.as_ref()?.rejected.as_ref()
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

    fn remember(&mut self, digest: &str) {
        let full = RECENT as u8;
        self.recent[usize::from(self.deliveries % full)] = short(digest);
        // From there on only where the ring goes on is of interest.
        self.deliveries = if self.deliveries < 2 * full - 1 { self.deliveries + 1 } else { full };
    }

    fn remembers(&self, digest: &str) -> bool {
        let known = usize::from(self.deliveries).min(RECENT);
        self.recent[..known].contains(&short(digest))
    }

    /// The id of the content of a digest; that of content which is no longer held names no profile.
    fn named(&self, digest: &str, current: Option<&Arc<ContentId>>) -> Arc<ContentId> {
        let more = self.more.as_deref();
        let held = [
            self.sent.as_ref(),
            self.applied.as_ref(),
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
                if self.applied.is_some() && self.applied_revision >= revision => {}
            ReportStatus::Received => {
                self.more.get_or_insert_default().received = Some((revision, content));
            }
            ReportStatus::Applied => {
                // What was superseded already was current when it was delivered, at least.
                self.applied_until = match newest {
                    true => revision,
                    false => revision.min(self.sent_revision - 1).max(0),
                };
                self.applied_revision = revision;
                self.applied = Some(content);
                // Nothing that was reported is newer.
                self.more = None;
                if newest {
                    self.said = Said::Something;
                }
            }
            ReportStatus::Rejected { reason, detail } => {
                let more = self.more.get_or_insert_default();
                more.received = Some((revision, Arc::clone(&content)));
                let detail = detail.into_boxed_str();
                more.rejected = Some(Rejected { revision, content, reason, detail });
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

/// FNV-1a of a digest.
fn short(digest: &str) -> u32 {
    digest
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
