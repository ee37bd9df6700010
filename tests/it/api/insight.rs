//! Who gets what, and why: BulkResolve, SearchByUser, Explain, ListFindings (SPEC §6.4, §10.9, §11.1).

use serde_json::{Value, json};
use tonic::Code;

use super::{Api, column, lists::pages};
use crate::server::Running;

/// Three profiles by three routes, with content that gates close.
async fn organisation() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let tool = |name: &str, order: i32| json!({"tool": name, "enabled": true, "order": order});
    let lead = json!({"unique_name": "contoso_lead", "display_name": "Lead",
        "pane": {"on": true, "tools": [tool("msdyn_tool_copilot", 0), tool("msdyn_tool_scripts", 1),
            tool("msdyn_tool_screen_recording", 2)]},
        "copilot": {"case_summary": "COPILOT_SETTING_ON", "ask_a_question": "COPILOT_SETTING_ON"}});
    for profile in [
        json!({"unique_name": "contoso_rep", "display_name": "Rep", "pane": {"on": false,
            "tools": [tool("msdyn_tool_scripts", 0)]}}),
        lead,
        json!({"unique_name": "contoso_all", "display_name": "All"}),
    ] {
        api.ok("CreateProfile", json!({"profile": profile})).await;
    }
    let row = |id: &str, text: &str, roles: &[&str], profile: &str| json!({"user": {"id": id, "display_name": text, "roles": roles}, "profile": profile});
    let rows = [
        row("ann", "Ann Example", &["msdyn_csr"], "contoso_rep"),
        row("bob", "Bob Example", &["msdyn_csr"], ""),
        row("carl", "annual leave", &[], ""),
        row("dora", "Dora", &["msdyn_oc_agent"], "msdyn_omnichannel_default_profile"),
        json!({"user": {"id": "gone", "disabled": true}}),
        json!({"user": {"id": "robot", "kind": "USER_KIND_APPLICATION"}}),
    ];
    api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    let rank = json!({"name": "contoso_lead", "rank": 5, "roles": ["msdyn_csr"]});
    api.ok("SetRankAndRoles", rank).await;
    api.ok("SetDefault", json!({"name": "contoso_all"})).await;
    server
}

/// Some fields of each of the rows of an answer.
pub(super) fn list(answer: &Value, rows: &str, fields: &[&str]) -> Vec<String> {
    let row = |row: &Value| {
        let shown: Vec<_> = fields.iter().map(|field| row[field].as_str().unwrap()).collect();
        shown.join(" ")
    };
    answer[rows].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_resolve_answers_all_who_count_or_all_who_are_named() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let fields = ["user", "profile", "method"];
    let all = api.ok("BulkResolve", json!({})).await;
    assert_eq!(
        list(&all, "results", &fields),
        [
            "ann contoso_rep METHOD_DIRECT",
            "bob contoso_lead METHOD_ROLE_BASED",
            "carl contoso_all METHOD_DEFAULT_CUSTOM",
            "dora msdyn_omnichannel_default_profile METHOD_DIRECT",
        ]
    );
    assert!(all["results"].as_array().unwrap().iter().all(|row| row["resolved"].is_null()));
    // Who is named twice, in other case or as a resource, is answered once; disabled users too.
    let named = json!({"users": ["users/DORA", "robot", "dora", "gone"], "page_size": 2});
    let named = pages(&api, ("BulkResolve", "results"), &named, 2).await;
    assert_eq!(column(&named, "user"), ["dora", "gone", "robot"]);
    let status = api.call("BulkResolve", json!({"users": ["ann", "nobody"]})).await.unwrap_err();
    assert_eq!((status.code(), super::reason(&status)), (Code::NotFound, "USER_NOT_FOUND".into()));
    assert!(status.message().contains("nobody"), "{status}");
    for bad in [
        json!({"users": vec!["ann"; 1_001]}),
        json!({"users": ["not/a/user"]}),
        json!({"app": 99}),
        json!({"view": 99}),
    ] {
        let refused = api.refused("BulkResolve", bad).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    }
    let elsewhere = json!({"app": "APP_MOBILE", "users": ["ann"]});
    let row = &api.ok("BulkResolve", elsewhere).await["results"][0];
    assert_eq!(row["outcome"], "OUTCOME_NOT_APPLICABLE");
    assert_eq!((&row["profile"], &row["digest"]), (&"".into(), &"".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_resolve_equals_resolve_profile() {
    let server = organisation().await;
    let api = Api::admin(&server);
    for app in ["APP_UNSPECIFIED", "APP_WORKSPACE", "APP_OMNICHANNEL"] {
        let q = json!({"app": app, "view": "BULK_VIEW_FULL",
            "users": ["ann", "bob", "carl", "dora", "gone", "robot"]});
        for row in pages(&api, ("BulkResolve", "results"), &q, 2).await {
            let q = json!({"user": row["user"], "app": app});
            let mut single = api.ok("ResolveProfile", q).await["profile"].clone();
            let mut whole = row["resolved"].clone();
            for profile in [&mut single, &mut whole] {
                profile["resolve_time"] = Value::Null;
            }
            assert_eq!(whole, single);
            assert_eq!(row["digest"], single["digest"]);
            assert_eq!(row["method"], single["resolution"]["method"]);
            assert_eq!(row["ambiguous"], single["resolution"]["ambiguous"]);
            assert_eq!(row["profile"], single["content"]["profile"]["unique_name"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resolving_again_with_the_digest_answers_that_nothing_changed() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let first = api.ok("ResolveProfile", json!({"user": "bob"})).await;
    let digest = &first["profile"]["digest"];
    let again = json!({"user": "bob", "if_digest_matches": digest});
    let same = api.ok("ResolveProfile", again.clone()).await;
    assert!(same["profile"].is_null(), "{same}");
    assert_eq!(same["not_modified"]["digest"], *digest);
    assert_eq!(same["outcome"], "OUTCOME_RESOLVED");
    api.ok(
        "SetCopilot",
        json!({"name": "contoso_lead",
        "features": {"case_summary": "COPILOT_SETTING_OFF"}}),
    )
    .await;
    let changed = api.ok("ResolveProfile", again).await;
    assert!(changed["not_modified"].is_null());
    assert_ne!(changed["profile"]["digest"], *digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn search_finds_the_beginning_of_an_id_or_a_name_and_filters_by_the_winner() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let all = "ann bob carl dora gone robot";
    for (q, want) in [
        (json!({}), all),
        (json!({"text": "AN"}), "ann carl"),
        (json!({"text": "example"}), ""),
        (json!({"text": "bob e"}), "bob"),
        (json!({"profile": "profiles/contoso_rep"}), "ann"),
        (json!({"profile": "CONTOSO_ALL"}), "carl gone robot"),
        (json!({"method": "METHOD_DIRECT"}), "ann dora"),
        (json!({"text": "a", "method": "METHOD_DEFAULT_CUSTOM"}), "carl"),
        (json!({"text": "nobody"}), ""),
    ] {
        let found = pages(&api, ("SearchByUser", "results"), &q, 1).await;
        assert_eq!(column(&found, "user").join(" "), want, "{q}");
    }
    let row = &api.ok("SearchByUser", json!({"text": "bob"})).await["results"][0];
    assert_eq!(
        *row,
        json!({"user": "bob", "display_name": "Bob Example",
        "profile": "contoso_lead", "method": "METHOD_ROLE_BASED", "label": "Role-based"})
    );
    for bad in [json!({"text": "x".repeat(201)}), json!({"method": 9}), json!({"profile": "x"})] {
        let refused = api.refused("SearchByUser", bad).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_the_winner_the_losers_and_what_the_winner_lacks() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let why = api.ok("Explain", json!({"user": "users/ANN"})).await;
    assert_eq!((&why["user"], &why["outcome"]), (&"ann".into(), &"OUTCOME_RESOLVED".into()));
    let winner = &why["winner"];
    assert_eq!((&winner["profile"], &winner["label"]), (&"contoso_rep".into(), &"Direct".into()));
    assert!(winner["reason"].as_str().unwrap().ends_with('.'));
    assert_eq!(
        list(&why, "losing", &["profile", "source", "reason"]),
        [
            "contoso_lead METHOD_ROLE_BASED LOSS_REASON_LOWER_PRECEDENCE",
            "contoso_all METHOD_DEFAULT_CUSTOM LOSS_REASON_LOWER_PRECEDENCE",
            "msdyn_csw_default_profile METHOD_DEFAULT_BUILT_IN LOSS_REASON_LOWER_PRECEDENCE",
        ]
    );
    assert_eq!(why["losing"][0]["rank"], 5);
    assert_eq!(why["losing"][0]["matched_roles"], json!(["msdyn_csr"]));
    assert_eq!(
        why["missing_from_winner"],
        json!({"profile": "contoso_lead",
        "tools": ["msdyn_tool_copilot", "msdyn_tool_scripts"],
        "features": ["ask_a_question", "case_summary"]})
    );
    let gates = list(&why, "gates", &["kind", "subject", "gate"]);
    assert_eq!(gates[0], "GATE_SUBJECT_TOOL msdyn_tool_scripts GATE_PANE");
    assert_eq!(gates.last().unwrap(), "GATE_SUBJECT_CHANNELS channels GATE_VALUE");
    let unset = why["copilot_unset"].as_array().unwrap();
    assert_eq!(unset.len(), 13);
    // One finding names them all, and the resolved profile does not carry it.
    let is_unset = |found: &&Value| found["code"] == "FINDING_CODE_COPILOT_UNSET";
    let all = why["content_findings"].as_array().unwrap();
    let [finding] = all.iter().filter(is_unset).collect::<Vec<_>>()[..] else { panic!("{all:?}") };
    assert_eq!(finding["subject"], "contoso_rep");
    let named =
        |feature: &Value| finding["message"].as_str().unwrap().contains(feature.as_str().unwrap());
    assert!(unset.iter().all(named));
    let resolved = api.ok("ResolveProfile", json!({"user": "ann"})).await;
    let carried = resolved["profile"]["findings"].as_array().unwrap();
    assert!(carried.iter().find(is_unset).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_first_closed_gate_of_each_subject() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let gates = async || {
        let why = api.ok("Explain", json!({"user": "bob"})).await;
        let mut gates = list(&why, "gates", &["subject", "gate"]);
        // Most features are simply not switched on.
        gates.retain(|gate| !gate.ends_with(" GATE_VALUE"));
        gates
    };
    assert_eq!(gates().await, ["msdyn_tool_screen_recording GATE_ORGANIZATION"]);
    let settings = |field: &str, value: bool| json!({"settings": {field: value}});
    api.ok("UpdateSettings", settings("screen_recording", true)).await;
    assert_eq!(gates().await, ["msdyn_tool_screen_recording GATE_ROLE"]);
    let roles = json!({"name": "bob", "roles": ["msdyn_csr", "msdyn_screen_recorder"]});
    api.ok("SetUserRoles", roles).await;
    assert_eq!(gates().await, Vec::<String>::new());
    api.ok("UpdateSettings", settings("copilot_opt_in", false)).await;
    assert_eq!(
        gates().await,
        [
            "msdyn_tool_copilot GATE_ORGANIZATION",
            "ask_a_question GATE_ORGANIZATION",
            "case_summary GATE_ORGANIZATION",
        ]
    );
    let elsewhere = api.ok("Explain", json!({"user": "bob", "app": "APP_MOBILE"})).await;
    assert_eq!(elsewhere["outcome"], "OUTCOME_NOT_APPLICABLE");
    assert!(elsewhere["winner"].is_null());
    let reasons = list(&elsewhere, "losing", &["reason"]);
    assert!(reasons.iter().all(|reason| reason == "LOSS_REASON_APP_NOT_APPLICABLE"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_on_the_organisation_name_their_subjects() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let found = async || {
        let all = pages(&api, ("ListFindings", "findings"), &json!({}), 2).await;
        let rows = json!({"findings": all});
        list(&rows, "findings", &["code", "subject"])
    };
    let before = found().await;
    assert!(before.is_sorted(), "{before:?}");
    api.ok("UpsertRole", json!({"role": {"unique_name": "contoso_x", "display_name": "X"}})).await;
    let rank = json!({"name": "contoso_rep", "rank": 9, "roles": ["contoso_x"]});
    api.ok("SetRankAndRoles", rank).await;
    api.ok("DeleteRole", json!({"name": "contoso_x"})).await;
    api.ok("DeactivateProfile", json!({"name": "contoso_all"})).await;
    let after = found().await;
    let mut new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    new.sort();
    assert_eq!(
        new,
        [
            "FINDING_CODE_DEFAULT_INACTIVE contoso_all",
            "FINDING_CODE_PROFILE_WITHOUT_ROLE contoso_rep",
        ]
    );
}
