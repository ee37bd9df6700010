//! `conformance`: the public kit against a running plug-in.

use std::path::{Path, PathBuf};

use deskplane_providers::{
    Address, Error as VendorError, Secret, external,
    http::{Network, Policy},
    kit::{self, Plan, Sample},
};

use super::{
    Error, Io, Result,
    address::{Address as Endpoint, Scheme},
};
use crate::process::environment;

/// Arguments of `conformance`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the plug-in listens: `https://…`, `http://…` or `unix:/path`.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: String,
    /// Id of a user whom the vendor knows.
    #[arg(long, value_name = "USER", default_value = "conformance")]
    agent: String,
    /// An address that answers; without one nothing is dialled.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// An address that is busy.
    #[arg(long, value_name = "ADDRESS")]
    busy: Option<String>,
    /// An address that the vendor refuses.
    #[arg(long, value_name = "ADDRESS")]
    invalid: Option<String>,
    /// A genuine webhook of the vendor, as JSON; may be given several times.
    #[arg(long, value_name = "FILE")]
    webhook: Vec<PathBuf>,
    /// The variable of the environment that holds the token which the plug-in wants to see.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
}

/// Runs the kit; every address that the operator names may be reached.
pub(super) async fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    let schemes = [Scheme::Https, Scheme::Http, Scheme::Unix];
    let endpoint = Endpoint::parse("--endpoint", &args.endpoint, &schemes)?;
    if endpoint.is_exposed() {
        io.note(format!("warning: the connection to {endpoint} is not encrypted"))?;
    }
    let everywhere = ["0.0.0.0/0", "::/0"].into_iter().filter_map(|network| network.parse().ok());
    let policy = Policy::allowing(everywhere).allowing_unix(true);
    let network = Network::new(policy, &[]).map_err(unusable)?;
    let token = args.token_env.as_deref().map(token).transpose()?;
    let mut plan = Plan::new(args.agent);
    plan.to = address(args.to)?;
    plan.busy = address(args.busy)?;
    plan.invalid = address(args.invalid)?;
    plan.secrets.extend(token.clone());
    for file in args.webhook {
        plan.webhooks.push(sample(&file)?);
    }
    let plugin =
        external::connect(&endpoint.to_string(), token, &network).await.map_err(unusable)?;
    let report = kit::run(&plugin, &plan).await;
    io.line(&report)?;
    if report.is_ok() {
        Ok(())
    } else {
        Err(Error::Partly("the plug-in does not conform".to_owned()))
    }
}

fn sample(file: &Path) -> Result<Sample> {
    let unusable = |why: String| Error::Usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))
}

fn token(name: &str) -> Result<Secret> {
    let text = environment::var(name).and_then(|value| value.into_string().ok());
    let unset = || Error::Usage(format!("the variable {name} holds no token"));
    text.map(Secret::from).ok_or_else(unset)
}

fn address(text: Option<String>) -> Result<Option<Address>> {
    let parsed = text.map(|text| {
        text.parse::<Address>().map_err(|rule| Error::Usage(format!("`{text}` {rule}")))
    });
    parsed.transpose()
}

fn unusable(error: VendorError) -> Error {
    Error::start("use the plug-in", error)
}
