//! The errors of the command line, and their texts.

use std::{fmt, io};

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

use crate::{config::Mistakes, telemetry};

/// Outcome of a part of the command line.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or a document makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration of the server cannot be used.
    #[error(transparent)]
    Config(#[from] Mistakes),
    /// No server answers there.
    #[error("cannot reach {server}: {}; is a server running there (`deskplane serve`)?", deepest(.source.as_ref()))]
    Connect {
        /// The address.
        server: String,
        /// The error of the transport.
        source: Box<tonic::transport::Error>,
    },
    /// The server refused or failed.
    #[error("{}", lines(.0).join("\n  "))]
    Refused(Box<Status>),
    /// A part of the request was refused; the details were printed already.
    #[error("{0}")]
    Partly(String),
    /// A server that was asked for its health does not serve, or does not answer.
    #[error("{0}")]
    NotServing(String),
    /// A store would not start as it is.
    #[error("{0}")]
    Sick(String),
    /// The server cannot start.
    #[error("cannot {what}: {why}")]
    Start {
        /// What was tried.
        what: String,
        /// Why it did not work.
        why: String,
    },
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A message cannot be shown, or the descriptor set not read.
    #[error("cannot read a message: {0}")]
    Message(String),
}

impl Error {
    /// The server cannot start.
    pub fn start(what: &str, why: impl fmt::Display) -> Self {
        Self::Start { what: what.to_owned(), why: why.to_string() }
    }

    /// Exit code of the program, as its help lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Sick(_) => 2,
            Self::Config(_) => 64,
            // The reader of a pipe went away: it has what it wanted.
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }

    /// The status that the server ended a call with.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused(status) => Some(status),
            _ => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

macro_rules! messages {
    ($($error:ty),+) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Message(error.to_string())
            }
        })+
    };
}

messages!(prost_reflect::DescriptorError, prost::DecodeError, serde_json::Error, toml::ser::Error);

impl From<telemetry::ParseError> for Error {
    fn from(error: telemetry::ParseError) -> Self {
        Self::Usage(format!("`--log`: {error}"))
    }
}

/// The reason that the server names for a refusal; empty when it names none.
pub(super) fn reason(status: &Status) -> String {
    let info = status.get_error_details().error_info().cloned();
    info.map(|info| info.reason).unwrap_or_default()
}

/// Name of a code in the API: `FAILED_PRECONDITION`.
pub(super) fn code(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// A refusal, first in one line, then one line per detail.
pub(super) fn lines(status: &Status) -> Vec<String> {
    let (reason, code) = (reason(status), code(status.code()));
    let mut lines = match reason.is_empty() {
        true => vec![format!("{code}: {}", status.message())],
        false => vec![format!("{reason} ({code}): {}", status.message())],
    };
    let mut add = |what: &str, subject: &str, text: &str| {
        let parts = [what, subject].into_iter().filter(|part| !part.is_empty());
        let head = parts.collect::<Vec<_>>().join(" ");
        lines.push(if text.is_empty() { head } else { format!("{head}: {text}") });
    };
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => {
                let mut metadata: Vec<_> = info.metadata.into_iter().collect();
                metadata.sort();
                metadata.iter().for_each(|(key, value)| add(key, "", value));
            }
            ErrorDetail::BadRequest(bad) => {
                for field in bad.field_violations {
                    add("field", &field.field, &field.description);
                }
            }
            ErrorDetail::PreconditionFailure(failure) => {
                for violation in failure.violations {
                    add(&violation.r#type, &violation.subject, &violation.description);
                }
            }
            ErrorDetail::ResourceInfo(info) => {
                add(&info.resource_type, &info.resource_name, &info.description);
            }
            ErrorDetail::RetryInfo(info) => {
                if let Some(delay) = info.retry_delay {
                    add("retry after", &format!("{delay:?}"), "");
                }
            }
            _ => {}
        }
    }
    lines
}

/// The innermost cause: the error of the system, without the wrapping.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation};

    use super::*;

    #[test]
    fn a_refusal_shows_every_detail() {
        let mut details = ErrorDetails::with_error_info(
            "RANK_TAKEN",
            "deskplane",
            HashMap::from([("rank".to_owned(), "1".to_owned())]),
        );
        details
            .set_precondition_failure(vec![PreconditionViolation::new("RANK", "contoso_rep", "")])
            .set_bad_request(vec![FieldViolation::new("title", "is empty")])
            .set_resource_info("profile", "contoso_rep", "", "holds the rank");
        let status = Status::with_error_details(Code::FailedPrecondition, "rank 1", details);
        let mut lines = lines(&status);
        assert_eq!(lines.remove(0), "RANK_TAKEN (FAILED_PRECONDITION): rank 1");
        lines.sort();
        assert_eq!(
            lines,
            [
                "RANK contoso_rep",
                "field title: is empty",
                "profile contoso_rep: holds the rank",
                "rank: 1"
            ]
        );
    }

    #[test]
    fn a_status_without_details_shows_its_code() {
        assert_eq!(
            lines(&Status::new(Code::DeadlineExceeded, "late")),
            ["DEADLINE_EXCEEDED: late"]
        );
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        let table = [
            (Error::Usage(String::new()), 2),
            (Error::Config(Mistakes(vec![])), 64),
            (Error::Io(pipe), 0),
            (Error::from(Status::not_found("")), 1),
        ];
        for (error, code) in table {
            assert_eq!(error.exit_code(), code, "{error:?}");
        }
    }
}
