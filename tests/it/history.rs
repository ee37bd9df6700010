//! Transactions and revisions over the wire (SPEC §11.2).

mod compaction;

use serde_json::{Value, json};
use tonic::Code;

use crate::{
    api::Api,
    server::{As, Running},
};

async fn world() -> (Running, Api) {
    let server = Running::with(Vec::new()).await;
    let admin = Api::admin(&server);
    (server, admin)
}

async fn create(admin: &Api, name: &str, text: &str) {
    let profile = json!({"unique_name": name, "display_name": "Rep", "description": text});
    let q = json!({"profile": profile, "reason": "because",
        "request_id": "0a9c1a4e-0b5f-4f4e-8f3e-2f1d2c3b4a01"});
    admin.ok("CreateProfile", q).await;
}

async fn describe(admin: &Api, name: &str, text: &str) -> i64 {
    let profile = json!({"unique_name": name, "description": text});
    admin.ok("UpdateProfile", json!({"profile": profile})).await;
    admin.revision().await
}

fn list(page: &Value, field: &str) -> Vec<Value> {
    page[field].as_array().cloned().unwrap_or_default()
}

/// A revision.
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_every_transaction_is_listed_once_and_in_order() {
    let (server, admin) = world().await;
    create(&admin, "contoso_rep", "one").await;
    let from = admin.revision().await;
    admin.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    admin.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    admin.ok("DeleteProfile", json!({"name": "contoso_rep", "force": true})).await;
    // A refusal and a question are no transaction.
    admin.refused("DeleteProfile", json!({"name": "contoso_rep"})).await;
    let user = json!({"user": {"id": "bob"}, "validate_only": true});
    admin.ok("UpsertUser", user).await;

    let page = admin.ok("ListChanges", json!({"from_revision": from})).await;
    let changes = list(&page, "changes");
    let operations: Vec<_> = changes.iter().map(|c| c["operation"].clone()).collect();
    assert_eq!(operations, ["CreateProfile", "UpsertUser", "AddUsers", "DeleteProfile"]);
    assert_eq!(changes[0]["reason"], "because");
    assert_eq!(changes[0]["request_id"], "0a9c1a4e-0b5f-4f4e-8f3e-2f1d2c3b4a01");
    assert!(!changes[0]["actor"].as_str().unwrap().is_empty());
    let resource = |at: usize, nth: usize| changes[at]["resources"][nth].clone();
    assert_eq!(
        resource(0, 0),
        json!({"kind": "Profile", "name": "profiles/contoso_rep", "type": "CHANGE_TYPE_CREATED"})
    );
    assert_eq!(resource(2, 0)["type"], "CHANGE_TYPE_UPDATED");
    assert!(list(&changes[3], "flags").contains(&json!("force")), "{}", changes[3]);
    let deleted = list(&changes[3], "resources");
    assert!(
        deleted
            .iter()
            .any(|r| r["type"] == "CHANGE_TYPE_DELETED" && r["name"] == "profiles/contoso_rep")
    );

    // All of it, page by page.
    let (mut all, mut token) = (Vec::new(), json!(""));
    loop {
        let page = admin.ok("ListChanges", json!({"page_size": 1, "page_token": token})).await;
        all.extend(list(&page, "changes").iter().map(|c| number(&c["revision"])));
        token = page["next_page_token"].clone();
        if token.as_str().is_none_or(str::is_empty) {
            break;
        }
    }
    assert_eq!(all, (1..=admin.revision().await).collect::<Vec<_>>());
    let next = json!({"from_revision": admin.revision().await + 1});
    assert!(list(&admin.ok("ListChanges", next).await, "changes").is_empty());
    let beyond = json!({"from_revision": admin.revision().await + 2});
    let refused = admin.call("ListChanges", beyond).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert_eq!(metadata(&refused, "oldest_available"), "1");
    server.end().await;
}

/// A value of the details of a refusal.
fn metadata(status: &tonic::Status, key: &str) -> String {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    details.error_info().unwrap().metadata.get(key).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_stream_of_transactions_goes_on_where_it_stood() {
    let (server, admin) = world().await;
    create(&admin, "contoso_rep", "one").await;
    let from = admin.revision().await;
    let mut stream = admin.stream("WatchChanges", json!({"from_revision": from})).await;
    let first = stream.next().await.unwrap();
    assert_eq!(number(&first["change"]["revision"]), from);
    for text in ["two", "three", "four"] {
        describe(&admin, "contoso_rep", text).await;
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(stream.next().await.unwrap());
    }
    drop(stream);
    let token = seen[1]["resume_token"].clone();
    let mut resumed = admin.stream("WatchChanges", json!({"resume_token": token})).await;
    seen.push(resumed.next().await.unwrap());
    let revisions: Vec<_> = seen.iter().map(|m| number(&m["change"]["revision"])).collect();
    assert_eq!(revisions, [from + 1, from + 2, from + 3]);

    // From now on.
    let mut next = admin.stream("WatchChanges", json!({})).await;
    let now = next.next().await.unwrap();
    assert_eq!(number(&now["bookmark"]["revision"]), from + 3);
    describe(&admin, "contoso_rep", "five").await;
    for stream in [&mut next, &mut resumed] {
        let change = stream.next().await.unwrap();
        assert_eq!(number(&change["change"]["revision"]), from + 4);
    }
    for bad in [
        json!({"resume_token": "x"}),
        json!({"from_revision": -1}),
        json!({"from_revision": 1, "resume_token": token}),
    ] {
        let refused = admin.refused("WatchChanges", bad.clone()).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".to_owned()), "{bad}");
    }
    let (other, foreign) = world().await;
    let refused = foreign.refused("WatchChanges", json!({"resume_token": token})).await;
    assert_eq!(refused, (Code::OutOfRange, "REVISION_NOT_FOUND".to_owned()));
    other.end().await;
    drop((next, resumed));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_stream_of_transactions_ends_with_the_rights_of_its_caller() {
    let (server, admin) = world().await;
    admin.ok("UpsertUser", json!({"user": {"id": "lead", "roles": ["msdyn_csr_manager"]}})).await;
    let lead = Api::of(&server, As::new(Some("lead"), None));
    let mut stream = lead.stream("WatchChanges", json!({})).await;
    assert!(!stream.next().await.unwrap()["bookmark"].is_null());
    admin.ok("SetUserRoles", json!({"name": "lead", "roles": ["msdyn_csr"]})).await;
    let end = loop {
        match stream.next().await {
            Ok(message) => assert!(!message["change"].is_null(), "{message}"),
            Err(status) => break status,
        }
    };
    assert_eq!((end.code(), &*crate::api::reason(&end)), (Code::PermissionDenied, "SCOPE_REVOKED"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_resource_keeps_its_revisions_and_shows_each() {
    let (server, admin) = world().await;
    create(&admin, "contoso_rep", "one").await;
    let first = admin.revision().await;
    let second = describe(&admin, "contoso_rep", "two").await;
    admin.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    admin.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    let linked = admin.revision().await;
    let name = json!("profiles/Contoso_REP");
    let page = admin.ok("ListRevisions", json!({"name": name})).await;
    let revisions = list(&page, "revisions");
    let rows: Vec<_> =
        revisions.iter().map(|r| (number(&r["revision"]), r["type"].clone())).collect();
    let (created, updated) = (json!("CHANGE_TYPE_CREATED"), json!("CHANGE_TYPE_UPDATED"));
    assert_eq!(rows, [(second, updated), (first, created)], "links are no part of it");
    assert_eq!(revisions[1]["reason"], "because");

    let at = async |revision: i64| {
        admin.call("GetRevision", json!({"name": name, "revision": revision})).await
    };
    for (revision, text, of) in
        [(first, "one", first), (second, "two", second), (linked, "two", second)]
    {
        let found = at(revision).await.unwrap();
        assert_eq!(number(&found["revision"]["revision"]), of);
        let resource = &found["resource"];
        assert_eq!(resource["@type"], "type.googleapis.com/deskplane.v1.Profile");
        assert_eq!(resource["description"], text);
    }
    for missing in [first - 1, linked + 1] {
        let refused = at(missing).await.unwrap_err();
        assert_eq!(
            (refused.code(), &*crate::api::reason(&refused)),
            (Code::OutOfRange, "REVISION_NOT_FOUND")
        );
        assert_eq!(metadata(&refused, "oldest_available"), first.to_string());
    }
    // The link has its history with the user.
    let user = json!({"name": "users/ann", "revision": linked});
    let direct = &admin.ok("GetRevision", user).await["resource"]["direct"];
    assert_eq!(direct[0]["profile"], "profiles/contoso_rep");

    admin.ok("DeleteProfile", json!({"name": "contoso_rep", "force": true})).await;
    let deleted = admin.revision().await;
    let found = at(deleted).await.unwrap();
    assert!(found["resource"].is_null());
    assert_eq!(found["revision"]["type"], "CHANGE_TYPE_DELETED");
    assert_eq!(at(second).await.unwrap()["resource"]["description"], "two");
    for (name, reason) in
        [("profiles/contoso_never", "PROFILE_NOT_FOUND"), ("users/nobody", "USER_NOT_FOUND")]
    {
        for rpc in ["ListRevisions", "GetRevision"] {
            let mut q = json!({"name": name});
            if rpc == "GetRevision" {
                q["revision"] = deleted.into();
            }
            assert_eq!(admin.refused(rpc, q).await, (Code::NotFound, reason.to_owned()));
        }
    }
    for bad in ["", "contoso_rep", "secrets/x", "profiles/x", "organizationSettings/x", "/"] {
        let refused = admin.refused("ListRevisions", json!({"name": bad})).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".to_owned()), "{bad}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_a_difference_names_each_field_with_both_values() {
    let (server, admin) = world().await;
    create(&admin, "contoso_rep", "one").await;
    let first = admin.revision().await;
    let pane = json!({"on": true, "tools": [{"tool": "msdyn_tool_copilot", "enabled": true}]});
    let profile = json!({"unique_name": "contoso_rep", "description": "two", "pane": pane});
    admin.ok("UpdateProfile", json!({"profile": profile})).await;
    let tools = [
        json!({"tool": "msdyn_tool_copilot", "enabled": false}),
        json!({"tool": "msdyn_tool_smart_assist", "enabled": true, "order": 1}),
    ];
    let second = admin.revision().await;
    let pane = json!({"on": true, "tools": tools});
    let profile = json!({"unique_name": "contoso_rep", "description": "two", "pane": pane});
    admin.ok("UpdateProfile", json!({"profile": profile})).await;

    let diff = async |old: i64, new: i64| {
        let q = json!({"name": "profiles/contoso_rep", "old_revision": old, "new_revision": new});
        list(&admin.ok("DiffRevisions", q).await, "differences")
    };
    let fields = |differences: &[Value]| -> Vec<String> {
        differences.iter().map(|d| d["field"].as_str().unwrap().to_owned()).collect()
    };
    let changed = diff(first, second).await;
    assert_eq!(
        changed[0],
        json!({"field": "description", "old_value": "\"one\"", "new_value": "\"two\""})
    );
    assert!(fields(&changed).iter().any(|field| field.starts_with("pane")), "{changed:?}");
    assert!(diff(second, second).await.is_empty());
    let newest = diff(second, 0).await;
    assert!(fields(&newest).contains(&"pane.tools[1]".to_owned()), "{newest:?}");
    let back = diff(second, first).await;
    assert_eq!(fields(&back), fields(&changed));
    assert_eq!(back[0]["old_value"], changed[0]["new_value"]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_1_no_secret_is_in_the_past() {
    let (server, admin) = world().await;
    let page = admin.ok("ListRevisions", json!({"name": "organizationSettings"})).await;
    assert!(!list(&page, "revisions").is_empty());
    let q = json!({"name": "organizationSettings", "revision": admin.revision().await});
    let settings = admin.ok("GetRevision", q).await["resource"].clone();
    assert_eq!(settings["@type"], "type.googleapis.com/deskplane.v1.OrganizationSettings");
    assert!(settings.as_object().unwrap().keys().all(|key| !key.contains("key")), "{settings}");
    let provider = json!({"unique_name": "contoso_voice", "display_name": "Voice", "label": "Voice",
        "channel_url": "https://voice.contoso.com/"});
    admin.ok("CreateChannelProvider", json!({"channel_provider": provider})).await;
    let q = json!({"name": "channelProviders/contoso_voice", "revision": admin.revision().await});
    let provider = admin.ok("GetRevision", q).await["resource"].clone();
    assert_eq!(provider["label"], "Voice");
    assert!(provider.get("secrets").is_none_or(|secrets| *secrets == json!({})));
    assert!(provider["health"].is_null(), "measured, not stored");
    server.end().await;
}
