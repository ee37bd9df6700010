//! The methods of the API, expanded from the table of RPCs: each goes one of six ways from the bytes
//! of its message to the bytes of its answer.
//!
//! Messages are decoded and encoded here and not by the codec, so the transport's part of a call is
//! one piece of code for all methods instead of one for each pair of messages (decision 34).

use std::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use deskplane_proto::{codec::decode, v1};
use futures_core::Stream;
use futures_util::{StreamExt as _, future::BoxFuture};
use prost::Message;
use tonic::{
    Request, Response, Status, Streaming, body::Body, codec::CompressionEncoding::Gzip,
    server::Grpc,
};
use tower::{BoxError, service_fn};

use super::{
    EventStream, REVISION, Service,
    codec::BytesCodec,
    context::CallContext,
    convert::{Answer, WriteRequest},
    status::unimplemented,
};
use crate::auth::{RPCS, Rpc};

/// A stream of encoded messages.
type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// A resource, and the revision that it was read at.
type Found = (Bytes, i64);

/// What a method does with a message, or with a stream of them.
type Handler<M, A> = fn(Arc<Service>, CallContext, M) -> BoxFuture<'static, Result<A, Status>>;

/// How a method comes from its message to its answer.
#[derive(Clone, Copy)]
enum Way {
    /// A message for a message.
    Unary(Unary),
    /// A message for a stream of them.
    Stream(Handler<Bytes, Messages>),
    /// A stream of messages for a message.
    Upload(Handler<Streaming<Bytes>, Bytes>),
}

/// The ways of one message for another. `Write` and `Get` are the same for all methods but for the
/// types of their messages.
#[derive(Clone, Copy)]
enum Unary {
    Write(fn(Bytes) -> Result<Box<dyn WriteRequest>, Status>, fn(Answer<'_>) -> Bytes),
    Get(fn(&Service, &CallContext, Bytes) -> Result<Found, Status>),
    Own(Handler<Bytes, Bytes>),
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn encoded_each<M: Message + 'static>(events: EventStream<M>) -> Messages {
    Box::pin(events.map(|event| event.map(|message| encoded(&message))))
}

/// Expands to the [`Way`] of a method. `write`, `get` and `list` are generic; `own`, `stream` and
/// `upload` call a method of [`Service`] of the same name.
macro_rules! way {
    (write $detail:tt $method:ident $request:ident $response:ident) => {
        Way::Unary(Unary::Write(
            |message| Ok(Box::new(decode::<v1::$request>(message)?)),
            |answer| encoded(&v1::$response::from(answer)),
        ))
    };
    (get $detail:tt $method:ident $request:ident $response:ident) => {
        Way::Unary(Unary::Get(|service, context, message| {
            let message: v1::$request = decode(message)?;
            let (resource, revision) = service.get::<v1::$response>(context, &message.name)?;
            Ok((encoded(&resource), revision))
        }))
    };
    (list [$resource:ident $field:ident] $method:ident $request:ident $response:ident) => {
        Way::Unary(Unary::Own(|service, context, message| {
            Box::pin(async move {
                let q: v1::$request = decode(message)?;
                let asked = (q.page_size, q.page_token, q.filter, q.order_by);
                let (rows, next_page_token, revision) = service.list(&context, asked).await?;
                Ok(encoded(&v1::$response { $field: rows, next_page_token, revision }))
            })
        }))
    };
    (stream $detail:tt $method:ident $request:ident $response:ident) => {
        Way::Stream(|service, context, message| {
            Box::pin(async move {
                let message: v1::$request = decode(message)?;
                Ok(encoded_each(service.$method(&context, message).await?))
            })
        })
    };
    (upload $detail:tt $method:ident $request:ident $response:ident) => {
        Way::Upload(|service, context, messages| {
            Box::pin(async move {
                let messages = messages.map(|message| message.and_then(decode::<v1::$request>));
                Ok(encoded(&service.$method(&context, messages).await?))
            })
        })
    };
    (own $detail:tt $method:ident $request:ident $response:ident) => {
        Way::Unary(Unary::Own(|service, context, message| {
            Box::pin(async move {
                let message: v1::$request = decode(message)?;
                Ok(encoded(&service.$method(&context, message).await?))
            })
        }))
    };
}

/// Expands to [`WAYS`].
macro_rules! ways {
    ($(service $service:ident {
        name: $name:literal,
        $(rpc $rpc:ident {
            path: $path:literal,
            method: $method:ident,
            way: $way:ident $detail:tt,
            verb: $verb:ident $noun:tt,
            request: $request:ident,
            response: $response:ident,
            access: $access:ident,
            audit: $audit:ident,
            secrets: $secrets:literal,
        })+
    })+) => {
        /// The way of each of [`RPCS`], in their order.
        static WAYS: &[Way] = &[$($(way!($way $detail $method $request $response),)+)+];
    };
}

deskplane_proto::for_each_service!(ways);

const _: () = assert!(WAYS.len() == RPCS.len(), "both are expanded from one table");

/// The services of the API, by the paths of their methods. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Methods {
    service: Arc<Service>,
    /// Most bytes of a request, and of an answer.
    max_message_bytes: usize,
}

impl Service {
    /// The methods of the API, for requests and answers of at most so many bytes.
    pub fn methods(&self, max_message_bytes: usize) -> Methods {
        Methods { service: Arc::new(self.clone()), max_message_bytes }
    }
}

impl Methods {
    async fn answer(self, way: Way, request: http::Request<Body>) -> http::Response<Body> {
        let (service, most) = (self.service, self.max_message_bytes);
        // The gate decides who gets compressed answers.
        let grpc = Grpc::new(BytesCodec).accept_compressed(Gzip).send_compressed(Gzip);
        let mut grpc = grpc.max_decoding_message_size(most).max_encoding_message_size(most);
        match way {
            Way::Unary(way) => {
                let unary = |request| answered(Arc::clone(&service), way, request);
                grpc.unary(service_fn(unary), request).await
            }
            Way::Stream(handler) => {
                let streamed = |request| streamed(Arc::clone(&service), handler, request);
                grpc.server_streaming(service_fn(streamed), request).await
            }
            Way::Upload(handler) => {
                let uploaded = |request| streamed(Arc::clone(&service), handler, request);
                grpc.client_streaming(service_fn(uploaded), request).await
            }
        }
    }
}

impl<B> tower::Service<http::Request<B>> for Methods
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let found = Rpc::position(request.uri().path()).and_then(|at| WAYS.get(at));
        let Some(way) = found else {
            return Box::pin(ready(Ok(unimplemented())));
        };
        let (methods, way, request) = (self.clone(), *way, request.map(Body::new));
        Box::pin(async move { Ok(methods.answer(way, request).await) })
    }
}

/// Answers a call of one message with one.
async fn answered(
    service: Arc<Service>,
    way: Unary,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Status> {
    let (context, message) = CallContext::split(request)?;
    match way {
        Unary::Write(read, answered) => {
            let accepted = service.write(&context, read(message)?).await?;
            let context = service.resource_context(&accepted.catalog);
            Ok(Response::new(answered(Answer { outcome: &accepted.outcome, context })))
        }
        Unary::Get(get) => {
            let (resource, revision) = get(&service, &context, message)?;
            let mut response = Response::new(resource);
            response.metadata_mut().insert(REVISION, revision.into());
            Ok(response)
        }
        Unary::Own(handler) => Ok(Response::new(handler(service, context, message).await?)),
    }
}

/// Answers a call with a stream on one side.
async fn streamed<M, A>(
    service: Arc<Service>,
    handler: Handler<M, A>,
    request: Request<M>,
) -> Result<Response<A>, Status> {
    let (context, message) = CallContext::split(request)?;
    Ok(Response::new(handler(service, context, message).await?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a method answers to a message, without the transport.
    pub(in crate::service) async fn call<A: Message + Default>(
        service: &Service,
        request: Request<impl Message>,
    ) -> Result<A, Status> {
        let context = request.extensions().get::<CallContext>();
        let path = context.map_or(RPCS[0].path, |context| context.rpc().path);
        let Way::Unary(way) = WAYS[Rpc::position(path).unwrap()] else {
            panic!("{path} streams");
        };
        let request = request.map(|message| encoded(&message));
        let answer = answered(Arc::new(service.clone()), way, request).await?.into_inner();
        Ok(A::decode(answer).unwrap())
    }
}
