//! Following a stream over reconnects: back-off, silence, and the ends after which a client stops.

mod feed;

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tonic::{Code, Status};

pub(super) use self::feed::{Feed, Read, print};
use super::{
    Error, Io, Result,
    backoff::{self, BackOff},
    error::{code, reason},
};

/// A stream that lasted so long was no failure: as long as the longest wait between two streams.
const MIN_LIFETIME: Duration = backoff::STREAM.ceiling;

/// How long a stream may be silent.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Silence {
    /// Seconds without any message after which a stream counts as lost and is opened again; 0:
    /// never. A server with other than default settings sends bookmarks less often, or more.
    #[arg(long = "silence", value_name = "SECONDS", default_value_t = 90)]
    seconds: u32,
}

impl Silence {
    /// The same as a limit.
    pub(super) fn limit(self) -> Option<Duration> {
        (self.seconds > 0).then(|| Duration::from_secs(self.seconds.into()))
    }
}

/// A source of streams.
trait Source {
    /// What a stream carries.
    type Message;

    /// Opens a stream. Where the last one ended, nothing of its connection is used again.
    async fn open(&mut self) -> Result<()>;

    /// The next message of the open stream; none when it ended without a status.
    async fn next(&mut self) -> Result<Option<Self::Message>, Status>;

    /// Handles a message: prints it, and keeps what the next stream needs.
    fn handle(&mut self, message: Self::Message, io: &mut Io<'_>) -> Result<StreamProgress>;
}

/// The effect of a message on its stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct StreamProgress {
    /// The requested number of messages was reached.
    pub complete: bool,
    /// The server is in step with this client: failures before it are over.
    pub in_step: bool,
    /// A planned end follows; the server asks to come back after this.
    pub reconnect_after: Option<Duration>,
}

/// How a stream ended.
struct End {
    status: Status,
    /// Whether failures before it are over.
    worked: bool,
    /// The wait that a message of the stream requested.
    reconnect_after: Option<Duration>,
}

/// Follows streams until the requested messages were there, or the server ends one for good. A stream on
/// which nothing came for `silence` is given up.
async fn follow<S: Source>(
    source: &mut S,
    silence: Option<Duration>,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut back_off = BackOff::new(backoff::STREAM);
    loop {
        let Some(end) = one(source, silence, io).await? else { return Ok(()) };
        if !reconnects(&end.status) {
            return Err(end.status.into());
        }
        if end.worked {
            back_off.reset();
        }
        let wait = back_off.next(end.reconnect_after.max(backoff::named(&end.status)));
        io.note(format!("stream ended ({}); reconnecting in {wait:.1?}", why(&end.status)))?;
        tokio::time::sleep(wait).await;
    }
}

/// Follows one stream; no end when the requested messages were there.
async fn one<S: Source>(
    source: &mut S,
    silence: Option<Duration>,
    io: &mut Io<'_>,
) -> Result<Option<End>> {
    let opened = Instant::now();
    let (mut in_step, mut reconnect_after) = (false, None);
    let mut opening = true;
    let status = loop {
        // A server that accepts a stream sends a message at once, so opening counts as waiting.
        let waiting = async {
            if std::mem::take(&mut opening) {
                match source.open().await {
                    Err(Error::Refused(status)) => return Ok(Err(*status)),
                    opened => opened?,
                }
            }
            Ok::<_, Error>(source.next().await)
        };
        let message = match silence {
            Some(silence) => timeout(silence, waiting).await,
            None => Ok(waiting.await),
        };
        match message {
            Err(_) => {
                let text = format!("nothing came for {:.0?}", silence.unwrap_or_default());
                break Status::unavailable(text);
            }
            Ok(waited) => match waited? {
                Ok(Some(message)) => {
                    let progress = source.handle(message, io)?;
                    in_step |= progress.in_step;
                    reconnect_after = progress.reconnect_after.or(reconnect_after);
                    if progress.complete {
                        return Ok(None);
                    }
                }
                // A clean end has no reason and counts as UNAVAILABLE (SPEC §10.3).
                Ok(None) => break Status::unavailable("without a reason"),
                Err(status) => break status,
            },
        }
    };
    let worked = in_step || opened.elapsed() >= MIN_LIFETIME;
    Ok(Some(End { status, worked, reconnect_after }))
}

/// Whether a client comes back after this end (SPEC §10.3). A connection that breaks ends its
/// streams with UNKNOWN or CANCELLED, as the transport noticed it.
fn reconnects(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unknown
            | Code::Cancelled
            | Code::DeadlineExceeded
    )
}

/// The reason of an end in few words.
fn why(status: &Status) -> String {
    match (reason(status), status.message()) {
        (reason, _) if !reason.is_empty() => reason,
        (_, "") => code(status.code()),
        (_, message) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
