//! The only place that knows both the messages of the API and the types of the product.
//!
//! Requests become commands and queries by [`Reader`], which notes every bad field instead of
//! stopping at the first; domain objects become resources by [`Resource`].

mod answer;
mod audit;
mod bundle;
mod directory;
mod explanation;
mod fleet;
mod framed;
mod history;
mod identity;
mod library;
mod mask;
mod operations;
mod preview;
mod profile;
mod provider;
mod query;
mod reader;
mod render;
mod resolved;
mod rollback;
mod settings;
mod table;
mod voice;

use deskplane_proto::v1;

use crate::{
    command::{Command, Warning},
    content::wire::Coded as _,
    domain::{Finding, Kind, Object, ObjectKey, Origin, Stamp, Time, named_kinds},
    impact::{Affected, AffectedUser},
};

// For every message alike: only these write and read resource names.
pub(super) use crate::domain::resource_name::{Reference, resource_name};

pub(super) use self::{
    answer::Answer,
    audit::{audit_entry, audit_query, bounds, delivery_query, resolution_log_entry},
    bundle::{bundled, export, incoming, options},
    explanation::{explanation, user_match},
    fleet::{
        FLEET_FIELDS, FleetRow, check_revision, client_id, client_status, fleet_summary, place,
        position, status_report,
    },
    framed::{Framed, framed_event, framed_resolve_response},
    history::{
        any_resource, change_record, differences, internal, resource_revision, timestamp_after,
        watch_from,
    },
    identity::caller,
    operations::operations,
    preview::{hypothetical_user, previewed, previewed_user},
    provider::report,
    query::{bulk, client, search},
    reader::Reader,
    render::{rendered_session, session_event},
    resolved::{ResolveAnswer, bulk_result, event, resolve_response, resolved_profile},
    voice::{
        adapter, call, call_event, call_id, check, list_calls, mint, presence, start, timestamp_of,
        transfer,
    },
};

/// What every write carries beside its own arguments.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// A UUID, or empty.
    pub request_id: String,
    /// Judge only.
    pub validate_only: bool,
    /// Why, at most 500 characters.
    pub reason: String,
}

/// A request that changes something.
pub(super) trait WriteRequest: Send + Sync + 'static {
    /// Whether reading it may take so long that it is done on a thread for blocking work.
    fn may_be_long(&self) -> bool {
        false
    }

    /// Takes what every write carries; what is left identifies the payload (SPEC §7.1 rule 6).
    fn take_envelope(&mut self) -> Envelope;

    /// What is left, encoded.
    fn payload(&self) -> Vec<u8>;

    /// The objects whose states at an earlier revision the command needs, if any.
    fn recalls(&self, _: &mut Reader<'_>) -> (Vec<ObjectKey>, i64) {
        (Vec::new(), 0)
    }

    /// Reads the arguments; the command is of use only when no field was bad.
    fn read(self: Box<Self>, reader: &mut Reader<'_>) -> Box<dyn Command>;
}

/// Implements [`WriteRequest`]: `Request => Command, function;`.
macro_rules! writes {
    ($($request:ident => $command:ty, $read:expr;)+) => {$(
        impl $crate::service::convert::WriteRequest for deskplane_proto::v1::$request {
            fn take_envelope(&mut self) -> $crate::service::convert::Envelope {
                $crate::service::convert::Envelope {
                    request_id: std::mem::take(&mut self.request_id),
                    validate_only: self.validate_only,
                    reason: std::mem::take(&mut self.reason),
                }
            }

            fn payload(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self)
            }

            fn read(
                self: Box<Self>,
                reader: &mut $crate::service::convert::Reader<'_>,
            ) -> Box<dyn $crate::command::Command> {
                let read: fn(Self, &mut $crate::service::convert::Reader<'_>) -> $command = $read;
                Box::new(read(*self, reader))
            }
        }
    )+};
}
pub(super) use writes;

/// What a resource needs beside the stored object.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceContext<'a> {
    /// The catalog that the object is part of.
    pub catalog: &'a crate::catalog::Catalog,
    /// Measured health of providers.
    pub hub: &'a crate::live::Hub,
}

/// A resource of the API.
pub(super) trait Resource: prost::Message + Default + Sized {
    /// Its kind.
    const KIND: Kind;

    /// The resource of a stored object; `None` when the object is of another kind.
    fn of(object: &Object, context: ResourceContext<'_>) -> Option<Self>;
}

/// Fills the fields that resources share and adds the given ones, or those of the message behind `..`.
macro_rules! resource {
    ($message:ident of $object:expr, $kind:expr; $($field:ident: $value:expr,)* $(..$own:ident)?) => {{
        let (bundle, bundle_version) = $crate::service::convert::bundle(&$object.common.origin);
        deskplane_proto::v1::$message {
            name: $crate::service::convert::resource_name($kind, $object.common.unique_name.as_str()),
            uid: $object.stamp.uid.to_string(),
            unique_name: $object.common.unique_name.as_str().to_owned(),
            display_name: $object.common.display_name.clone(),
            description: $object.common.description.clone(),
            state: $crate::content::wire::Coded::wire($object.common.state).into(),
            origin: $crate::content::wire::origin(&$object.common.origin).into(),
            bundle,
            bundle_version,
            owner: $object.common.owner.clone(),
            etag: $object.stamp.etag(),
            revision: $object.stamp.revision,
            create_time: Some($crate::service::convert::timestamp($object.stamp.create_time)),
            update_time: Some($crate::service::convert::timestamp($object.stamp.update_time)),
            created_by: $object.stamp.created_by.clone(),
            updated_by: $object.stamp.updated_by.clone(),
            $($field: $value,)*
            $(..$own)?
        }
    }};
}
pub(super) use resource;

/// Expands to [`any`].
macro_rules! any {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// The resource of a stored object of whatever kind, without what a client would have to know
        /// before.
        pub(super) fn any(
            object: &Object,
            context: ResourceContext<'_>,
        ) -> Option<prost_types::Any> {
            let value = match object {
                $(Object::$variant(_) => encoded::<v1::$message>(object, context),)+
                Object::User(_) => encoded::<v1::User>(object, context),
                Object::Team(_) => encoded::<v1::Team>(object, context),
                Object::Settings(_) => encoded::<v1::OrganizationSettings>(object, context),
            };
            let type_url = format!("type.googleapis.com/deskplane.v1.{}", object.kind().as_str());
            Some(prost_types::Any { type_url, value: value? })
        }
    };
}

named_kinds!(any);

fn encoded<R: Resource>(object: &Object, context: ResourceContext<'_>) -> Option<Vec<u8>> {
    R::of(object, context).map(|resource| resource.encode_to_vec())
}

fn resource_names<'a, N: AsRef<str> + 'a>(
    kind: Kind,
    names: impl IntoIterator<Item = &'a N>,
) -> Vec<String> {
    names.into_iter().map(|name| resource_name(kind, name.as_ref())).collect()
}

fn bundle(origin: &Origin) -> (String, String) {
    match origin {
        Origin::Managed { bundle, version } => (bundle.clone(), version.clone()),
        Origin::BuiltIn | Origin::Custom => (String::new(), String::new()),
    }
}

pub(super) fn timestamp(time: Time) -> prost_types::Timestamp {
    let (seconds, nanos) = time.parts();
    prost_types::Timestamp { seconds, nanos }
}

pub(super) fn finding(finding: &Finding) -> v1::Finding {
    v1::Finding {
        code: finding.code.wire().into(),
        subject: finding.subject.clone(),
        message: finding.message.clone(),
    }
}

fn affected(affected: &Affected) -> v1::Affected {
    v1::Affected {
        total_count: count(affected.total_count),
        users: affected.users.iter().map(affected_user).collect(),
        method_only: count(affected.method_only),
        content_only: count(affected.content_only),
    }
}

/// A user who gets another profile.
pub(super) fn affected_user(user: &AffectedUser) -> v1::AffectedUser {
    v1::AffectedUser {
        user: user.user.as_str().to_owned(),
        from: user.from.as_str().to_owned(),
        to: user.to.as_str().to_owned(),
    }
}

/// A number of users.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn warning(warning: &Warning) -> v1::Warning {
    v1::Warning {
        code: warning.code.clone(),
        subject: warning.subject.clone(),
        message: warning.message.clone(),
    }
}

/// A stamp's fields where a resource has no state, origin or owner.
fn stamp_times(stamp: &Stamp) -> (Option<prost_types::Timestamp>, Option<prost_types::Timestamp>) {
    (Some(timestamp(stamp.create_time)), Some(timestamp(stamp.update_time)))
}
