//! `grpc.health.v1.Health`, as its protocol describes it: Check answers NOT_FOUND for a service
//! that is not served, Watch answers SERVICE_UNKNOWN and stays open.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use futures_core::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use crate::domain::{Reason, Refusal};

/// Longest name that is looked up; longer ones are of no service.
const MAX_NAME: usize = 256;

type Statuses = BTreeMap<&'static str, ServingStatus>;

/// Sets what the health service answers. When it is dropped, all Watch streams end with DRAINING.
#[derive(Debug)]
pub(super) struct Reporter {
    statuses: watch::Sender<Arc<Statuses>>,
}

/// The service over a [`Reporter`].
#[derive(Debug, Clone)]
pub(super) struct Served {
    statuses: watch::Receiver<Arc<Statuses>>,
}

/// The service that answers what its reporter is given.
pub(super) type Service = HealthServer<Served>;

/// A reporter and its service.
pub(super) fn reporter() -> (Reporter, Service) {
    let (statuses, receiver) = watch::channel(Arc::default());
    (Reporter { statuses }, HealthServer::new(Served { statuses: receiver }))
}

// === impl Reporter ===

impl Reporter {
    /// Sets the status of one service; `""` is the server as a whole.
    pub(super) fn set(&self, service: &'static str, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| {
            let before = Arc::make_mut(statuses).insert(service, status);
            before != Some(status)
        });
    }

    /// Sets every service to NOT_SERVING.
    pub(super) fn drain(&self) {
        self.statuses.send_modify(|statuses| {
            Arc::make_mut(statuses).values_mut().for_each(|s| *s = ServingStatus::NotServing);
        });
    }
}

// === impl Served ===

impl Served {
    fn status(statuses: &Statuses, service: &str) -> Option<ServingStatus> {
        statuses.get(service).copied()
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn not_served(service: &str) -> Status {
    let message = format!("The server has no service `{service}`.");
    let refusal = Refusal::new(Reason::ServiceUnknown, message);
    refusal.resource("Service", service, "is not served").into()
}

fn draining() -> Status {
    Refusal::new(Reason::Draining, "The server ends.").into()
}

/// A Watch stream: what it looks at, and the status it sent last.
struct Watching {
    service: String,
    statuses: watch::Receiver<Arc<Statuses>>,
    sent: Option<ServingStatus>,
    ended: bool,
}

impl Watching {
    /// The next status that differs from the one before; at the end of the server its error.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            let now = Served::status(&self.statuses.borrow_and_update(), &self.service);
            let now = now.unwrap_or(ServingStatus::ServiceUnknown);
            if self.sent != Some(now) {
                self.sent = Some(now);
                return Some((Ok(answer(now)), self));
            }
            if self.statuses.changed().await.is_err() {
                self.ended = true;
                return Some((Err(draining()), self));
            }
        }
    }
}

#[async_trait]
impl Health for Served {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = Self::status(&self.statuses.borrow(), &service);
        let status = status.ok_or_else(|| not_served(&service))?;
        Ok(Response::new(answer(status)))
    }

    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send + 'static>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut service = request.into_inner().service;
        if service.len() > MAX_NAME {
            // No service has such a name: the stream keeps none of it.
            service = "\0".to_owned();
        }
        let statuses = self.statuses.clone();
        let watching = Watching { service, statuses, sent: None, ended: false };
        Ok(Response::new(Box::pin(stream::unfold(watching, Watching::next))))
    }
}
