//! Records and batches with names from the domain.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::{
        Actor, Change, Kind, Object, ObjectKey, Provenance, Stamp, Time, UserId,
        directory::{User, UserKind},
        settings::Settings,
    },
    store::{Batch, Record, Request, Revision},
};

/// A user written by the commit of that revision.
pub(crate) fn put_user(id: &str, revision: Revision) -> Change {
    Change::Put(Object::User(Arc::new(User {
        id: UserId::parse(id).unwrap(),
        stamp: Stamp::new(Uuid::from_u128(7), revision, Time::from_micros(revision), "system"),
        display_name: format!("{id} at {revision}"),
        kind: UserKind::Human,
        email: String::new(),
        roles: [].into(),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    })))
}

/// The settings written by the commit of that revision.
pub(crate) fn put_settings(revision: Revision) -> Change {
    let stamp = Stamp::new(Uuid::from_u128(7), revision, Time::from_micros(revision), "system");
    Change::Put(Object::Settings(Arc::new(Settings::initial(stamp))))
}

pub(crate) fn delete_user(id: &str) -> Change {
    Change::Delete(user_key(id))
}

pub(crate) fn user_key(id: &str) -> ObjectKey {
    ObjectKey::new(Kind::User, id)
}

pub(crate) fn record(revision: Revision, changes: Vec<Change>) -> Record {
    Record {
        revision,
        time: Time::from_micros(revision),
        operation: "UpdateUser".to_owned(),
        actor: Actor::system(),
        provenance: Provenance::default(),
        reason: String::new(),
        flags: vec!["move".to_owned()],
        request: None,
        changes,
    }
}

/// The record with a request id.
pub(crate) fn asked(record: Record, id: u128) -> Record {
    let answer = serde_json::json!({ "changed": true });
    let request = Request { id: Uuid::from_u128(id), payload: [id as u8; 32], answer };
    Record { request: Some(request), ..record }
}

/// A batch whose every revision writes a user of its own, and Kendall.
pub(crate) fn batch(after: Revision, revisions: &[Revision]) -> Batch {
    let write = |&at| record(at, vec![put_user(&format!("user{at}"), at), put_user("Kendall", at)]);
    Batch::new(after, revisions.iter().map(write).collect()).unwrap()
}
