//! Services in process, without a transport.

use std::time::Duration;

use deskplane_proto::v1::{self, directory_service_server::DirectoryService as _};
use deskplane_providers::{
    Registry,
    http::{Network, Policy},
};

use tokio::time::Instant;
use tonic::Request;

use super::*;
use crate::{
    auth::Credential,
    live,
    store::{Memory, Store as _},
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
    let settings = voice::Settings {
        adapters,
        network: Network::new(Policy::default(), &[]).unwrap(),
        public_url: None,
        vault: Arc::clone(&vault),
        report: Arc::new(|_, _, _| ()),
        check_every: voice::CHECK_EVERY,
        keep: Duration::from_secs(60),
        streams,
        tasks: crate::tasks::Tasks::default(),
    };
    let log = voice::Log::in_memory();
    let voice = voice::Voice::open(settings, clock.clone(), log, Vec::new(), ledger.catalog());
    let audit = Audit::new(kept, clock.clone(), crate::audit::Settings::default());
    Service::new(ledger, hub, contents, voice, clock, vault, audit)
}

/// A request as it leaves the layer, of a caller without a credential.
fn request<M>(service: &Service, path: &str, message: M) -> Request<M> {
    let credential = Credential::local(None, None).unwrap();
    let rpc = Rpc::find(path).unwrap();
    let context = service.data.call_context(rpc, credential, None, (Instant::now(), None)).unwrap();
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
    service.upsert_user(upsert_user(&service, "Ann")).await.unwrap();
    service.upsert_team(upsert_team(&service, "msdyn_csr")).await.unwrap();
    let (user, team) = tokio::join!(
        service.upsert_user(upsert_user(&service, "Ann Other")),
        service.upsert_team(upsert_team(&service, "msdyn_csr_manager")),
    );
    let (user, team) = (user.unwrap().into_inner(), team.unwrap().into_inner());
    let [user_revision, team_revision] =
        [user.write.unwrap().revision, team.write.unwrap().revision];
    assert_eq!(team_revision, user_revision + 1);
    let roles: Vec<_> = user.user.unwrap().team_roles.into_iter().map(|of| of.role).collect();
    assert_eq!(roles, ["securityRoles/msdyn_csr"]);
    let later = service.upsert_user(upsert_user(&service, "Ann Other")).await.unwrap().into_inner();
    assert!(!later.write.unwrap().changed);
    assert_eq!(later.user.unwrap().team_roles[0].role, "securityRoles/msdyn_csr_manager");
}

/// A server that is assembled without its layer refuses every call.
#[tokio::test]
async fn a_call_without_a_context_is_refused() {
    let service = service().await;
    let mut request = upsert_user(&service, "Ann");
    request.extensions_mut().clear();
    assert_eq!(service.upsert_user(request).await.unwrap_err().code(), tonic::Code::Internal);
}
