//! The conformance kit: what every provider must do, and whether one does.
//!
//! It calls a provider as the server does and checks the answers, so it runs over any adapter and
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
mod plan;
mod report;
mod robustness;
mod subject;
#[cfg(test)]
mod tests;
mod tokens;
mod webhooks;

use self::subject::Subject;
pub use self::{
    plan::{Plan, Sample},
    report::{Entry, Outcome, Report},
};
use crate::ChannelProvider;

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
