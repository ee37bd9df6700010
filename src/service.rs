//! The API: authentication and access, conversion of messages, answers.
//!
//! A layer in front makes the context of every call ([`CallLayer`]). `methods` answers the methods of
//! the API by three generic ways, write, get and list, and by methods for the calls that need one.

mod agent;
mod audit;
mod audited;
mod body;
mod codec;
mod context;
mod convert;
mod deadline;
mod fast_path;
pub mod filter;
mod fleet;
mod history;
mod identity;
mod info;
mod insight;
mod layer;
mod meters;
mod methods;
mod page;
mod places;
mod preview;
mod queue;
mod rows;
mod scan;
mod spans;
mod status;
mod transfer;
mod voice;

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use futures_core::Stream;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tonic::Status;
use tower::layer::util::Stack;

use self::{
    context::{Admitted, CallContext, Data, MessageAttributes},
    convert::{Envelope, Reader, Resource, ResourceContext, WriteRequest},
    page::{PageRequest, Selection},
    places::Places,
    queue::Queue,
    rows::Row,
};
pub use self::{
    fast_path::FastPathLayer,
    info::ServerInfo,
    layer::CallLayer,
    meters::CallMeters,
    status::{refused_call, refused_early, status},
};
use crate::{
    audit::Audit,
    auth::Rpc,
    catalog::Catalog,
    clock::Clock,
    command::{self, Command, Plan},
    credentials::Credentials,
    domain::{Kind, Object, ObjectKey, Refusal, Violations, check},
    ledger::{Accepted, Idempotency, Ledger, Submission},
    live::Hub,
    read::Contents,
    secrets::vault::Vault,
    trace::Tracer,
    voice::Voice,
};

/// Header of answers that are a bare resource: the revision that they were read at.
const REVISION: &str = "deskplane-revision";

/// Earlier states of objects, or why they are not kept.
type Recalled = BTreeMap<ObjectKey, Result<Object, Refusal>>;

/// What a method that streams answers.
type EventStream<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// The implementation of every service of the API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    data: Data,
    hub: Hub,
    contents: Arc<Contents>,
    voice: Voice,
    clock: Clock,
    vault: Arc<Vault>,
    /// Previews that run or wait.
    previews: Queue,
    /// Lists of writes that are read, or wait for it. They wait for no preview.
    lists: Queue,
    audit: Audit,
    credentials: Credentials,
    tracer: Tracer,
    info: Arc<ServerInfo>,
    /// Reads whose cost grows with what there is.
    scans: Queue,
    meters: Arc<CallMeters>,
    /// Places of bundles that are under way.
    places: Places,
}

impl Service {
    /// The services over one ledger and one hub.
    pub fn new(
        ledger: Ledger,
        hub: Hub,
        contents: Arc<Contents>,
        voice: Voice,
        clock: Clock,
        vault: Arc<Vault>,
        audit: Audit,
    ) -> Self {
        let meters = Arc::<CallMeters>::default();
        let data = Data::new(ledger, audit.recorder.clone(), Arc::clone(&meters));
        let places = Places::new();
        let (previews, lists, scans) = (Queue::of_writes(), Queue::of_writes(), Queue::of_scans());
        Self {
            data,
            hub,
            contents,
            voice,
            clock,
            vault,
            audit,
            credentials: Credentials::default(),
            tracer: Tracer::default(),
            info: Arc::default(),
            previews,
            lists,
            scans,
            meters,
            places,
        }
    }

    /// The same for callers who show credentials, on a server of this kind.
    pub fn behind(self, credentials: Credentials, info: ServerInfo) -> Self {
        Self { credentials, info: Arc::new(info), ..self }
    }

    /// The same with spans for calls.
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// When the credential of a call runs out.
    fn expiry(&self, context: &CallContext) -> Option<Instant> {
        let end = context.credential().expires()?;
        let left = end.micros().saturating_sub(self.clock.now().micros());
        Instant::now().checked_add(Duration::from_micros(left.try_into().unwrap_or_default()))
    }

    /// The layers that stand in front of the services: without them they refuse every call.
    pub fn layer(&self) -> Stack<FastPathLayer<Self>, CallLayer> {
        let credentials = self.credentials.clone();
        let data = self.data.clone().behind(credentials.clone());
        let (meters, tracer) = (Arc::clone(&self.meters), self.tracer.clone());
        let calls = CallLayer::new(data, credentials, meters, tracer);
        Stack::new(self.fast_path(), calls)
    }

    /// Figures of the calls that pass the layers.
    pub fn meters(&self) -> Arc<CallMeters> {
        Arc::clone(&self.meters)
    }

    fn resource_context<'a>(&'a self, catalog: &'a Catalog) -> ResourceContext<'a> {
        ResourceContext { catalog, hub: &self.hub }
    }

    /// A write: validate and commit (SPEC §7).
    async fn write(
        &self,
        context: &CallContext,
        mut message: Box<dyn WriteRequest>,
    ) -> Result<Accepted, Refusal> {
        let envelope = message.take_envelope();
        let attributes = MessageAttributes {
            validate_only: envelope.validate_only,
            ..MessageAttributes::default()
        };
        let turn = match message.may_be_long() {
            true => Some(self.lists.turn(context.subject()).await?),
            false => None,
        };
        let call = self.data.admit(context, attributes)?;
        let recalled = self.recall(&call, message.as_ref()).await;
        let (call, submission) = match turn {
            None => {
                let submission = self.read(context, &call, envelope, (message, recalled))?;
                (call, submission)
            }
            Some(turn) => {
                let (service, context) = (self.clone(), context.clone());
                let read = move |_: &_| {
                    let read = service.read(&context, &call, envelope, (message, recalled));
                    read.map(|submission| (call, submission))
                };
                turn.run(read).await??
            }
        };
        self.data.write(context, call, submission).await
    }

    /// Reads the message of a write.
    fn read(
        &self,
        context: &CallContext,
        call: &Admitted,
        envelope: Envelope,
        (message, recalled): (Box<dyn WriteRequest>, Recalled),
    ) -> Result<Submission, Refusal> {
        let mut reader = Reader::new(&call.catalog).sealing(&self.vault).recalling(recalled);
        let payload = message.payload();
        let request = self.idempotency(context, &envelope, &payload, &call.catalog, &mut reader.v);
        let command = message.read(&mut reader);
        let command = match self.bad_fields(reader.v, command.as_ref(), call) {
            None => command,
            // A repetition gets its answer, although it may be invalid against the present state.
            Some(bad) if request.is_some() => Box::new(InvalidRequest(bad)),
            Some(bad) => return Err(bad),
        };
        let Envelope { validate_only, reason, .. } = envelope;
        Ok(Self::submission(context, call, command, (request, validate_only, reason)))
    }

    /// The idempotency key of a write, if it has one; what is wrong with its envelope is noted.
    fn idempotency(
        &self,
        context: &CallContext,
        envelope: &Envelope,
        payload: &[u8],
        catalog: &Catalog,
        v: &mut Violations,
    ) -> Option<Idempotency> {
        let id = (!envelope.request_id.is_empty())
            .then(|| uuid::Uuid::try_parse(&envelope.request_id))
            .and_then(|parsed| parsed.map_err(|_| v.invalid("request_id", "must be a UUID")).ok());
        check::line(v, "reason", &envelope.reason, 0..=500);
        id.map(|id| self.request_key(id, context.rpc(), payload, catalog))
    }

    /// A write of an admitted call.
    fn submission(
        context: &CallContext,
        call: &Admitted,
        command: Box<dyn Command>,
        (request, validate_only, reason): (Option<Idempotency>, bool, String),
    ) -> Submission {
        Submission {
            command,
            actor: call.actor.clone(),
            provenance: context.provenance(call.scope),
            request,
            validate_only,
            reason,
        }
    }

    /// The earlier states that a request asks for. What is not kept is part of the command, so that a
    /// repetition gets its answer all the same.
    async fn recall(&self, call: &Admitted, message: &dyn WriteRequest) -> Recalled {
        let (keys, revision) = message.recalls(&mut Reader::new(&call.catalog));
        let mut recalled = BTreeMap::new();
        for key in keys {
            let exists = call.catalog.object(&key).is_some();
            let state = self.data.history(call).state_at(&key, revision, exists).await;
            recalled.insert(key, state);
        }
        recalled
    }

    /// The idempotency key of a request. Its hash is stored, so a request that may hold secrets gets a
    /// keyed one, which is useless for guessing them.
    fn request_key(
        &self,
        id: uuid::Uuid,
        rpc: &Rpc,
        message: &[u8],
        catalog: &Catalog,
    ) -> Idempotency {
        if rpc.may_hold_secrets {
            let key = catalog.settings.fingerprint_key.as_ref();
            let request = [rpc.path.as_bytes(), message].concat();
            let hashed = self.vault.fingerprint(key, &request);
            return Idempotency { id, payload: hashed.current, former: hashed.former };
        }
        let payload = Sha256::new().chain_update(rpc.path).chain_update(message).finalize().into();
        Idempotency { id, payload, former: Vec::new() }
    }

    /// The refusal of bad fields, together with those that the command finds.
    fn bad_fields(
        &self,
        mut v: Violations,
        command: &dyn Command,
        call: &Admitted,
    ) -> Option<Refusal> {
        if v.is_empty() {
            return None;
        }
        let context = command::Context {
            actor: call.actor.clone(),
            revision: call.catalog.revision + 1,
            time: self.clock.now(),
            uid: uuid::Uuid::nil(),
            policy: self.data.policy(),
        };
        if let Err(refusal) = command.plan(&call.catalog, &context) {
            for violation in refusal.violations {
                v.add(violation.reason, violation.field, violation.description);
            }
        }
        v.finish().err()
    }

    /// One resource by name, and the revision that it was read at.
    fn get<R: Resource>(&self, context: &CallContext, name: &str) -> Result<(R, i64), Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let key = reader.key("name", R::KIND, name);
        reader.v.finish()?;
        let found = call.catalog.object(&key);
        let resource =
            found.and_then(|object| R::of(&object, self.resource_context(&call.catalog)));
        Ok((resource.ok_or_else(|| missing(&key))?, call.catalog.revision))
    }

    /// The request for a page, as sent: `arguments` are those that its token is bound to.
    fn page_request<'a>(
        &self,
        arguments: &'a [&'a str],
        size: i32,
        token: &'a str,
    ) -> PageRequest<'a> {
        PageRequest { arguments, size, token, now: self.clock.now() }
    }

    /// A page of resources.
    async fn list<R: Resource + Send + 'static>(
        &self,
        context: &CallContext,
        (size, token, filter, order_by): (i32, String, String, String),
    ) -> Result<(Vec<R>, String, i64), Refusal> {
        let path = context.rpc().path;
        self.scan(context, move |service, scan| {
            let arguments = [path, &filter, &order_by];
            let asked = service.page_request(&arguments, size, &token);
            let mut v = Violations::new();
            let (schema, orders) = (rows::schema(R::KIND), rows::orders(R::KIND));
            let selection = Selection::read(&mut v, &filter, &order_by, &schema, orders);
            let (size, after) = page::read(&asked, v)?;
            let catalog = scan.catalog;
            let rows = rows::rows(catalog, R::KIND, selection.seek(after.as_ref()));
            let rows = scan.rows(rows).map(|object| {
                let name = object.name().to_owned();
                (Row { object, catalog }, name)
            });
            let context = service.resource_context(catalog);
            let page = selection.page(&asked, (size, after), rows, |row| {
                R::of(&row.object, context).unwrap_or_default()
            });
            Ok((page.rows, page.next, catalog.revision))
        })
        .await
    }
}

/// A write with bad fields, which is refused unless it repeats an accepted one.
#[derive(Debug)]
struct InvalidRequest(Refusal);

impl Command for InvalidRequest {
    fn operation(&self) -> &'static str {
        "InvalidRequest"
    }

    fn plan(&self, _: &Catalog, _: &command::Context) -> Result<Plan, Refusal> {
        Err(self.0.clone())
    }
}

/// The refusal because there is no object of that key.
fn missing(key: &ObjectKey) -> Refusal {
    command::not_found(key.kind, &key.name)
}

/// The refusal because a user does not exist.
fn no_user(user: &str) -> Refusal {
    command::not_found(Kind::User, user)
}

#[cfg(test)]
mod tests;
