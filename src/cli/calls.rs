//! `calls`: starting, listing and watching calls.

use deskplane_proto::v1::{self, watch_calls_response::Event};
use prost_reflect::DynamicMessage;
use serde_json::json;
use tonic::{Status, Streaming};

use super::{
    Client, Format, Io, Result,
    output::{self, short, table},
    stream::{self, Source, StreamProgress},
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
            let (client, left) = (client.clone(), count.unwrap_or(u64::MAX));
            if left == 0 {
                return Ok(());
            }
            let mut calls = Calls { client, of, format, left, stream: None, opened: false };
            // This stream has no bookmarks; a lost connection is noticed by its keep-alive.
            stream::follow(&mut calls, None, io).await
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

/// The calls of a user, over reconnects; each stream begins with those that are live.
struct Calls {
    client: Client,
    of: Option<String>,
    format: Format,
    left: u64,
    stream: Option<Streaming<DynamicMessage>>,
    /// Whether a stream was open before: the next one gets a connection of its own.
    opened: bool,
}

impl Source for Calls {
    type Message = DynamicMessage;

    async fn open(&mut self) -> Result<()> {
        self.stream = None;
        if std::mem::replace(&mut self.opened, true) {
            self.client = self.client.reconnected();
        }
        let request = json!({ "user": self.of });
        self.stream = Some(self.client.stream("VoiceService", "WatchCalls", request).await?);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<DynamicMessage>, Status> {
        match &mut self.stream {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }

    fn handle(&mut self, message: DynamicMessage, io: &mut Io<'_>) -> Result<StreamProgress> {
        let event = message.transcode_to::<v1::WatchCallsResponse>()?.event;
        match self.format {
            Format::Table => io.line(line(&event))?,
            Format::Json => io.line(serde_json::to_string(&output::message(&message)?)?)?,
            Format::Yaml => io.value(self.format, &output::message(&message)?)?,
        }
        self.left -= 1;
        let reconnect_after = match event {
            Some(Event::Drain(drain)) => drain.reconnect_after.and_then(|d| d.try_into().ok()),
            _ => None,
        };
        Ok(StreamProgress { complete: self.left == 0, in_step: false, reconnect_after })
    }
}

fn line(event: &Option<Event>) -> String {
    match event {
        Some(Event::Call(call)) => row(call).join("  "),
        Some(Event::InSync(sync)) => format!("in sync: {} live calls", sync.calls),
        Some(Event::Drain(_)) => "the server asks to reconnect".to_owned(),
        None => "a message that this program does not know".to_owned(),
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
