//! What the kit needs to know of the account behind a provider.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::{Address, Secret};

/// What the kit needs to know of the account behind a provider.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Id of a user whom the vendor knows.
    pub agent: String,
    /// An address that answers. Without one nothing is dialled.
    pub to: Option<Address>,
    /// An address that is busy.
    pub busy: Option<Address>,
    /// An address that the vendor refuses at once; some vendors refuse none, and fail the call.
    pub invalid: Option<Address>,
    /// Life of a token that the vendor accepts.
    pub ttl: Duration,
    /// Genuine webhooks of the vendor.
    pub webhooks: Vec<Sample>,
    /// What must never be seen in an answer, beside the tokens that are minted.
    pub secrets: Vec<Secret>,
    /// Longest that a request may take.
    pub within: Duration,
    /// How long a call may need to be answered or to end. Nothing waits for calls when it is zero.
    pub patience: Duration,
}

/// A genuine webhook of a vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Method in capitals.
    pub method: String,
    /// Public URL to which it was posted.
    pub url: String,
    /// Its headers; the signature is one of them, or part of the URL.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// How many events it has.
    pub events: usize,
}

impl Plan {
    /// A plan that dials no address.
    pub fn new(agent: impl Into<String>) -> Self {
        Self {
            agent: agent.into(),
            to: None,
            busy: None,
            invalid: None,
            ttl: Duration::from_secs(300),
            webhooks: Vec::new(),
            secrets: Vec::new(),
            within: Duration::from_secs(10),
            patience: Duration::from_secs(10),
        }
    }
}

impl Sample {
    /// The headers; those that are none are left out.
    pub(super) fn header_map(&self) -> HeaderMap {
        let line = |(name, value): (&String, &String)| {
            Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
        };
        self.headers.iter().filter_map(line).collect()
    }
}
