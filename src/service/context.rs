//! The context of a call, and the one way from it to the data.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tonic::Request;

use super::deadline::{self, Deadline};
use crate::{
    auth::{self, Credential, Rpc},
    catalog::Catalog,
    domain::{Actor, Reason, Refusal},
    ledger::{Accepted, Ledger, Submission},
};

/// Who calls what, from where, since when and until when: everything that the head of a request says
/// of a call. Made by [`CallLayer`](super::CallLayer) and by nothing else, so whoever holds one knows
/// that the caller is authenticated and holds a scope that may allow the call. Cheap to clone.
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
    /// Whether something was handed on that takes effect without the caller.
    handed_over: AtomicBool,
}

impl CallContext {
    /// Authenticates the caller, and refuses one whom no message could be allowed to send.
    pub(super) fn new(
        rpc: &'static Rpc,
        credential: Credential,
        catalog: &Catalog,
        peer: Option<SocketAddr>,
        (start, deadline): (Instant, Option<Deadline>),
    ) -> Result<Self, Refusal> {
        let actor = credential.actor(catalog)?;
        auth::may_call(rpc, &actor)?;
        let (revision, handed_over) = (catalog.revision, AtomicBool::new(false));
        let head = Head { rpc, credential, actor, revision, peer, start, deadline, handed_over };
        Ok(Self(Arc::new(head)))
    }

    /// Takes a request apart; nothing else of its head is of any use to a handler.
    pub(super) fn split<M>(request: Request<M>) -> Result<(Self, M), Refusal> {
        let (_, mut extensions, message) = request.into_parts();
        let context = extensions.remove::<Self>().ok_or_else(|| {
            Refusal::new(Reason::Internal, "The server lets in calls without a context.")
        })?;
        Ok((context, message))
    }

    /// What is called.
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

    /// How long the call has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }

    /// When the caller gives up, where it said so.
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
        deadline::exceeded(given, self.rpc().path, self.is_handed_over())
    }

    /// Notes that the call handed on what takes effect without it: from here on its end says nothing
    /// of the outcome.
    pub(super) fn hand_over(&self) {
        self.0.handed_over.store(true, Ordering::Relaxed);
    }

    /// Whether what the call asked for may take effect although it ends.
    pub(super) fn is_handed_over(&self) -> bool {
        self.0.handed_over.load(Ordering::Relaxed)
    }

    /// A check for a stream about this user: whether its caller would still be let in.
    pub(super) fn recheck(
        &self,
        subject: String,
    ) -> impl Fn(&Catalog) -> Result<(), Refusal> + Send + Sync + 'static {
        let context = self.clone();
        move |catalog| {
            let actor = context.0.credential.actor(catalog)?;
            let call = auth::Call { subject: Some(&subject), ..auth::Call::default() };
            auth::authorize(context.0.rpc, &actor, &call).map_err(auth::revoked)
        }
    }
}

/// What the access check must know of a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ask<'a> {
    /// The user whom the call names, as sent; `None` when it is not about a user.
    pub(super) subject: Option<&'a str>,
    /// Whether the call only asks what a write would do.
    pub(super) validate_only: bool,
}

impl<'a> Ask<'a> {
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
    /// Keeps others from making one.
    _checked: (),
}

impl Admitted {
    /// Whether the caller may call this about anybody, and so about all at once.
    pub(super) fn about_anybody(&self, context: &CallContext) -> bool {
        auth::about_anybody(context.rpc(), &self.actor)
    }
}

/// The data, behind the access check: a catalog is handed out for a context and what its message asks.
#[derive(Clone)]
pub(super) struct Data {
    ledger: Ledger,
}

impl Data {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Makes the context of a call whose head has been read.
    pub(super) fn enter(
        &self,
        rpc: &'static Rpc,
        credential: Credential,
        peer: Option<SocketAddr>,
        times: (Instant, Option<Deadline>),
    ) -> Result<CallContext, Refusal> {
        CallContext::new(rpc, credential, &self.ledger.catalog(), peer, times)
    }

    /// Lets a call in whose message the caller may send (SPEC §12.2), by the newest catalog.
    pub(super) fn admit(&self, context: &CallContext, ask: Ask<'_>) -> Result<Admitted, Refusal> {
        let (head, catalog) = (&context.0, self.ledger.catalog());
        // The message may have come long after the head.
        let actor = match catalog.revision == head.revision {
            true => head.actor.clone(),
            false => head.credential.actor(&catalog)?,
        };
        let Ask { subject, validate_only } = ask;
        let agent_explain = catalog.settings.allow_agent_explain;
        let call = auth::Call { subject, validate_only, agent_explain };
        auth::authorize(head.rpc, &actor, &call)?;
        Ok(Admitted { catalog, actor, _checked: () })
    }

    /// Hands in the write of a call that was admitted. From then on its outcome does not depend on
    /// whether anybody waits for it.
    pub(super) async fn write(
        &self,
        context: &CallContext,
        _: &Admitted,
        submission: Submission,
    ) -> Result<Accepted, Refusal> {
        if !submission.validate_only {
            context.hand_over();
        }
        self.ledger.write(submission).await
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
