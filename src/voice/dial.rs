//! Starting calls: durable first, then at the vendor, and never twice (SPEC §14.2).

use std::{collections::BTreeMap, sync::Arc};

use deskplane_providers::{
    Address, Capability, ChannelProvider as _, Context, Effect, Error, ErrorKind, StartCall,
};
use uuid::Uuid;

use super::{
    Call, CallState, Condition, Request, Shared, Voice,
    accounts::Account,
    call_registry::{StartAttempt, interrupted, not_durable},
    provider_selection::UsableProvider,
    refuse::{self, VendorRequest},
};
use crate::{
    domain::{
        Reason, Refusal, UniqueName, UserId,
        provider::{ChannelProvider, Failover},
    },
    tasks::OnPanic,
    trace,
};

/// The request to a vendor that starts a call.
const DIAL: VendorRequest = VendorRequest::change(Capability::Dial);

/// A request to start a call.
#[derive(Debug, Clone)]
pub struct Start {
    /// Who calls.
    pub user: UserId,
    /// The provider, where the caller chose one.
    pub provider: Option<UniqueName>,
    /// Called party.
    pub to: Address,
    /// Caller id to show.
    pub from: Option<Address>,
    /// Data of the caller's, kept with the call.
    pub context: BTreeMap<String, String>,
    /// The idempotency key of the request.
    pub request: Request,
}

/// Providers that may dial, the best first.
type Candidates = Vec<Candidate>;

#[derive(Debug)]
struct Candidate {
    account: Arc<Account>,
    /// Whether the next one may be tried after a failure that certainly had no effect.
    fails_over: bool,
}

impl Voice {
    /// Starts a call, or answers the one that the same request started before.
    ///
    /// Once the call is registered it is started whether or not the caller waits for the answer.
    pub async fn start_call(&self, start: Start, cx: Context) -> Result<Arc<Call>, Refusal> {
        let calls = &self.shared.calls;
        if let Some(earlier) = calls.find_start(&start.request)? {
            return earlier.result().await;
        }
        let candidates = self.candidates(&start)?;
        let call = self.queued_call(&start, &candidates)?;
        let call_id = call.call_id;
        let (write, guard) = match calls.begin_start(call, &start.request)? {
            StartAttempt::First(write, guard) => (write, guard),
            StartAttempt::Repetition(earlier) => return earlier.result().await,
        };
        let (shared, tasks) = (Arc::clone(&self.shared), self.shared.settings.tasks.clone());
        let scope = tasks.clone();
        let start_call = async move {
            if !write.durable().await {
                return Err(guard.discard());
            }
            let dialled = Arc::clone(&shared).dial(call_id, start, candidates, cx);
            let dialled = scope.guard("voice.start_call", OnPanic::Report, dialled).await;
            let result = dialled.unwrap_or_else(|| {
                // It panicked, perhaps after the vendor took the call.
                shared.spawn_reconcile(call_id);
                Err(interrupted())
            });
            guard.complete(result.clone());
            result
        };
        let start_call = trace::scope(trace::current(), start_call);
        tasks
            .spawn("voice.start_call", OnPanic::Report, start_call)
            .await
            .unwrap_or_else(|| Err(interrupted()))
    }

    /// The call as it is registered: queued at the first candidate.
    fn queued_call(&self, start: &Start, candidates: &Candidates) -> Result<Call, Refusal> {
        let first = candidates.first().ok_or_else(|| {
            let message = format!("No provider of {} can dial.", start.user);
            Refusal::new(Reason::CapabilityUnsupported, message)
                .with("capability", Capability::Dial)
        })?;
        let (id, now) = (self.shared.clock.uid(), self.shared.clock.now());
        let provider = first.account.name.clone();
        let mut call = Call::outbound(id, start.user.clone(), provider, start.to.to_string(), now);
        call.from = start.from.as_ref().map(ToString::to_string).unwrap_or_default();
        call.context.clone_from(&start.context);
        call.request = Some(start.request.clone());
        Ok(call)
    }

    /// The provider that the request names, or all that can dial in the order of the profile, without
    /// those that are down.
    fn candidates(&self, start: &Start) -> Result<Candidates, Refusal> {
        let usable = self.usable_providers(&start.user)?;
        if let Some(name) = &start.provider {
            let UsableProvider { stored, account } = usable.find(name)?;
            if !stored.outbound {
                return Err(outbound_disabled(&stored));
            }
            Self::offers(&account, Capability::Dial)?;
            return Ok(vec![Candidate { account, fails_over: false }]);
        }
        let (mut able, mut disabled) = (Vec::new(), None);
        for UsableProvider { stored, account } in usable.in_order() {
            if !account.capabilities().contains(&Capability::Dial) {
                continue;
            }
            if stored.outbound {
                able.push(Candidate { account, fails_over: stored.failover == Failover::Next });
            } else {
                disabled.get_or_insert(stored);
            }
        }
        if let Some(stored) = disabled.filter(|_| able.is_empty()) {
            return Err(outbound_disabled(&stored));
        }
        // When all of them are down, the first one is tried for the reason.
        if able.iter().any(|candidate| candidate.account.condition() != Condition::Down) {
            able.retain(|candidate| candidate.account.condition() != Condition::Down);
        }
        Ok(able)
    }
}

impl Shared {
    async fn dial(
        self: Arc<Self>,
        call_id: Uuid,
        start: Start,
        candidates: Candidates,
        cx: Context,
    ) -> Result<Arc<Call>, Refusal> {
        let mut remaining = candidates.into_iter().peekable();
        while let Some(Candidate { account, fails_over }) = remaining.next() {
            let error = match self.dial_at(&account, call_id, &start, &cx).await {
                Ok(call) => return Ok(call),
                Err(DialError::NotDurable(refusal)) => return Err(refusal),
                Err(DialError::Vendor(error)) => error,
            };
            account.record_failure(&self, &error);
            let refusal = refuse::failed(&account.name, DIAL, &error)
                .with("call", format!("calls/{call_id}"));
            if error.effect() == Effect::Unknown {
                self.spawn_reconcile(call_id);
                return Err(refusal);
            }
            let next = remaining.peek().filter(|_| fails_over && may_fail_over(&error));
            let Some(next) = next.map(|next| next.account.name.clone()) else {
                self.fail_call(call_id).await?;
                return Err(refusal);
            };
            tracing::info!(provider = %account.name, %next, "failing over to the next provider");
            self.reassign(call_id, next).await?;
        }
        // There is at least one candidate, and the last one returns above.
        Err(Refusal::new(Reason::Internal, "No provider was tried."))
    }

    /// Starts the call at one vendor.
    async fn dial_at(
        &self,
        account: &Account,
        call_id: Uuid,
        start: &Start,
        cx: &Context,
    ) -> Result<Arc<Call>, DialError> {
        let provider =
            account.provider.as_ref().map_err(|error| DialError::Vendor(error.clone()))?;
        let request = StartCall {
            call_id,
            agent: start.user.as_str().to_owned(),
            to: start.to.clone(),
            from: start.from.clone(),
            context: start.context.clone(),
        };
        let started = provider.start_call(cx, request).await.map_err(DialError::Vendor)?;
        let now = self.clock.now();
        let change = self.calls.change(call_id, |call| {
            call.started(&started, now);
            true
        });
        let change = change.ok_or_else(|| DialError::NotDurable(not_durable()))?;
        self.calls.publish_when_durable(change).await.map_err(DialError::NotDurable)
    }

    /// Records that the call certainly did not begin, and frees its idempotency key: the same request
    /// may start another call.
    async fn fail_call(&self, call_id: Uuid) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.change_durably(call_id, |call| {
            call.request = None;
            call.become_state(CallState::Ended, Some(deskplane_providers::Cause::Failed), now)
        })
        .await
    }

    /// Assigns the call to the next provider, durably before that is dialled.
    async fn reassign(&self, call_id: Uuid, next: UniqueName) -> Result<(), Refusal> {
        self.change_durably(call_id, |call| {
            call.provider = next;
            call.sequence += 1;
            true
        })
        .await
    }

    async fn change_durably(
        &self,
        call_id: Uuid,
        change: impl FnOnce(&mut Call) -> bool,
    ) -> Result<(), Refusal> {
        match self.calls.change(call_id, change) {
            Some(change) => self.calls.publish_when_durable(change).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Why a vendor did not dial.
#[derive(Debug)]
enum DialError {
    /// It failed.
    Vendor(Error),
    /// It did, and the log does not take that.
    NotDurable(Refusal),
}

/// Whether another vendor may succeed where this one failed: a wrong number is wrong everywhere.
fn may_fail_over(error: &Error) -> bool {
    use ErrorKind::{InvalidArgument, Refused};
    !matches!(error.kind(), InvalidArgument | Refused)
}

fn outbound_disabled(stored: &ChannelProvider) -> Refusal {
    let name = &stored.common.unique_name;
    let message = format!("{name} starts no calls: its field outbound is false.");
    Refusal::new(Reason::OutboundDisabled, message).with("provider", name)
}
