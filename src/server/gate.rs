//! What every request passes first: only names of this machine are answered for, so that no web
//! page reaches a loopback server by DNS tricks (SPEC §12.3).

use std::{
    future::{Ready, ready},
    net::IpAddr,
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{Request, Response, header, uri::Authority};
use tonic::body::Body;
use tower::{Layer, Service};

use crate::{
    domain::{Reason, Refusal},
    service::refused,
};

/// Puts a [`Gate`] in front of the services.
#[derive(Debug, Clone, Copy)]
pub(super) struct GateLayer;

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner }
    }
}

/// Refuses requests for a foreign authority.
#[derive(Debug, Clone)]
pub(super) struct Gate<S> {
    inner: S,
}

/// Whether an authority is this machine: `localhost` or a loopback address, with any port.
fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    // Vendors know the server by its public name, and prove who they are by their signatures.
    if request.uri().path().starts_with("/webhooks/") {
        return Ok(());
    }
    let hosts = request.headers().get_all(header::HOST).into_iter();
    let hosts = hosts.map(|value| value.to_str().unwrap_or_default());
    let named = request.uri().authority().map(Authority::as_str);
    match named.into_iter().chain(hosts).find(|authority| !is_local(authority)) {
        None => Ok(()),
        Some(foreign) => {
            let shown: String = foreign.chars().take(100).collect();
            let message = format!(
                "Without configured credentials only localhost and loopback addresses are served, \
                 not `{shown}`."
            );
            Err(Refusal::new(Reason::AuthorityRefused, message).with("authority", shown))
        }
    }
}

impl<S, B> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match check(&request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refused(&refusal)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for local in ["localhost", "LOCALHOST:7700", "127.0.0.1:7700", "127.9.9.9", "[::1]:80"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in [
            "example.com",
            "localhost.example.com",
            "10.0.0.1:7700",
            "127.0.0.1.nip.io",
            "[::2]",
            "0.0.0.0",
            "",
        ] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
