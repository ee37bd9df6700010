//! What the transport answers for requests that never became a message.

use http::Response;
use tonic::{Code, Status, body::Body};

use crate::{
    domain::{Reason, Refusal},
    service::refused,
};

/// Gives the answer to a request that is cut off, has no message, is too long or is framed wrongly
/// the reason that every other undecodable request has (SPEC §7.3): the transport knows no reasons
/// and blames the server.
pub(super) fn name_malformed(response: Response<Body>) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    // Refusals carry details; a bare status of these codes comes from the transport alone.
    let bare = status.details().is_empty();
    if !bare || !matches!(status.code(), Code::Internal | Code::OutOfRange) {
        return response;
    }
    let detail = status.message();
    let message = format!("The request holds no message of this method: {detail}.");
    refused(&Refusal::new(Reason::RequestMalformed, message).with("detail", detail))
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn bare_statuses_of_the_transport_are_malformed_requests() {
        let answer = |status: Status| {
            let answer = name_malformed(status.into_http());
            Status::from_header_map(answer.headers()).unwrap()
        };
        for status in [Status::internal("cut off"), Status::out_of_range("too long")] {
            let status = answer(status);
            assert_eq!(status.code(), Code::InvalidArgument);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().reason, "REQUEST_MALFORMED");
        }
        let ours: Status = Refusal::new(Reason::Internal, "a mistake").into();
        assert_eq!(answer(ours).code(), Code::Internal);
        assert_eq!(answer(Status::unimplemented("")).code(), Code::Unimplemented);
    }
}
