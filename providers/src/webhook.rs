//! What a vendor posts.

use bytes::Bytes;
use http::HeaderMap;

use crate::CallEvent;

/// A request as it was received, not verified yet.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// Method in capitals.
    pub method: &'a str,
    /// The public URL under which the vendor knows this webhook, with the query as it came: made
    /// from configuration, never from the request itself.
    pub url: &'a str,
    /// Headers as they came.
    pub headers: &'a HeaderMap,
    /// The very bytes that were sent.
    pub body: &'a Bytes,
}

/// The content of a verified request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// The events, in the order of the request.
    pub events: Vec<CallEvent>,
    /// What the vendor is answered.
    pub reply: Reply,
}

/// What a vendor is answered; with status 200, or 204 when it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Media type of the body; empty without one.
    pub content_type: &'static str,
    /// Instructions, where the vendor fetches them.
    pub body: Bytes,
}

/// Why a request fails verification. The answer is the same for every cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WebhookRefused {
    /// The adapter takes none.
    #[error("the adapter takes no webhooks")]
    NotOffered,
    /// It has no signature.
    #[error("there is no signature")]
    Unsigned,
    /// Its signature is another one.
    #[error("the signature is wrong")]
    BadSignature,
    /// It was signed too long ago, or in the future.
    #[error("the signature is too old")]
    Stale,
    /// It is signed, and cannot be understood.
    #[error("the request is malformed")]
    Malformed,
    /// It could not be judged now: a plug-in is not there, a secret cannot be read.
    #[error("the request cannot be judged now")]
    Unavailable,
}

impl Reply {
    /// An answer with a body.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }
}
