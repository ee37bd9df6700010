//! Codec of the generated servers.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Buf;
use prost::{DecodeError, Message};
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::{Code, Status};
use tonic_prost::ProstEncoder;
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of every `ErrorInfo` that Deskplane sends.
pub const ERROR_DOMAIN: &str = "deskplane";

/// Reason of the error that answers a request that does not decode.
pub const REQUEST_MALFORMED: &str = "REQUEST_MALFORMED";

/// Encodes answers and decodes requests as protobuf.
///
/// Differs from [`tonic_prost::ProstCodec`] in one point: a request that does not decode is the caller's mistake, so it
/// ends with `INVALID_ARGUMENT` and the reason [`REQUEST_MALFORMED`], where the stock codec says `INTERNAL`.
pub struct RequestCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for RequestCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> fmt::Debug for RequestCodec<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestCodec")
    }
}

impl<T, U> Codec for RequestCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = RequestDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

/// Decodes requests for [`RequestCodec`].
pub struct RequestDecoder<U>(PhantomData<U>);

impl<U> fmt::Debug for RequestDecoder<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestDecoder")
    }
}

impl<U: Message + Default> Decoder for RequestDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        decode(buffer).map(Some)
    }
}

/// Decodes one request as [`RequestCodec`] does.
///
/// # Errors
///
/// `INVALID_ARGUMENT` with the reason [`REQUEST_MALFORMED`] and the decoder's words in the metadata `detail`.
#[allow(clippy::result_large_err, reason = "the decoder trait fixes the error type")]
pub fn decode<U: Message + Default>(buffer: impl Buf) -> Result<U, Status> {
    U::decode(buffer).map_err(|error| malformed(&error))
}

/// Most characters of the decoder's words: they travel in headers, three times over.
const MAX_DETAIL: usize = 300;

fn malformed(error: &DecodeError) -> Status {
    let detail: String = error.to_string().chars().take(MAX_DETAIL).collect();
    let message = format!("the request is not a valid protobuf message of this method: {detail}");
    let metadata = HashMap::from([("detail".to_owned(), detail)]);
    let details = ErrorDetails::with_error_info(REQUEST_MALFORMED, ERROR_DOMAIN, metadata);
    Status::with_error_details(Code::InvalidArgument, message, details)
}
