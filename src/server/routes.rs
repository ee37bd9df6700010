//! Every service that the port offers, by name.

use std::{collections::BTreeSet, sync::LazyLock};

use tonic::{codec::CompressionEncoding, service::Routes};
use tonic_health::pb::health_check_response::ServingStatus;

use super::{framing::MAX_MESSAGE_BYTES, health};
use crate::{
    auth::RPCS,
    service::Service,
    trace::Tracer,
    voice::{self, webhooks},
};

/// Full names of the reflection services.
const REFLECTION: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// The routes of reflection, which say the same for every server of a process.
static REFLECTED: LazyLock<Routes> = LazyLock::new(|| {
    let [v1, v1alpha] = REFLECTION.map(reflection);
    let gzip = CompressionEncoding::Gzip;
    v1.build_v1()
        .and_then(|v1| {
            let routes = Routes::new(v1.accept_compressed(gzip).send_compressed(gzip));
            let v1alpha = v1alpha.build_v1alpha()?;
            Ok(routes.add_service(v1alpha.accept_compressed(gzip).send_compressed(gzip)))
        })
        .unwrap_or_else(|error| unreachable!("the descriptors are those of this build: {error}"))
});

/// Every service of the API, health, reflection and webhooks; each service is reported to serve.
pub(super) fn routes(
    service: &Service,
    (voice, tracer): (&voice::Voice, &Tracer),
    health: &health::Reporter,
    health_service: health::Service,
) -> Routes {
    // The gate decides who gets compressed answers.
    let gzip = CompressionEncoding::Gzip;
    let health_service = health_service.accept_compressed(gzip).send_compressed(gzip);
    let mut routes = REFLECTED.clone().add_service(health_service);
    let methods = service.methods(MAX_MESSAGE_BYTES);
    let mut grpc = std::mem::take(routes.axum_router_mut());
    for service in api_services() {
        grpc = grpc.route_service(&format!("/{service}/{{*method}}"), methods.clone());
        health.set(service, ServingStatus::Serving);
    }
    *routes.axum_router_mut() = grpc.merge(webhooks(voice, tracer));
    routes
}

/// Full names of the services of the API.
fn api_services() -> BTreeSet<&'static str> {
    RPCS.iter().filter_map(|rpc| rpc.path.split_once('/')).map(|(service, _)| service).collect()
}

/// Full names of the gRPC services of this server, reflection apart.
fn own_services() -> BTreeSet<&'static str> {
    api_services().into_iter().chain(["grpc.health.v1.Health"]).collect()
}

/// Full names of all gRPC services of this server.
pub(super) fn services() -> impl Iterator<Item = String> {
    own_services().into_iter().chain(REFLECTION).map(str::to_owned)
}

/// Reflection over our own API with its comments, health, and the details of errors. The plug-in
/// protocol is in the same set, but others serve it, so it is not listed. `own` is reflection itself.
fn reflection(own: &'static str) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(deskplane_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
    let listed = own_services().into_iter().chain([own]).collect::<BTreeSet<_>>();
    listed.into_iter().fold(builder, |builder, name| builder.with_service_name(name))
}
