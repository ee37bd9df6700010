//! The one place where a refusal becomes a gRPC status (SPEC §7.2).

use std::{collections::HashMap, time::Duration};

use deskplane_proto::codec::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::domain::refusal::{Code as Canonical, Refusal};

/// Most bytes of the message and of the details as headers carry them. Both together, the details
/// in base64 and with the message once more, stay below 8 KiB: clients end the whole connection,
/// with every stream on it, over headers that are too long.
const MAX_MESSAGE: usize = 1_024;
const MAX_DETAILS: usize = 4_096;
/// Most bytes of one text among the details.
const MAX_TEXT: usize = 512;

/// The status of a refusal, with every detail that the caller needs to repair the call and that
/// headers have room for; metadata `omitted` counts the rest.
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
        Canonical::Unimplemented => Code::Unimplemented,
        Canonical::Internal => Code::Internal,
    };
    let mut room = Room { left: MAX_DETAILS, omitted: 0 };
    let metadata = refusal.metadata.iter().filter_map(|(key, value)| {
        let [key, value] = room.take([key, value])?;
        Some((key, value))
    });
    let mut metadata: HashMap<_, _> = metadata.collect();
    let mut details = ErrorDetails::new();
    // A status holds one ResourceInfo; further objects stand among the preconditions and in the text.
    if let Some(first) = refusal.resources.first()
        && let Some([kind, name, about]) = room.take([&first.kind, &first.name, &first.description])
    {
        details.set_resource_info(kind, name, "", about);
    }
    for violation in &refusal.violations {
        if let Some([field, rule]) = room.take([&violation.field, &violation.description]) {
            details.add_bad_request_violation(field, rule);
        }
    }
    for broken in &refusal.preconditions {
        let texts = [&broken.kind, &broken.subject, &broken.description];
        if let Some([kind, subject, about]) = room.take(texts) {
            details.add_precondition_failure_violation(kind, subject, about);
        }
    }
    if room.omitted > 0 {
        metadata.insert("omitted".to_owned(), room.omitted.to_string());
    }
    details.set_error_info(refusal.reason.as_str(), ERROR_DOMAIN, metadata);
    if let Some(millis) = refusal.retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    Status::with_error_details(code, cut(&refusal.message, MAX_MESSAGE), details)
}

/// The room that is left for details.
struct Room {
    left: usize,
    omitted: usize,
}

impl Room {
    /// The texts of one detail, each cut to its limit; `None` when no room is left for them.
    fn take<const N: usize>(&mut self, texts: [&String; N]) -> Option<[String; N]> {
        /// Tags and lengths around a detail and its texts.
        const FRAME: usize = 9;
        let texts = texts.map(|text| cut(text, MAX_TEXT));
        let size = FRAME + texts.iter().map(String::len).sum::<usize>();
        match self.left.checked_sub(size).filter(|_| self.omitted == 0) {
            Some(left) => self.left = left,
            None => {
                self.omitted += 1;
                return None;
            }
        }
        Some(texts)
    }
}

/// The beginning of a text, at most so many bytes once it is percent-encoded.
fn cut(text: &str, max: usize) -> String {
    const MORE: &str = "\u{2026}";
    let encoded = |c: char| match c {
        '%' => 3,
        ' '..='~' => 1,
        c => 3 * c.len_utf8(),
    };
    let mut size = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        size += encoded(c);
        if size > max {
            return format!("{}{MORE}", &text[..end]);
        }
        if size + 3 * MORE.len() <= max {
            end = at + c.len_utf8();
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
    use crate::domain::{Reason, Violations};

    #[test]
    fn texts_are_cut_between_characters_and_keep_their_limit() {
        assert_eq!(cut("short", 20), "short");
        assert_eq!(cut("exactly twenty chars", 20), "exactly twenty chars");
        assert_eq!(cut("exactly twenty-one ch", 20), "exactly twe\u{2026}");
        assert_eq!(cut("\u{1f600}\u{1f600}\u{1f600}", 30), "\u{1f600}\u{2026}");
        assert_eq!(cut("100 %", 4), "\u{2026}");
    }

    #[test]
    fn headers_have_room_for_every_refusal() {
        let mut v = Violations::new();
        for at in 0..1_000 {
            v.invalid(format!("users[{at}]"), "\u{1f600}".repeat(at));
        }
        let refusal = v.finish().unwrap_err().with("detail", "\0".repeat(1 << 20));
        let status = status(&refusal);
        let headers = status.clone().into_http::<()>().into_parts().0.headers;
        let size: usize = headers.iter().map(|(key, value)| key.as_str().len() + value.len()).sum();
        assert!(size < 8 << 10, "{size} bytes");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        let shown = details.bad_request().unwrap().field_violations.len();
        assert!(shown > 1);
        assert_eq!(info.metadata["omitted"], (1_000 - shown).to_string());
    }

    #[test]
    fn a_refusal_that_fits_is_whole() {
        let refusal = Refusal::new(Reason::ProfileNotFound, "Profile abc_x does not exist.")
            .resource("Profile", "abc_x", "does not exist")
            .with("key", "value");
        let status = status(&refusal);
        assert_eq!(status.message(), refusal.message);
        let details = status.get_error_details();
        assert_eq!(details.resource_info().unwrap().resource_name, "abc_x");
        assert_eq!(details.error_info().unwrap().metadata, [("key".into(), "value".into())].into());
    }
}
