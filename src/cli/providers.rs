//! `providers`: what the adapters take, and whether a provider works.

use deskplane_proto::v1;
use serde_json::{Value, json};

use super::{
    Client, Error, Format, Io, Result,
    output::{self, short, table},
};

/// Arguments of `providers`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Checks a provider at its vendor: configuration, secrets, credentials. Ends with 1 when
    /// something failed.
    Verify {
        /// Unique name of the provider.
        name: String,
    },
    /// Shows the JSON schema of an adapter's configuration.
    Schema {
        /// Kind of the adapter, e.g. `twilio`.
        kind: String,
    },
    /// Lists the adapters of the server.
    Adapters,
}

/// Runs one of them.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    match args.action {
        Action::Verify { name } => verify(client, &name, format, io).await,
        Action::Schema { kind } => schema(client, &kind, format, io).await,
        Action::Adapters => adapters(client, format, io).await,
    }
}

async fn verify(client: &Client, name: &str, format: Format, io: &mut Io<'_>) -> Result<()> {
    let answer = client.call("ProviderService", "VerifyProvider", json!({ "name": name })).await?;
    let verified = answer.transcode_to::<v1::VerifyProviderResponse>()?;
    match format {
        Format::Table => {
            let rows = verified.checks.iter().map(|check| {
                let outcome = short(check.outcome().as_str_name(), "CheckOutcome").to_owned();
                let took = check.duration.unwrap_or_default();
                let millis = took.seconds * 1_000 + i64::from(took.nanos / 1_000_000);
                [check.name.clone(), outcome, format!("{millis} ms"), check.detail.clone()]
            });
            io.line(table(&["CHECK", "OUTCOME", "TIME", "DETAIL"], rows))?;
        }
        _ => io.value(format, &output::message(&answer)?)?,
    }
    if verified.ok { Ok(()) } else { Err(Error::Partly(format!("{name} does not work"))) }
}

async fn schema(client: &Client, kind: &str, format: Format, io: &mut Io<'_>) -> Result<()> {
    let listed = listed(client).await?;
    let Some(adapter) = listed.adapters.iter().find(|adapter| adapter.kind == kind) else {
        let kinds: Vec<_> = listed.adapters.iter().map(|adapter| adapter.kind.as_str()).collect();
        return Err(Error::Usage(format!(
            "there is no adapter `{kind}`; there are {}",
            kinds.join(", ")
        )));
    };
    let schema: Value = serde_json::from_str(&adapter.config_schema)?;
    let format = if format == Format::Table { Format::Json } else { format };
    io.value(format, &schema)
}

async fn adapters(client: &Client, format: Format, io: &mut Io<'_>) -> Result<()> {
    if format != Format::Table {
        let answer = client.call("ProviderService", "ListAdapters", json!({})).await?;
        return io.value(format, &output::message(&answer)?);
    }
    let listed = listed(client).await?;
    let rows = listed.adapters.iter().map(|adapter| {
        let secrets = adapter.secrets.iter();
        let secrets =
            secrets.map(|s| if s.required { s.name.clone() } else { format!("[{}]", s.name) });
        let proof = adapter
            .proof_levels()
            .map(|level| short(level.as_str_name(), "ProofLevel").to_lowercase());
        [
            adapter.kind.clone(),
            adapter.title.clone(),
            short(adapter.webhook_use().as_str_name(), "WebhookUse").to_lowercase(),
            secrets.collect::<Vec<_>>().join(", "),
            proof.collect::<Vec<_>>().join(", "),
        ]
    });
    io.line(table(&["KIND", "TITLE", "EVENTS", "SECRETS", "PROVED BY"], rows))
}

async fn listed(client: &Client) -> Result<v1::ListAdaptersResponse> {
    let answer = client.call("ProviderService", "ListAdapters", json!({})).await?;
    Ok(answer.transcode_to()?)
}
