//! The one place where a refusal becomes a gRPC status (SPEC §7.2).

mod block;

use std::{collections::HashMap, sync::Arc, time::Duration};

use deskplane_proto::codec::ERROR_DOMAIN;
use http::HeaderMap;
use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::{ErrorDetails, StatusExt};

use super::spans;
use crate::{
    auth::Rpc,
    domain::refusal::{Code as Canonical, Refusal},
    trace::{self, Correlation, REQUEST_ID, RequestId, Tracer},
};

/// Most bytes of the message as its header carries it.
const MAX_MESSAGE: usize = 1_024;
/// Most bytes of one text among the details.
const MAX_TEXT: usize = 512;

/// One detail of a refusal, its texts cut to their limit.
#[derive(Debug, Clone)]
enum Detail {
    Metadata([String; 2]),
    Resource([String; 3]),
    Violation([String; 2]),
    Precondition([String; 3]),
}

/// The status of a refusal, with every detail that the caller needs to repair the call and that
/// headers have room for; metadata `omitted` counts the rest. It names the current request, by
/// RequestInfo and by a header; where there is none, the id is one that nothing else has.
pub fn status(refusal: &Refusal) -> Status {
    let message = block::cut(&refusal.message, MAX_MESSAGE, block::percent_encoded);
    let total = refusal.violations.len()
        + refusal.preconditions.len()
        + refusal.metadata.len()
        + refusal.resources.len().min(1);
    let likely = likely(details(refusal));
    let id = trace::current_request_id();
    let with = |count: usize| assemble(refusal, (&message, &id), &likely[..count], total - count);
    let fits = |status: &Status| block::size(status) <= block::MAX_SIZE;
    let most = with(likely.len());
    if fits(&most) {
        return most;
    }
    let (mut fitting, mut excess) = (0, likely.len());
    while excess - fitting > 1 {
        let middle = fitting.midpoint(excess);
        if fits(&with(middle)) {
            fitting = middle;
        } else {
            excess = middle;
        }
    }
    with(fitting)
}

/// All details, those first that the reason of the refusal is about.
fn details(refusal: &Refusal) -> impl Iterator<Item = Detail> {
    let violations = refusal.violations.iter();
    let mut violations =
        violations.map(|bad| Detail::Violation([cut(&bad.field), cut(&bad.description)]));
    let mut preconditions = refusal.preconditions.iter().map(|broken| {
        Detail::Precondition([cut(&broken.kind), cut(&broken.subject), cut(&broken.description)])
    });
    // A status holds one ResourceInfo; further objects stand among the preconditions and in the text.
    let resource = refusal.resources.first().map(|about| {
        Detail::Resource([cut(&about.kind), cut(&about.name), cut(&about.description)])
    });
    let metadata = refusal.metadata.iter();
    let metadata = metadata.map(|(key, value)| Detail::Metadata([cut(key), cut(value)]));
    let firsts = [violations.next(), preconditions.next(), resource].into_iter().flatten();
    firsts.chain(metadata).chain(violations).chain(preconditions)
}

/// The first details, down to the last that could fit: encoding makes none of them shorter. There may
/// be thousands of others.
fn likely(details: impl Iterator<Item = Detail>) -> Vec<Detail> {
    /// Fewest bytes of the tags and lengths around a detail.
    const FRAME: usize = 4;
    let mut bytes = 0;
    let fits = |detail: &Detail| {
        bytes += FRAME + detail.texts().iter().map(String::len).sum::<usize>();
        bytes <= block::MAX_SIZE
    };
    details.take_while(fits).collect()
}

fn cut(text: &str) -> String {
    block::cut(text, MAX_TEXT, char::len_utf8)
}

impl Detail {
    fn texts(&self) -> &[String] {
        match self {
            Self::Metadata(texts) | Self::Violation(texts) => texts,
            Self::Resource(texts) | Self::Precondition(texts) => texts,
        }
    }
}

fn assemble(
    refusal: &Refusal,
    (message, id): (&str, &RequestId),
    given: &[Detail],
    omitted: usize,
) -> Status {
    let mut metadata = HashMap::new();
    let mut details = ErrorDetails::new();
    for detail in given.iter().cloned() {
        match detail {
            Detail::Metadata([key, value]) => {
                metadata.insert(key, value);
            }
            Detail::Resource([kind, name, about]) => {
                details.set_resource_info(kind, name, "", about);
            }
            Detail::Violation([field, rule]) => {
                details.add_bad_request_violation(field, rule);
            }
            Detail::Precondition([kind, subject, about]) => {
                details.add_precondition_failure_violation(kind, subject, about);
            }
        }
    }
    if omitted > 0 {
        metadata.insert("omitted".to_owned(), omitted.to_string());
    }
    details.set_error_info(refusal.reason.as_str(), ERROR_DOMAIN, metadata);
    if let Some(millis) = refusal.retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    details.set_request_info(id.as_str(), "");
    let headers = HeaderMap::from_iter([(REQUEST_ID, id.header())]);
    let metadata = MetadataMap::from_headers(headers);
    Status::with_error_details_and_metadata(code(refusal), message, details, metadata)
}

fn code(refusal: &Refusal) -> Code {
    match refusal.reason.code() {
        Canonical::InvalidArgument => Code::InvalidArgument,
        Canonical::NotFound => Code::NotFound,
        Canonical::AlreadyExists => Code::AlreadyExists,
        Canonical::FailedPrecondition => Code::FailedPrecondition,
        Canonical::Aborted => Code::Aborted,
        Canonical::PermissionDenied => Code::PermissionDenied,
        Canonical::Unauthenticated => Code::Unauthenticated,
        Canonical::ResourceExhausted => Code::ResourceExhausted,
        Canonical::OutOfRange => Code::OutOfRange,
        Canonical::Unavailable => Code::Unavailable,
        Canonical::DeadlineExceeded => Code::DeadlineExceeded,
        Canonical::Unimplemented => Code::Unimplemented,
        Canonical::Internal => Code::Internal,
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

/// The answer to a request that never reaches a service.
pub(super) fn refused(refusal: &Refusal) -> http::Response<tonic::body::Body> {
    status(refusal).into_http()
}

/// The answer to a request for a method that there is not, as the router has it for a service; the
/// server gives both a reason.
pub(super) fn unimplemented() -> http::Response<tonic::body::Body> {
    Status::new(Code::Unimplemented, "").into_http()
}

/// The answer to a request of these headers that never reaches a service, in front of the services.
pub fn refused_early(refusal: &Refusal, headers: &HeaderMap) -> http::Response<tonic::body::Body> {
    let _entered = trace::enter(Arc::new(Correlation::of(headers)));
    refused(refusal)
}

/// The same for a call, which gets its span where it is sampled. A path that is no method's names
/// nothing: it may be any text.
pub fn refused_call<B>(
    refusal: &Refusal,
    request: &http::Request<B>,
    tracer: &Tracer,
) -> http::Response<tonic::body::Body> {
    let rpc = Rpc::find(request.uri().path());
    let name = || rpc.map_or("refused", |rpc| rpc.path).to_owned();
    let (correlation, span) = Correlation::begin(request.headers(), tracer, name);
    if let Some(span) = span {
        spans::end(&mut spans::described(span, rpc, &correlation), code(refusal) as usize);
    }
    let _entered = trace::enter(Arc::new(correlation));
    refused(refusal)
}

#[cfg(test)]
mod tests;
