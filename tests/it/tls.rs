//! The port behind TLS and on sockets of the machine: calls, streams, the command line, and a
//! certificate that is exchanged while agents watch.

pub(crate) mod files;
mod program;

use deskplane::transport::{Endpoint as ListenOn, Listeners, Tls};
use deskplane_proto::v1::{
    ResolveProfileRequest, ResolvedProfile, WatchProfileRequest, WatchProfileResponse,
    agent_service_client::AgentServiceClient, watch_profile_response::Event,
};
use serde_json::json;
use tonic::{
    Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};

use self::files::{Authority, Files};
use crate::{
    api::Api,
    server::{As, Front, Running},
};

/// Connections during which the certificate is exchanged, each with the streams of some users.
const CONNECTIONS: usize = 25;
const USERS: usize = 4;
/// Streams that a user may have.
const STREAMS: usize = 10;

async fn secured(tls: &Tls) -> Running {
    Running::fronted(Front { tls: Some(tls.clone()), ..Front::default() }).await
}

/// A connection that trusts the authority of these files.
async fn connect(
    server: &Running,
    files: &Files,
    own: Option<Identity>,
) -> Result<Channel, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(files.authority.pem()));
    if let Some(own) = own {
        tls = tls.identity(own);
    }
    let uri = format!("https://localhost:{}", server.address.port());
    Channel::from_shared(uri).unwrap().tls_config(tls).unwrap().connect().await
}

/// Adds a user; the profile built in applies to everybody.
async fn add_user(channel: &Channel, id: &str) {
    let request = json!({"user": {"id": id}});
    Api::over(channel.clone(), As::default()).ok("UpsertUser", request).await;
}

async fn watch(channel: Channel, user: &str) -> Streaming<WatchProfileResponse> {
    let request = WatchProfileRequest { user: user.to_owned(), ..Default::default() };
    AgentServiceClient::new(channel).watch_profile(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_watches_outlive_an_exchange_of_the_certificate() {
    let files = Files::new();
    let tls = Tls::load(files.settings()).unwrap();
    let server = secured(&tls).await;
    let first = connect(&server, &files, None).await.unwrap();
    let (mut users, mut watches) = (Vec::new(), Vec::new());
    for connection in 0..CONNECTIONS {
        let channel = connect(&server, &files, None).await.unwrap();
        for user in 0..USERS {
            users.push(format!("user-{connection}-{user}"));
            let user = users.last().unwrap();
            add_user(&first, user).await;
            for _ in 0..STREAMS {
                let mut watch = watch(channel.clone(), user).await;
                let snapshot = profile_of(watch.message().await.unwrap().unwrap()).unwrap();
                watches.push((watch, snapshot.revision));
            }
        }
    }
    assert_eq!(watches.len(), 1_000);

    files.write(&files.authority.issue());
    assert!(tls.reload().unwrap());
    let after = connect(&server, &files, None).await.unwrap();
    let api = Api::over(after.clone(), As::default());
    let profile = json!({"profile": {"unique_name": "contoso_rep", "display_name": "Rep"}});
    api.ok("CreateProfile", profile).await;
    api.ok("AddUsers", json!({"name": "contoso_rep", "users": users})).await;
    let resolve = ResolveProfileRequest { user: users[0].clone(), ..Default::default() };
    let resolved = AgentServiceClient::new(after).resolve_profile(resolve).await.unwrap();
    let expected = resolved.into_inner().profile.unwrap().digest;
    for (watch, revision) in &mut watches {
        loop {
            let message = watch.message().await.unwrap().expect("the stream goes on");
            let Some(profile) = profile_of(message) else { continue };
            assert!(profile.revision >= *revision, "revisions never go back");
            *revision = profile.revision;
            if profile.digest == expected {
                break;
            }
        }
    }
    drop((watches, first, api));
    server.end().await;
}

/// The profile that a message of a stream brings.
fn profile_of(message: WatchProfileResponse) -> Option<ResolvedProfile> {
    match message.event? {
        Event::Snapshot(snapshot) => snapshot.profile,
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_show_certificates_where_the_server_asks_for_them() {
    let (files, clients) = (Files::new(), Authority::new());
    let server = secured(&Tls::load(files.asking(&clients)).unwrap()).await;
    let known = connect(&server, &files, Some(clients.issue().identity())).await.unwrap();
    add_user(&known, "john.doe").await;
    for own in [None, Some(Authority::new().issue().identity())] {
        // With TLS 1.3 the refusal may reach the client behind its own part of the handshake.
        if let Ok(channel) = connect(&server, &files, own).await {
            let request =
                ResolveProfileRequest { user: "john.doe".to_owned(), ..Default::default() };
            AgentServiceClient::new(channel).resolve_profile(request).await.unwrap_err();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_speaks_tls_and_to_sockets() {
    let (files, clients) = (Files::new(), Authority::new());
    let tls = Tls::load(files.asking(&clients)).unwrap();
    let socket = ListenOn::Unix(files.at("deskplane.sock"));
    let endpoints = ["127.0.0.1:0".parse().unwrap(), socket.clone()];
    let listeners = Listeners::bind(&endpoints).await.unwrap();
    let front = Front { listeners: Some(listeners), tls: Some(tls), ..Front::default() };
    let server = Running::fronted(front).await;
    let port = server.address.port();
    let (url, clear) = (format!("https://localhost:{port}"), format!("http://localhost:{port}"));
    let own = clients.issue();
    files.write_as("client", &own);
    let text = |name: &str| files.at(name).to_str().unwrap().to_owned();
    let (ca, cert, key) = (text("authority"), text("client.certificate"), text("client.key"));
    let run = async |server: &str, tls: &[&str]| {
        let mut out = Vec::new();
        let args = [&["list", "profiles"], tls].concat();
        let (code, err) = crate::cli::run(&mut out, server, &args).await;
        (code, String::from_utf8(out).unwrap(), err)
    };
    let known = ["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key];
    let (code, by_tls, err) = run(&url, &known).await;
    assert_eq!(code, 0, "{err}");
    let (code, by_socket, err) = run(&socket.to_string(), &[]).await;
    assert_eq!((code, &by_socket), (0, &by_tls), "{err}");
    assert!(err.is_empty(), "{err}");

    let (code, _, err) = run(&url, &known[2..]).await;
    assert!(code == 1 && err.contains("UnknownIssuer"), "{err}");
    let (code, _, err) = run(&url, &known[..2]).await;
    assert_eq!(code, 1, "{err}");
    let (code, _, err) = run(&clear, &[]).await;
    assert_eq!(code, 1, "{err}");
    for (server, tls, why) in [
        (&clear, &known[..], "speaks no TLS"),
        (&url, &known[..4], "go together"),
        (&url, &["--tls-ca", "/nowhere"], "--tls-ca: /nowhere: "),
    ] {
        let (code, _, err) = run(server, tls).await;
        assert!(code == 2 && err.contains(why), "{err}");
    }
}
