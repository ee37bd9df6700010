//! The conformance kit: what every provider must do, and whether one does.
//!
//! It asks a provider as the server does and looks at the answers, so it runs over any adapter and
//! over any plug-in. What a provider does not offer is skipped, and says so. Nothing is dialled
//! unless the plan names an address that answers. Where there is a stream of events somebody listens
//! while calls are made, as the server does: some adapters join the parties of a call only then.
//!
//! ```no_run
//! use deskplane_providers::{external, http::{Network, Policy}, kit};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new(Policy::allowing(["127.0.0.0/8".parse()?]), &[])?;
//! let plugin = external::connect("http://127.0.0.1:7001", None, &network).await?;
//! let mut plan = kit::Plan::new("john.doe");
//! plan.to = Some("+14155550100".parse()?);
//! let report = kit::run(&plugin, &plan).await;
//! println!("{report}");
//! assert!(report.is_ok());
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
pub(crate) mod adapters;
mod calls;
mod description;
mod events;
mod report;
mod robustness;
mod subject;
#[cfg(test)]
mod tests;
mod tokens;
mod webhooks;

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

pub use self::report::{Entry, Outcome, Report};
use self::subject::Subject;
use crate::{Address, ChannelProvider, Secret};

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
    /// How many events it tells of.
    pub events: usize,
}

impl Plan {
    /// A plan that dials nobody.
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
    fn header_map(&self) -> HeaderMap {
        let line = |(name, value): (&String, &String)| {
            Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
        };
        self.headers.iter().filter_map(line).collect()
    }
}

/// Runs every check over a provider. An adapter is given as the server uses it, within its
/// [layers](crate::layers), or alone; a plug-in by [`external::connect`](crate::external::connect).
pub async fn run(provider: &dyn ChannelProvider, plan: &Plan) -> Report {
    let mut subject = Subject::new(provider, plan);
    description::run(&mut subject).await;
    tokens::run(&mut subject).await;
    events::listening(provider, plan, calls::run(&mut subject)).await;
    events::run(&mut subject).await;
    webhooks::run(&mut subject).await;
    robustness::run(&mut subject).await;
    subject.into_report()
}
