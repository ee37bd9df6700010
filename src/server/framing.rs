//! What the transport answers for requests that never became a message.

use http::Response;
use tonic::{Code, Status, body::Body};

use crate::{
    domain::{Reason, Refusal},
    service::refused_early,
    transport::Fault,
};

/// Most bytes of one request or answer: the default of every client library (SPEC §2.5).
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Header in which a server lists the encodings of requests that it reads.
pub(super) const ACCEPTED_ENCODINGS: &str = "grpc-accept-encoding";

/// Gives a reason to every status that the transport makes by itself: it knows none, blames the
/// server for requests that are cut off or framed wrongly, and calls too long a message a value out
/// of range (SPEC §7.2, §7.3). Where the call layer has put a request id into the headers, it stays.
pub(super) fn explain(response: Response<Body>) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    // Refusals carry details; a bare status of these codes comes from the transport alone.
    if !status.details().is_empty() {
        return response;
    }
    let refusal = match status.code() {
        Code::Internal => malformed(status.message()),
        // Of the latter kind is a compressed message that is too long once it is read.
        Code::OutOfRange | Code::ResourceExhausted => too_large(status.message()),
        Code::Unimplemented => return unimplemented(&response, status.message()),
        _ => return response,
    };
    refused_early(&refusal, response.headers())
}

/// The status of a request whose message did not come whole, or whose answer has no room.
pub(super) fn unread(fault: Fault) -> Status {
    let refusal = match fault {
        Fault::Stalled => Refusal::new(
            Reason::UploadStalled,
            "The message did not come in time. Nothing was done.",
        ),
        Fault::NoRoom => Refusal::new(
            Reason::ServerBusy,
            "Messages that other calls are sending take all the room that there is for them.",
        ),
        Fault::NoRoomForAnswer => Refusal::new(
            Reason::ServerBusy,
            "Answers that wait to be read take all the room that there is for them.",
        ),
    };
    Status::from(refusal)
}

fn malformed(detail: &str) -> Refusal {
    let message = format!("The request holds no message of this method: {detail}.");
    Refusal::new(Reason::RequestMalformed, message).with("detail", detail)
}

fn too_large(detail: &str) -> Refusal {
    let message = format!(
        "The message is longer than the {MAX_MESSAGE_BYTES} bytes that the server takes; send less \
         in one call."
    );
    let mut refusal = Refusal::new(Reason::RequestTooLarge, message);
    // The same message gets the same answer.
    refusal.retry_after_ms = None;
    refusal.with("limit", MAX_MESSAGE_BYTES).with("detail", detail)
}

fn unimplemented(response: &Response<Body>, detail: &str) -> Response<Body> {
    let Some(accepted) = response.headers().get(ACCEPTED_ENCODINGS) else {
        let message = "The server has no such method; reflection lists those that it has.";
        return refused_early(&Refusal::new(Reason::MethodUnknown, message), response.headers());
    };
    let known = accepted.to_str().unwrap_or_default();
    let message = format!("{detail}; messages are read in these encodings: {known}.");
    let refusal = Refusal::new(Reason::EncodingUnsupported, message);
    let mut answer = refused_early(&refusal, response.headers());
    answer.headers_mut().insert(ACCEPTED_ENCODINGS, accepted.clone());
    answer
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    /// The status after [`explain`], with its reason.
    fn explained(status: Status) -> (Code, String) {
        let answer = explain(status.into_http());
        let status = Status::from_header_map(answer.headers()).unwrap();
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        (status.code(), reason)
    }

    #[test]
    fn bare_statuses_of_the_transport_get_a_reason() {
        for (status, code, reason) in [
            (Status::internal("cut off"), Code::InvalidArgument, "REQUEST_MALFORMED"),
            (Status::out_of_range("too long"), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
            (Status::resource_exhausted("bomb"), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
            (Status::unimplemented(""), Code::Unimplemented, "METHOD_UNKNOWN"),
        ] {
            assert_eq!(explained(status), (code, reason.to_owned()));
        }
        let ours: Status = Refusal::new(Reason::Internal, "a mistake").into();
        assert_eq!(explained(ours), (Code::Internal, "INTERNAL".to_owned()));
    }

    #[test]
    fn an_unknown_encoding_is_answered_with_the_known_ones() {
        let mut status = Status::unimplemented("Content is compressed with `zstd`");
        status.metadata_mut().insert(ACCEPTED_ENCODINGS, "identity".parse().unwrap());
        let answer = explain(status.into_http());
        assert_eq!(answer.headers()[ACCEPTED_ENCODINGS], "identity");
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "ENCODING_UNSUPPORTED");
    }
}
