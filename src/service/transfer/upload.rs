//! Taking a bundle in.

use std::time::Duration;

use bytes::Bytes;
use deskplane_proto::v1;
use futures_core::Stream;
use futures_util::StreamExt as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::super::convert::Envelope;
use crate::{
    domain::{Reason, Refusal, Violations},
    transfer::{self, MAX_CHUNK_BYTES},
};

/// Longest time until the next message.
const NEXT: Duration = Duration::from_secs(30);
/// Longest time of an upload.
const WHOLE: Duration = Duration::from_secs(600);

/// The messages of an upload.
pub(in crate::service) trait Messages:
    Stream<Item = Result<v1::ImportRequest, Status>>
{
}

impl<S: Stream<Item = Result<v1::ImportRequest, Status>>> Messages for S {}

/// A bundle that came whole, with what came in front of it.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) options: v1::ImportOptions,
    pub(super) envelope: Envelope,
    pub(super) bundle: Vec<u8>,
}

/// The first message of an upload; none when it ends without any.
pub(super) async fn first(
    messages: &mut (impl Messages + Unpin),
) -> Result<Option<v1::ImportRequest>, Status> {
    next(messages, Instant::now() + WHOLE).await
}

async fn next(
    messages: &mut (impl Messages + Unpin),
    end: Instant,
) -> Result<Option<v1::ImportRequest>, Status> {
    let left = end.saturating_duration_since(Instant::now());
    match timeout(NEXT.min(left), messages.next()).await {
        Ok(message) => message.transpose(),
        Err(_) => Err(stalled().into()),
    }
}

fn stalled() -> Refusal {
    let message = format!(
        "The bundle did not come: the next part within {} s, all of it within {} s. Nothing was done.",
        NEXT.as_secs(),
        WHOLE.as_secs()
    );
    Refusal::new(Reason::UploadStalled, message)
}

impl Upload {
    /// Takes the rest of an upload.
    pub(super) async fn receive(
        first: Option<v1::ImportRequest>,
        messages: &mut (impl Messages + Unpin),
    ) -> Result<Self, Status> {
        let end = Instant::now() + WHOLE;
        let mut first = first.unwrap_or_default();
        let Some(options) = first.options.take() else {
            return Err(bad("options", "is required in the first message").into());
        };
        let mut bundle = Vec::new();
        append(&mut bundle, &first.chunk)?;
        while let Some(message) = next(messages, end).await? {
            let v1::ImportRequest { options, chunk, request_id, validate_only, reason } = message;
            for (field, given) in [
                ("options", options.is_some()),
                ("request_id", !request_id.is_empty()),
                ("validate_only", validate_only),
                ("reason", !reason.is_empty()),
            ] {
                if given {
                    return Err(bad(field, "stands in the first message only").into());
                }
            }
            append(&mut bundle, &chunk)?;
        }
        let v1::ImportRequest { request_id, validate_only, reason, .. } = first;
        Ok(Self { options, envelope: Envelope { request_id, validate_only, reason }, bundle })
    }
}

fn append(bundle: &mut Vec<u8>, chunk: &Bytes) -> Result<(), Refusal> {
    if chunk.len() > MAX_CHUNK_BYTES {
        return Err(bad("chunk", &format!("must be at most {MAX_CHUNK_BYTES} bytes")));
    }
    transfer::check_size(bundle.len() + chunk.len())?;
    bundle.extend_from_slice(chunk);
    Ok(())
}

fn bad(field: &str, rule: &str) -> Refusal {
    let mut v = Violations::new();
    v.invalid(field, rule);
    match v.finish() {
        Err(refusal) => refusal,
        Ok(()) => Refusal::new(Reason::FieldInvalid, rule),
    }
}

/// What makes one import the same as another: its options and its bundle.
pub(super) fn payload(options: &v1::ImportOptions, bundle: &[u8]) -> Vec<u8> {
    let mut payload = options.encode_to_vec();
    payload.extend(Sha256::digest(bundle));
    payload
}

#[cfg(test)]
mod tests;
