//! The past comes through a backup and its restore (SPEC §11.2): every list of it answers what it
//! answered before, and what was before the backup can be rolled back to after it.

use std::collections::BTreeSet;

use deskplane_proto::v1;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::Api,
    bundles::{gold_pack, import},
};

fn revision(answer: &Value) -> i64 {
    answer["write"]["revision"].as_i64().unwrap()
}

fn list(answer: &Value, field: &str) -> Vec<Value> {
    answer[field].as_array().unwrap().clone()
}

async fn describe(api: &Api, text: &str) -> i64 {
    let profile = json!({"unique_name": "contoso_rep", "description": text});
    revision(&api.ok("UpdateProfile", json!({"profile": profile, "reason": text})).await)
}

/// Writes of every kind that the history has to name; answers the revision to roll back to.
async fn live(server: &Running) -> i64 {
    let api = Api::admin(server);
    api.ok("UpsertUser", json!({"user": {"id": "kendall", "roles": ["msdyn_csr"]}})).await;
    let profile = json!({"unique_name": "contoso_rep", "display_name": "Rep"});
    api.ok("CreateProfile", json!({"profile": profile})).await;
    let first = describe(&api, "one").await;
    describe(&api, "two").await;
    let back = json!({"names": ["profiles/contoso_rep"], "revision": first, "reason": "undo",
        "request_id": "0a9c1a4e-0b5f-4f4e-8f3e-2f1d2c3b4a01"});
    api.ok("Rollback", back).await;
    let bundle = gold_pack();
    let managed = v1::ImportOptions { managed: true, ..Default::default() };
    import(server, managed, &bundle).await.unwrap();
    let operations = json!([
        {"add_users": {"name": "contoso_rep", "users": ["kendall"]}},
        {"set_pane": {"name": "contoso_rep", "on": true}},
    ]);
    api.ok("ApplyChanges", json!({"operations": operations, "reason": "both"})).await;
    api.ok("UninstallBundle", json!({"bundle": "gold_pack", "force": true})).await;
    let template = json!({"unique_name": "contoso_case", "display_name": "Case",
        "type": "SESSION_TEMPLATE_TYPE_ENTITY", "entity": "incident"});
    api.ok("CreateSessionTemplate", json!({"session_template": template})).await;
    api.ok("DeleteSessionTemplate", json!({"name": "contoso_case"})).await;
    first
}

/// What every list answers of the past, each with its question.
async fn past(server: &Running) -> Vec<(String, Value)> {
    let api = Api::admin(server);
    let mut answers = Vec::new();
    let mut ask = async |rpc: &str, q: Value| {
        let answer = api.ok(rpc, q.clone()).await;
        answers.push((format!("{rpc} {q}"), answer.clone()));
        answer
    };
    let changes = list(&ask("ListChanges", json!({"page_size": 1_000})).await, "changes");
    let names: BTreeSet<_> = changes
        .iter()
        .flat_map(|change| list(change, "resources"))
        .map(|resource| resource["name"].as_str().unwrap().to_owned())
        // Beside the built-in ones one is as good as all.
        .filter(|name| !name.contains("/msdyn_") || name.ends_with("msdyn_csw_default_profile"))
        .collect();
    for name in names {
        let revisions = ask("ListRevisions", json!({"name": name})).await;
        let revisions: Vec<_> =
            list(&revisions, "revisions").iter().map(|row| row["revision"].clone()).collect();
        for revision in &revisions {
            ask("GetRevision", json!({"name": name, "revision": revision})).await;
        }
        for (new, old) in revisions.iter().zip(&revisions[1..]) {
            let q = json!({"name": name, "old_revision": old, "new_revision": new});
            ask("DiffRevisions", q).await;
        }
    }
    let writes = json!({"outcome": "AUDIT_OUTCOME_COMMITTED", "page_size": 1_000});
    ask("ListAuditEntries", writes).await;
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_2_a_restored_server_answers_the_same_of_the_past_and_rolls_back_to_it() {
    let home = tempfile::tempdir().unwrap();
    let (data, backup) = (home.path().join("data"), home.path().join("backup"));
    let store = open(&data).await;
    let server = Running::over(store.clone()).await;
    let first = live(&server).await;
    let before = past(&server).await;
    let operations: BTreeSet<_> =
        list(&before[0].1, "changes").iter().map(|row| row["operation"].to_string()).collect();
    for operation in ["Rollback", "Import", "ApplyChanges", "UninstallBundle"] {
        assert!(operations.contains(&format!("\"{operation}\"")), "{operation}: {operations:?}");
    }
    let asked = |rpc: &str| before.iter().filter(|(q, _)| q.starts_with(rpc)).count();
    assert!(asked("GetRevision") > 8 && asked("DiffRevisions") > 4, "{}", before.len());

    let (code, said) = run(&["backup", "--to", backup.to_str().unwrap()], &data).await;
    assert_eq!(code, 0, "{said}");
    // No part of the backup.
    describe(&Api::admin(&server), "later").await;
    server.end().await;
    store.close().await.unwrap();
    drop(store);

    let restored = home.path().join("restored");
    let (code, said) = run(&["restore", "--from", backup.to_str().unwrap()], &restored).await;
    assert_eq!(code, 0, "{said}");
    let store = open(&restored).await;
    let server = Running::over(store.clone()).await;
    for ((q, expected), (_, found)) in before.iter().zip(past(&server).await) {
        assert_eq!(found, *expected, "{q}");
    }

    let api = Api::admin(&server);
    describe(&api, "after the restore").await;
    let back = json!({"names": ["profiles/contoso_rep"], "revision": first});
    let answer = api.ok("Rollback", back).await;
    assert_eq!(answer["resources"][0]["description"], "one");
    let profile = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
    assert_eq!((&profile["description"], &profile["pane"]["on"]), (&json!("one"), &json!(false)));
    let revisions = api.ok("ListRevisions", json!({"name": "profiles/contoso_rep"})).await;
    let newest = &list(&revisions, "revisions")[0];
    assert_eq!(newest["operation"], "Rollback");
    assert_eq!(newest["revision"].as_i64(), Some(revision(&answer)));
    // So does what was uninstalled before the backup.
    let gone = api.ok("ListRevisions", json!({"name": "profiles/gold_rep"})).await;
    let gone = list(&gone, "revisions");
    assert_eq!(gone[0]["type"], "CHANGE_TYPE_DELETED");
    let installed = gone[1]["revision"].clone();
    let names = ["profiles/gold_rep", "sessionTemplates/gold_case"];
    api.ok("Rollback", json!({"names": names, "revision": installed, "override_managed": true}))
        .await;
    let gold = api.ok("GetProfile", json!({"name": "gold_rep"})).await;
    assert_eq!(gold["session_templates"], json!(["sessionTemplates/gold_case"]));
    server.end().await;
    store.close().await.unwrap();
}
