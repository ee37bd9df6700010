//! The one place where a refusal becomes a gRPC status (SPEC §7.2).

use std::{collections::HashMap, time::Duration};

use deskplane_proto::codec::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::domain::refusal::{Code as Canonical, Refusal};

/// Most bytes of all details. A status travels in headers, base64-encoded, and many clients take
/// headers of 8 KiB at most.
const MAX_DETAILS: usize = 4_200;
/// Most bytes of the message as it travels, where what is not printable ASCII takes three.
const MAX_MESSAGE: usize = 1_000;
/// Most bytes of one text in a detail.
const MAX_TEXT: usize = 300;

/// The status of a refusal, with every detail that the caller needs to repair the call.
///
/// What does not fit into headers is left out from the end and counted in the metadata `more`.
pub fn status(refusal: &Refusal) -> Status {
    let code = match refusal.reason.code() {
        Canonical::InvalidArgument => Code::InvalidArgument,
        Canonical::NotFound => Code::NotFound,
        Canonical::AlreadyExists => Code::AlreadyExists,
        Canonical::FailedPrecondition => Code::FailedPrecondition,
        Canonical::Aborted => Code::Aborted,
        Canonical::PermissionDenied => Code::PermissionDenied,
        Canonical::Unauthenticated => Code::Unauthenticated,
        Canonical::ResourceExhausted => Code::ResourceExhausted,
        Canonical::Unavailable => Code::Unavailable,
        Canonical::Internal => Code::Internal,
    };
    let mut room = Room { left: MAX_DETAILS, refused: 0 };
    let mut metadata: HashMap<String, String> = HashMap::new();
    for (key, value) in &refusal.metadata {
        let value = cut(value, MAX_TEXT, |_| 1);
        if room.take(&[key, &value]) {
            metadata.insert(key.clone(), value);
        }
    }
    let mut details = ErrorDetails::new();
    for violation in &refusal.violations {
        let field = cut(&violation.field, MAX_TEXT, |_| 1);
        let description = cut(&violation.description, MAX_TEXT, |_| 1);
        if room.take(&[&field, &description]) {
            details.add_bad_request_violation(field, description);
        }
    }
    for precondition in &refusal.preconditions {
        let description = cut(&precondition.description, MAX_TEXT, |_| 1);
        if room.take(&[&precondition.kind, &precondition.subject, &description]) {
            details.add_precondition_failure_violation(
                &precondition.kind,
                &precondition.subject,
                description,
            );
        }
    }
    if let Some(millis) = refusal.retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    // A status holds one ResourceInfo; further objects stand among the preconditions and in the text.
    if let Some(first) = refusal.resources.first() {
        details.set_resource_info(&first.kind, &first.name, "", &first.description);
    }
    if room.refused > 0 {
        metadata.insert("more".to_owned(), room.refused.to_string());
    }
    details.set_error_info(refusal.reason.as_str(), ERROR_DOMAIN, metadata);
    let travelling =
        |c: char| if matches!(c, ' '..='~' if c != '%') { 1 } else { 3 * c.len_utf8() };
    Status::with_error_details(code, cut(&refusal.message, MAX_MESSAGE, travelling), details)
}

/// Room for details, in bytes.
struct Room {
    left: usize,
    refused: usize,
}

impl Room {
    /// Whether the texts of one detail still fit.
    fn take(&mut self, texts: &[&str]) -> bool {
        let size = texts.iter().map(|text| text.len() + 3).sum::<usize>() + 3;
        if self.refused > 0 || size > self.left {
            self.refused += 1;
            return false;
        }
        self.left -= size;
        true
    }
}

/// The beginning of a text that takes at most `max` by this measure, with `…` where it was cut.
fn cut(text: &str, max: usize, measure: impl Fn(char) -> usize) -> String {
    let mut size = 0;
    for (at, c) in text.char_indices() {
        size += measure(c);
        if size > max {
            return format!("{}…", &text[..at]);
        }
    }
    text.to_owned()
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

/// The answer to a request that never reaches a service.
pub fn refused(refusal: &Refusal) -> http::Response<tonic::body::Body> {
    status(refusal).into_http()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    #[test]
    fn a_status_fits_into_the_headers_of_any_client() {
        let mut refusal = Refusal::new(Reason::UserNotFound, "Nutzer fehlt: ü".repeat(500))
            .with("direct_users", 1_000)
            .resource("User", "u".repeat(128), "does not exist");
        for at in 0..1_000 {
            refusal = refusal
                .precondition("DIRECT_USER", format!("user.{at}"), "contoso_rep")
                .violation(&format!("users[{at}]"), "ä".repeat(600));
        }
        let status = status(&refusal);
        let encoded = status.details().len().div_ceil(3) * 4;
        let message: usize = status.message().bytes().map(|b| if b < 0x80 { 1 } else { 3 }).sum();
        assert!(encoded + message < 8_192 - 256, "{encoded} + {message}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.metadata["direct_users"], "1000");
        let told = details.bad_request().unwrap().field_violations.len();
        assert!(told > 0);
        assert_eq!(info.metadata["more"], (2_000 - told).to_string());
    }

    #[test]
    fn what_is_small_stays_whole() {
        let mut refusal = Refusal::new(Reason::ProfileInUse, "In use.").with("direct_users", 100);
        for at in 0..100 {
            refusal = refusal.precondition("DIRECT_USER", format!("user{at:04}"), "acme_rep");
        }
        let status = status(&refusal);
        let details = status.get_error_details();
        assert_eq!(details.precondition_failure().unwrap().violations.len(), 100);
        assert!(!details.error_info().unwrap().metadata.contains_key("more"));
    }
}
