//! The life of library objects: one table for every kind, and profiles (SPEC §2.3, §7.5).

use serde_json::{Value, json};
use tonic::Code;

use super::Api;
use crate::server::Running;

/// One kind: what its calls end with, the field of its resource, a body for Create, a field that
/// Update changes, and a built-in object if there is one.
struct Library {
    kind: &'static str,
    field: &'static str,
    body: fn() -> Value,
    changed: (&'static str, Value),
    built_in: Option<&'static str>,
    absent: &'static str,
}

fn libraries() -> Vec<Library> {
    vec![
        Library {
            kind: "Profile",
            field: "profile",
            body: || json!({"pane": {"on": true}}),
            changed: ("pane", json!({"on": false, "mode": "PANE_MODE_COLLAPSED", "tools": []})),
            built_in: Some("msdyn_csw_default_profile"),
            absent: "PROFILE_NOT_FOUND",
        },
        Library {
            kind: "SessionTemplate",
            field: "session_template",
            body: || json!({"entity": "incident", "title": "{caseTitle}"}),
            changed: ("title", "Case {caseId}".into()),
            built_in: Some("msdyn_chat_session"),
            absent: "TEMPLATE_NOT_FOUND",
        },
        Library {
            kind: "ApplicationTabTemplate",
            field: "application_tab_template",
            body: || {
                json!({"page_type": "PAGE_TYPE_SEARCH",
                    "parameters": [{"name": "searchText", "value": "{customerName}"}]})
            },
            changed: ("can_close", false.into()),
            built_in: Some("msdyn_omnichannel_kbsearch"),
            absent: "TEMPLATE_NOT_FOUND",
        },
        Library {
            kind: "ProductivityTool",
            field: "productivity_tool",
            body: || json!({"control_name": "contoso.control"}),
            changed: ("data", "{}".into()),
            built_in: Some("msdyn_tool_copilot"),
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "Queue",
            field: "queue",
            body: || json!({"kind": "QUEUE_KIND_MESSAGING"}),
            changed: ("kind", "QUEUE_KIND_VOICE".into()),
            built_in: None,
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "NotificationTemplate",
            field: "notification_template",
            body: || json!({"title": "Chat with {customerName}", "fields": [{"header": "Who"}]}),
            changed: ("countdown_seconds", 0.into()),
            built_in: Some("msdyn_chat_consult"),
            absent: "TEMPLATE_NOT_FOUND",
        },
        Library {
            kind: "AgentScript",
            field: "agent_script",
            body: || {
                json!({"language": 0, "steps": [
                    {"name": "Greet", "order": 1, "action": "SCRIPT_ACTION_TEXT", "text": "Hello"},
                ]})
            },
            changed: ("language", 1_033.into()),
            built_in: None,
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "Macro",
            field: "macro",
            body: || {
                json!({"actions": [
                    {"connector": "MACRO_CONNECTOR_BUILT_IN", "operation": "start"},
                    {"connector": "MACRO_CONNECTOR_BUILT_IN", "operation": "condition",
                        "inputs": {"if": "${customerName}"},
                        "then_actions": [{"connector": "MACRO_CONNECTOR_PRODUCTIVITY",
                            "operation": "save_record"}]},
                ]})
            },
            changed: (
                "actions",
                json!([{"connector": "MACRO_CONNECTOR_BUILT_IN", "operation": "start",
                    "inputs": {}, "then_actions": [], "else_actions": []}]),
            ),
            built_in: None,
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "SmartAssistBot",
            field: "smart_assist_bot",
            body: || json!({"user": "users/contoso.bot"}),
            changed: ("knowledge", true.into()),
            built_in: None,
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "Channel",
            field: "channel",
            body: || json!({"kind": "CHANNEL_KIND_SMS"}),
            changed: ("display_name", "Texts".into()),
            built_in: Some("msdyn_channel_sms"),
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "Workstream",
            field: "workstream",
            body: || json!({"channel": "channels/msdyn_channel_chat"}),
            changed: ("session_template", "sessionTemplates/msdyn_chat_session".into()),
            built_in: None,
            absent: "OBJECT_NOT_FOUND",
        },
        Library {
            kind: "ChannelProvider",
            field: "channel_provider",
            body: || json!({"label": "Voice", "channel_url": "https://voice.example/"}),
            changed: ("label", "Telephone".into()),
            built_in: Some("msdyn_omnichannel"),
            absent: "PROVIDER_NOT_FOUND",
        },
    ]
}

/// A server with a user that a bot can work as.
async fn server() -> Running {
    let server = Running::with(Vec::new()).await;
    let user = json!({"id": "contoso.bot", "kind": "USER_KIND_APPLICATION",
        "roles": ["msdyn_oc_agent", "msdyn_csr"]});
    Api::admin(&server).ok("UpsertUser", json!({"user": user})).await;
    server
}

impl Library {
    fn rpc(&self, verb: &str) -> String {
        format!("{verb}{}", self.kind)
    }

    fn resource(&self, name: &str) -> Value {
        let mut body = (self.body)();
        body["unique_name"] = name.into();
        body["display_name"] = "Contoso".into();
        body
    }

    /// Update of one field of the object called `contoso_a`.
    fn update(&self, fields: &[(&str, Value)]) -> Value {
        let mut resource = json!({"name": "contoso_a"});
        for (field, value) in fields {
            resource[*field] = value.clone();
        }
        json!({self.field: resource})
    }
}

/// Calls a write as a question first: it must promise what the write then does, and do nothing.
async fn write(api: &Api, rpc: &str, field: &str, q: Value) -> Value {
    let before = api.revision().await;
    let mut asked = q.clone();
    asked["validate_only"] = true.into();
    let mut promised = api.ok(rpc, asked).await;
    assert_eq!(api.revision().await, before, "{rpc} {q}");
    assert_eq!(promised["write"]["revision"], before, "{rpc} {q}");
    let mut done = api.ok(rpc, q.clone()).await;
    let changed = done["write"]["changed"] == true;
    assert_eq!(api.revision().await, before + i64::from(changed), "{rpc} {q}");
    let answer = done.clone();
    for side in [&mut promised, &mut done] {
        side["write"]["revision"] = Value::Null;
        for stamped in ["uid", "etag", "revision", "create_time", "update_time"] {
            if side[field].is_object() {
                side[field][stamped] = Value::Null;
            }
        }
    }
    assert_eq!(promised, done, "{rpc} {q} promises and does");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_lives_from_create_to_delete() {
    let server = server().await;
    let api = Api::admin(&server);
    for library in libraries() {
        let (rpc, field) = (|verb| library.rpc(verb), library.field);
        let name = json!({"name": "contoso_a"});
        let created =
            write(&api, &rpc("Create"), field, json!({field: library.resource("contoso_a")})).await;
        let (object, result) = (&created[field], &created["write"]);
        assert_eq!(object["state"], "STATE_ACTIVE");
        assert_eq!(object["origin"], "ORIGIN_CUSTOM");
        assert_eq!(object["revision"], result["revision"]);
        assert_eq!(api.ok(&rpc("Get"), name.clone()).await, *object);
        let taken = json!({field: library.resource("CONTOSO_A")});
        let refused = api.refused(&rpc("Create"), taken).await;
        assert_eq!(refused, (Code::AlreadyExists, "UNIQUE_NAME_TAKEN".into()), "{field}");

        let (changed_field, value) = library.changed.clone();
        let update = library.update(&[(changed_field, value.clone())]);
        let updated = write(&api, &rpc("Update"), field, update.clone()).await;
        assert_eq!(updated[field][changed_field], value, "{field}");
        assert_eq!(updated[field]["uid"], object["uid"]);
        assert_ne!(updated[field]["etag"], object["etag"]);
        let same = write(&api, &rpc("Update"), field, update).await;
        assert_eq!(same["write"]["changed"], false, "{field}");
        assert_eq!(same[field], updated[field]);

        for (verb, state, changed) in [
            ("Deactivate", "STATE_INACTIVE", true),
            ("Deactivate", "STATE_INACTIVE", false),
            ("Activate", "STATE_ACTIVE", true),
            ("Activate", "STATE_ACTIVE", false),
        ] {
            let answer = write(&api, &rpc(verb), field, name.clone()).await;
            assert_eq!(answer[field]["state"], state, "{field}");
            assert_eq!(answer["write"]["changed"], changed, "{field} {verb}");
        }

        let built_in = library.built_in.map(|name| (name, "contoso_c"));
        for (source, copy) in [("contoso_a", "contoso_b")].into_iter().chain(built_in) {
            if source == "msdyn_omnichannel" {
                continue;
            }
            let clone = json!({"name": source, "unique_name": copy, "display_name": "Copy"});
            let cloned = write(&api, &rpc("Clone"), field, clone).await;
            assert_eq!(cloned[field]["origin"], "ORIGIN_CUSTOM", "{field}");
            assert_eq!(cloned[field]["display_name"], "Copy", "{field}");
        }

        let deleted = write(&api, &rpc("Delete"), field, name.clone()).await;
        assert_eq!(deleted["write"]["changed"], true);
        for verb in ["Get", "Delete", "Activate"] {
            let refused = api.refused(&rpc(verb), name.clone()).await;
            assert_eq!(refused, (Code::NotFound, library.absent.into()), "{field}");
        }
        let again =
            write(&api, &rpc("Create"), field, json!({field: library.resource("contoso_A")})).await;
        assert_eq!(again[field]["unique_name"], "contoso_A");
        assert_ne!(again[field]["uid"], object["uid"], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_guard_every_write_that_addresses_an_object() {
    let server = server().await;
    let api = Api::admin(&server);
    let mismatch = (Code::Aborted, "ETAG_MISMATCH".to_owned());
    for library in libraries() {
        let field = library.field;
        let rpc = |verb| library.rpc(verb);
        let create = json!({field: library.resource("contoso_a")});
        let seen = api.ok(&rpc("Create"), create).await[field]["etag"].clone();
        let update = |text: &str, etag: &Value| {
            library.update(&[("display_name", text.into()), ("etag", etag.clone())])
        };
        api.ok(&rpc("Update"), update("One", &seen)).await;
        let status = api.call(&rpc("Update"), update("Two", &seen)).await.unwrap_err();
        assert_eq!((status.code(), super::reason(&status)), mismatch, "{field}");
        let current = api.ok(&rpc("Get"), json!({"name": "contoso_a"})).await["etag"].clone();
        let details = tonic_types::StatusExt::get_error_details(&status);
        assert_eq!(details.error_info().unwrap().metadata["current_etag"], current);
        assert!(details.retry_info().is_some(), "{field}");
        for verb in ["Deactivate", "Activate", "Delete"] {
            let with = |etag: &Value| json!({"name": "contoso_a", "etag": etag});
            assert_eq!(api.refused(&rpc(verb), with(&seen)).await, mismatch, "{field} {verb}");
            let current = api.ok(&rpc("Get"), json!({"name": "contoso_a"})).await["etag"].clone();
            api.ok(&rpc(verb), with(&current)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn built_in_objects_are_read_only_and_say_so() {
    let server = server().await;
    let api = Api::admin(&server);
    let before = api.revision().await;
    for library in libraries() {
        let reserved = json!({library.field: library.resource("MSDYN_mine")});
        let refused = api.refused(&library.rpc("Create"), reserved).await;
        assert_eq!(refused, (Code::InvalidArgument, "RESERVED_PREFIX".into()));
        let Some(name) = library.built_in else { continue };
        let resource = json!({"name": name, "display_name": "Mine", "etag": "stale"});
        for (verb, q) in [
            ("Update", json!({library.field: resource})),
            ("Deactivate", json!({"name": name, "etag": "stale"})),
            ("Activate", json!({"name": name})),
            ("Delete", json!({"name": name, "force": true})),
        ] {
            let status = api.call(&library.rpc(verb), q).await.unwrap_err();
            assert_eq!(super::reason(&status), "BUILT_IN_READ_ONLY", "{verb} {name}");
            let details = tonic_types::StatusExt::get_error_details(&status);
            let operation = &details.error_info().unwrap().metadata["operation"];
            assert_eq!(*operation, verb.to_uppercase());
        }
    }
    assert_eq!(api.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_create_what_is_missing_only_when_told_to() {
    let server = server().await;
    let api = Api::admin(&server);
    for library in libraries() {
        let (field, rpc) = (library.field, library.rpc("Update"));
        let q = |allow_missing: bool, etag: &str| {
            let mut resource = library.resource("contoso_a");
            resource["etag"] = etag.into();
            json!({field: resource, "allow_missing": allow_missing})
        };
        let refused = api.refused(&rpc, q(false, "")).await;
        assert_eq!(refused, (Code::NotFound, library.absent.into()));
        // Who saw an etag saw an object, and that one is gone.
        let refused = api.refused(&rpc, q(true, "seen")).await;
        assert_eq!(refused.0, Code::Aborted, "{field}: {refused:?}");
        let created = write(&api, &rpc, field, q(true, "")).await;
        assert_eq!(created["write"]["changed"], true, "{field}");
        let again = write(&api, &rpc, field, q(true, "")).await;
        assert_eq!(again["write"]["changed"], false, "{field}");
        let bad = json!({field: library.resource("bad name"), "allow_missing": true});
        assert_eq!(api.refused(&rpc, bad).await.1, "UNIQUE_NAME_INVALID", "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_mask_sets_every_mutable_field_back_that_is_not_sent() {
    let server = server().await;
    let api = Api::admin(&server);
    for library in libraries() {
        let (field, rpc) = (library.field, library.rpc("Update"));
        let create = json!({field: library.resource("contoso_a")});
        let first = api.ok(&library.rpc("Create"), create).await[field].clone();
        let (changed, value) = library.changed.clone();
        let described = [("description", "Long".into()), ("owner", "Bob".into()), (changed, value)];
        let differs = api.ok(&rpc, library.update(&described)).await[field].clone();
        for (name, value) in described {
            assert_eq!(differs[name], value, "{field}.{name}");
        }
        // An update without a mask leaves alone what it does not send.
        let one = api.ok(&rpc, library.update(&[("display_name", "One".into())])).await;
        assert_eq!(one[field]["description"], "Long", "{field}");
        let whole = json!({field: library.resource("contoso_a"), "update_mask": "*"});
        let mut now = api.ok(&rpc, whole).await[field].clone();
        for stamped in ["etag", "revision", "update_time"] {
            now[stamped] = first[stamped].clone();
        }
        assert_eq!(now, first, "{field}");
        let masked = |mask: &str| {
            let mut q = library.update(&[("state", "STATE_INACTIVE".into())]);
            q["update_mask"] = mask.into();
            q
        };
        for (mask, reason) in [
            ("nothing", "UNKNOWN_FIELD"),
            ("state", "FIELD_IMMUTABLE"),
            ("uniqueName", "FIELD_IMMUTABLE"),
            ("uid", "FIELD_IMMUTABLE"),
        ] {
            assert_eq!(api.refused(&rpc, masked(mask)).await.1, reason, "{field} {mask}");
        }
    }
}
