//! The context of a call, and the one way from it to the data.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Request;

use super::{
    audited::Call,
    deadline::{self, Deadline},
    meters::CallMeters,
};
use crate::{
    audit::{Outcome, Read, Recorder},
    auth::{self, Credential, Rpc},
    catalog::Catalog,
    command::DirectoryPolicy,
    credentials::{Credentials, Rejection},
    domain::{Actor, Provenance, Reason, Refusal, Scope},
    history::History,
    ledger::{Accepted, Ledger, Submission},
    trace::{self, Correlated, Correlation, Kind, RequestId},
};

/// Caller, method, peer, start and deadline: everything that the head of a request holds. Only
/// [`CallLayer`](super::CallLayer) makes one, so it proves that the caller is authenticated and holds a
/// scope that may allow the call. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct CallContext(Arc<Head>);

#[derive(Debug)]
struct Head {
    rpc: &'static Rpc,
    credential: Credential,
    /// The caller, by the catalog of `revision`.
    actor: Actor,
    revision: i64,
    peer: Option<SocketAddr>,
    start: Instant,
    deadline: Option<Deadline>,
    correlation: Correlation,
    /// The entry of an audited read, until the call has ended.
    audited: OnceLock<Box<Read>>,
    /// What the rights of a stream are judged by, from its begin on.
    rechecked: OnceLock<Arc<Rechecked>>,
    /// Whether a request was dispatched that takes effect whether or not the caller waits.
    dispatched: AtomicBool,
}

impl Correlated for Head {
    fn correlation(&self) -> &Correlation {
        &self.correlation
    }
}

impl CallContext {
    /// Authenticates the caller, and refuses one who holds no scope for any message of the method.
    /// The correlation is taken when the call is not refused.
    pub(super) fn new(
        rpc: &'static Rpc,
        credential: Credential,
        catalog: &Catalog,
        peer: Option<SocketAddr>,
        (start, deadline): (Instant, Option<Deadline>),
        correlation: &mut Correlation,
        (recorder, meters): (&Recorder, &CallMeters),
    ) -> Result<Self, Refusal> {
        let denied = |subject: &str, refusal: &Refusal| {
            let call = Call { rpc, subject, peer, revision: catalog.revision };
            call.denied(recorder, None, refusal.reason.as_str());
        };
        let actor = credential.actor(catalog).inspect_err(|no| denied(credential.name(), no))?;
        auth::may_call(rpc, &actor).inspect_err(|refusal| {
            denied(&actor.subject, refusal);
            meters.deny_scopes(actor.scopes);
        })?;
        Ok(Self(Arc::new(Head {
            rpc,
            credential,
            actor,
            revision: catalog.revision,
            peer,
            start,
            deadline,
            correlation: std::mem::take(correlation),
            audited: OnceLock::new(),
            rechecked: OnceLock::new(),
            dispatched: AtomicBool::new(false),
        })))
    }

    /// Splits a request; handlers use nothing else of its head.
    pub(super) fn split<M>(request: Request<M>) -> Result<(Self, M), Refusal> {
        let (_, mut extensions, message) = request.into_parts();
        let context = extensions.remove::<Self>().ok_or_else(|| {
            Refusal::new(Reason::Internal, "The server lets in calls without a context.")
        })?;
        Ok((context, message))
    }

    /// The call, to be made the current request.
    pub(super) fn correlated(&self) -> Arc<dyn Correlated> {
        Arc::<Head>::clone(&self.0)
    }

    /// The request id of the call.
    pub(super) fn id(&self) -> &RequestId {
        self.0.correlation.id()
    }

    /// The method that is called.
    pub(super) fn rpc(&self) -> &'static Rpc {
        self.0.rpc
    }

    /// Name of the caller, for logs.
    pub(super) fn subject(&self) -> &str {
        &self.0.actor.subject
    }

    /// The other end of the connection.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// Where the call comes from, let in by that scope.
    pub(super) fn provenance(&self, scope: Scope) -> Provenance {
        let address = self.peer().map(|peer| peer.to_string()).unwrap_or_default();
        Provenance { scope: Some(scope), address }
    }

    /// Time since the call began.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }

    /// Ends the read, if it is an audited one.
    pub(super) fn end_read(&self, outcome: impl FnOnce() -> Outcome) {
        if let Some(read) = self.0.audited.get() {
            read.end(outcome());
        }
    }

    /// What the caller showed.
    pub(super) fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// The caller's deadline, where it sent one.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// Time that a vendor has, at most `longest`.
    pub(super) fn time_for_vendor(&self, longest: Duration) -> Duration {
        self.deadline().map_or(longest, |deadline| deadline.time_for_vendor(longest))
    }

    /// The refusal because the deadline of the call has passed.
    pub(super) fn deadline_exceeded(&self) -> Refusal {
        let given = self.deadline().map(|deadline| deadline.given).unwrap_or_default();
        deadline::exceeded(given, self.rpc().path, self.is_dispatched())
    }

    /// Marks the call as dispatched to the commit task or a vendor: from here on a deadline leaves its
    /// outcome unknown.
    pub(super) fn mark_dispatched(&self) {
        self.0.dispatched.store(true, Ordering::Relaxed);
    }

    /// Whether the call may take effect although it ends.
    pub(super) fn is_dispatched(&self) -> bool {
        self.0.dispatched.load(Ordering::Relaxed)
    }

    /// Audits that the stream of the call ended because of who called; calls without a stream, and
    /// those whose message was refused, have their entry from the access check.
    pub(super) fn stream_denied(&self, reason: &str) {
        let Some(Rechecked { data, subject }) = self.0.rechecked.get().map(Arc::as_ref) else {
            return;
        };
        let call = Call {
            rpc: self.0.rpc,
            subject: self.subject(),
            peer: self.0.peer,
            revision: data.ledger.catalog().revision,
        };
        call.denied(&data.recorder, Some(subject), reason);
    }
}

/// What the rights of a stream are judged by while it lasts.
#[derive(Debug)]
struct Rechecked {
    data: Data,
    /// The user whom the stream is about; empty when it is about the organisation.
    subject: String,
}

/// The attributes of a message that the access check needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MessageAttributes<'a> {
    /// The user whom the call names, as sent; `None` when it is not about a user.
    pub(super) subject: Option<&'a str>,
    /// Whether the call only asks what a write would do.
    pub(super) validate_only: bool,
}

impl<'a> MessageAttributes<'a> {
    /// A call about this user, or about the caller's own when it is empty.
    pub(super) fn about(subject: &'a str) -> Self {
        Self { subject: Some(subject), validate_only: false }
    }
}

/// A call that passed the access check, with the catalog by which it did. Only [`Data::admit`] makes
/// one.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The catalog that the call is answered by.
    pub(super) catalog: Arc<Catalog>,
    /// The caller.
    pub(super) actor: Actor,
    /// The scope that let the call in.
    pub(super) scope: Scope,
    /// Keeps others from making one.
    _checked: (),
}

impl Admitted {
    /// Whether the caller may call this about any user, and so about all at once.
    pub(super) fn about_anybody(&self, context: &CallContext) -> bool {
        auth::about_anybody(context.rpc(), &self.actor)
    }
}

/// The data, behind the access check: a catalog is handed out for a context and the attributes of its
/// message.
#[derive(Clone)]
pub(super) struct Data {
    ledger: Ledger,
    recorder: Recorder,
    credentials: Credentials,
    meters: Arc<CallMeters>,
}

impl Data {
    pub(super) fn new(ledger: Ledger, recorder: Recorder, meters: Arc<CallMeters>) -> Self {
        Self { ledger, recorder, credentials: Credentials::default(), meters }
    }

    /// The same for callers who show credentials.
    pub(super) fn behind(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// The answer to a call whose credential was refused, which is audited.
    pub(super) fn reject(
        &self,
        rpc: &'static Rpc,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
        refusal: Refusal,
    ) -> Refusal {
        let Rejection { answer, audit } = self.credentials.reject(peer, headers, refusal);
        if let Some(rejected) = audit {
            let call = Call { rpc, subject: "", peer, revision: self.ledger.catalog().revision };
            call.rejected(&self.recorder, &rejected);
        }
        answer
    }

    /// Makes the context of a call whose head has been read.
    pub(super) fn call_context(
        &self,
        rpc: &'static Rpc,
        credential: Credential,
        peer: Option<SocketAddr>,
        times: (Instant, Option<Deadline>),
        correlation: &mut Correlation,
    ) -> Result<CallContext, Refusal> {
        let catalog = self.ledger.catalog();
        let recorders = (&self.recorder, self.meters.as_ref());
        CallContext::new(rpc, credential, &catalog, peer, times, correlation, recorders)
    }

    /// Admits a call if the caller may send its message (SPEC §12.2), by the newest catalog.
    pub(super) fn admit(
        &self,
        context: &CallContext,
        attributes: MessageAttributes<'_>,
    ) -> Result<Admitted, Refusal> {
        let (head, catalog) = (&context.0, self.ledger.catalog());
        // The message may have come long after the head.
        let actor = match catalog.revision == head.revision {
            true => head.actor.clone(),
            false => head.credential.actor(&catalog)?,
        };
        let MessageAttributes { subject, validate_only } = attributes;
        let agent_explain = catalog.settings.allow_agent_explain;
        let attributes = auth::Attributes { subject, validate_only, agent_explain };
        let (rpc, subject) = (head.rpc, actor.subject.as_str());
        let call = Call { rpc, subject, peer: head.peer, revision: catalog.revision };
        let scope = auth::authorize(rpc, &actor, &attributes).inspect_err(|refusal| {
            call.denied(&self.recorder, attributes.subject, refusal.reason.as_str());
            self.meters.deny_scopes(actor.scopes);
        })?;
        if let Some(read) = call.admitted(&self.recorder, (&actor, scope), &attributes) {
            // A call is admitted once.
            head.audited.set(Box::new(read)).ok();
        }
        Ok(Admitted { catalog, actor, scope, _checked: () })
    }

    /// What the scope DIRECTORY may do beyond the table of access.
    pub(super) fn policy(&self) -> DirectoryPolicy {
        self.ledger.policy()
    }

    /// Submits the write of an admitted call. From then on its outcome does not depend on whether the
    /// caller waits.
    pub(super) async fn write(
        &self,
        context: &CallContext,
        call: Admitted,
        submission: Submission,
    ) -> Result<Accepted, Refusal> {
        // The last reference to a superseded catalog frees it, and after a write that concerns half
        // a million users that takes more than 20 ms: not on the event loop of a connection.
        drop(call);
        if !submission.validate_only {
            context.mark_dispatched();
        }
        let span = trace::child(Kind::Internal, || "ledger.commit".to_owned());
        let written = self.ledger.write(submission).await;
        if let (Some(mut span), Ok(accepted)) = (span, &written) {
            span.set("deskplane.revision", accepted.outcome.revision);
        }
        written
    }

    /// A check for a stream about this user: whether its caller would still be admitted. When the
    /// stream ends because he would not, that is audited.
    pub(super) fn recheck(
        &self,
        context: &CallContext,
        subject: String,
    ) -> impl Fn(&Catalog) -> Result<(), Refusal> + Send + Sync + 'static {
        let rechecked = Arc::new(Rechecked { data: self.clone(), subject });
        // A call has one stream.
        context.0.rechecked.set(Arc::clone(&rechecked)).ok();
        let context = context.clone();
        move |catalog| {
            let actor = context.0.credential.actor(catalog)?;
            let subject = Some(rechecked.subject.as_str());
            let attributes = auth::Attributes { subject, ..auth::Attributes::default() };
            auth::authorize(context.0.rpc, &actor, &attributes).map(drop).map_err(auth::revoked)
        }
    }

    /// What an admitted call reads the past by.
    pub(super) fn history(&self, _: &Admitted) -> History {
        self.ledger.past()
    }

    /// The newest catalog at any later time, for a stream that was admitted.
    pub(super) fn newest(&self, _: &Admitted) -> impl Fn() -> Arc<Catalog> + Send + Sync + 'static {
        let ledger = self.ledger.clone();
        move || ledger.catalog()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data").finish_non_exhaustive()
    }
}
