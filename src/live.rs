//! Live streams: every watcher gets what changes for it, and nothing else (SPEC §10, §14.2).
//!
//! One engine serves all kinds of streams. A stream is a [`Payload`], what waits of one kind of
//! message with the newest alone kept, in a slot that knows age, planned end, stall and waker.
//! [`Streams`] holds the streams of one kind: it admits them, finds them by the users that they
//! concern, and drains them; a stream leaves every index when it is dropped.
//!
//! The [`Hub`] takes each commit. Its one task rechecks the streams of the users who changed,
//! whatever the kind, and finds the streams of profiles that the commit can concern: users of one
//! seat and app share a group, a group is resolved once, and only the streams of a group whose
//! digest differs are woken.
//!
//! Streams of transactions are notified of each commit, and read the transactions from the store.
//!
//! The [`Fleet`] keeps what each client was sent, and what it reports of it.

mod access;
mod cause;
mod changes;
mod compare;
mod feed;
mod fleet;
mod group;
mod hub;
mod ids;
mod index;
mod messages;
mod profile;
mod propagation;
mod registry;
mod settings;
mod slot;
mod stream;
mod streams;
mod subscription;
mod token;

pub use self::{
    access::{Access, Recheck},
    cause::Cause,
    changes::{ChangeMessage, ChangeSlot, ChangeStream, ChangeStreams},
    fleet::{
        ClientState, ClientStatus, Counts, Fleet, Held, Mark, Place, RejectReason, Rejection,
        Report, ReportStatus, Statuses, Summary,
    },
    hub::{Hub, not_applicable},
    messages::{Health, HealthState, Message, Reset, Snapshot},
    profile::ProfileSlot,
    propagation::PropagationFigures,
    settings::Settings,
    slot::{Index, Payload, Turn},
    stream::Stream,
    streams::Streams,
    subscription::{StoreId, Subscription},
    token::{ChangeToken, MAX_TOKEN, TokenError},
};

pub use crate::impact::CauseKind;

/// A stream of one user's profile.
pub type ProfileStream = Stream<ProfileSlot>;

#[cfg(test)]
mod tests;
