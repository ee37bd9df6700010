//! Transactions and the states that resources have had.

mod difference;

use deskplane_proto::v1;
use prost::Message as _;

pub(in crate::service) use self::difference::differences;
use super::{
    Resource as _, ResourceContext, any, fleet::check_revision, reader::SETTINGS, resource_name,
    timestamp,
};
use crate::{
    domain::{Kind, Object, Reason, Refusal, Time, Violations},
    history::{ChangeKind, ChangedObject, ObjectRevision, Transaction},
    live::{ChangeToken, MAX_TOKEN, StoreId, TokenError},
};

/// A mistake of the server.
pub(in crate::service) fn internal(what: &'static str) -> Refusal {
    Refusal::new(Reason::Internal, format!("The server made a mistake: {what}."))
}

/// The time so long after another one.
pub(in crate::service) fn timestamp_after(
    time: Time,
    span: std::time::Duration,
) -> prost_types::Timestamp {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    timestamp(Time::from_micros(time.micros().saturating_add(micros)))
}

fn change_type(kind: ChangeKind) -> i32 {
    match kind {
        ChangeKind::Created => v1::ChangeType::Created,
        ChangeKind::Updated => v1::ChangeType::Updated,
        ChangeKind::Deleted => v1::ChangeType::Deleted,
    }
    .into()
}

fn request_id(transaction: &Transaction) -> String {
    transaction.request_id.map(|id| id.to_string()).unwrap_or_default()
}

/// The resource that a transaction changed.
fn changed(object: &ChangedObject) -> v1::ChangedResource {
    v1::ChangedResource {
        kind: object.kind.as_str().to_owned(),
        name: match object.kind {
            Kind::Settings => SETTINGS.to_owned(),
            kind => resource_name(kind, &object.name),
        },
        r#type: change_type(object.change),
    }
}

/// A transaction as it is listed.
pub(in crate::service) fn change_record(transaction: &Transaction) -> v1::ChangeRecord {
    v1::ChangeRecord {
        revision: transaction.revision,
        commit_time: Some(timestamp(transaction.time)),
        actor: transaction.actor.clone(),
        operation: transaction.operation.clone(),
        flags: transaction.flags.clone(),
        reason: transaction.reason.clone(),
        request_id: request_id(transaction),
        resources: transaction.changed.iter().map(changed).collect(),
        resource_count: i64::try_from(transaction.count).unwrap_or(i64::MAX),
    }
}

/// What a transaction did to one resource.
pub(in crate::service) fn resource_revision(found: &ObjectRevision) -> v1::ResourceRevision {
    let transaction = &found.transaction;
    v1::ResourceRevision {
        revision: transaction.revision,
        commit_time: Some(timestamp(transaction.time)),
        actor: transaction.actor.clone(),
        operation: transaction.operation.clone(),
        flags: transaction.flags.clone(),
        reason: transaction.reason.clone(),
        request_id: request_id(transaction),
        r#type: change_type(found.kind),
    }
}

/// The first revision that a stream wants; none for what is committed from now on.
pub(in crate::service) fn watch_from(
    q: &v1::WatchChangesRequest,
    store: &StoreId,
) -> Result<Option<i64>, Refusal> {
    let mut v = Violations::new();
    check_revision(&mut v, "from_revision", q.from_revision, 0);
    if q.resume_token.is_empty() {
        v.finish()?;
        return Ok(Some(q.from_revision).filter(|from| *from > 0));
    }
    if q.from_revision != 0 {
        v.invalid("from_revision", "is given in place of resume_token, not beside it");
    }
    let read = ChangeToken::read(store, &q.resume_token);
    if q.resume_token.len() > MAX_TOKEN || read == Err(TokenError::Invalid) {
        v.invalid("resume_token", "is no token of a stream of transactions");
    }
    v.finish()?;
    match read {
        Ok(after) => Ok(Some(after.saturating_add(1))),
        Err(_) => {
            let message = "The token is of another store, or of this one before it was restored. \
                           Read the state, then go on from its revision.";
            Err(Refusal::new(Reason::RevisionNotFound, message).with("store", store.store.simple()))
        }
    }
}

/// The message of an object as it was stored, without what a Get derives from elsewhere.
pub(in crate::service) fn any_resource(
    object: &Object,
    context: ResourceContext<'_>,
) -> Option<prost_types::Any> {
    let mut resource = any(object, context)?;
    match object {
        Object::User(_) => {
            let user = v1::User::of(object, context)?;
            resource.value = v1::User { team_roles: Vec::new(), ..user }.encode_to_vec();
        }
        Object::Provider(_) => {
            let provider = v1::ChannelProvider::of(object, context)?;
            resource.value = v1::ChannelProvider { health: None, ..provider }.encode_to_vec();
        }
        _ => {}
    }
    Some(resource)
}
