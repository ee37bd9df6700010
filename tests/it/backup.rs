//! The drill with real servers: a backup while one serves, a restore, and clients that resume.

mod history;

use std::{path::Path, sync::Arc};

use clap::Parser;
use deskplane::{
    cli::{self, Cli, Io},
    store::{Durable, durable::Settings},
};
use deskplane_proto::v1::{
    BatchUpsertUsersRequest, GetUserRequest, ResetReason, Snapshot, User, UserRow,
    WatchProfileRequest, directory_service_client::DirectoryServiceClient,
    watch_profile_response::Event,
};
use tonic::Code;

use crate::server::{As, Caller, Running};

/// Runs a command; its exit code, and what it wrote.
async fn run(args: &[&str], folder: &Path) -> (u8, String) {
    let data = ["--data-dir", folder.to_str().unwrap()];
    let cli = Cli::try_parse_from([&["deskplane"], args, &data].concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = cli::run(cli, &mut Io::new(&mut out, &mut err)).await;
    out.extend(err);
    (code, String::from_utf8(out).unwrap())
}

async fn open(folder: &Path) -> Arc<Durable> {
    let settings = Settings { min_free_bytes: 0, ..Settings::default() };
    Arc::new(Durable::open(folder, settings).await.unwrap())
}

fn directory(server: &Running) -> DirectoryServiceClient<Caller> {
    DirectoryServiceClient::new(server.channel(As::default()))
}

async fn add(server: &Running, id: &str) {
    let user = Some(User { id: id.to_owned(), ..User::default() });
    let rows = vec![UserRow { user, profile: String::new() }];
    let request = BatchUpsertUsersRequest { rows, ..BatchUpsertUsersRequest::default() };
    directory(server).batch_upsert_users(request).await.unwrap();
}

/// What a client gets that resumes with a token.
async fn resume(server: &Running, resume_token: &str) -> Option<Snapshot> {
    let (user, resume_token) = ("kendall".to_owned(), resume_token.to_owned());
    let request = WatchProfileRequest { user, resume_token, ..WatchProfileRequest::default() };
    let mut stream = server.agents().watch_profile(request).await.unwrap().into_inner();
    match stream.message().await.unwrap().unwrap().event {
        Some(Event::Snapshot(snapshot)) => Some(snapshot),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_restored_server_get_everything_afresh() {
    let home = tempfile::tempdir().unwrap();
    let (data, backup) = (home.path().join("data"), home.path().join("backup"));
    let to = backup.to_str().unwrap();
    let store = open(&data).await;
    let server = Running::over(store.clone()).await;
    add(&server, "kendall").await;
    let token = resume(&server, "").await.unwrap().resume_token;
    assert!(resume(&server, &token).await.is_none(), "the client is in sync");

    let (code, said) = run(&["backup", "--to", to], &data).await;
    assert!(code == 0 && said.contains("backup at revision"), "{said}");
    add(&server, "rowan").await;
    let (code, said) = run(&["backup", "--to", to], &data).await;
    assert!(code == 1 && said.contains("is not empty"), "{said}");
    let (code, said) = run(&["doctor", "--repair"], &data).await;
    assert!(code == 1 && said.contains("is in use"), "{said}");
    server.end().await;
    store.close().await.unwrap();
    drop(store);
    let (code, said) = run(&["doctor"], &data).await;
    assert!(code == 0 && said.contains("next start: clean"), "{said}");

    let (code, said) = run(&["restore", "--from", to], &data).await;
    assert!(code == 1 && said.contains("is not empty"), "{said}");
    let restored = home.path().join("restored");
    let (code, said) = run(&["restore", "--from", to], &restored).await;
    assert!(code == 0 && said.contains("restored revision"), "{said}");
    let server = Running::over(open(&restored).await).await;
    let get = |name: &str| GetUserRequest { name: format!("users/{name}") };
    directory(&server).get_user(get("kendall")).await.unwrap();
    let later = directory(&server).get_user(get("rowan")).await.unwrap_err();
    assert_eq!(later.code(), Code::NotFound);
    let snapshot = resume(&server, &token).await.unwrap();
    assert!(snapshot.reset);
    assert_eq!(snapshot.reset_reason(), ResetReason::StoreRestored);
    assert!(resume(&server, &snapshot.resume_token).await.is_none(), "in sync again");
    server.end().await;
}

#[tokio::test]
async fn the_exit_code_of_the_doctor_says_how_bad_it_is() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let store = open(&data).await;
    let server = Running::over(store.clone()).await;
    add(&server, "kendall").await;
    server.end().await;
    store.close().await.unwrap();
    drop(store);
    let checkpoint = std::fs::read_dir(data.join("checkpoint")).unwrap().next().unwrap().unwrap();
    let good = std::fs::read(checkpoint.path()).unwrap();
    let mut bad = good.clone();
    bad[80] ^= 1;
    std::fs::write(checkpoint.path(), bad).unwrap();
    let (code, said) = run(&["doctor"], &data).await;
    assert!(code == 1 && said.contains("damaged at byte"), "{said}");
    std::fs::write(checkpoint.path(), good).unwrap();
    std::fs::write(data.join("store.mark"), b"x").unwrap();
    let (code, said) = run(&["doctor", "-o", "json"], &data).await;
    assert!(code == 2 && said.contains("\"health\": \"refuses_to_start\""), "{said}");
}
