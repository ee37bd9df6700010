//! Answers in JSON.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{attributes, error::Error};

/// The media type of SCIM.
const MEDIA_TYPE: &str = "application/scim+json";

/// An answer with a JSON document.
pub(super) fn json(status: StatusCode, document: &Value) -> Response {
    let mut answer = Response::new(Body::from(document.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// An answer with a resource; its version and, when it was created, its URL are headers as well.
pub(super) fn resource(
    status: StatusCode,
    document: Map<String, Value>,
    meta: Option<&Value>,
) -> Response {
    let text = |name: &str| {
        let value = meta.and_then(|meta| attributes::of(meta, name)).and_then(Value::as_str);
        value.and_then(|value| HeaderValue::from_str(value).ok())
    };
    let mut answer = json(status, &Value::Object(document));
    if let Some(version) = text("version") {
        answer.headers_mut().insert(header::ETAG, version);
    }
    if status == StatusCode::CREATED
        && let Some(location) = text("location")
    {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// A page of resources.
pub(super) fn list(resources: Vec<Value>, total: usize, start_index: usize) -> Response {
    let page = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    json(StatusCode::OK, &page)
}

/// The answer to a request that is refused.
pub(super) fn error(error: &Error) -> Response {
    let message = serde_json::to_value(&error.message).unwrap_or_default();
    let mut answer = json(error.status, &message);
    let headers = answer.headers_mut();
    if let Some(seconds) = error.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
