//! Services in process, without a transport.

use std::time::Duration;

use deskplane_proto::v1;
use deskplane_providers::{
    Registry,
    http::{Network, Policy},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::Instant;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::{methods::tests::call, *};
use crate::{
    auth::Credential,
    live,
    store::{Memory, Store as _},
    trace::Correlation,
    voice,
};

pub(super) async fn service() -> Service {
    let store = Arc::new(Memory::new());
    let contents = Arc::new(Contents::new());
    let kept = Arc::<Memory>::clone(&store);
    let id = live::StoreId::from(&store.identity());
    let times = live::Settings::default();
    let rng = fastrand::Rng::with_seed(7);
    let tasks = crate::tasks::Tasks::default();
    let fleet = live::Fleet::new(Clock::system(), Arc::new(crate::domain::NoDeliveryLog));
    let hub = Hub::new(&tasks, id, times.clone(), Arc::clone(&contents), fleet, rng);
    let (feed, adapters) = (hub.clone(), Arc::new(Registry::builtin()));
    let publish = move |committed: &crate::ledger::Committed| feed.committed(committed);
    let streams = voice::CallStreams::new(times, fastrand::Rng::with_seed(7));
    hub.drive(&streams);
    let clock = Clock::system();
    let ledger = Ledger::open(
        &crate::tasks::Tasks::default(),
        store,
        clock.clone(),
        Arc::clone(&adapters),
        publish,
    )
    .await
    .unwrap();
    let vault = Arc::<Vault>::default();
    let audit = Audit::new(kept, clock.clone(), crate::audit::Settings::default());
    let settings = voice::Settings {
        adapters,
        network: Network::new(Policy::default(), &[]).unwrap(),
        public_url: None,
        vault: Arc::clone(&vault),
        report: Arc::new(|_, _, _| ()),
        recorder: audit.recorder.clone(),
        check_every: voice::CHECK_EVERY,
        keep: Duration::from_secs(60),
        streams,
        tasks: crate::tasks::Tasks::default(),
    };
    let log = voice::Log::in_memory();
    let voice = voice::Voice::open(settings, clock.clone(), log, Vec::new(), ledger.catalog());
    Service::new(ledger, hub, contents, voice, clock, vault, audit)
}

/// A request as it leaves the layer, of a caller without a credential.
pub(super) fn request<M>(service: &Service, path: &str, message: M) -> Request<M> {
    let credential = Credential::local(None, None).unwrap();
    let rpc = Rpc::find(path).unwrap();
    let (times, correlation) = ((Instant::now(), None), &mut Correlation::default());
    let context = service.data.call_context(rpc, credential, None, times, correlation).unwrap();
    let mut request = Request::new(message);
    request.extensions_mut().insert(context);
    request
}

fn upsert_user(service: &Service, display_name: &str) -> Request<v1::UpsertUserRequest> {
    let user =
        v1::User { id: "ann".into(), display_name: display_name.into(), ..Default::default() };
    let message = v1::UpsertUserRequest { user: Some(user), ..Default::default() };
    request(service, "deskplane.v1.DirectoryService/UpsertUser", message)
}

fn upsert_team(service: &Service, role: &str) -> Request<v1::UpsertTeamRequest> {
    let team = v1::Team {
        id: "desk".into(),
        display_name: "Desk".into(),
        members: vec!["users/ann".into()],
        roles: vec![format!("securityRoles/{role}")],
        ..Default::default()
    };
    let message = v1::UpsertTeamRequest { team: Some(team), ..Default::default() };
    request(service, "deskplane.v1.DirectoryService/UpsertTeam", message)
}

/// The commit task takes both writes into one group, so both are published when the first answer is
/// made. The roles that a user has through teams stand with the team.
#[tokio::test]
async fn an_answer_is_made_of_the_catalog_of_its_own_write() {
    let service = service().await;
    call::<v1::UpsertUserResponse>(&service, upsert_user(&service, "Ann")).await.unwrap();
    call::<v1::UpsertTeamResponse>(&service, upsert_team(&service, "msdyn_csr")).await.unwrap();
    let (user, team) = tokio::join!(
        call::<v1::UpsertUserResponse>(&service, upsert_user(&service, "Ann Other")),
        call::<v1::UpsertTeamResponse>(&service, upsert_team(&service, "msdyn_csr_manager")),
    );
    let (user, team) = (user.unwrap(), team.unwrap());
    let [user_revision, team_revision] =
        [user.write.unwrap().revision, team.write.unwrap().revision];
    assert_eq!(team_revision, user_revision + 1);
    let roles: Vec<_> = user.user.unwrap().team_roles.into_iter().map(|of| of.role).collect();
    assert_eq!(roles, ["securityRoles/msdyn_csr"]);
    let later =
        call::<v1::UpsertUserResponse>(&service, upsert_user(&service, "Ann Other")).await.unwrap();
    assert!(!later.write.unwrap().changed);
    assert_eq!(later.user.unwrap().team_roles[0].role, "securityRoles/msdyn_csr_manager");
}

/// A server that is assembled without its layer refuses every call.
#[tokio::test]
async fn a_call_without_a_context_is_refused() {
    let service = service().await;
    let mut request = upsert_user(&service, "Ann");
    request.extensions_mut().clear();
    assert_eq!(
        call::<v1::UpsertUserResponse>(&service, request).await.unwrap_err().code(),
        tonic::Code::Internal
    );
}

fn list() -> Vec<v1::Operation> {
    let user = v1::User { id: "ann".into(), display_name: "Ann".into(), ..Default::default() };
    let write = v1::UpsertUserRequest { user: Some(user), ..Default::default() };
    vec![v1::Operation { operation: Some(v1::operation::Operation::UpsertUser(write)) }]
}

fn preview(service: &Service) -> Request<v1::PreviewChangesRequest> {
    let message = v1::PreviewChangesRequest { operations: list(), ..Default::default() };
    request(service, "deskplane.v1.ChangeService/PreviewChanges", message)
}

fn apply(service: &Service) -> Request<v1::ApplyChangesRequest> {
    let message = v1::ApplyChangesRequest { operations: list(), ..Default::default() };
    request(service, "deskplane.v1.ChangeService/ApplyChanges", message)
}

/// Code, reason and retry delay of a refusal.
fn refused_as<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, bool) {
    let status = answer.unwrap_err();
    let details = status.get_error_details();
    let retry = details.retry_info().and_then(|info| info.retry_delay);
    (status.code(), details.error_info().unwrap().reason.clone(), retry.is_some())
}

/// Takes all turns of a queue, and has as much wait as may.
async fn fill(queue: &Queue) -> (Vec<queue::Turn>, Vec<BoxFuture<'static, ()>>) {
    let mut running = Vec::new();
    let mut waiting = Vec::new();
    for at in 0.. {
        let (queue, caller) = (queue.clone(), format!("caller{}", at % 3));
        let mut turn = async move { queue.turn(&caller).await }.boxed();
        match (&mut turn).now_or_never() {
            Some(Ok(turn)) => running.push(turn),
            Some(Err(_)) => break,
            None => waiting.push(turn.map(drop).boxed()),
        }
    }
    (running, waiting)
}

#[tokio::test]
async fn s11_1_previews_and_lists_beyond_the_queue_end_at_once_and_change_nothing() {
    let service = service().await;
    let busy = (Code::ResourceExhausted, "SERVER_BUSY".to_owned(), true);
    let (running, mut waiting) = fill(&service.previews).await;
    let refused =
        call::<v1::PreviewChangesResponse>(&service, preview(&service)).now_or_never().unwrap();
    assert_eq!(refused_as(refused), busy);
    // Lists that are applied wait for no preview.
    assert!(
        call::<v1::ApplyChangesResponse>(&service, apply(&service)).await.unwrap().write.is_some()
    );
    drop(waiting.pop());
    let mut next = call::<v1::PreviewChangesResponse>(&service, preview(&service)).boxed();
    assert!((&mut next).now_or_never().is_none(), "the place of one who went away is free");
    drop((running, waiting));
    assert!(!next.await.unwrap().results.is_empty());

    let revision = async || {
        let previewed = call::<v1::PreviewChangesResponse>(&service, preview(&service)).await;
        previewed.unwrap().revision
    };
    let before = revision().await;
    let (running, waiting) = fill(&service.lists).await;
    let refused =
        call::<v1::ApplyChangesResponse>(&service, apply(&service)).now_or_never().unwrap();
    assert_eq!(refused_as(refused), busy);
    // Neither previews nor other writes wait for them.
    assert_eq!(revision().await, before);
    call::<v1::UpsertUserResponse>(&service, upsert_user(&service, "Ann Other")).await.unwrap();
    drop((running, waiting));
    call::<v1::ApplyChangesResponse>(&service, apply(&service)).await.unwrap();
}

/// The only thread for blocking work is held, so nothing but the executor could read the list.
#[test]
fn a_list_is_read_on_no_thread_of_the_executor() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let service = service().await;
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holder = tokio::task::spawn_blocking(move || held.recv().is_err());
        let empty = v1::ApplyChangesRequest::default();
        let empty = request(&service, "deskplane.v1.ChangeService/ApplyChanges", empty);
        let mut refused = call::<v1::ApplyChangesResponse>(&service, empty).boxed();
        for _ in 0..100 {
            assert!((&mut refused).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        drop(release);
        assert!(holder.await.unwrap());
        let (code, reason, _) = refused_as(refused.await);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    });
}

/// Reads whose cost grows with what there is wait in a queue of their own, which ends.
#[tokio::test]
async fn reads_that_scan_end_at_once_beyond_their_queue() {
    let service = service().await;
    let (running, waiting) = fill(&service.scans).await;
    macro_rules! busy {
        ($($rpc:literal: $message:ident, $response:ident;)*) => {$({
            let asked = request(&service, concat!("deskplane.v1.", $rpc), v1::$message::default());
            let refused = call::<v1::$response>(&service, asked).now_or_never();
            let refused = refused_as(refused.expect($rpc));
            assert_eq!(refused, (Code::ResourceExhausted, "SERVER_BUSY".to_owned(), true));
        })*};
    }
    busy! {
        "DirectoryService/ListUsers": ListUsersRequest, ListUsersResponse;
        "ProfileService/ListProfiles": ListProfilesRequest, ListProfilesResponse;
        "AgentService/BulkResolve": BulkResolveRequest, BulkResolveResponse;
        "InsightService/SearchByUser": SearchByUserRequest, SearchByUserResponse;
        "InsightService/ListFindings": ListFindingsRequest, ListFindingsResponse;
        "FleetService/ListFleetStatus": ListFleetStatusRequest, ListFleetStatusResponse;
        "FleetService/GetFleetSummary": GetFleetSummaryRequest, GetFleetSummaryResponse;
    }
    // Previews and writes wait for none of them.
    call::<v1::UpsertUserResponse>(&service, upsert_user(&service, "Ann")).await.unwrap();
    assert!(call::<v1::PreviewChangesResponse>(&service, preview(&service)).await.is_ok());
    drop((running, waiting));
    let asked = v1::ListUsersRequest::default();
    let asked = request(&service, "deskplane.v1.DirectoryService/ListUsers", asked);
    assert_eq!(call::<v1::ListUsersResponse>(&service, asked).await.unwrap().users.len(), 1);
}
