//! Voice providers behind one contract.
//!
//! * [`ChannelProvider`]: what a vendor's adapter does; [`Kind`]: what is known of an adapter before
//!   it has an account: its configuration, its secrets, what it can do.
//! * [`Registry`]: the adapters of this build, an explicit list with one cargo feature for each.
//! * [`layers`]: what protects the server from every vendor, in one place and one order.
//! * [`kit`]: the conformance kit, which shows what a provider does right and what not.
//! * [`urls`]: when two URLs of a webhook are the same.
//! * [`http`]: the only way to a vendor, which decides by address whom it may reach.
//!
//! Nothing here knows profiles, users or stores. Time, identifiers, secrets and the network are
//! handed in, so an adapter is deterministic: the same request has the same result.

mod backoff;
mod call;
mod capability;
mod config;
mod descriptor;
mod error;
mod kind;
mod provider;
mod registry;
mod schema;
mod secret;
mod setup;
mod violations;
mod webhook;

pub mod http;
pub mod layers;
pub mod urls;

#[cfg(feature = "asterisk")]
pub mod asterisk;
#[cfg(feature = "external")]
pub mod external;
pub mod fake;
pub mod kit;
#[cfg(feature = "twilio")]
pub mod twilio;
pub mod widget;

#[cfg(all(test, feature = "asterisk", feature = "twilio"))]
mod vectors;

pub use self::{
    backoff::{BackoffPolicy, Pauses},
    call::{Address, AddressInvalid, CallEvent, CallRef, CallState, Cause, Direction},
    capability::{Capabilities, Capability},
    descriptor::{Descriptor, Limits, ProofLevel, Rate, SecretName, WebhookUse},
    error::{Effect, Error, ErrorKind, Result},
    kind::{Adapter, Kind},
    provider::{
        CallStatus, ChannelProvider, Check, CheckOutcome, ClientToken, Context, EventStream,
        MintToken, Presence, SetPresence, StartCall, Started, Transfer,
    },
    registry::Registry,
    secret::{ExposeSecret, Secret, Secrets},
    setup::{Clock, Setup},
    violations::{ConfigViolation, Violations},
    webhook::{Received, Reply, Webhook, WebhookRefused},
    widget::WIDGET,
};
