//! What stands between the wire and the product: who calls, what the call says, what it answers.
//!
//! The generated services are implemented in `rpcs` by four generic ways: write, get, list and the
//! few calls that are like no other.

mod agent;
mod convert;
pub mod filter;
mod insight;
mod page;
mod rows;
mod rpcs;
mod status;
mod voice;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, metadata::MetadataMap};

pub use self::status::{refused, status};
use self::{
    convert::{Answer, Context, Reader, Resource, WriteRequest},
    page::{Asked, Selection},
    rows::Row,
};
use crate::{
    auth,
    catalog::Catalog,
    clock::Clock,
    command::{self, Command, Plan},
    domain::{Actor, Kind, ObjectKey, Reason, Refusal, Violations, check},
    ledger::{Accepted, Ledger, RequestKey, Submission},
    voice::{Voice, vault::Vault},
    watch::{Contents, Hub},
};

/// Header of answers that are a bare resource: the revision that they were read at.
const REVISION: &str = "deskplane-revision";

/// Writes whose requests may hold secrets.
const MAY_HOLD_SECRETS: &[&str] = &[
    "deskplane.v1.ProviderService/CreateChannelProvider",
    "deskplane.v1.ProviderService/UpdateChannelProvider",
];

/// The implementation of every service of the API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    ledger: Ledger,
    hub: Hub,
    contents: Arc<Contents>,
    voice: Voice,
    clock: Clock,
    vault: Arc<Vault>,
}

/// A call that may go on.
#[derive(Debug)]
struct Call {
    catalog: Arc<Catalog>,
    actor: Actor,
}

/// What the metadata of a call says of its caller, while no credential is configured.
#[derive(Debug, Clone)]
struct Credential<T> {
    user: Option<T>,
    scopes: Option<T>,
}

impl<'a> Credential<&'a str> {
    /// Reads the credential. A key that is given twice is refused: a proxy in front and the server
    /// might each take another of the two values.
    fn of(metadata: &'a MetadataMap) -> Result<Self, Refusal> {
        let mut v = Violations::new();
        let mut text = |key| {
            let mut values = metadata.get_all(key).iter();
            let first = values.next();
            if values.next().is_some() {
                v.invalid(key, "is given more than once");
            }
            // What is not ASCII text is no id and no scope either; it must not count as absent.
            first.map(|value| value.to_str().unwrap_or("\u{fffd}"))
        };
        let (user, scopes) = (text(auth::USER_KEY), text(auth::SCOPES_KEY));
        v.finish()?;
        Ok(Self { user, scopes })
    }

    fn to_owned(&self) -> Credential<String> {
        Credential { user: self.user.map(str::to_owned), scopes: self.scopes.map(str::to_owned) }
    }
}

impl<T: AsRef<str>> Credential<T> {
    fn caller(&self, catalog: &Catalog) -> Result<Actor, Refusal> {
        let user = self.user.as_ref().map(AsRef::as_ref);
        let scopes = self.scopes.as_ref().map(AsRef::as_ref);
        auth::caller(user, scopes, catalog)
    }
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
    ) -> Self {
        Self { ledger, hub, contents, voice, clock, vault }
    }

    /// Finds out who calls and whether the caller may (SPEC §12). `subject` is the user that the
    /// call is about, as sent.
    fn enter(
        &self,
        path: &'static str,
        metadata: &MetadataMap,
        subject: Option<&str>,
        validate_only: bool,
    ) -> Result<Call, Refusal> {
        let catalog = self.ledger.catalog();
        let actor = Credential::of(metadata)?.caller(&catalog)?;
        let agent_explain = catalog.settings.allow_agent_explain;
        auth::authorize(path, &actor, &auth::Call { subject, validate_only, agent_explain })?;
        Ok(Call { catalog, actor })
    }

    fn context<'a>(&'a self, catalog: &'a Catalog) -> Context<'a> {
        Context { catalog, hub: &self.hub }
    }

    /// A write: judge, commit, answer (SPEC §7).
    async fn write<R: WriteRequest, A: for<'a> From<Answer<'a>>>(
        &self,
        path: &'static str,
        request: Request<R>,
    ) -> Result<Response<A>, Status> {
        let (metadata, _, mut message) = request.into_parts();
        let envelope = message.take_envelope();
        let call = self.enter(path, &metadata, None, envelope.validate_only)?;
        let mut reader = Reader::new(&call.catalog).sealing(&self.vault);
        let request = (!envelope.request_id.is_empty())
            .then(|| uuid::Uuid::try_parse(&envelope.request_id))
            .and_then(|parsed| {
                parsed.map_err(|_| reader.v.invalid("request_id", "must be a UUID")).ok()
            })
            .map(|id| self.request_key(id, path, &message.encode_to_vec(), &call.catalog))
            .transpose()?;
        check::line(&mut reader.v, "reason", &envelope.reason, 0..=500);
        let command = message.read(&mut reader);
        let command: Box<dyn Command> = match self.bad_fields(reader.v, &command, &call) {
            None => Box::new(command),
            // A repetition gets its answer, although what it sends fits the state no longer.
            Some(bad) if request.is_some() => Box::new(Refused(bad)),
            Some(bad) => return Err(bad.into()),
        };
        let submission = Submission {
            command,
            actor: call.actor,
            request,
            validate_only: envelope.validate_only,
            reason: envelope.reason,
        };
        let Accepted { outcome, catalog } = self.ledger.write(submission).await?;
        let context = self.context(&catalog);
        Ok(Response::new(A::from(Answer { outcome: &outcome, context })))
    }

    /// How a repetition is recognised. The hash is stored, so what may hold secrets is hashed in a
    /// way that lets nobody guess them.
    fn request_key(
        &self,
        id: uuid::Uuid,
        path: &str,
        message: &[u8],
        catalog: &Catalog,
    ) -> Result<RequestKey, Refusal> {
        if MAY_HOLD_SECRETS.contains(&path) {
            let key = catalog.settings.fingerprint_key.as_ref();
            let request = [path.as_bytes(), message].concat();
            let hashed = self.vault.fingerprint(key, &request).map_err(|error| {
                let why = error.to_string();
                Refusal::new(Reason::KeyRingUnusable, format!("Nothing was written: {why}."))
                    .precondition("KEY_RING_UNUSABLE", "voice.key_ring", why)
            })?;
            return Ok(RequestKey { id, payload: hashed.current, former: hashed.former });
        }
        let payload = Sha256::new().chain_update(path).chain_update(message).finalize().into();
        Ok(RequestKey { id, payload, former: Vec::new() })
    }

    /// The refusal of bad fields, together with those that only the command knows.
    fn bad_fields(
        &self,
        mut v: Violations,
        command: &impl Command,
        call: &Call,
    ) -> Option<Refusal> {
        if v.is_empty() {
            return None;
        }
        let context = command::Context {
            actor: call.actor.clone(),
            revision: call.catalog.revision + 1,
            time: self.clock.now(),
            uid: uuid::Uuid::nil(),
        };
        if let Err(refusal) = command.plan(&call.catalog, &context) {
            for violation in refusal.violations {
                v.add(violation.reason, violation.field, violation.description);
            }
        }
        v.finish().err()
    }

    /// One resource by name.
    fn get<R: Resource>(
        &self,
        path: &'static str,
        metadata: &MetadataMap,
        name: &str,
    ) -> Result<Response<R>, Status> {
        let call = self.enter(path, metadata, None, false)?;
        let mut reader = Reader::new(&call.catalog);
        let key = reader.key("name", R::KIND, name);
        reader.v.finish()?;
        let found = call.catalog.object(&key);
        let resource = found.and_then(|object| R::of(&object, self.context(&call.catalog)));
        let resource = resource.ok_or_else(|| missing(&key))?;
        let mut response = Response::new(resource);
        response.metadata_mut().insert(REVISION, call.catalog.revision.into());
        Ok(response)
    }

    /// A page of resources.
    fn list<R: Resource>(
        &self,
        path: &'static str,
        metadata: &MetadataMap,
        (size, token, filter, order_by): (i32, &str, &str, &str),
    ) -> Result<(Vec<R>, String, i64), Status> {
        let call = self.enter(path, metadata, None, false)?;
        let arguments = [path, filter, order_by];
        let asked = Asked { arguments: &arguments, size, token, now: self.clock.now() };
        let mut v = Violations::new();
        let (schema, orders) = (rows::schema(R::KIND), rows::orders(R::KIND));
        let selection = Selection::read(&mut v, filter, order_by, schema, orders);
        let (size, after) = page::read(&asked, v)?;
        let catalog = call.catalog.as_ref();
        let rows = rows::rows(catalog, R::KIND, selection.seek(after.as_ref())).map(|object| {
            let name = object.name().to_owned();
            (Row { object, catalog }, name)
        });
        let context = self.context(catalog);
        let page = selection.page(&asked, (size, after), rows, |row| {
            R::of(&row.object, context).unwrap_or_default()
        });
        Ok((page.rows, page.next, catalog.revision))
    }
}

/// A write that is refused before it is judged, unless it repeats an accepted one.
#[derive(Debug)]
struct Refused(Refusal);

impl Command for Refused {
    fn operation(&self) -> &'static str {
        "Refused"
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, _: &Catalog, _: &command::Context) -> Result<Plan, Refusal> {
        Err(self.0.clone())
    }
}

/// The refusal because nothing has that key.
fn missing(key: &ObjectKey) -> Refusal {
    command::not_found(key.kind, &key.name)
}

/// The refusal because a user does not exist.
fn no_user(user: &str) -> Refusal {
    command::not_found(Kind::User, user)
}

#[cfg(test)]
mod tests;
