//! RenderSession over the wire (SPEC §9.5).

use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{Api, insight::list, reason};
use crate::server::{As, Running};

/// Ann, whose profile opens cases with a website and has channels; Bob, whose profile has neither.
async fn desk() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let parameter = |name: &str, value: &str| json!({"name": name, "value": value});
    let shop = json!({"unique_name": "contoso_shop", "display_name": "Shop",
        "title": "Orders of {customerName}", "page_type": "PAGE_TYPE_THIRD_PARTY_WEBSITE",
        "parameters": [parameter("url", "https://shop.example/orders?id={anchor.accountnumber}"),
            parameter("data", "q={customerName}&k={$odata.accounts.name.?$filter=no eq '{caseId}'}")]});
    api.ok("CreateApplicationTabTemplate", json!({"application_tab_template": shop})).await;
    let case = json!({"unique_name": "contoso_case", "display_name": "Case", "entity": "incident",
        "title": "Case {anchor.title}: {missing}", "title_on_anchor_tab": true,
        "additional_tabs": ["contoso_shop"]});
    api.ok("CreateSessionTemplate", json!({"session_template": case})).await;
    let rep = json!({"unique_name": "contoso_rep", "display_name": "Rep",
        "session_templates": ["contoso_case"], "channels": {"all_active": true}});
    api.ok("CreateProfile", json!({"profile": rep})).await;
    let plain = json!({"unique_name": "contoso_plain", "display_name": "Plain"});
    api.ok("CreateProfile", json!({"profile": plain})).await;
    let rows = json!({"rows": [
        {"user": {"id": "ann", "roles": ["msdyn_csr"]}, "profile": "contoso_rep"},
        {"user": {"id": "bob", "roles": ["msdyn_csr"]}, "profile": "contoso_plain"},
    ]});
    api.ok("BatchUpsertUsers", rows).await;
    server
}

fn case() -> Value {
    json!({"user": "ann", "entity": "incident",
        "anchor": {"id": "42", "attributes": {"Title": "Lost & found\n{missing}", "accountnumber": 7.5}},
        "context": {"CustomerName": "O'Brien & Söhne", "caseId": "a'b"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_opens_with_its_texts_rendered() {
    let server = desk().await;
    let api = Api::admin(&server);
    let answer = api.ok("RenderSession", case()).await;
    let title = "Case Lost & found {missing}: {missing}";
    assert_eq!(answer["session"]["template"], "contoso_case");
    assert_eq!(answer["session"]["title"], title);
    assert_eq!(answer["session"]["panel_mode"], "PANEL_MODE_DOCKED");
    assert_eq!(answer["notification"], Value::Null);
    let tabs = answer["tabs"].as_array().unwrap();
    assert_eq!(
        tabs[0],
        json!({"template": "", "title": title, "page_type": "PAGE_TYPE_ENTITY_RECORD",
            "can_close": false, "anchor": true,
            "parameters": [{"name": "entityName", "value": "incident"}, {"name": "entityId", "value": "42"}]})
    );
    let query = "{$odata.accounts.name.?$filter=no eq '{caseId}'}";
    let url =
        format!("https://shop.example/orders?id=7.5&q=O%27Brien%20%26%20S%C3%B6hne&k={query}");
    assert_eq!(
        tabs[1],
        json!({"template": "contoso_shop", "title": "Orders of O'Brien & Söhne",
            "page_type": "PAGE_TYPE_THIRD_PARTY_WEBSITE", "can_close": true, "anchor": false,
            "parameters": [{"name": "url", "value": url}]})
    );
    let stays = list(&answer, "unresolved", &["where", "slug", "reason"]);
    let missing = "{missing} UNRESOLVED_REASON_MISSING";
    assert_eq!(stays, [format!("session.title {missing}"), format!("tabs[0].title {missing}")]);
    assert_eq!(
        answer["deferred"],
        json!([{"where": "tabs[1].parameters[0].value", "slug": query, "entity": "accounts",
            "attribute": "name", "options": "$filter=no eq 'a''b'"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_depends_on_input_and_digest_alone() {
    let server = desk().await;
    let api = Api::admin(&server);
    let first = api.ok("RenderSession", case()).await;
    let resolved = api.ok("ResolveProfile", json!({"user": "ann"})).await;
    assert_eq!(first["digest"], resolved["profile"]["digest"]);
    assert_eq!(first["revision"], resolved["revision"]);
    assert_eq!(api.ok("RenderSession", case()).await, first);
    // A write that leaves the profile as it is.
    api.ok("UpsertUser", json!({"user": {"id": "carl"}})).await;
    let mut same = api.ok("RenderSession", case()).await;
    assert!(same["revision"].as_i64() > first["revision"].as_i64());
    same["revision"] = first["revision"].clone();
    assert_eq!(same, first);
    let changed = json!({"session_template": {"name": "contoso_case", "title": "Other"}});
    api.ok("UpdateSessionTemplate", changed).await;
    let other = api.ok("RenderSession", case()).await;
    assert_ne!(other["digest"], first["digest"]);
    assert_eq!(other["session"]["title"], "Other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_without_a_work_stream_opens_what_is_built_in() {
    let server = desk().await;
    let ann = Api::of(&server, As::new(Some("ann"), Some("agent")));
    let q = json!({"channel": "channels/msdyn_channel_chat",
        "slot": "NOTIFICATION_SLOT_INCOMING_AUTHENTICATED",
        "context": {"customerName": "Ann\r\nExample", "caseTitle": "<b>", "LiveWorkItemId": "9"}});
    let answer = ann.ok("RenderSession", q).await;
    assert_eq!(answer["session"]["template"], "msdyn_chat_session");
    assert_eq!(answer["session"]["title"], "Ann Example");
    let tabs = list(&answer, "tabs", &["template", "page_type"]);
    assert_eq!(
        tabs,
        [
            "msdyn_active_conversation PAGE_TYPE_ENTITY_RECORD",
            "msdyn_omnichannel_kbsearch PAGE_TYPE_WEB_RESOURCE",
        ]
    );
    let closable = |at: usize| answer["tabs"][at]["can_close"].as_bool().unwrap();
    assert_eq!((closable(0), closable(1)), (false, true));
    let notification = &answer["notification"];
    assert_eq!(notification["template"], "msdyn_chat_incoming_authenticated");
    let fields = json!([{"header": "Customer", "value": "Ann Example"},
        {"header": "Case", "value": "<b>"}]);
    assert_eq!(notification["fields"], fields);
    assert_eq!(
        (&notification["accept_text"], &notification["reject_text"]),
        (&json!("Accept"), &json!("Reject"))
    );
    assert_eq!(notification["countdown_seconds"], 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_reasons() {
    let server = desk().await;
    let api = Api::admin(&server);
    let with = |changes: Value| {
        let mut q = json!({"user": "ann", "entity": "incident"});
        q.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        q
    };
    let chat = json!({"entity": "", "channel": "msdyn_channel_chat"});
    for (changes, code, expected) in [
        (json!({"entity": "account"}), Code::NotFound, "NO_SESSION_TEMPLATE"),
        (json!({"user": "nobody"}), Code::NotFound, "USER_NOT_FOUND"),
        (json!({"entity": "", "channel": "contoso_no"}), Code::NotFound, "OBJECT_NOT_FOUND"),
        (json!({"entity": "", "workstream": "contoso_no"}), Code::NotFound, "OBJECT_NOT_FOUND"),
        (json!({"app": "APP_MOBILE"}), Code::FailedPrecondition, "APP_NOT_APPLICABLE"),
        (json!({"entity": "", "slot": 1}), Code::InvalidArgument, "FIELD_INVALID"),
        (json!({"user": ""}), Code::InvalidArgument, "FIELD_INVALID"),
    ] {
        let refused = api.refused("RenderSession", with(changes.clone())).await;
        assert_eq!(refused, (code, expected.to_owned()), "{changes}");
    }
    let mut off = with(chat);
    off["user"] = "bob".into();
    let refused = api.refused("RenderSession", off).await;
    assert_eq!(refused, (Code::FailedPrecondition, "CHANNELS_OFF".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_fields_are_refused_together() {
    let server = desk().await;
    let q = json!({"user": "a b", "entity": "incident", "workstream": "contoso_chat", "slot": 2,
        "app": 99, "anchor": {"entity": "account", "attributes": {"a": [1]}},
        "context": {"k": {"deep": 1}, "Name": 1, "name": 2}});
    let status = Api::admin(&server).call("RenderSession", q).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "FIELD_INVALID".into()));
    let bad = status.get_details_bad_request().unwrap();
    let fields: Vec<_> =
        bad.field_violations.iter().map(|violation| &violation.field[..]).collect();
    assert_eq!(
        fields,
        [
            "user",
            "app",
            "workstream",
            "slot",
            "anchor.entity",
            "context[k]",
            "context[name]",
            "anchor.attributes[a]",
        ]
    );
}

/// Adds a work stream of the chat channel with everything that it leads to.
async fn chat(api: &Api, name: &str) {
    let script = |name: &str| {
        let step = json!({"name": "Say", "order": 1, "action": "SCRIPT_ACTION_TEXT", "text": "Hi"});
        json!({"agent_script": {"unique_name": name, "display_name": name, "language": 1033,
            "steps": [step]}})
    };
    for name in ["contoso_greet", "contoso_refund"] {
        api.ok("CreateAgentScript", script(name)).await;
    }
    let tree = json!({"if": {"slug": "{caseTitle}", "op": "contains", "value": "REFUND"},
        "then": {"script": "contoso_refund"}, "else": {"script": "contoso_greet"}});
    let session = json!({"unique_name": "contoso_chat_session", "display_name": "Chat",
        "type": "SESSION_TEMPLATE_TYPE_GENERIC", "title": "Chat with {customerName}",
        "anchor_tab": "contoso_shop", "scripts": ["contoso_greet", "contoso_refund"],
        "expression": {"enabled": true, "tree": tree.to_string()}});
    api.ok("CreateSessionTemplate", json!({"session_template": session})).await;
    let hello = json!({"unique_name": "contoso_hello", "display_name": "Hello",
        "title": "Hello {customerName}", "auto_assign": true, "show_countdown": false,
        "fields": [{"name": "case", "header": "Case", "value": "{caseTitle}", "order": 0}]});
    api.ok("CreateNotificationTemplate", json!({"notification_template": hello})).await;
    let stream = json!({"unique_name": name, "display_name": "Chat",
        "channel": "channels/msdyn_channel_chat", "session_template": "contoso_chat_session",
        "incoming_authenticated": "contoso_hello"});
    api.ok("CreateWorkstream", json!({"workstream": stream})).await;
    let pane = json!({"profile": {"name": "contoso_rep", "pane": {"on": true,
        "tools": [{"tool": "msdyn_tool_scripts", "enabled": true}]}}});
    api.ok("UpdateProfile", pane).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_stream_opens_its_session_and_announces_it() {
    let server = desk().await;
    let api = Api::admin(&server);
    chat(&api, "contoso_chat").await;
    let q = |title: &str| {
        json!({"user": "ann", "workstream": "workstreams/Contoso_Chat",
            "slot": "NOTIFICATION_SLOT_INCOMING_AUTHENTICATED",
            "anchor": {"entity": "msdyn_ocliveworkitem", "attributes": {"accountnumber": "7"}},
            "context": {"customerName": "Ann", "caseTitle": title, "caseId": null}})
    };
    let answer = api.ok("RenderSession", q("My refund")).await;
    assert_eq!(answer["session"]["title"], "Chat with Ann");
    let tabs = list(&answer, "tabs", &["template", "title"]);
    assert_eq!(tabs, ["contoso_shop Orders of Ann"]);
    assert_eq!(
        (&answer["tabs"][0]["anchor"], &answer["tabs"][0]["can_close"]),
        (&json!(true), &json!(false))
    );
    let shown = &answer["notification"];
    assert_eq!(
        (&shown["template"], &shown["title"]),
        (&json!("contoso_hello"), &json!("Hello Ann"))
    );
    assert_eq!((&shown["accept_text"], &shown["reject_text"]), (&json!("Open"), &json!("")));
    assert_eq!(shown["fields"], json!([{"header": "Case", "value": "My refund"}]));
    assert_eq!(answer["scripts"], json!(["contoso_greet", "contoso_refund"]));
    assert_eq!(answer["default_script"], "contoso_refund");
    let other = api.ok("RenderSession", q("Hello")).await;
    assert_eq!(other["default_script"], "contoso_greet");
    // The named script is inactive: the first active one is shown.
    api.ok("DeactivateAgentScript", json!({"name": "contoso_refund"})).await;
    let inactive = api.ok("RenderSession", q("My refund")).await;
    assert_eq!(inactive["scripts"], json!(["contoso_greet"]));
    assert_eq!(inactive["default_script"], "contoso_greet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_stands_for_its_only_active_work_stream() {
    let server = desk().await;
    let api = Api::admin(&server);
    chat(&api, "contoso_chat").await;
    let q = json!({"user": "ann", "channel": "msdyn_channel_chat"});
    let answer = api.ok("RenderSession", q.clone()).await;
    assert_eq!(answer["session"]["template"], "contoso_chat_session");
    let second = json!({"unique_name": "contoso_second", "display_name": "Second",
        "channel": "msdyn_channel_chat"});
    api.ok("CreateWorkstream", json!({"workstream": second})).await;
    let status = api.call("RenderSession", q.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status)),
        (Code::InvalidArgument, "WORKSTREAM_AMBIGUOUS".into())
    );
    let metadata = status.get_details_error_info().unwrap().metadata;
    assert_eq!(metadata["workstreams"], "contoso_chat, contoso_second");
    api.ok("DeactivateWorkstream", json!({"name": "contoso_second"})).await;
    api.ok("RenderSession", q.clone()).await;
    let second = json!({"user": "ann", "workstream": "contoso_second"});
    let refused = api.refused("RenderSession", second).await;
    assert_eq!(refused, (Code::FailedPrecondition, "CHANNELS_OFF".into()));
    api.ok("DeactivateWorkstream", json!({"name": "contoso_chat"})).await;
    let answer = api.ok("RenderSession", q).await;
    assert_eq!(answer["session"]["template"], "msdyn_chat_session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_left_out_opens_nothing() {
    let server = desk().await;
    let api = Api::admin(&server);
    chat(&api, "contoso_chat").await;
    api.ok("DeactivateApplicationTabTemplate", json!({"name": "contoso_shop"})).await;
    let q = json!({"user": "ann", "workstream": "contoso_chat"});
    let refused = api.refused("RenderSession", q).await;
    assert_eq!(refused, (Code::NotFound, "NO_SESSION_TEMPLATE".into()));
}
