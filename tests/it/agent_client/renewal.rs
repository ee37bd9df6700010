//! The example's client whose token ends: it goes on with the next one.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::{desktop::Desktop, follow, stream, token::Token};
use crate::{
    credentials::world::{World, claims, now},
    secret_file,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_with_the_token_that_replaces_one_that_ended() {
    let world = World::new().await;
    world.admin().ok("UpsertUser", json!({"user": {"id": "john.doe"}})).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let mut brief = claims("john.doe", "deskplane.agent");
    brief["exp"] = json!(now() + 2);
    secret_file::write(&file, world.signer.token_of(&brief));

    let channel = Channel::from_shared(world.server.uri()).unwrap().connect_lazy();
    let client = Token { file: Some(file.clone()) }.client(channel);
    let desktop = Arc::new(Desktop::open(None).unwrap());
    let (say, mut lines) = mpsc::unbounded_channel();
    let following = tokio::spawn(follow::follow(client, stream(), desktop, move |line| {
        say.send(line).ok();
    }));
    assert!(lines.recv().await.unwrap().starts_with("profile "));
    secret_file::write(&file, world.jwt("john.doe", "deskplane.agent"));
    let lost = lines.recv().await.unwrap();
    assert!(lost.starts_with("lost ") && lost.contains("TOKEN_EXPIRED"), "{lost}");
    assert!(lines.recv().await.unwrap().starts_with("in sync "));
    following.abort();
}
