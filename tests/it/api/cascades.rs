//! What a deleted role or profile leaves behind, as every kind of reader sees it.

use serde_json::{Value, json};

use super::Api;
use crate::server::Running;

/// Ids of the users that pass a filter.
async fn users(api: &Api, filter: &str) -> Vec<Value> {
    let answer = api.ok("ListUsers", json!({"filter": filter})).await;
    answer["users"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect()
}

async fn organisation(api: &Api) {
    let profile = json!({"profile": {"unique_name": "contoso_vip", "display_name": "VIP"}});
    api.ok("CreateProfile", profile).await;
    let role = json!({"role": {"unique_name": "contoso_lead", "display_name": "Lead",
        "grants": ["GRANT_READER"]}});
    api.ok("UpsertRole", role).await;
}

#[tokio::test]
async fn a_freed_name_starts_without_holders() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    organisation(&api).await;
    let row =
        |id: &str| json!({"user": {"id": id, "roles": ["contoso_lead"]}, "profile": "contoso_vip"});
    api.ok("BatchUpsertUsers", json!({"rows": [row("ann"), row("bob")]})).await;
    let team = json!({"team": {"id": "desk", "display_name": "Desk", "members": ["ann"],
        "roles": ["contoso_lead"]}});
    api.ok("UpsertTeam", team).await;
    let etag = api.ok("GetUser", json!({"name": "ann"})).await["etag"].clone();
    assert_eq!(users(&api, "roles = \"contoso_lead\"").await.len(), 2);
    assert_eq!(users(&api, "direct = \"contoso_vip\"").await.len(), 2);

    let revision = api.revision().await;
    let gone = api.ok("DeleteProfile", json!({"name": "contoso_vip", "force": true})).await;
    assert_eq!(gone["write"]["affected"]["total_count"], 2, "{gone}");
    api.ok("DeleteRole", json!({"name": "contoso_lead"})).await;
    assert_eq!(api.revision().await, revision + 2, "one revision each");

    for again in [false, true] {
        if again {
            organisation(&api).await;
        }
        assert_eq!(users(&api, "roles = \"contoso_lead\"").await, Vec::<Value>::new());
        assert_eq!(users(&api, "direct = \"contoso_vip\"").await, Vec::<Value>::new());
        let ann = api.ok("GetUser", json!({"name": "ann"})).await;
        for field in ["roles", "team_roles", "direct"] {
            assert_eq!(ann[field], json!([]), "{ann}");
        }
        assert_eq!(ann["etag"], etag, "nobody wrote her");
        let desk = api.ok("GetTeam", json!({"name": "desk"})).await;
        assert_eq!(desk["roles"], json!([]), "{desk}");
        let explained = api.ok("Explain", json!({"user": "ann"})).await;
        assert_eq!(explained["winner"]["method"], "METHOD_DEFAULT_BUILT_IN", "{explained}");
        let losing = explained["losing"].to_string();
        assert!(!losing.contains("contoso_vip"), "{explained}");
        // A profile without users goes without force.
        let asked = json!({"name": "contoso_vip", "validate_only": true});
        if again {
            api.ok("DeleteProfile", asked).await;
        }
        let findings = api.ok("ListFindings", json!({})).await.to_string();
        assert!(!findings.contains("DANGLING_DIRECT"), "{findings}");
    }
}
