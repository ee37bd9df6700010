//! Groups: teams, and roles.

use serde_json::{Value, json};

use super::Desk;

fn members(ids: &[&String]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

/// The members of a group, ascending.
async fn held(desk: &Desk, path: &str) -> Vec<String> {
    let group = desk.get(path).await;
    assert_eq!(group.status, 200, "{group:?}");
    let members = group.body["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<_> = members.iter().map(|m| m["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

/// What each form of a change makes of the members.
async fn forms(desk: &Desk, path: &str, [a, b, c]: [&String; 3]) {
    let add = |ids: &[&String]| json!([{"op": "Add", "path": "members", "value": members(ids)}]);
    for (operations, want) in [
        (add(&[a, b]), vec![a, b]),
        (add(&[b, c]), vec![a, b, c]),
        // As Entra ID sends it.
        (json!([{"op": "Remove", "path": "members", "value": members(&[b])}]), vec![a, c]),
        // As Okta sends it.
        (json!([{"op": "remove", "path": format!("members[value eq \"{a}\"]")}]), vec![c]),
        (json!([{"op": "replace", "path": "members", "value": members(&[a, b])}]), vec![a, b]),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
        (json!([{"op": "add", "value": {"members": members(&[c])}}]), vec![c]),
    ] {
        let answer = desk.patch(path, operations.clone()).await;
        assert_eq!(answer.status, 200, "{operations}: {answer:?}");
        assert_eq!(held(desk, path).await, sorted(&want), "{operations}");
        let before = desk.revision().await;
        desk.patch(path, operations.clone()).await;
        assert_eq!(desk.revision().await, before, "again: {operations}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_4_a_group_is_a_team() {
    let desk = Desk::start().await;
    let ids = [desk.user("a1").await, desk.user("b2").await, desk.user("c3").await];
    let made = desk.post("Groups", json!({"displayName": "Desk/Night", "externalId": "g-1"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("Groups/{}", made.id());
    forms(&desk, &path, [&ids[0], &ids[1], &ids[2]]).await;
    let team = desk.admin().ok("GetTeam", json!({"name": "g-1"})).await;
    assert_eq!(team["members"], json!(["users/c3"]));
    for (query, total) in [
        ("filter=displayName%20eq%20%22desk/night%22", 1),
        ("filter=externalId%20eq%20%22g-1%22&excludedAttributes=members", 1),
        ("filter=externalId%20eq%20%22none%22", 0),
        ("filter=members.value%20pr", 1),
    ] {
        let found = desk.get(&format!("Groups?{query}")).await;
        assert_eq!(found.body["totalResults"], total, "{query}");
        let shown = found.body["Resources"][0].get("members").is_some();
        assert_eq!(shown, total == 1 && !query.contains("excluded"), "{query}");
    }
    let renamed = desk.put(&path, json!({"displayName": "Day", "externalId": "g-1"})).await;
    assert_eq!((renamed.status, &renamed.body["displayName"]), (200, &json!("Day")));
    assert!(held(&desk, &path).await.is_empty(), "a PUT replaces the members");
    assert_eq!(
        desk.post("Groups", json!({"displayName": "x", "externalId": "G-1"})).await.status,
        409
    );
    for bad in [
        json!([{"value": "nobody"}]),
        json!([{"value": made.id()}]),
        json!([{"value": ids[0], "type": "Group"}]),
    ] {
        let refused =
            desk.patch(&path, json!([{"op": "add", "path": "members", "value": bad}])).await;
        assert_eq!(refused.error().1, "invalidValue");
    }
    assert_eq!(desk.send("DELETE", &path, "").await.status, 204);
    assert_eq!(desk.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_4_a_group_that_is_mapped_is_a_role_that_its_members_hold() {
    let desk = Desk::mapping(&[("Agents", "msdyn_csr")]).await;
    let ids = [desk.user("a1").await, desk.user("b2").await, desk.user("c3").await];
    let made = desk.post("Groups", json!({"displayName": "Agents", "externalId": "g-1"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("Groups/{}", made.id());
    forms(&desk, &path, [&ids[0], &ids[1], &ids[2]]).await;
    let user = desk.admin().ok("GetUser", json!({"name": "c3"})).await;
    assert_eq!(user["roles"], json!(["securityRoles/msdyn_csr"]));
    assert_eq!(user["synced_roles"], user["roles"]);
    let found = desk.get("Groups?filter=displayName%20eq%20%22agents%22").await;
    assert_eq!(found.body["Resources"][0]["id"], made.id());

    // What an administrator gave stays.
    let given = json!({"name": "a1", "roles": ["msdyn_csr"]});
    desk.admin().ok("SetUserRoles", given).await;
    assert_eq!(desk.send("DELETE", &path, "").await.status, 204);
    assert_eq!(held(&desk, &path).await, [ids[0].clone()]);
    assert_eq!(desk.admin().ok("GetUser", json!({"name": "c3"})).await["roles"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_1_a_group_that_grants_admin_needs_the_setting() {
    let desk = Desk::mapping(&[("Owners", "msdyn_system_administrator")]).await;
    let id = desk.user("a1").await;
    let refused =
        desk.post("Groups", json!({"displayName": "Owners", "members": members(&[&id])})).await;
    assert_eq!(refused.error(), (403, "", "PRIVILEGED_ROLE"));
    let none = Desk::mapping(&[("Ghosts", "con_none")]).await;
    let refused = none.post("Groups", json!({"displayName": "Ghosts"})).await;
    assert_eq!(refused.error().1, "invalidValue");
}
