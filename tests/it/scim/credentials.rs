//! Credentials that are refused (SPEC §12.3).

use deskplane::domain::Scope;

use super::Desk;
use crate::{
    api::Api,
    credentials::{limits::audited, world::World},
    server::As,
};

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_limited_and_audited_as_those_of_calls_are() {
    const PER_MINUTE: u32 = 3;
    let world = World::limited(PER_MINUTE).await;
    let token = world.opaque("entra", &[Scope::Directory]);
    let admin = world.jwt("root", "deskplane.admin");
    let desk = Desk { server: world.server, fields: Vec::new() };
    let bearing = |token: &str| [("authorization", format!("Bearer {token}"))];
    let send = async |token: &str| {
        let [(name, value)] = bearing(token);
        desk.send_with("GET", "Users", &[(name, &value)], "").await
    };
    for _ in 0..PER_MINUTE {
        assert_eq!(send("dsk_guess").await.error(), (401, "", "CREDENTIAL_INVALID"));
    }
    let limited = send("dsk_guess").await;
    assert_eq!(limited.error(), (429, "", "SERVER_BUSY"));
    let wait: u64 = limited.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(send(&token).await.status, 200);
    let admin = Api::of(&desk.server, As::bearing(&admin));
    let rows = audited(&admin, "SCIM GET", 1).await;
    assert_eq!(rows[0]["error_reason"], "CREDENTIAL_INVALID");
    assert_eq!(rows[0]["reason"], "TOKEN_UNKNOWN");
}
