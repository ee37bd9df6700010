//! The description of an adapter.

use crate::Capability;

/// What is true of every provider that uses an adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptor {
    /// Name by which a provider chooses the adapter; at most 40 characters.
    pub kind: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// Who offers the service; empty when there is no one vendor.
    pub vendor: &'static str,
    /// Version of the adapter.
    pub version: &'static str,
    /// Most that it can do; what one provider can depends on its configuration.
    pub capabilities: &'static [Capability],
    /// Secrets that it takes.
    pub secrets: &'static [SecretName],
    /// How events of calls arrive.
    pub webhook: WebhookUse,
    /// Whether the vendor, given the same call id again, starts nothing new. Only then may
    /// `start_call` be repeated after an unknown outcome.
    pub repeatable_start: bool,
    /// The vendor's limits, unless the configuration sets others.
    pub limits: Limits,
    /// How the adapter was proved right; only what the tests of this repository run.
    pub proof: &'static [ProofLevel],
}

/// A secret that an adapter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretName {
    /// Name, e.g. `auth_token`.
    pub name: &'static str,
    /// Whether the adapter cannot work without it.
    pub required: bool,
}

/// How events of calls reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookUse {
    /// Not at all.
    None,
    /// The vendor posts them.
    Push,
    /// The server holds a stream open.
    Stream,
    /// The server polls while a call is live.
    Poll,
}

/// What a vendor takes; a server that keeps to it is not refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Starts of calls.
    pub dials: Rate,
    /// All other requests.
    pub requests: Rate,
}

/// A rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In the long run.
    pub per_second: f64,
    /// At once after a pause.
    pub burst: u32,
}

/// How an adapter is proved without the vendor (PROVIDERS.md §3), weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofLevel {
    /// L1: signatures, tokens and recordings as vectors.
    Vectors,
    /// L2: scripted answers over a socket, errors and silence among them.
    Scripted,
    /// L3: a mock made from the vendor's own description.
    Mock,
    /// L4: the vendor's own library as the other side.
    Sdk,
    /// L5: a real engine.
    Engine,
}

impl SecretName {
    /// A secret without which the adapter cannot work.
    pub const fn required(name: &'static str) -> Self {
        Self { name, required: true }
    }

    /// A secret that only some uses need.
    pub const fn optional(name: &'static str) -> Self {
        Self { name, required: false }
    }
}

impl Rate {
    /// So many a second, with that burst.
    pub const fn new(per_second: f64, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

impl ProofLevel {
    /// Its name in tables, `L1` to `L5`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vectors => "L1",
            Self::Scripted => "L2",
            Self::Mock => "L3",
            Self::Sdk => "L4",
            Self::Engine => "L5",
        }
    }
}
