//! The provider under test, what was seen of it, and the words in which checks are written.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::timeout;
use uuid::Uuid;

use super::{Entry, Outcome, Plan, Report};
use crate::{
    Address, CallRef, Capability, ChannelProvider, Context, Error, ErrorKind, ExposeSecret as _,
    Result, StartCall, Started,
};

/// Beyond its deadline a request is given this much before it counts as hanging.
const GRACE: Duration = Duration::from_secs(1);
/// Longest message of an error.
const MAX_MESSAGE: usize = 500;

/// Why a check did not pass.
pub(super) enum Verdict {
    Failed(String),
    Skipped(String),
}

/// What a check ends with.
pub(super) type Checked = Result<(), Verdict>;

/// A provider under test.
pub(super) struct Subject<'a> {
    pub(super) provider: &'a dyn ChannelProvider,
    pub(super) plan: &'a Plan,
    entries: Vec<Entry>,
    /// Messages that are too long or contain a secret.
    leaks: Mutex<Vec<String>>,
}

/// Ends a check as failed unless something holds.
pub(super) fn ensure(holds: bool, otherwise: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(Verdict::Failed(otherwise.into())) }
}

pub(super) fn failed<T>(what: impl Into<String>) -> Result<T, Verdict> {
    Err(Verdict::Failed(what.into()))
}

pub(super) fn skipped<T>(why: impl Into<String>) -> Result<T, Verdict> {
    Err(Verdict::Skipped(why.into()))
}

impl<'a> Subject<'a> {
    pub(super) fn new(provider: &'a dyn ChannelProvider, plan: &'a Plan) -> Self {
        Self { provider, plan, entries: Vec::new(), leaks: Mutex::default() }
    }

    /// Runs one check.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        rule: &'static str,
        check: impl AsyncFnOnce(&Self) -> Checked,
    ) {
        let outcome = match check(self).await {
            Ok(()) => Outcome::Passed,
            Err(Verdict::Failed(what)) => Outcome::Failed(what),
            Err(Verdict::Skipped(why)) => Outcome::Skipped(why),
        };
        self.entries.push(Entry { name, rule, outcome });
    }

    pub(super) fn into_report(self) -> Report {
        Report { kind: self.provider.descriptor().kind, entries: self.entries }
    }

    /// What every request carries.
    pub(super) fn cx(&self) -> Context {
        Context::within(self.plan.within)
    }

    /// Waits for an answer no longer than any may take, and checks the message of an error.
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T>>,
    ) -> Result<Result<T>, Verdict> {
        let Ok(answer) = timeout(self.plan.within + GRACE, request).await else {
            return failed(format!("{what} never ended, its deadline notwithstanding"));
        };
        if let Err(error) = &answer {
            self.note(what, &error.to_string());
        }
        Ok(answer)
    }

    /// Demands an answer.
    pub(super) async fn succeed<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T, Verdict> {
        self.ask(what, request).await?.or_else(|error| failed(format!("{what}: {error}")))
    }

    /// Demands an error of one of these kinds.
    pub(super) async fn refuse<T>(
        &self,
        what: &str,
        kinds: &[ErrorKind],
        request: impl Future<Output = Result<T>>,
    ) -> Result<Error, Verdict> {
        match self.ask(what, request).await? {
            Err(error) if kinds.contains(&error.kind()) => Ok(error),
            Err(error) => failed(format!("{what}: expected {kinds:?}, got {error}")),
            Ok(_) => failed(format!("{what}: expected {kinds:?}, and it succeeded")),
        }
    }

    /// Skips what needs a capability that is not there.
    pub(super) fn needs(&self, capability: Capability) -> Checked {
        match self.provider.capabilities().contains(&capability) {
            true => Ok(()),
            false => skipped(format!("{capability} is not offered")),
        }
    }

    /// The address that answers.
    pub(super) fn answering(&self) -> Result<Address, Verdict> {
        self.needs(Capability::Dial)?;
        let none = || Verdict::Skipped("the plan names no address that answers".to_owned());
        self.plan.to.clone().ok_or_else(none)
    }

    pub(super) fn start(&self, to: Address) -> StartCall {
        StartCall {
            call_id: Uuid::new_v4(),
            agent: self.plan.agent.clone(),
            to,
            from: None,
            context: [("purpose".to_owned(), "conformance".to_owned())].into(),
        }
    }

    /// Starts a call to the address that answers.
    pub(super) async fn dial(&self) -> Result<CallRef, Verdict> {
        let (request, cx) = (self.start(self.answering()?), self.cx());
        let started = self.provider.start_call(&cx, request.clone());
        let started = self.succeed("start_call", started).await?;
        Ok(self.named(&request, &started))
    }

    pub(super) fn named(&self, request: &StartCall, started: &Started) -> CallRef {
        CallRef {
            call_id: request.call_id,
            provider_call_id: started.provider_call_id.clone(),
            agent: request.agent.clone(),
            to: request.to.to_string(),
            from: None,
            start_time: SystemTime::now(),
        }
    }

    /// An unknown call.
    pub(super) fn nobodys(&self) -> CallRef {
        let call_id = Uuid::new_v4();
        CallRef {
            call_id,
            provider_call_id: format!("unknown-{call_id}"),
            agent: self.plan.agent.clone(),
            to: "+14155550199".to_owned(),
            from: None,
            start_time: SystemTime::now(),
        }
    }

    /// Ends a call whose check is over, whatever came of it.
    pub(super) async fn hang_up(&self, call: &CallRef) {
        if self.needs(Capability::End).is_ok() {
            let cx = self.cx();
            let _ended = self.ask("end_call", self.provider.end_call(&cx, call)).await;
        }
    }

    /// Notes a text that is too long or contains a secret.
    pub(super) fn note(&self, what: &str, text: &str) {
        // Beside the message there are the kind and the vendor's code.
        if text.chars().count() > MAX_MESSAGE + 150 {
            self.seen().push(format!("{what}: more than {MAX_MESSAGE} characters"));
        }
        let contained = |secret: &&crate::Secret| {
            let secret = secret.expose_secret();
            !secret.is_empty() && text.contains(secret)
        };
        if self.plan.secrets.iter().any(|secret| contained(&secret)) {
            self.seen().push(format!("{what} contains a secret"));
        }
    }

    pub(super) fn leaks(&self) -> Vec<String> {
        self.seen().clone()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<String>> {
        self.leaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
