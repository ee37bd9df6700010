//! Starting calls: on the disk first, then at the vendor, and never twice (SPEC §14.2).

use std::{collections::BTreeMap, sync::Arc};

use deskplane_providers::{
    Address, Capability, ChannelProvider as _, Context, Effect, Error, ErrorKind, StartCall,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Call, CallState, Condition, Request, Shared, Voice,
    accounts::Account,
    acts::Chosen,
    book::{Begun, Ending, not_kept},
    refuse::{self, Asked},
};
use crate::{
    domain::{
        Reason, Refusal, UniqueName, UserId,
        provider::{ChannelProvider, Failover},
    },
    tasks::OnPanic,
};

/// What a vendor is asked for.
const DIAL: Asked = Asked { capability: Capability::Dial, changes: true };

/// A call that somebody asks for.
#[derive(Debug, Clone)]
pub struct Start {
    /// Who calls.
    pub user: UserId,
    /// The provider, where the caller chose one.
    pub provider: Option<UniqueName>,
    /// Whom.
    pub to: Address,
    /// Caller id to show.
    pub from: Option<Address>,
    /// What the caller wants to find again.
    pub context: BTreeMap<String, String>,
    /// What tells this request from every other.
    pub request: Request,
}

/// Providers that may dial, the best first.
type Candidates = Vec<Candidate>;

#[derive(Debug)]
struct Candidate {
    account: Arc<Account>,
    /// Whether the next one may be tried where this one certainly did nothing.
    passes_on: bool,
}

impl Voice {
    /// Starts a call, or answers the one that the same request started before.
    ///
    /// Once the call is noted it goes on whether or not anybody waits for the answer.
    pub async fn start_call(&self, start: Start, cx: Context) -> Result<Arc<Call>, Refusal> {
        let shared = &self.shared;
        if let Some(known) = shared.book.requested(&start.request)? {
            return answer(known).await;
        }
        let candidates = self.candidates(&start)?;
        let Some(first) = candidates.first() else {
            let message = format!("No provider of {} can dial.", start.user);
            return Err(Refusal::new(Reason::CapabilityUnsupported, message)
                .with("capability", Capability::Dial));
        };
        let name = first.account.name.clone();
        let mut call = Call::outbound(
            shared.clock.uid(),
            start.user.clone(),
            name,
            start.to.to_string(),
            shared.clock.now(),
        );
        call.from = start.from.as_ref().map(ToString::to_string).unwrap_or_default();
        call.context.clone_from(&start.context);
        call.request = Some(start.request.clone());
        let call_id = call.call_id;
        match shared.book.begin(call, &start.request)? {
            Begun::New(kept, told) => {
                let shared = Arc::clone(shared);
                let tasks = shared.settings.tasks.clone();
                let dialled = tasks.spawn("voice.start_call", OnPanic::Report, async move {
                    let ending = match kept.done().await {
                        true => shared.dial(call_id, &start, candidates, cx).await,
                        false => {
                            // Nothing was dialled.
                            shared.book.unkept(call_id);
                            Err(not_kept())
                        }
                    };
                    shared.book.begun(call_id);
                    told.send_replace(Some(ending.clone()));
                    ending
                });
                let panicked = || Err(Refusal::new(Reason::Internal, "Starting the call failed."));
                dialled.await.unwrap_or_else(panicked)
            }
            repeated => answer(repeated).await,
        }
    }

    /// The provider that was asked for, or all that can dial in the order of the profile, those that
    /// are down left out.
    fn candidates(&self, start: &Start) -> Result<Candidates, Refusal> {
        let chosen = self.chosen(&start.user)?;
        if let Some(name) = &start.provider {
            let Chosen { stored, account } = chosen.only(name)?;
            if !stored.outbound {
                return Err(outbound_disabled(&stored));
            }
            self.offers(&account, Capability::Dial)?;
            return Ok(vec![Candidate { account, passes_on: false }]);
        }
        let (mut able, mut disabled) = (Vec::new(), None);
        for Chosen { stored, account } in chosen.in_order() {
            if !account.capabilities().contains(&Capability::Dial) {
                continue;
            }
            if stored.outbound {
                able.push(Candidate { account, passes_on: stored.failover == Failover::Next });
            } else {
                disabled.get_or_insert(stored);
            }
        }
        if let Some(stored) = disabled.filter(|_| able.is_empty()) {
            return Err(outbound_disabled(&stored));
        }
        // With all of them down the first one says why.
        if able.iter().any(|candidate| candidate.account.condition() != Condition::Down) {
            able.retain(|candidate| candidate.account.condition() != Condition::Down);
        }
        Ok(able)
    }
}

impl Shared {
    async fn dial(
        self: &Arc<Self>,
        call_id: Uuid,
        start: &Start,
        candidates: Candidates,
        cx: Context,
    ) -> Result<Arc<Call>, Refusal> {
        let mut left = candidates.into_iter().peekable();
        while let Some(Candidate { account, passes_on }) = left.next() {
            let error = match self.ask(&account, call_id, start, &cx).await {
                Ok(call) => return Ok(call),
                Err(Failed::NotKept(refusal)) => return Err(refusal),
                Err(Failed::Vendor(error)) => error,
            };
            account.failed(self, &error);
            let refusal = refuse::failed(&account.name, DIAL, &error)
                .with("call", format!("calls/{call_id}"));
            if error.effect() == Effect::Unknown {
                self.spawn_reconcile(call_id);
                return Err(refusal);
            }
            let next = left.peek().filter(|_| passes_on && another_may(&error));
            let Some(next) = next.map(|next| next.account.name.clone()) else {
                self.give_up(call_id).await?;
                return Err(refusal);
            };
            tracing::info!(provider = %account.name, %next, "the call goes to the next provider");
            self.hand_over(call_id, next).await?;
        }
        // There is at least one candidate, and the last one returns above.
        Err(Refusal::new(Reason::Internal, "No provider was asked."))
    }

    /// Asks one vendor.
    async fn ask(
        &self,
        account: &Account,
        call_id: Uuid,
        start: &Start,
        cx: &Context,
    ) -> Result<Arc<Call>, Failed> {
        let provider = account.provider.as_ref().map_err(|error| Failed::Vendor(error.clone()))?;
        let request = StartCall {
            call_id,
            agent: start.user.as_str().to_owned(),
            to: start.to.clone(),
            from: start.from.clone(),
            context: start.context.clone(),
        };
        let started = provider.start_call(cx, request).await.map_err(Failed::Vendor)?;
        let now = self.clock.now();
        let change = self.book.change(call_id, |call| {
            call.started(&started, now);
            true
        });
        let change = change.ok_or_else(|| Failed::NotKept(not_kept()))?;
        self.book.settle(change).await.map_err(Failed::NotKept)
    }

    /// The call certainly did not begin: it stays as a failed one, and the same request may try anew.
    async fn give_up(&self, call_id: Uuid) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.changed(call_id, |call| {
            call.request = None;
            call.become_state(CallState::Ended, Some(deskplane_providers::Cause::Failed), now)
        })
        .await
    }

    /// The next provider gets the call; on the disk before it is asked.
    async fn hand_over(&self, call_id: Uuid, next: UniqueName) -> Result<(), Refusal> {
        self.changed(call_id, |call| {
            call.provider = next;
            call.sequence += 1;
            true
        })
        .await
    }

    async fn changed(
        &self,
        call_id: Uuid,
        change: impl FnOnce(&mut Call) -> bool,
    ) -> Result<(), Refusal> {
        match self.book.change(call_id, change) {
            Some(change) => self.book.settle(change).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Why a vendor did not dial.
#[derive(Debug)]
enum Failed {
    /// It failed.
    Vendor(Error),
    /// It did, and the disk does not take it.
    NotKept(Refusal),
}

/// Whether another vendor may do what this one did not: a wrong number is wrong everywhere.
fn another_may(error: &Error) -> bool {
    use ErrorKind::{InvalidArgument, Refused};
    !matches!(error.kind(), InvalidArgument | Refused)
}

async fn answer(begun: Begun) -> Result<Arc<Call>, Refusal> {
    let mut ending: watch::Receiver<Ending> = match begun {
        Begun::Known(call) => return Ok(call),
        Begun::UnderWay(ending) => ending,
        Begun::New(..) => return Err(not_kept()),
    };
    let ended = ending.wait_for(Option::is_some).await.map_err(|_| not_kept())?;
    ended.clone().unwrap_or_else(|| Err(not_kept()))
}

fn outbound_disabled(stored: &ChannelProvider) -> Refusal {
    let name = &stored.common.unique_name;
    let message = format!("{name} starts no calls: its field outbound is false.");
    Refusal::new(Reason::OutboundDisabled, message).with("provider", name)
}
