//! Third-party voice providers (SPEC §3.11).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Stamp,
    field::{Field, Fields, choice, field},
    refs::{Edge, Refs},
    secret::StoredSecret,
};

/// The adapter that drives nothing: the softphone page does everything by itself.
pub const WIDGET: &str = "widget";

/// The built-in provider that stands for the first-party channels; never linked by hand.
pub const FIRST_PARTY: &str = "msdyn_omnichannel";

/// Sandbox tokens that are always on.
pub const SANDBOX_ALWAYS: &[&str] = &[
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-popups",
    "allow-same-origin",
    "allow-scripts",
];

/// Sandbox tokens of the HTML standard that a provider may configure.
pub const SANDBOX_TOKENS: &[&str] = &[
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-orientation-lock",
    "allow-pointer-lock",
    "allow-popups",
    "allow-popups-to-escape-sandbox",
    "allow-presentation",
    "allow-same-origin",
    "allow-scripts",
    "allow-storage-access-by-user-activation",
    "allow-top-navigation",
    "allow-top-navigation-by-user-activation",
    "allow-top-navigation-to-custom-protocols",
];

/// Most secrets of a provider.
pub const MAX_SECRETS: usize = 20;

/// Version of the interface between softphone page and desktop. There is one, so it is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersion {
    /// Code 162450000.
    #[default]
    V2,
}

/// What a provider can do. The text is the one of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// Accepts an inbound call.
    Accept,
    /// Offers audio devices.
    AudioDevices,
    /// Mints tokens for the softphone page.
    ClientToken,
    /// Dials when a number is clicked.
    ClickToAct,
    /// Joins several parties.
    Conference,
    /// Offers contacts.
    ContactList,
    /// Declines an inbound call.
    Decline,
    /// Places calls.
    Dial,
    /// Sends digits.
    Dtmf,
    /// Ends calls.
    End,
    /// Holds and resumes.
    Hold,
    /// Mutes.
    Mute,
    /// Follows the agent's presence.
    PresenceSync,
    /// Starts and stops recordings.
    RecordingControl,
    /// Supervisors can listen in.
    Supervise,
    /// Transfers after speaking to the target.
    TransferAttended,
    /// Transfers without speaking to the target.
    TransferBlind,
    /// Has a state after the call.
    WrapUp,
}

/// What a client does while the provider is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Failover {
    /// Nothing.
    #[default]
    None,
    /// It may use the next provider of the profile.
    Next,
}

/// One third-party voice provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelProvider {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Widget title, 1 to 100 characters.
    pub label: String,
    /// Absolute https URL, at most 1024 characters.
    pub channel_url: String,
    /// Whether updates and imports must leave the URL alone.
    #[serde(default)]
    pub pinned_url: bool,
    /// Whether click-to-act may dial.
    #[serde(default)]
    pub outbound: bool,
    /// 0 (first) to 1000.
    #[serde(default)]
    pub channel_order: i32,
    /// Hosts or https origins, at most 2000 characters joined.
    #[serde(default)]
    pub trusted_domains: Vec<String>,
    /// At most 2000 characters, readable by every agent.
    #[serde(default)]
    pub custom_parameters: String,
    /// Configured iframe sandbox tokens.
    #[serde(default)]
    pub sandbox: BTreeSet<String>,
    /// Whether analytics are on.
    #[serde(default)]
    pub analytics: bool,
    /// Empty: not declared.
    #[serde(default)]
    pub capabilities: BTreeSet<Capability>,
    /// While the provider is down.
    #[serde(default)]
    pub failover: Failover,
    /// Kind of the server-side adapter; immutable.
    pub adapter: String,
    /// JSON object, at most 16 KiB, byte for byte as given.
    #[serde(default)]
    pub config: String,
    /// Secrets by name, at most 20.
    #[serde(default)]
    pub secrets: BTreeMap<String, StoredSecret>,
    /// An update tried to change the pinned URL to this one.
    #[serde(default)]
    pub refused_url: Option<String>,
}

choice! {
    Failover { None = "NONE", Next = "NEXT" }
}

impl Fields for ChannelProvider {
    const FIELDS: &'static [Field<Self>] = &[
        field!(label).column("LABEL"),
        field!(pinned_url),
        field!(outbound),
        field!(channel_order).column("ORDER"),
        Field::described("api_version").immutable(),
        field!(trusted_domains),
        field!(custom_parameters),
        field!(sandbox),
        field!(analytics),
        Field::described("capabilities"),
        field!(failover),
        field!(adapter).immutable().filter().column("ADAPTER"),
        field!(channel_url).column("URL"),
        field!(config),
        Field::described("secrets"),
        Field::described("secret_states").output(),
        Field::described("health").output(),
    ];
}

impl Refs for ChannelProvider {
    const EDGES: &'static [Edge<Self>] = &[];
}
