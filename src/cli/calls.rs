//! `calls`: starting, listing and watching calls.

use deskplane_proto::v1::{self, watch_calls_response::Event};
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::{
    Client, Error, Format, Io, Result,
    output::{self, short, table},
};

/// Headings of a table of calls.
const HEADINGS: [&str; 7] = ["CALL", "USER", "PROVIDER", "FROM", "TO", "STATE", "CAUSE"];

/// Arguments of `calls`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists calls, newest first.
    List {
        /// Calls of this user only.
        #[arg(long = "of", value_name = "USER")]
        of: Option<String>,
        /// Calls of this provider only.
        #[arg(long)]
        provider: Option<String>,
        /// Only calls that are not over.
        #[arg(long)]
        live: bool,
    },
    /// Shows the calls of a user whenever they change.
    Watch {
        /// The user; the caller's own when not given.
        #[arg(value_name = "USER")]
        of: Option<String>,
        /// End after so many messages.
        #[arg(short = 'n', long)]
        count: Option<u64>,
    },
    /// Starts a call.
    Start {
        /// A number such as +14155550100, or a SIP URI.
        to: String,
        /// Who calls; the caller's own user when not given.
        #[arg(long = "of", value_name = "USER")]
        of: Option<String>,
        /// The provider; the first that can dial when not given.
        #[arg(long)]
        provider: Option<String>,
        /// Caller id to show.
        #[arg(long)]
        from: Option<String>,
    },
}

/// Runs one of them.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    match args.action {
        Action::List { of, provider, live } => {
            let request = json!({ "user": of, "provider": provider, "live": live });
            let answer = client.call("VoiceService", "ListCalls", request).await?;
            if format != Format::Table {
                return io.value(format, &output::message(&answer)?);
            }
            let page = answer.transcode_to::<v1::ListCallsResponse>()?;
            io.line(table(&HEADINGS, page.calls.iter().map(row)))?;
            let more = !page.next_page_token.is_empty();
            if more {
                io.note(format!("there are more than these {}", page.calls.len()))
            } else {
                Ok(())
            }
        }
        Action::Watch { of, count } => watch(client, of, count, format, io).await,
        Action::Start { to, of, provider, from } => {
            let request = json!({ "user": of, "to": to, "provider": provider, "from": from });
            let answer = client.call("VoiceService", "StartCall", request).await?;
            if format != Format::Table {
                return io.value(format, &output::message(&answer)?);
            }
            let started = answer.transcode_to::<v1::StartCallResponse>()?;
            io.line(table(&HEADINGS, started.call.iter().map(row)))
        }
    }
}

async fn watch(
    client: &Client,
    of: Option<String>,
    count: Option<u64>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut stream = client.stream("VoiceService", "WatchCalls", json!({ "user": of })).await?;
    let mut left = count.unwrap_or(u64::MAX);
    while let Some(message) = stream.message().await? {
        match format {
            Format::Table => io.line(line(&message)?)?,
            Format::Json => io.line(serde_json::to_string(&output::message(&message)?)?)?,
            Format::Yaml => io.value(format, &output::message(&message)?)?,
        }
        left -= 1;
        if left == 0 {
            return Ok(());
        }
    }
    Err(Error::from(tonic::Status::unavailable("the stream ended without a reason")))
}

fn line(message: &DynamicMessage) -> Result<String> {
    let told = message.transcode_to::<v1::WatchCallsResponse>()?;
    Ok(match told.event {
        Some(Event::Call(call)) => row(&call).join("  "),
        Some(Event::InSync(sync)) => format!("in sync: {} live calls", sync.calls),
        Some(Event::Drain(_)) => "the server asks to reconnect".to_owned(),
        None => "a message that this program does not know".to_owned(),
    })
}

fn row(call: &v1::Call) -> [String; 7] {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let cause = match call.cause() {
        v1::CallCause::Unspecified => String::new(),
        v1::CallCause::Other => call.cause_detail.clone(),
        cause => short(cause.as_str_name(), "CallCause").to_owned(),
    };
    [
        call.call_id.clone(),
        call.user.clone(),
        bare(&call.provider),
        call.from.clone(),
        call.to.clone(),
        short(call.state().as_str_name(), "CallState").to_owned(),
        cause,
    ]
}
