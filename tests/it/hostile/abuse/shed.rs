//! More calls than the server takes at a time.

use std::time::Instant;

use deskplane_proto::v1::{
    ResolveProfileRequest, WatchProfileRequest, agent_service_client::AgentServiceClient,
    watch_profile_response::Event,
};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use super::{
    siege::{Siege, USER},
    wire::{Wire, begin},
};
use crate::process::PATIENCE;

const SHED: &str = "deskplane_calls_shed_total";

async fn resolve(channel: &Channel) -> Result<(), Status> {
    let request = ResolveProfileRequest { user: USER.to_owned(), ..Default::default() };
    AgentServiceClient::new(channel.clone()).resolve_profile(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_enough_to_do_says_so_at_once() {
    let siege = Siege::lay(&[("LIMITS__CALLS", "8")]).await;
    let channel = siege.channel();
    let watch = WatchProfileRequest { user: USER.to_owned(), ..Default::default() };
    let mut agents = AgentServiceClient::new(channel.clone());
    let mut open = agents.watch_profile(watch.clone()).await.unwrap().into_inner();
    open.message().await.unwrap().unwrap();
    assert_eq!(siege.figure(SHED).await, 0.0);

    // Calls whose message does not come are worked on. One that is taken up beside another call may
    // be the one that is refused, so there are further ones until it is the other.
    let mut wire = Wire::connect(siege.address(), &[]).await.unwrap();
    let held = |at: u32| begin(2 * at + 1, "/deskplane.v1.ProfileService/GetProfile");
    assert!(wire.ask(&(0..8).flat_map(held).collect::<Vec<_>>()).await);
    let (since, mut further) = (Instant::now(), 8..);
    let status = loop {
        match resolve(&channel).await {
            Ok(()) => assert!(since.elapsed() < PATIENCE, "no call is refused"),
            Err(status) => break status,
        }
        assert!(wire.ask(&further.next().map(held).unwrap()).await);
    };
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str());
    assert_eq!((status.code(), reason), (Code::ResourceExhausted, Some("SERVER_BUSY")));
    assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()));
    assert!(siege.figure(SHED).await >= 1.0);

    // What is no unary call of the API goes on: health, streams, those that are open, probes.
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let watch = WatchProfileRequest { client_id: "another".to_owned(), ..watch };
    let mut another = agents.watch_profile(watch).await.unwrap().into_inner();
    let first = another.message().await.unwrap().unwrap();
    assert!(matches!(first.event, Some(Event::Snapshot(_))), "{first:?}");

    // Once they are gone there is room again.
    drop(wire);
    let since = Instant::now();
    while let Err(status) = resolve(&channel).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(since.elapsed() < PATIENCE, "calls stay refused");
    }
    drop((open, another, agents, health, channel));
    siege.lift().await;
}
