//! The generated services, expanded from the table of RPCs: every method takes the context of its
//! call and goes one of six ways.

use deskplane_proto::v1;
use tonic::{Request, Response, Status};

use super::{EventStream, REVISION, Service, context::CallContext};

/// The associated type of a method that streams; nothing for any other.
macro_rules! stream_type {
    (stream [$stream:ident] $response:ident) => {
        type $stream = EventStream<v1::$response>;
    };
    ($way:ident $detail:tt $response:ident) => {};
}

/// What a method takes: one message, or a stream of them.
macro_rules! input_type {
    (unary $request:ident) => { v1::$request };
    (stream $request:ident) => { tonic::Streaming<v1::$request> };
}

/// The body of a method. `write`, `get` and `list` are generic; `own`, `stream` and `upload` call a method
/// of [`Service`] of the same name.
macro_rules! answered {
    (write $detail:tt $service:ident, $context:ident, $message:ident, $method:ident, $response:ident) => {
        Ok(Response::new($service.write(&$context, $message).await?))
    };
    (get $detail:tt $service:ident, $context:ident, $message:ident, $method:ident, $response:ident) => {{
        let (resource, revision) = $service.get(&$context, &$message.name)?;
        let mut response = Response::new(resource);
        response.metadata_mut().insert(REVISION, revision.into());
        Ok(response)
    }};
    (list [$resource:ident $field:ident] $service:ident, $context:ident, $message:ident, $method:ident, $response:ident) => {{
        let q = $message;
        let asked = (q.page_size, q.page_token, q.filter, q.order_by);
        let (rows, next_page_token, revision) = $service.list(&$context, asked).await?;
        Ok(Response::new(v1::$response { $field: rows, next_page_token, revision }))
    }};
    ($way:ident $detail:tt $service:ident, $context:ident, $message:ident, $method:ident, $response:ident) => {
        Ok(Response::new(Service::$method($service, &$context, $message).await?))
    };
}

/// Expands to the implementation of every generated service.
macro_rules! services {
    ($(service $service:ident {
        name: $name:literal,
        server: $module:ident::$server:ident,
        $(rpc $rpc:ident {
            path: $path:literal,
            method: $method:ident,
            way: $way:ident $detail:tt,
            verb: $verb:ident $noun:tt,
            input: $input:ident,
            request: $request:ident,
            response: $response:ident,
            answer: [$($answer:tt)+],
            access: $access:ident,
            audit: $audit:ident,
            secrets: $secrets:literal,
        })+
    })+) => {$(
        #[tonic::async_trait]
        impl v1::$module::$service for Service {
            $(
                stream_type! { $way $detail $response }

                async fn $method(
                    &self,
                    request: Request<input_type!($input $request)>,
                ) -> Result<Response<$($answer)+>, Status> {
                    let (context, message) = CallContext::split(request)?;
                    answered!($way $detail self, context, message, $method, $response)
                }
            )+
        }
    )+};
}

deskplane_proto::for_each_service!(services);
