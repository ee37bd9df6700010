//! A large directory, synced twice. Run with `--release -- --ignored --nocapture`.

use std::time::Instant;

use serde_json::{Value, json};

use super::Desk;

const USERS: usize = 100_000;
const GROUPS: usize = 2_000;
/// Requests in flight.
const AT_A_TIME: usize = 16;

/// Does something for each of many numbers, several at a time.
async fn each<T, F: Future<Output = T>>(count: usize, work: impl Fn(usize) -> F) -> Vec<T> {
    use futures_util::StreamExt as _;
    futures_util::stream::iter(0..count).map(work).buffered(AT_A_TIME).collect().await
}

fn user(at: usize) -> Value {
    json!({"userName": format!("user-{at}@contoso.example"), "externalId": format!("guid-{at:08}"),
        "displayName": format!("User {at}"), "active": true, "roles": [{"value": "msdyn_csr"}]})
}

/// The id of a resource that is made.
async fn made(desk: &Desk, path: &str, document: Value) -> String {
    let made = desk.post(path, document).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.id()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: 102 000 connections, twice"]
async fn a_second_sync_takes_no_revision() {
    let desk = Desk::start().await;
    let begun = Instant::now();
    let ids = each(USERS, |at| made(&desk, "Users", user(at))).await;
    eprintln!("{USERS} users made in {:?}", begun.elapsed());
    let begun = Instant::now();
    let group = |at: usize| {
        let members = ids.iter().skip(at).step_by(GROUPS).map(|id| json!({"value": id}));
        json!({"displayName": format!("Group {at}"), "externalId": format!("group-{at}"),
            "members": members.collect::<Value>()})
    };
    let groups = each(GROUPS, |at| made(&desk, "Groups", group(at))).await;
    eprintln!("{GROUPS} groups made in {:?}", begun.elapsed());

    let (before, begun) = (desk.revision().await, Instant::now());
    each(USERS, |at| {
        let (desk, ids) = (&desk, &ids);
        async move {
            let filter = format!("Users?filter=userName%20eq%20%22USER-{at}@contoso.example%22");
            let found = desk.get(&filter).await;
            assert_eq!(found.body["Resources"][0]["id"], ids[at].as_str());
            assert_eq!(desk.put(&format!("Users/{}", ids[at]), user(at)).await.status, 200);
        }
    })
    .await;
    eprintln!("{USERS} users found and written again in {:?}", begun.elapsed());
    let begun = Instant::now();
    each(GROUPS, |at| {
        let (desk, path, document) = (&desk, format!("Groups/{}", groups[at]), group(at));
        async move { assert_eq!(desk.put(&path, document).await.status, 200) }
    })
    .await;
    eprintln!("{GROUPS} groups written again in {:?}", begun.elapsed());
    assert_eq!(desk.revision().await, before);
    let begun = Instant::now();
    let listed = desk.get("Users?startIndex=99001&count=1000").await;
    assert_eq!(listed.body["totalResults"], USERS);
    eprintln!("the last page listed in {:?}", begun.elapsed());
    let begun = Instant::now();
    let found = desk.get("Users?filter=displayName%20eq%20%22User%2099999%22").await;
    assert_eq!(found.body["totalResults"], 1);
    eprintln!("a filter that goes through all in {:?}", begun.elapsed());
}
