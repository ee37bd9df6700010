//! Users.

use serde_json::{Value, json};

use super::Desk;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GUID: &str = "0b5ffb5c-2b5a-4d8e-9f39-0a9d2f0c7a11";

#[tokio::test(flavor = "multi_thread")]
async fn s12_4_a_user_is_made_changed_and_deleted() {
    let desk = Desk::start().await;
    let made = desk
        .post(
            "Users",
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
                "externalId": GUID, "userName": "Kim@contoso.example", "active": true,
                "name": {"formatted": "Kim Baker"}, "title": "not kept",
                "emails": [{"value": "kim@contoso.example", "type": "work", "primary": true}],
                "roles": [{"value": "MSDYN_csr"}],
                (ENTERPRISE): {"department": "Desk"},
            }),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("Users/{}", made.id());
    assert_eq!(made.field("location"), Some(format!("http://localhost/scim/v2/{path}").as_str()));
    assert_eq!(made.field("etag"), made.body["meta"]["version"].as_str());
    let user = desk.admin().ok("GetUser", json!({"name": GUID})).await;
    assert_eq!(user["uid"], made.body["id"]);
    assert_eq!(
        (&user["display_name"], &user["email"], &user["business_unit"]),
        (&json!("Kim Baker"), &json!("kim@contoso.example"), &json!("Desk"))
    );
    assert_eq!(user["synced_roles"], json!(["securityRoles/msdyn_csr"]));
    let shown = desk.get(&path).await;
    assert_eq!(shown.body, made.body);

    let off =
        desk.patch(&path, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
    assert_eq!((off.status, &off.body["active"]), (200, &json!(false)), "{off:?}");
    let renamed = desk
        .patch(&path, json!([{"op": "replace", "value": {"userName": "kim.b@contoso.example"}}]))
        .await;
    assert_eq!(renamed.body["userName"], "kim.b@contoso.example");
    assert_eq!(desk.admin().ok("GetUser", json!({"name": GUID})).await["disabled"], true);
    let refused =
        desk.patch(&path, json!([{"op": "replace", "path": "externalId", "value": "x"}])).await;
    assert_eq!(refused.error().1, "mutability");
    assert_eq!(desk.send("DELETE", &path, "").await.status, 204);
    assert_eq!(desk.get(&path).await.status, 404);
    assert_eq!(desk.send("DELETE", &path, "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_1_what_is_there_already_takes_no_revision() {
    let desk = Desk::start().await;
    let document = json!({"userName": "kim", "externalId": GUID, "displayName": "Kim",
        "roles": [{"value": "msdyn_csr"}], "active": true});
    let path = format!("Users/{}", desk.post("Users", document.clone()).await.id());
    let before = desk.revision().await;
    for answer in [
        desk.put(&path, document.clone()).await,
        desk.patch(
            &path,
            json!([{"op": "Add", "path": "roles", "value": [{"value": "msdyn_CSR"}]}]),
        )
        .await,
        desk.patch(&path, json!([{"op": "replace", "value": {"active": "True"}}])).await,
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(desk.post("Users", document).await.error().0, 409);
    assert_eq!(desk.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_made_undone_and_made_again_is_made() {
    let desk = Desk::start().await;
    let body = json!({"userName": "kim"});
    let first = desk.post("Users", body.clone()).await;
    let path = format!("Users/{}", first.id());
    for active in [false, true, false, true] {
        let done =
            desk.patch(&path, json!([{"op": "replace", "path": "active", "value": active}])).await;
        assert_eq!(done.body["active"], active);
    }
    desk.send("DELETE", &path, "").await;
    let second = desk.post("Users", body).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.id(), first.id(), "a user of its own");
    assert_eq!(desk.get(&format!("Users/{}", second.id())).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_and_found_whatever_their_case() {
    let desk = Desk::start().await;
    desk.post("Users", json!({"userName": "Kim@x", "externalId": "K-1"})).await;
    desk.post("Users", json!({"userName": "ann@x"})).await;
    for body in [
        json!({"userName": "KIM@X", "externalId": "other"}),
        json!({"userName": "other", "externalId": "k-1"}),
        json!({"userName": "ANN@x"}),
    ] {
        assert_eq!(desk.post("Users", body.clone()).await.error().1, "uniqueness", "{body}");
    }
    let ann = desk.get("Users?filter=userName%20eq%20%22ann@X%22").await;
    let path = format!("Users/{}", ann.body["Resources"][0]["id"].as_str().unwrap());
    let taken = json!([{"op": "replace", "path": "userName", "value": "kim@x"}]);
    assert_eq!(desk.patch(&path, taken).await.status, 409);
    for (filter, total) in [
        ("userName eq \"kim@X\"", 1),
        ("externalId eq \"K-1\"", 1),
        ("externalId eq \"k-1\"", 0),
        ("userName eq \"nobody\"", 0),
        ("userName sw \"k\"", 1),
        ("userName co \"@x\" and not (externalId pr)", 1),
        ("active eq true", 2),
        ("id eq \"none\"", 0),
    ] {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let found = desk.get(&format!("Users?filter={filter}")).await;
        assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(total)), "{found:?}");
    }
    let bad = desk.get("Users?filter=userName%20is%201").await;
    assert_eq!(bad.error().1, "invalidFilter");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let desk = Desk::start().await;
    for name in ["a1", "b2", "c3"] {
        desk.user(name).await;
    }
    let names = |answer: &super::Answer| -> Vec<String> {
        let resources = answer.body["Resources"].as_array().unwrap();
        resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
    };
    for (query, want) in [
        ("", vec!["a1", "b2", "c3"]),
        ("?startIndex=2&count=1", vec!["b2"]),
        ("?startIndex=0&count=2", vec!["a1", "b2"]),
        ("?startIndex=9", vec![]),
        ("?count=0", vec![]),
    ] {
        let page = desk.get(&format!("Users{query}")).await;
        assert_eq!(names(&page), want, "{query}");
        assert_eq!(page.body["totalResults"], 3, "{query}");
        assert_eq!(page.body["itemsPerPage"], want.len(), "{query}");
    }
    let page = desk.get("Users?attributes=userName&count=1").await;
    let keys: Vec<_> = page.body["Resources"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    let page = desk.get("Users?excludedAttributes=meta,emails&count=1").await;
    assert!(page.body["Resources"][0].get("meta").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_protect_what_was_read() {
    let desk = Desk::start().await;
    let id = desk.user("kim").await;
    let path = format!("Users/{id}");
    let etag = desk.get(&path).await.field("etag").unwrap().to_owned();
    let known = desk.send_with("GET", &path, &[("if-none-match", &etag)], "").await;
    assert_eq!(known.status, 304);
    let body = json!({"userName": "kim", "displayName": "Kim"}).to_string();
    let fields = |etag| [("content-type", "application/json"), ("if-match", etag)];
    assert_eq!(desk.send_with("PUT", &path, &fields(&etag), &body).await.status, 200);
    assert_eq!(desk.send_with("PUT", &path, &fields(&etag), &body).await.status, 412);
    assert_eq!(desk.send_with("DELETE", &path, &fields(&etag), "").await.status, 412);
    assert_eq!(desk.send_with("DELETE", &path, &fields("*"), "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read_are_refused() {
    let desk = Desk::start().await;
    let before = desk.revision().await;
    let typed = |media| [("content-type", media)];
    let user = json!({"userName": "kim"}).to_string();
    for (media, body, status) in [
        ("text/plain", user.as_str(), 415),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "", 400),
        ("application/scim+json; charset=utf-8", "{}", 400),
    ] {
        let answer = desk.send_with("POST", "Users", &typed(media), body).await;
        assert_eq!(answer.status, status, "{media} {body}");
    }
    let long = format!(r#"{{"userName":"{}"}}"#, "x".repeat(5 << 20));
    assert_eq!(desk.send("POST", "Users", &long).await.status, 413);
    assert_eq!(desk.post("Users", json!({"userName": "no id"})).await.error().1, "invalidValue");
    let unknown = json!({"userName": "kim", "roles": [{"value": "con_none"}]});
    assert_eq!(desk.post("Users", unknown).await.error(), (400, "invalidValue", "ROLE_NOT_FOUND"));
    assert_eq!(desk.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_1_a_sync_reaches_no_administrator() {
    let mut desk = Desk::start().await;
    let id = desk.user("boss").await;
    let roles = json!({"name": "boss", "roles": ["msdyn_system_administrator"]});
    desk.admin().ok("SetUserRoles", roles).await;
    let path = format!("Users/{id}");
    let off = || json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(desk.patch(&path, off()).await.error(), (403, "", "PRIVILEGED_ROLE"));
    assert_eq!(desk.send("DELETE", &path, "").await.status, 403);
    let made = json!({"userName": "x", "roles": [{"value": "msdyn_system_administrator"}]});
    assert_eq!(desk.post("Users", made).await.error(), (403, "", "PRIVILEGED_ROLE"));
    desk = desk.with_scopes("admin");
    assert_eq!(desk.patch(&path, off()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_administrators_stay() {
    let desk = Desk::start().await;
    let id = desk.user("kim").await;
    let given = json!({"name": "kim", "roles": ["msdyn_csr_manager"]});
    desk.admin().ok("SetUserRoles", given).await;
    let roles = |names: Value| json!([{"op": "replace", "path": "roles", "value": names}]);
    let path = format!("Users/{id}");
    desk.patch(&path, roles(json!([{"value": "msdyn_csr"}]))).await;
    let held = desk.admin().ok("GetUser", json!({"name": "kim"})).await;
    assert_eq!(held["roles"].as_array().unwrap().len(), 2);
    desk.patch(&path, json!([{"op": "remove", "path": "roles"}])).await;
    let held = desk.admin().ok("GetUser", json!({"name": "kim"})).await;
    assert_eq!(held["roles"], json!(["securityRoles/msdyn_csr_manager"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_change_is_refused() {
    let desk = Desk::start().await;
    let mut ids = Vec::new();
    for at in 0..52 {
        ids.push(desk.user(&format!("user-{at}")).await);
    }
    for (at, id) in ids.iter().enumerate() {
        let answer = desk.send("DELETE", &format!("Users/{id}"), "").await;
        assert_eq!(answer.status, if at < 50 { 204 } else { 429 }, "{at}: {answer:?}");
    }
    let refused = desk.send("DELETE", &format!("Users/{}", ids[50]), "").await;
    assert_eq!(refused.error().2, "MASS_CHANGE");
    assert!(refused.field("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn audited_writes_are_those_of_the_caller() {
    let desk = Desk::start().await;
    desk.user("kim").await;
    let log = desk.admin().ok("ListAuditEntries", json!({})).await;
    let written = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .any(|entry| entry["operation"] == "UpsertUser" && entry["scope"] == "DIRECTORY");
    assert!(written, "{log}");
}
