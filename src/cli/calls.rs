//! `calls`: starting, listing and watching calls.

use deskplane_proto::v1::{self, watch_calls_response::Event};
use serde_json::{Value, json};

use super::{
    Client, Format, Io, Result,
    output::{self, short, table},
    stream::{self, Feed, Read},
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
        Action::Watch { of, count } => {
            let left = count.unwrap_or(u64::MAX);
            // This stream has no bookmarks; a lost connection is noticed by its keep-alive.
            stream::print(client, Calls { of }, (format, left), None, io).await
        }
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

/// The calls of a user; each stream begins with those that are live.
struct Calls {
    of: Option<String>,
}

impl Feed for Calls {
    type Message = v1::WatchCallsResponse;

    const SERVICE: &'static str = "VoiceService";
    const METHOD: &'static str = "WatchCalls";

    fn request(&self) -> Value {
        json!({ "user": self.of })
    }

    fn read(&mut self, message: &v1::WatchCallsResponse) -> Read {
        let reconnect_after = match &message.event {
            Some(Event::Drain(drain)) => drain.reconnect_after,
            _ => None,
        };
        Read { shown: true, in_step: false, reconnect_after }
    }

    fn line(message: &v1::WatchCallsResponse) -> Result<String> {
        Ok(match &message.event {
            Some(Event::Call(call)) => row(call).join("  "),
            Some(Event::InSync(sync)) => format!("in sync: {} live calls", sync.calls),
            Some(Event::Drain(_)) => "the server asks to reconnect".to_owned(),
            None => "a message that this program does not know".to_owned(),
        })
    }
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
