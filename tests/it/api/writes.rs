//! What writes change, whom they affect and what they remark (SPEC §7.1).

use deskplane_proto::v1::{HealthState, watch_profile_response::Event};
use serde_json::{Value, json};
use tonic::Code;

use super::{Api, column};
use crate::server::Running;

async fn with_users(ids: &[&str]) -> (Running, Api) {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let rows: Vec<_> = ids.iter().map(|id| json!({"user": {"id": id}})).collect();
    if !rows.is_empty() {
        api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    }
    (server, api)
}

async fn create(api: &Api, name: &str) {
    let profile = json!({"unique_name": name, "display_name": "Rep"});
    api.ok("CreateProfile", json!({"profile": profile})).await;
}

fn codes(write: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let warnings = write["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| (text(&warning["code"]), text(&warning["subject"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_choose_what_an_update_sets() {
    let (_server, api) = with_users(&[]).await;
    let tools = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({"tool": name, "enabled": true})).collect()
    };
    let both = tools(&["msdyn_tool_scripts", "msdyn_tool_teams_chats"]);
    let start = json!({"unique_name": "contoso_rep", "display_name": "Rep", "description": "Old",
        "owner": "Ann", "pane": {"on": true, "mode": "PANE_MODE_COLLAPSED", "tools": both},
        "copilot": {"case_summary": "COPILOT_SETTING_ON", "829059999": "COPILOT_SETTING_ON"}});
    // What is sent, the mask, and what is then different.
    let sent = json!({"display_name": "New", "pane": {"tools": tools(&["msdyn_tool_copilot"])},
        "copilot": {"case_summary": "COPILOT_SETTING_OFF"}});
    let cases = [
        (
            "",
            json!({"display_name": "New", "on": false, "tools": 1, "copilot": 1,
            "mode": "PANE_MODE_EXPANDED"}),
        ),
        (
            "*",
            json!({"display_name": "New", "description": "", "owner": "", "on": false,
            "tools": 1, "copilot": 1, "mode": "PANE_MODE_EXPANDED"}),
        ),
        ("displayName", json!({"display_name": "New"})),
        ("description", json!({"description": ""})),
        ("pane.tools", json!({"tools": 1})),
        ("pane.on,pane.mode", json!({"on": false, "mode": "PANE_MODE_EXPANDED"})),
        ("pane", json!({"on": false, "tools": 1, "mode": "PANE_MODE_EXPANDED"})),
        ("copilot", json!({"copilot": 1})),
        ("sessionTemplates", json!({})),
    ];
    for (mask, differs) in cases {
        let mut want = json!({"display_name": "Rep", "description": "Old", "owner": "Ann",
            "on": true, "mode": "PANE_MODE_COLLAPSED", "tools": 2, "copilot": 2});
        let changes = !differs.as_object().unwrap().is_empty();
        want.as_object_mut().unwrap().extend(differs.as_object().unwrap().clone());
        api.ok("CreateProfile", json!({"profile": start})).await;
        let mut profile = sent.clone();
        profile["name"] = "profiles/contoso_rep".into();
        let mut q = json!({"profile": profile});
        if !mask.is_empty() {
            q["update_mask"] = mask.into();
        }
        let answer = api.ok("UpdateProfile", q).await;
        let (now, pane) = (&answer["profile"], &answer["profile"]["pane"]);
        let got = json!({"display_name": now["display_name"], "description": now["description"],
            "owner": now["owner"], "on": pane["on"], "mode": pane["mode"],
            "tools": pane["tools"].as_array().unwrap().len(),
            "copilot": now["copilot"].as_object().unwrap().len()});
        assert_eq!(got, want, "mask {mask:?}");
        assert_eq!(answer["write"]["changed"], changes, "mask {mask:?}");
        api.ok("DeleteProfile", json!({"name": "contoso_rep"})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_name_mutable_fields_only() {
    let (_server, api) = with_users(&[]).await;
    create(&api, "contoso_rep").await;
    let before = api.revision().await;
    for (mask, profile, reason) in [
        ("nothing", json!({}), "UNKNOWN_FIELD"),
        ("pane.nothing", json!({}), "UNKNOWN_FIELD"),
        ("uniqueName", json!({}), "FIELD_IMMUTABLE"),
        ("rank", json!({"rank": 3}), "FIELD_IMMUTABLE"),
        ("state", json!({}), "FIELD_IMMUTABLE"),
        ("displayName", json!({"unique_name": "contoso_other"}), "FIELD_IMMUTABLE"),
        ("*", json!({"display_name": "x", "is_default": true}), "FIELD_IMMUTABLE"),
        ("*", json!({}), "FIELD_INVALID"),
        ("displayName", json!({"display_name": " "}), "FIELD_INVALID"),
        ("displayName", json!({"display_name": "x".repeat(101)}), "FIELD_INVALID"),
    ] {
        let mut profile = profile;
        profile["name"] = "contoso_rep".into();
        let refused =
            api.refused("UpdateProfile", json!({"profile": profile, "update_mask": mask})).await;
        assert_eq!(refused, (Code::InvalidArgument, reason.into()), "{mask} {profile}");
    }
    assert_eq!(api.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn affected_tells_users_methods_and_content_apart() {
    let (_server, api) = with_users(&["ann", "Bob", "carl", "robot2"]).await;
    let robot = json!({"user": {"id": "robot", "kind": "USER_KIND_APPLICATION"}});
    api.ok("UpsertUser", robot).await;
    api.ok("DisableUser", json!({"name": "robot2"})).await;
    create(&api, "contoso_rep").await;
    let counts = |answer: &Value| {
        let affected = &answer["write"]["affected"];
        let users = column(affected["users"].as_array().unwrap(), "user").join(" ");
        let count = |field: &str| affected[field].as_i64().unwrap();
        assert_eq!(count("total_count") as usize, users.split_whitespace().count());
        (users, count("method_only"), count("content_only"))
    };
    // Enabled people only, ascending by id.
    let default = api.ok("SetDefault", json!({"name": "contoso_rep"})).await;
    assert_eq!(counts(&default), ("ann Bob carl".into(), 0, 0));
    assert_eq!(
        default["write"]["affected"]["users"][0],
        json!({"user": "ann",
        "from": "msdyn_csw_default_profile", "to": "contoso_rep"})
    );
    let direct = json!({"name": "contoso_rep", "users": ["ann", "robot2"]});
    assert_eq!(counts(&api.ok("AddUsers", direct).await), (String::new(), 1, 0));
    let pane = json!({"name": "contoso_rep", "on": true});
    assert_eq!(counts(&api.ok("SetPane", pane).await), (String::new(), 0, 3));
    // What no client is sent affects nobody.
    let owner = json!({"profile": {"name": "contoso_rep", "owner": "Ann"}});
    assert_eq!(counts(&api.ok("UpdateProfile", owner).await), (String::new(), 0, 0));
    let idle = api.ok("DeactivateProfile", json!({"name": "contoso_rep"})).await;
    assert_eq!(counts(&idle), ("ann Bob carl".into(), 0, 0));
    api.ok("ActivateProfile", json!({"name": "contoso_rep"})).await;
    let gone = api.ok("DeleteProfile", json!({"name": "contoso_rep", "force": true})).await;
    assert_eq!(counts(&gone), ("ann Bob carl".into(), 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn affected_lists_a_hundred_and_counts_all() {
    let ids: Vec<_> = (0..130).map(|at| format!("user{at:03}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let (_server, api) = with_users(&ids).await;
    create(&api, "contoso_rep").await;
    let answer = api.ok("SetDefault", json!({"name": "contoso_rep"})).await;
    let affected = &answer["write"]["affected"];
    assert_eq!(affected["total_count"], 130);
    assert_eq!(column(affected["users"].as_array().unwrap(), "user"), ids[..100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_name_inactive_targets_and_disabled_users() {
    let (_server, api) = with_users(&["ann", "bob"]).await;
    create(&api, "contoso_rep").await;
    api.ok("DeactivateProfile", json!({"name": "contoso_rep"})).await;
    api.ok("DisableUser", json!({"name": "bob"})).await;
    let q = json!({"name": "contoso_rep", "users": ["ann", "bob"]});
    let answer = api.ok("AddUsers", q).await;
    let want = [("PROFILE_INACTIVE", "contoso_rep"), ("USER_DISABLED", "bob")];
    assert_eq!(codes(&answer["write"]), want.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let q = json!({"name": "contoso_rep", "users": ["ann", "users/nobody"]});
    let refused = api.refused("RemoveUsers", q).await;
    assert_eq!(refused, (Code::NotFound, "USER_NOT_FOUND".into()));
    let q = json!({"name": "contoso_rep", "users": ["ann", "BOB"]});
    assert_eq!(api.ok("RemoveUsers", q.clone()).await["not_assigned"], json!([]));
    let again = api.ok("RemoveUsers", q).await;
    assert_eq!(again["not_assigned"], json!(["ann", "bob"]));
    assert_eq!(again["write"]["changed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_users_is_all_or_nothing_and_answers_the_users() {
    let (_server, api) = with_users(&["ann"]).await;
    create(&api, "contoso_rep").await;
    let before = api.revision().await;
    let rows = json!({"rows": [
        {"user": {"id": "ANN", "display_name": "Ann", "roles": ["msdyn_csr"]},
            "profile": "profiles/contoso_rep"},
        {"user": {"id": "bob", "email": "bob@contoso.example"}},
    ]});
    let answer = api.ok("BatchUpsertUsers", rows.clone()).await;
    let users = answer["users"].as_array().unwrap();
    assert_eq!(column(users, "name"), ["users/ann", "users/bob"]);
    assert_eq!(users[0]["roles"], json!(["securityRoles/msdyn_csr"]));
    assert_eq!(users[0]["direct"][0]["profile"], "profiles/contoso_rep");
    assert_eq!(api.revision().await, before + 1);
    assert_eq!(api.ok("BatchUpsertUsers", rows).await["write"]["changed"], false);
    let bad = json!({"rows": [{"user": {"id": "carl"}}, {"user": {"id": "not/good"}},
        {"user": {"id": "dora", "email": "x".repeat(255)}}]});
    let status = api.call("BatchUpsertUsers", bad).await.unwrap_err();
    let details = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
    let fields: Vec<_> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["rows[1].user.id", "rows[2].user.email"]);
    assert_eq!(api.revision().await, before + 1);
    assert_eq!(api.refused("GetUser", json!({"name": "carl"})).await.0, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_one_object_with_presence() {
    let (_server, api) = with_users(&[]).await;
    let first = api.ok("GetSettings", json!({})).await;
    let set = json!({"settings": {"copilot_opt_in": false, "max_streams_per_user": 7}});
    let answer = api.ok("UpdateSettings", set.clone()).await;
    let now = &answer["settings"];
    assert_eq!((&now["copilot_opt_in"], &now["max_streams_per_user"]), (&false.into(), &7.into()));
    assert_eq!(now["channels_provisioned"], first["channels_provisioned"]);
    assert_eq!(api.ok("UpdateSettings", set).await["write"]["changed"], false);
    let stale = json!({"settings": {"etag": first["etag"], "copilot_opt_in": true}});
    assert_eq!(api.refused("UpdateSettings", stale).await.1, "ETAG_MISMATCH");
    for bad in [0, 101] {
        let q = json!({"settings": {"max_streams_per_user": bad}});
        assert_eq!(api.refused("UpdateSettings", q).await.1, "FIELD_INVALID");
    }
    // All fields without values are the defaults.
    let reset = api.ok("UpdateSettings", json!({"settings": {}, "update_mask": "*"})).await;
    for field in ["copilot_opt_in", "max_streams_per_user", "channels_provisioned"] {
        assert_eq!(reset["settings"][field], first[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_role_answers_what_the_write_would() {
    let (_server, api) = with_users(&[]).await;
    let mut q = json!({"role": {"unique_name": "contoso_csr", "display_name": "Rep",
        "root_role": "msdyn_csr"}, "validate_only": true});
    let asked = api.ok("UpsertRole", q.clone()).await;
    q["validate_only"] = false.into();
    let done = api.ok("UpsertRole", q).await;
    for field in ["name", "root_role", "family", "grants", "persona"] {
        assert_eq!(asked["role"][field], done["role"][field], "{field}");
    }
    assert_eq!(done["role"]["family"], "ROLE_FAMILY_CUSTOMER_SERVICE");
}

#[tokio::test(flavor = "multi_thread")]
async fn reported_health_reaches_watchers_and_takes_no_revision() {
    let (_server, api) = with_users(&["ann", "bob"]).await;
    create(&api, "contoso_rep").await;
    let provider = json!({"unique_name": "contoso_voice", "display_name": "V", "label": "V",
        "channel_url": "https://voice.example/"});
    api.ok("CreateChannelProvider", json!({"channel_provider": provider})).await;
    let link = json!({"name": "contoso_rep", "providers": ["contoso_voice"]});
    api.ok("LinkProviders", link).await;
    api.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    let before = api.revision().await;
    let mut ann = api.watch("ann").await;
    let first = ann.snapshot().await;
    assert_eq!(first.provider_health[0].state(), HealthState::Unknown);
    let down = json!({"name": "channelProviders/CONTOSO_voice", "state": "HEALTH_STATE_DOWN",
        "detail": "no route"});
    let answer = api.ok("ReportProviderHealth", down.clone()).await;
    assert_eq!(answer["changed"], true);
    let health = &answer["channel_provider"]["health"];
    assert_eq!(
        (&health["state"], &health["detail"]),
        (&"HEALTH_STATE_DOWN".into(), &"no route".into())
    );
    match ann.next().await.unwrap() {
        Event::ProviderHealth(health) => {
            assert_eq!(
                (health.provider.as_str(), health.state()),
                ("contoso_voice", HealthState::Down)
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(api.ok("ReportProviderHealth", down).await["changed"], false);
    let got = api.ok("GetChannelProvider", json!({"name": "contoso_voice"})).await;
    assert_eq!(got["health"], *health);
    let resolved = api.ok("ResolveProfile", json!({"user": "ann"})).await;
    assert_eq!(resolved["profile"]["provider_health"][0]["state"], "HEALTH_STATE_DOWN");
    assert_eq!(resolved["profile"]["digest"], first.digest);
    assert_eq!(api.revision().await, before);
    for (q, reason) in [
        (json!({"name": "contoso_voice"}), "FIELD_INVALID"),
        (json!({"name": "contoso_none", "state": "HEALTH_STATE_DOWN"}), "PROVIDER_NOT_FOUND"),
        (
            json!({"name": "contoso_voice", "state": "HEALTH_STATE_DOWN",
            "detail": "x".repeat(501)}),
            "FIELD_INVALID",
        ),
    ] {
        assert_eq!(api.refused("ReportProviderHealth", q).await.1, reason);
    }
}
