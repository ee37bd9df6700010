//! What vendors report of calls: events, polls of live calls, and the reconciliation of starts whose
//! outcome is unknown.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use deskplane_providers::{
    CallEvent, CallState, CallStatus, ChannelProvider as _, Context, ErrorKind,
};
use futures_util::{TryStreamExt as _, stream::iter};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Applied, Call, Shared, accounts::Account};
use crate::{
    domain::{Refusal, UniqueName, UserId},
    tasks::OnPanic,
};

/// Pauses between polls of a call whose start has an unknown outcome, in seconds.
const RECONCILE_PAUSES: [u64; 6] = [1, 2, 5, 15, 60, 300];
/// Shortest pause after which a vendor that finds no call has none, in seconds. A vendor may list a
/// call only some time after it accepted it.
const NOT_FOUND_GRACE: u64 = 15;
/// Most polls of calls that an account runs at once.
const MAX_POLLS: usize = 8;
/// Longest that one of them takes.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

impl Shared {
    /// Applies a verified event to its call, makes that durable, and publishes it.
    ///
    /// An event of an unknown call registers an inbound call when it names a user of the server, and
    /// is counted otherwise.
    pub(super) async fn apply_event(
        &self,
        provider: &UniqueName,
        event: CallEvent,
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        let (counter, change) = match self.calls.apply(provider, &event, now) {
            Some((Applied::Changed, change)) => (&self.counters.applied, change),
            Some((Applied::Repeated, change)) => (&self.counters.repeated, change),
            Some((Applied::Late, change)) => (&self.counters.late, change),
            None => {
                let Some(user) = self.user_of_inbound(&event) else {
                    self.counters.unknown.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%provider, state = ?event.state, "an event of an unknown call");
                    return Ok(());
                };
                let call = Call::inbound(self.clock.uid(), user, provider.clone(), &event, now);
                (&self.counters.applied, self.calls.open(call))
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.calls.publish_when_durable(change).await.map(drop)
    }

    /// The user to whom an event offers an inbound call, as the catalog spells it.
    fn user_of_inbound(&self, event: &CallEvent) -> Option<UserId> {
        if event.state.is_final() || event.provider_call_id.is_empty() {
            return None;
        }
        let user = UserId::parse(event.agent.as_deref()?).ok()?;
        self.catalog.borrow().user(&user).map(|seated| seated.id())
    }

    /// Polls every live call of an account, some at a time: events may have been lost.
    pub(super) async fn poll_live_calls(&self, account: &Account) {
        let Ok(provider) = &account.provider else { return };
        let live = |call: &Call| {
            call.provider == account.name && !call.is_over() && !call.provider_call_id.is_empty()
        };
        let calls = iter(self.calls.list(None, live).into_iter().map(Ok));
        let polls = calls.try_for_each_concurrent(MAX_POLLS, |call| async move {
            let found = provider.poll_call(&Context::within(POLL_TIMEOUT), &call.reference()).await;
            match found {
                Ok(found) => self.apply_poll(&call, found.as_ref()).await,
                // The vendor cannot be polled for any call.
                Err(error) if error.kind() == ErrorKind::Unsupported => return Err(()),
                Err(error) => account.record_failure(self, &error),
            }
            Ok(())
        });
        let _ = polls.await;
    }

    /// Applies what a poll found; none when the vendor has no such call.
    async fn apply_poll(&self, call: &Call, found: Option<&CallStatus>) {
        let now = self.clock.now();
        if let Some(change) = self.calls.change(call.call_id, |call| call.found(found, now)) {
            // When the log does not take it, the next request on the call is refused.
            let _ = self.calls.publish_when_durable(change).await;
        }
    }

    /// Reconciles a start in the background. After a panic the call stays UNKNOWN, as it does after
    /// the last poll.
    pub(super) fn spawn_reconcile(self: &Arc<Self>, call_id: Uuid) {
        let reconcile = Arc::clone(self).reconcile_unknown_start(call_id);
        self.settings.tasks.spawn("voice.unknown_start", OnPanic::Report, reconcile);
    }

    /// Polls the vendor for a start whose outcome is unknown. The start is never repeated.
    async fn reconcile_unknown_start(self: Arc<Self>, call_id: Uuid) {
        let now = self.clock.now();
        // An event may have shown the outcome already.
        let unknown = |call: &mut Call| {
            call.state == CallState::Queued && call.become_state(CallState::Unknown, None, now)
        };
        let Some(change) = self.calls.change(call_id, unknown) else { return };
        if self.calls.publish_when_durable(change).await.is_err() {
            return;
        }
        for pause in RECONCILE_PAUSES {
            sleep(Duration::from_secs(pause)).await;
            let call = self.calls.get(call_id).filter(|call| call.state == CallState::Unknown);
            let Some(call) = call else { return };
            let Some(account) = self.accounts.get(&call.provider) else { continue };
            let Ok(provider) = &account.provider else { continue };
            let cx = Context::within(POLL_TIMEOUT);
            match provider.poll_call(&cx, &call.reference()).await {
                Ok(None) if pause < NOT_FOUND_GRACE => {}
                Ok(found) => return self.apply_poll(&call, found.as_ref()).await,
                Err(error) if error.kind() == ErrorKind::Unsupported => return,
                Err(error) => account.record_failure(&self, &error),
            }
        }
    }
}
