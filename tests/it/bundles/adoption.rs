//! What an upgraded organisation brings for its built-in profiles stays, also over a restart.

use std::{path::Path, sync::Arc};

use deskplane::store::{Durable, durable::Settings};

use super::*;

const CSW: &str = "msdyn_csw_default_profile";

async fn open(folder: &Path) -> Arc<Durable> {
    let settings = Settings { min_free_bytes: 0, ..Settings::default() };
    Arc::new(Durable::open(folder, settings).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_adopted_settings_survive_a_restart_and_are_adopted_once() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let server = Running::over(store.clone()).await;
    let api = Api::admin(&server);
    let built_in = api.ok("GetProfile", json!({"name": CSW})).await;
    let bundle = by_hand(&json!({"profiles": [{
        "unique_name": CSW,
        "display_name": built_in["display_name"],
        "pane": {"on": true, "tools": [
            {"tool": "productivityTools/msdyn_tool_smart_assist", "enabled": true}]},
        "channels": {"all_active": true},
    }]}));
    let adopting = || v1::ImportOptions { adopt_built_in: true, ..Default::default() };
    let answer = import(&server, adopting(), &bundle).await.unwrap();
    let codes: Vec<_> = answer.write.unwrap().findings.iter().map(v1::Finding::code).collect();
    assert_eq!(codes, [v1::FindingCode::BuiltInAdopted]);
    let adopted = api.ok("GetProfile", json!({"name": CSW})).await;
    assert_ne!(adopted["pane"], built_in["pane"]);
    assert_eq!(adopted["channels"]["all_active"], true);
    api.ok("UpsertUser", json!({"user": {"id": "ann", "roles": ["msdyn_csr"]}})).await;
    let resolved = api.ok("ResolveProfile", json!({"user": "ann"})).await;
    server.end().await;
    store.close().await.unwrap();
    drop(store);

    let store = open(home.path()).await;
    let server = Running::over(store.clone()).await;
    let api = Api::admin(&server);
    assert_eq!(api.ok("GetProfile", json!({"name": CSW})).await, adopted);
    let again = api.ok("ResolveProfile", json!({"user": "ann"})).await;
    assert_eq!(again["profile"]["digest"], resolved["profile"]["digest"]);
    assert_eq!(
        again["profile"]["resolution"]["profile"],
        resolved["profile"]["resolution"]["profile"]
    );
    let before = api.revision().await;
    let twice = import(&server, adopting(), &bundle).await.unwrap_err();
    assert_eq!((twice.code(), &*reason(&twice)), (Code::FailedPrecondition, "ALREADY_ADOPTED"));
    let plain = import(&server, overwriting(), &bundle).await.unwrap_err();
    assert_eq!((plain.code(), &*reason(&plain)), (Code::FailedPrecondition, "BUILT_IN_READ_ONLY"));
    let update = json!({"profile": {"name": CSW, "channels": {"all_active": false}}});
    let read_only = (Code::FailedPrecondition, "BUILT_IN_READ_ONLY".to_owned());
    assert_eq!(api.refused("UpdateProfile", update).await, read_only);
    assert_eq!(api.revision().await, before);
    server.end().await;
    store.close().await.unwrap();
}
