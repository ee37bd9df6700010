//! Where a request goes: a pure function of its head.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, Version, header, uri::Authority};

use super::plain::Plain;
use crate::{
    domain::{Reason, Refusal},
    scim::is_path as is_scim,
    web::Translated,
};

/// Bytes that HTTP/2 counts for a header field beside its name and value (RFC 9113 §6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Where a request goes.
#[derive(Debug)]
pub(super) enum Route {
    /// To the services: a gRPC call, a webhook, or SCIM.
    Inside,
    /// Nowhere: a gRPC call that is refused.
    Refused(Refusal),
    /// Nowhere: what is no gRPC.
    Plain(Plain),
    /// A probe.
    Probe(Probe),
}

/// What is served by some servers only.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server) struct Beyond {
    /// SCIM.
    pub(in crate::server) scim: bool,
    /// Any authority, and not only this machine.
    pub(in crate::server) any_authority: bool,
}

/// What a load balancer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// Whether the process works.
    Live,
    /// Whether the server takes calls.
    Ready,
}

/// Decides on a request by its head.
pub(super) fn of<B>(
    request: &Request<B>,
    services: &[String],
    header_bytes: usize,
    beyond: Beyond,
) -> Route {
    let path = request.uri().path();
    // Vendors know the server by its public name, and prove who they are by their signatures.
    if path == "/webhooks" || path.starts_with("/webhooks/") {
        return match is_from_page(request.headers()) {
            true => Route::Plain(Plain::FromPage),
            false => Route::Inside,
        };
    }
    let foreign = match beyond.any_authority {
        true => None,
        false => foreign_authority(request),
    };
    if is_grpc(request) {
        return match foreign {
            Some(authority) => Route::Refused(authority_refused(authority)),
            None if is_from_other_page(request) => Route::Refused(origin_refused()),
            None => match header_list_size(request) {
                size if size > header_bytes => {
                    Route::Refused(headers_too_large(size, header_bytes))
                }
                _ => Route::Inside,
            },
        };
    }
    if foreign.is_some() {
        return Route::Plain(Plain::Misdirected);
    }
    if beyond.scim && is_scim(path) {
        return match is_from_page(request.headers()) {
            true => Route::Plain(Plain::FromPage),
            false => Route::Inside,
        };
    }
    let readable = [Method::GET, Method::HEAD].contains(request.method());
    match path {
        "/livez" | "/readyz" if !readable => Route::Plain(Plain::NotGet),
        "/livez" => Route::Probe(Probe::Live),
        "/readyz" => Route::Probe(Probe::Ready),
        "/" => Route::Plain(Plain::Root),
        path if !is_service(path, services) => Route::Plain(Plain::NotFound),
        _ if request.method() != Method::POST => Route::Plain(Plain::NotPost),
        _ if !has_grpc_type(request.headers()) => Route::Plain(Plain::NotGrpc),
        _ => Route::Plain(Plain::NotHttp2),
    }
}

/// Whether the request is gRPC by method, media type and protocol, or was translated to it. A browser
/// sends none of these without asking first, and never all three.
fn is_grpc<B>(request: &Request<B>) -> bool {
    let translated = || request.extensions().get::<Translated>().is_some();
    (request.version() == Version::HTTP_2 || translated())
        && request.method() == Method::POST
        && has_grpc_type(request.headers())
}

/// Whether the one media type is `application/grpc` or `application/grpc+proto`.
fn has_grpc_type(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).into_iter();
    let (Some(first), None) = (types.next(), types.next()) else { return false };
    let essence = first.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/grpc", "application/grpc+proto"].iter().any(|t| essence.eq_ignore_ascii_case(t))
}

/// Whether a path is below one of the services.
fn is_service(path: &str, services: &[String]) -> bool {
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(s, _)| s);
    service.is_some_and(|service| services.iter().any(|known| known == service))
}

/// Whether a web page sent the request. Browsers add `Origin` to every POST and to what crosses
/// origins, and `Sec-Fetch-Site` to everything; no page can leave them out or forge them.
fn is_from_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Whether a web page sent the call that is none of those that may.
fn is_from_other_page<B>(request: &Request<B>) -> bool {
    is_from_page(request.headers())
        && !request.extensions().get::<Translated>().is_some_and(|web| web.allowed_page)
}

/// The first authority of the request that is not this machine.
fn foreign_authority<B>(request: &Request<B>) -> Option<&str> {
    let hosts = request.headers().get_all(header::HOST).into_iter();
    let hosts = hosts.map(|value| value.to_str().unwrap_or_default());
    let named = request.uri().authority().map(Authority::as_str);
    named.into_iter().chain(hosts).find(|authority| !is_local(authority))
}

/// Whether an authority is this machine: `localhost` or a loopback address, with any port.
fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The size of the headers as a peer's SETTINGS_MAX_HEADER_LIST_SIZE counts them.
fn header_list_size<B>(request: &Request<B>) -> usize {
    let target = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    let fields = request.headers().iter();
    fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD).sum::<usize>()
        + target
}

fn authority_refused(foreign: &str) -> Refusal {
    let shown: String = foreign.chars().take(100).collect();
    let message = format!(
        "Without configured credentials only localhost and loopback addresses are served, not \
         `{shown}`."
    );
    Refusal::new(Reason::AuthorityRefused, message).with("authority", shown)
}

fn origin_refused() -> Refusal {
    let message = "The call carries `Origin` or `Sec-Fetch-Site`, so a web page sent it, and none \
                   whose origin is listed (`web.origins`) by gRPC-Web.";
    Refusal::new(Reason::OriginRefused, message)
}

fn headers_too_large(size: usize, limit: usize) -> Refusal {
    let message = format!("The headers of the call take {size} bytes; {limit} are the limit.");
    let mut refusal = Refusal::new(Reason::HeadersTooLarge, message);
    // The same call gets the same answer.
    refusal.retry_after_ms = None;
    refusal.with("limit", limit).with("size", size)
}

#[cfg(test)]
mod tests;
