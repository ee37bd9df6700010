//! The endpoint: from a request over HTTP to an answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request as Incoming, State},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio::time::timeout;
use tonic::transport::server::TcpConnectInfo;

use super::{
    answer,
    caller::authenticate,
    discovery,
    error::{Error, Result},
    groups,
    locations::{BASE, Locations},
    query::Query,
    shared::Shared,
    users,
    write::Request,
};
use crate::trace::{self, Correlated, Correlation, PlainRequest, REQUEST_ID};

/// Most bytes of a body: a group of 10 000 members has some 2 MiB.
const MAX_BODY: usize = 4 << 20;
/// Time in which a whole body must be there.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The routes of the endpoint.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let paths = [BASE.to_owned(), format!("{BASE}/"), format!("{BASE}/{{*rest}}")];
    let all = |router: Router<Arc<Shared>>, path: String| router.route(&path, any(receive));
    paths.into_iter().fold(Router::new(), all).with_state(shared)
}

async fn receive(State(shared): State<Arc<Shared>>, incoming: Incoming) -> Response {
    // It holds a body and catalogs, and the future of a connection holds it.
    let begun = PlainRequest::begin(&incoming, &shared.tracer, route(incoming.uri().path()));
    let request: Arc<dyn Correlated> = Arc::<Correlation>::clone(begun.correlation());
    let answered = trace::scope(Some(Arc::clone(&request)), Box::pin(respond(&shared, incoming)));
    let answer = answered.await.unwrap_or_else(|error| {
        let _entered = trace::enter(request);
        tracing::debug!(status = error.status.as_u16(), detail = error.message.detail, "refused");
        let mut answer = answer::error(&error);
        answer.headers_mut().insert(REQUEST_ID, begun.correlation().id().header());
        answer
    });
    begun.end(answer.status());
    answer
}

/// The pattern of a path.
fn route(path: &str) -> &'static str {
    let path = path.strip_prefix(BASE).unwrap_or_default().trim_matches('/');
    match path.split_once('/').map_or((path, false), |(kind, _)| (kind, true)) {
        ("Users", false) => "/scim/v2/Users",
        ("Users", true) => "/scim/v2/Users/{id}",
        ("Groups", false) => "/scim/v2/Groups",
        ("Groups", true) => "/scim/v2/Groups/{id}",
        _ => "/scim/v2",
    }
}

async fn respond(shared: &Arc<Shared>, incoming: Incoming) -> Result<Response> {
    let peer = incoming.extensions().get().and_then(TcpConnectInfo::remote_addr);
    let (head, body) = incoming.into_parts();
    let caller = authenticate(shared, &head, peer).await?;
    let busy = |_| Error::new(StatusCode::SERVICE_UNAVAILABLE, None, "The server ends.");
    let _turn = shared.requests.acquire().await.map_err(busy)?;
    let body = read(&head.headers, body).await?;
    let path = head.uri.path().strip_prefix(BASE).unwrap_or_default().trim_matches('/').to_owned();
    let request = Request {
        locations: locations(shared, &head),
        query: Query::read(head.uri.query().unwrap_or_default())?,
        path: path.clone(),
        method: head.method,
        headers: head.headers,
        body,
        caller,
    };
    dispatch(shared, request, &path).await
}

async fn dispatch(shared: &Arc<Shared>, request: Request, path: &str) -> Result<Response> {
    let (kind, id) = match path.split_once('/') {
        Some((kind, id)) => (kind, Some(id)),
        None => (path, None),
    };
    match kind {
        "Users" => users::handle(shared, request, id).await,
        "Groups" => groups::handle(shared, request, id).await,
        "ServiceProviderConfig" | "ResourceTypes" | "Schemas" if request.method != Method::GET => {
            Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, None, "It can be read only."))
        }
        "ServiceProviderConfig" if id.is_none() => {
            let config = discovery::service_provider_config(&request.locations);
            Ok(answer::json(StatusCode::OK, &config))
        }
        "ResourceTypes" => described(discovery::resource_types(&request.locations), id, path),
        "Schemas" => {
            let catalog = shared.ledger.catalog();
            let roles: Vec<_> =
                catalog.tables.roles.iter().map(|role| role.common.unique_name.as_str()).collect();
            described(discovery::schemas(&request.locations, &roles), id, path)
        }
        "Bulk" | "Me" | ".search" => {
            let detail = format!("{kind} is not supported.");
            Err(Error::new(StatusCode::NOT_IMPLEMENTED, None, detail))
        }
        _ => Err(Error::not_found(&format!("resource {path}"))),
    }
}

/// One of some descriptions, or all of them.
fn described(all: Vec<Value>, id: Option<&str>, path: &str) -> Result<Response> {
    let Some(id) = id else {
        let total = all.len();
        return Ok(answer::list(all, total, 1));
    };
    let found = all.into_iter().find(|one| one["id"].as_str() == Some(id));
    let found = found.ok_or_else(|| Error::not_found(&format!("resource {path}")))?;
    Ok(answer::json(StatusCode::OK, &found))
}

/// Reads the whole body of a request.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let body = Limited::new(body, MAX_BODY).collect();
    let late = |_| Error::new(StatusCode::REQUEST_TIMEOUT, None, "The body did not come in time.");
    let body = timeout(BODY_TIMEOUT, body).await.map_err(late)?;
    let long = |_| {
        let detail = format!("The body broke off, or is longer than {MAX_BODY} bytes.");
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, None, detail)
    };
    let body = body.map_err(long)?.to_bytes();
    if !body.is_empty() && !is_json(headers) {
        let detail = "The media type must be application/scim+json or application/json.";
        return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, detail));
    }
    Ok(body)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    ["application/scim+json", "application/json"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// The URLs that an answer names: below the configured one, or the one that was asked.
fn locations(shared: &Shared, head: &Parts) -> Locations {
    if let Some(base) = &shared.settings.base_url {
        return Locations::below(base.clone());
    }
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(http::uri::Authority::as_str).or(host);
    let scheme = head.uri.scheme_str().unwrap_or("http");
    Locations::below(match authority {
        Some(authority) => format!("{scheme}://{authority}{BASE}"),
        None => BASE.to_owned(),
    })
}
