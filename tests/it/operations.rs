//! Lists of writes: previewed, applied as one transaction, refused as a whole (SPEC §11.1).

use deskplane_proto::v1::watch_profile_response::Event;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    api::{Api, reason},
    server::{As, Running},
};

/// A server with five users, two of whom hold a role, and a profile without any user.
async fn server() -> (Running, Api) {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let user = |id: &str, roles: &[&str]| json!({"user": {"id": id, "roles": roles}});
    let rows = json!({"rows": [
        user("ann", &["msdyn_csr"]),
        user("bob", &["msdyn_csr"]),
        user("carl", &[]),
        user("dora", &[]),
        user("emil", &[]),
    ]});
    api.ok("BatchUpsertUsers", rows).await;
    api.ok("CreateProfile", create("contoso_rep")).await;
    (server, api)
}

fn create(name: &str) -> Value {
    json!({"profile": {"unique_name": name, "display_name": "Profile"}})
}

fn rank(name: &str, rank: i32) -> Value {
    json!({"set_rank_and_roles": {"name": name, "rank": rank, "roles": ["msdyn_csr"]}})
}

fn add(name: &str, users: &[&str]) -> Value {
    json!({"add_users": {"name": name, "users": users}})
}

fn metadata(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().unwrap();
    info.metadata.get(key).unwrap_or_else(|| panic!("no {key} in {info:?}")).clone()
}

/// The profiles and users of a list of affected users.
fn affected(list: &Value) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| [text(row, "user"), text(row, "from"), text(row, "to")].join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_a_list_is_one_revision_and_no_agent_sees_a_state_in_between() {
    let (server, api) = server().await;
    let mut watcher = api.watch("ann").await;
    watcher.snapshot().await;
    let before = api.revision().await;
    let list = json!({"operations": [
        {"create_profile": create("contoso_new")},
        add("contoso_rep", &["ann"]),
        {"set_pane": {"name": "contoso_new", "on": true}},
        {"add_users": {"name": "contoso_new", "users": ["ann"], "move": true}},
        rank("contoso_rep", 1),
    ]});
    let answer = api.ok("ApplyChanges", list).await;
    assert_eq!(answer["write"]["revision"], before + 1);
    assert_eq!(api.revision().await, before + 1);
    let results = answer["results"].as_array().unwrap();
    let made = "profiles/contoso_new";
    let resources: Vec<_> = results.iter().map(|result| &result["resources"][0]).collect();
    assert_eq!(resources, [made, "profiles/contoso_rep", made, made, "profiles/contoso_rep"]);
    assert!(results.iter().all(|result| result["changed"] == true), "{results:?}");
    let moved = affected(&answer["write"]["affected"]["users"]);
    let csw = "msdyn_csw_default_profile";
    let bob = format!("bob {csw} contoso_rep");
    assert_eq!(moved, [format!("ann {csw} contoso_new"), bob]);
    let seen = watcher.snapshot().await;
    assert_eq!(seen.revision, before + 1);
    // The next change is the next snapshot: nothing else was sent for the list.
    api.ok("SetPane", json!({"name": "contoso_new", "on": false})).await;
    loop {
        match watcher.next().await.unwrap() {
            Event::Snapshot(next) => {
                break assert_eq!(next.profile.unwrap().revision, before + 2);
            }
            Event::Bookmark(_) => {}
            other => panic!("{other:?}"),
        }
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_the_first_operation_that_fails_refuses_the_list_with_its_index() {
    let (server, api) = server().await;
    let before = api.revision().await;
    let gone = json!({"remove_default": {"name": "contoso_gone"}});
    let list = json!({"operations": [rank("contoso_rep", 1), gone, rank("contoso_rep", 101)]});
    for rpc in ["ApplyChanges", "PreviewChanges"] {
        let status = api.call(rpc, list.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "PROFILE_NOT_FOUND")
        );
        assert_eq!(metadata(&status, "operation_index"), "1");
        assert!(status.message().starts_with("Operation 1 (RemoveDefault): "), "{status}");
        let status = api.call(rpc, json!({"operations": [rank("contoso_rep", 101)]})).await;
        let status = status.unwrap_err();
        assert_eq!(reason(&status), "RANK_OUT_OF_RANGE");
        let bad = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(bad[0].field, "operations[0].rank");
        let twice = json!({"operations": [rank("contoso_rep", 1), {"set_default": {}},
            {"add_users": {"name": "contoso_rep", "users": ["ann"], "reason": "why"}}, {}]});
        let status = api.call(rpc, twice).await.unwrap_err();
        let bad = status.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = bad.iter().map(|bad| bad.field.as_str()).collect();
        let want = ["operations[1].name", "operations[2].reason", "operations[3]"];
        assert_eq!(fields, want, "{rpc}: all bad fields of all operations together");
    }
    assert_eq!(api.revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_a_list_holds_1_to_50_operations() {
    let (server, api) = server().await;
    for rpc in ["ApplyChanges", "PreviewChanges"] {
        for count in [0, 51] {
            let operations: Vec<_> = (0..count).map(|_| rank("contoso_rep", 1)).collect();
            let status = api.call(rpc, json!({"operations": operations})).await.unwrap_err();
            assert_eq!(reason(&status), "FIELD_INVALID");
            let bad = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(bad[0].field, "operations", "{rpc} {count}");
        }
        let operations: Vec<_> = (0..50).map(|at| rank("contoso_rep", at)).collect();
        let answer = api.ok(rpc, json!({"operations": operations})).await;
        assert_eq!(answer["results"].as_array().unwrap().len(), 50);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_a_list_for_another_revision_is_a_conflict_and_does_nothing() {
    let (server, api) = server().await;
    let now = api.revision().await;
    let list = |expected: i64| json!({"operations": [rank("contoso_rep", 1)], "expected_revision": expected});
    for expected in [0, now - 1, now + 1] {
        let status = api.call("ApplyChanges", list(expected)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "CONFLICT"));
        assert_eq!(metadata(&status, "current_revision"), now.to_string());
    }
    let refused = api.refused("ApplyChanges", list(-1)).await;
    assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    assert_eq!(api.revision().await, now);
    let answer = api.ok("ApplyChanges", list(now)).await;
    assert_eq!(answer["write"]["revision"], now + 1);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_2_readers_preview_and_validate_lists_and_only_administrators_apply_them() {
    let (server, api) = server().await;
    let before = api.revision().await;
    let list = json!({"operations": [rank("contoso_rep", 1), {"delete_user": {"name": "emil"}}]});
    let mut dry = list.clone();
    dry["validate_only"] = true.into();
    let reader = Api::of(&server, As::new(None, Some("reader")));
    let previewed = reader.ok("PreviewChanges", list.clone()).await;
    let validated = reader.ok("ApplyChanges", dry.clone()).await;
    assert_eq!(validated["results"], previewed["results"]);
    assert_eq!(validated["write"]["revision"], before);
    let refused = reader.refused("ApplyChanges", list.clone()).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
    let user = Some("ann");
    for scope in ["agent", "service", "directory"] {
        let other = Api::of(&server, As::new(user, Some(scope)));
        for (rpc, list) in
            [("PreviewChanges", &list), ("ApplyChanges", &list), ("ApplyChanges", &dry)]
        {
            let refused = other.refused(rpc, list.clone()).await;
            assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()), "{scope} {rpc}");
        }
    }
    assert_eq!(api.revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_1_a_repeated_list_gets_the_first_answer_and_does_nothing() {
    let (server, api) = server().await;
    let id = "0b5ffb5c-2b5a-4d8e-9f39-0a9d2f0c7a11";
    let list = json!({"operations": [
        rank("contoso_rep", 1),
        {"remove_users": {"name": "contoso_rep", "users": ["emil"]}},
    ], "request_id": id});
    let first = api.ok("ApplyChanges", list.clone()).await;
    assert_eq!(first["results"][1]["not_assigned"], json!(["emil"]));
    let revision = api.revision().await;
    assert_eq!(api.ok("ApplyChanges", list).await, first);
    let other = json!({"operations": [rank("contoso_rep", 2)], "request_id": id});
    let refused = api.refused("ApplyChanges", other).await;
    assert_eq!(refused, (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let nothing = json!({"operations": [rank("contoso_rep", 1), rank("contoso_rep", 3),
        rank("contoso_rep", 1)]});
    let answer = api.ok("ApplyChanges", nothing).await;
    assert_eq!(answer["write"]["changed"], false, "what is changed back is no change");
    assert_eq!(api.revision().await, revision);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_7_a_preview_equals_the_commit() {
    let (server, api) = server().await;
    let lists = [
        json!([rank("contoso_rep", 1), add("contoso_rep", &["dora", "carl"])]),
        json!([
            {"create_profile": create("contoso_lead")},
            rank("contoso_lead", 0),
            {"delete_user": {"name": "carl"}},
        ]),
        json!([{"set_default": {"name": "contoso_lead", "drop_rank_and_roles": true}},
            {"disable_user": {"name": "dora"}}]),
        json!([{"delete_profile": {"name": "contoso_rep", "force": true}}]),
        json!([{"deactivate_profile": {"name": "contoso_lead"}}]),
    ];
    for operations in lists {
        let list = json!({"operations": operations});
        let before = api.revision().await;
        let previewed = api.ok("PreviewChanges", list.clone()).await;
        assert_eq!(previewed["revision"], before);
        assert_eq!(api.revision().await, before, "a preview commits nothing");
        let applied = api.ok("ApplyChanges", list).await;
        let write = &applied["write"];
        assert_eq!(previewed["results"], applied["results"]);
        assert_eq!(previewed["affected"], write["affected"]["users"]);
        for count in ["total_count", "method_only", "content_only"] {
            assert_eq!(previewed[count], write["affected"][count], "{count}");
        }
        let moved: i64 = previewed["moves"]
            .as_array()
            .unwrap()
            .iter()
            .fold(0, |sum, pair| sum + pair["user_count"].as_i64().unwrap());
        assert_eq!(moved, previewed["total_count"]);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_pages_of_a_preview_hold_for_one_revision() {
    let (server, api) = server().await;
    let users = ["ann", "bob", "carl", "dora", "emil"];
    let list = json!({"operations": [add("contoso_rep", &users)], "page_size": 2});
    let with = |token: &Value| {
        let mut next = list.clone();
        next["page_token"] = token.clone();
        next
    };
    let mut seen = Vec::new();
    let mut page = api.ok("PreviewChanges", list.clone()).await;
    let first = page["next_page_token"].clone();
    loop {
        seen.extend(affected(&page["affected"]));
        assert_eq!(page["total_count"], 5, "counts are those of the whole on every page");
        if page["next_page_token"] == "" {
            break;
        }
        page = api.ok("PreviewChanges", with(&page["next_page_token"])).await;
    }
    let want = users.map(|user| format!("{user} msdyn_csw_default_profile contoso_rep"));
    assert_eq!(seen, want);
    let mut other = with(&first);
    other["operations"][0]["add_users"]["users"][4] = "ann".into();
    let refused = api.refused("PreviewChanges", other).await;
    assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
    api.ok("DisableUser", json!({"name": "emil"})).await;
    let status = api.call("PreviewChanges", with(&first)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "CONFLICT"));
    assert_eq!(metadata(&status, "current_revision"), api.revision().await.to_string());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_a_preview_names_the_findings_that_appear_and_disappear() {
    let (server, api) = server().await;
    api.ok("SetDefault", json!({"name": "contoso_rep"})).await;
    let codes = |findings: &Value| -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = findings.as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", text(&row["code"]), text(&row["subject"]))).collect()
    };
    let off = json!({"operations": [{"deactivate_profile": {"name": "contoso_rep"}}]});
    let previewed = api.ok("PreviewChanges", off.clone()).await;
    let inactive = "FINDING_CODE_DEFAULT_INACTIVE contoso_rep";
    assert_eq!(codes(&previewed["appearing_findings"]), [inactive]);
    assert_eq!(codes(&previewed["disappearing_findings"]), Vec::<String>::new());
    api.ok("ApplyChanges", off).await;
    let on = json!({"operations": [{"activate_profile": {"name": "contoso_rep"}}]});
    let previewed = api.ok("PreviewChanges", on).await;
    assert_eq!(codes(&previewed["disappearing_findings"]), [inactive]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_preview_user_explains_as_a_user_who_is_made_so() {
    let (server, api) = server().await;
    api.ok("ApplyChanges", json!({"operations": [rank("contoso_rep", 1)]})).await;
    let team = json!({"team": {"id": "desk", "display_name": "Desk", "members": ["carl"],
        "roles": ["msdyn_csr_manager"]}});
    api.ok("UpsertTeam", team).await;
    api.ok("AddUsers", json!({"name": "contoso_rep", "users": ["carl"]})).await;
    let before = api.revision().await;
    for (user, asked) in [
        ("ann", json!({"roles": ["securityRoles/msdyn_csr"]})),
        ("dora", json!({})),
        ("carl", json!({"team_roles": ["msdyn_csr_manager"], "direct": "profiles/contoso_rep"})),
    ] {
        let resolved = api.ok("ResolveProfile", json!({"user": user})).await;
        let previewed = api.ok("PreviewUser", asked).await;
        assert_eq!(previewed["digest"], resolved["profile"]["digest"]);
        assert_eq!(previewed["revision"], before);
        let mut want = api.ok("Explain", json!({"user": user})).await;
        let mut got = previewed["explanation"].clone();
        want["user"] = "".into();
        for explanation in [&mut want, &mut got] {
            for lost in explanation["losing"].as_array_mut().unwrap() {
                lost["via_team"] = json!([]);
                lost["assign_time"] = Value::Null;
            }
        }
        assert_eq!(got, want, "{user}");
    }
    let gone = json!({"roles": ["contoso_gone"]});
    let refused = api.refused("PreviewUser", gone).await;
    assert_eq!(refused, (Code::NotFound, "ROLE_NOT_FOUND".into()));
    let refused = api.refused("PreviewUser", json!({"direct": "contoso_gone"})).await;
    assert_eq!(refused, (Code::NotFound, "PROFILE_NOT_FOUND".into()));
    let refused = api.refused("PreviewUser", json!({"roles": ["a b"], "app": 99})).await;
    assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    assert_eq!(api.revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_1_an_operation_may_refer_to_what_another_one_creates() {
    let (server, api) = server().await;
    let provider = json!({"unique_name": "contoso_voice", "display_name": "Voice",
        "label": "Voice", "channel_url": "https://voice.example/"});
    let list = json!({"operations": [
        {"create_channel_provider": {"channel_provider": provider}},
        {"link_providers": {"name": "contoso_rep", "providers": ["contoso_voice"]}},
    ]});
    let answer = api.ok("ApplyChanges", list).await;
    assert_eq!(answer["results"][0]["resources"], json!(["channelProviders/contoso_voice"]));
    let profile = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
    assert_eq!(profile["providers"], json!(["channelProviders/contoso_voice"]));
    server.end().await;
}
