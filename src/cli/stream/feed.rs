//! A streaming method of the API, followed over reconnects: opens it, prints its messages and counts
//! them. What differs between the methods is a [`Feed`].

use std::{mem, time::Duration};

use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use tonic::{Status, Streaming};

use super::{Source, StreamProgress, follow};
use crate::cli::{Client, Format, Io, Result, output};

/// A streaming method, and what its reader keeps from one stream to the next.
pub(in crate::cli) trait Feed {
    /// What it streams.
    type Message: Message + Default;

    /// Name of its service.
    const SERVICE: &'static str;
    /// Its own name.
    const METHOD: &'static str;

    /// The request of the next stream, with the resume token received last.
    fn request(&self) -> Value;

    /// Does what the caller of the method owes the server for a message.
    async fn received(&self, _: &Client, _: &DynamicMessage) -> Result<(), Status> {
        Ok(())
    }

    /// Keeps what the next stream needs of a message.
    fn read(&mut self, message: &Self::Message) -> Read;

    /// A message as one line.
    fn line(message: &Self::Message) -> Result<String>;
}

/// The effect of a message on its feed.
#[derive(Debug, Default)]
pub(in crate::cli) struct Read {
    /// It is printed, and counts among those that were asked for.
    pub shown: bool,
    /// The server is in step with this client: failures before it are over.
    pub in_step: bool,
    /// A planned end follows; the server asks to come back after this.
    pub reconnect_after: Option<prost_types::Duration>,
}

/// A feed over reconnects.
struct Feeding<F> {
    client: Client,
    feed: F,
    format: Format,
    /// Messages that are still to be printed.
    left: u64,
    stream: Option<Streaming<DynamicMessage>>,
    /// Whether a stream was open before: the next one gets a connection of its own.
    opened: bool,
}

/// Prints the messages of a feed until there were so many, or the server ends it for good. A stream on
/// which nothing came for `silence` is given up.
pub(in crate::cli) async fn print<F: Feed>(
    client: &Client,
    feed: F,
    (format, count): (Format, u64),
    silence: Option<Duration>,
    io: &mut Io<'_>,
) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let client = client.clone();
    let mut feed = Feeding { client, feed, format, left: count, stream: None, opened: false };
    follow(&mut feed, silence, io).await
}

impl<F: Feed> Source for Feeding<F> {
    type Message = DynamicMessage;

    async fn open(&mut self) -> Result<()> {
        self.stream = None;
        if mem::replace(&mut self.opened, true) {
            self.client = self.client.reconnected();
        }
        let stream = self.client.stream(F::SERVICE, F::METHOD, self.feed.request()).await?;
        self.stream = Some(stream);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<DynamicMessage>, Status> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let message = stream.message().await?;
        if let Some(message) = &message {
            self.feed.received(&self.client, message).await?;
        }
        Ok(message)
    }

    fn handle(&mut self, message: DynamicMessage, io: &mut Io<'_>) -> Result<StreamProgress> {
        let typed = message.transcode_to::<F::Message>()?;
        let Read { shown, in_step, reconnect_after } = self.feed.read(&typed);
        if shown {
            match self.format {
                Format::Table => io.line(F::line(&typed)?)?,
                Format::Json => io.line(serde_json::to_string(&output::message(&message)?)?)?,
                Format::Yaml => io.value(self.format, &output::message(&message)?)?,
            }
            self.left -= 1;
        }
        Ok(StreamProgress {
            complete: self.left == 0,
            in_step,
            reconnect_after: reconnect_after.and_then(|after| after.try_into().ok()),
        })
    }
}
