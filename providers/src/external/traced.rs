//! The channel to a plug-in, whose requests are parts of a distributed trace.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{body::Body, transport::Channel};
use tower::Service;

use crate::http::{Network, Outcome, Outgoing, Protocol};

/// Header with the code of an answer that has no message.
const STATUS: &str = "grpc-status";

/// The channel, and what traces its requests.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    channel: Channel,
    network: Network,
}

impl Traced {
    pub(super) fn new(channel: Channel, network: Network) -> Self {
        Self { channel, network }
    }
}

impl Service<Request<Body>> for Traced {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let outgoing = Outgoing { protocol: Protocol::Grpc, method: &path, server: None };
        let exchange = self.network.begin(outgoing, request.headers_mut());
        let answer = self.channel.call(request);
        Box::pin(async move {
            let answer = answer.await;
            exchange.into_iter().for_each(|exchange| exchange.end(outcome(&answer)));
            answer
        })
    }
}

fn outcome<E>(answer: &Result<Response<Body>, E>) -> Outcome {
    let Ok(answer) = answer else { return Outcome::Failed };
    let code = answer.headers().get(STATUS).and_then(|code| code.to_str().ok()?.parse().ok());
    code.map_or(Outcome::Answered, Outcome::Status)
}
