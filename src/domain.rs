//! The nouns of the product: types that cannot hold an invalid value, and the field rules that
//! make them so.
//!
//! Nothing below this module knows I/O, clocks, tokio, tonic, prost or a store engine. Rules that
//! need more than one object live beside the commands that write.

pub mod actor;
pub mod app;
pub mod check;
pub mod copilot;
pub mod delivery;
pub mod directory;
pub mod field;
pub mod finding;
mod kinds;
pub mod library;
pub mod meta;
pub mod name;
pub mod object;
pub mod others;
pub mod refs;
pub mod refusal;
pub mod resource_name;
pub mod rules;
pub mod secret;
pub mod settings;
pub mod stored;
pub mod time;

pub(crate) use self::library::named_kinds;
pub use self::{
    actor::{Actor, Provenance, Scope, Scopes},
    app::{App, Method},
    delivery::{Delivery, DeliveryLog, DeliveryRef, NoDeliveryLog},
    finding::{Finding, FindingCode},
    kinds::Kind,
    library::{
        agent_script, channel, macros, notification_template, profile, provider, role,
        session_template, smart_assist_bot, tab_template, tool, workstream,
    },
    meta::{Common, Origin, Stamp, State},
    name::{TeamId, UniqueName, UserId},
    object::{Change, Object, ObjectKey},
    refusal::{Reason, Refusal, Violation, Violations},
    time::Time,
};
