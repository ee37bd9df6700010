//! `health`: asks the health service of a server (`grpc.health.v1`).

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tonic::{Request, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{Client, Connection, Error, Format, Io, Result};

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is 0 when the answer is SERVING, and 1 otherwise, also when \
no server can be reached. Health needs no credential."
)]
pub(super) struct Args {
    /// Name whose health is asked for: that of a service, or `deskplane.v1.writes` for whether writes
    /// are taken. Default: the server as a whole.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    service: String,
    /// Seconds in which the answer must come, the connection included.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Prints the status; anything but SERVING is an error.
pub(super) async fn run(
    connection: &Connection,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let seconds = args.timeout;
    let checked = timeout(Duration::from_secs(seconds), check(connection, &args.service)).await;
    let late = |_| Error::NotServing(format!("no answer about health within {seconds} s"));
    let status = checked.map_err(late)??;
    let name = status.as_str_name();
    match format {
        Format::Table => io.line(name)?,
        _ => io.value(format, &json!({ "status": name }))?,
    }
    match status {
        ServingStatus::Serving => Ok(()),
        _ => Err(Error::NotServing("the server does not serve that at present".to_owned())),
    }
}

async fn check(connection: &Connection, service: &str) -> Result<ServingStatus> {
    let client = Client::connect(connection).await?;
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    let answer = HealthClient::new(client.channel()).check(request).await;
    Ok(answer.map_err(|status| named(status, service))?.into_inner().status())
}

/// Names the service in a status that the server gives without a word.
fn named(status: Status, service: &str) -> Status {
    match status.code() {
        tonic::Code::NotFound => {
            Status::not_found(format!("the server has no health of a service `{service}`"))
        }
        _ => status,
    }
}
