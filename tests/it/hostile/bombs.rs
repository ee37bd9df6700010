//! Requests that cost little to send: lists without end, nested JSON, one field many times.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use prost::Message;
use prost_reflect::{Kind, Value};
use serde_json::{Value as Json, json};

use super::{
    sites::sites,
    target::{Target, assert_refused, read, refused, validate_only},
};

/// No single call may take longer, however bad the machine is: the work must grow with the request,
/// not with its square.
const MAX_TIME: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_without_end_are_refused() {
    let target = Target::start().await;
    let before = target.state().await;
    let mut wrong = Vec::new();
    for rpc in target.rpcs() {
        for field in rpc.input().fields().filter(|field| field.name() != "update_mask") {
            let Kind::Message(inner) = field.kind() else { continue };
            if field.is_map() {
                continue;
            }
            for list in inner.fields().filter(|list| list.is_list() && list.name() != "direct") {
                let mut request = target.valid(&rpc);
                let value = match list.kind() {
                    Kind::String => Value::String("contoso_x".into()),
                    Kind::Message(kind) => Value::Message(prost_reflect::DynamicMessage::new(kind)),
                    _ => Value::EnumNumber(1),
                };
                let mut holder = match request.get_field_mut(&field) {
                    Value::List(rows) => rows[0].as_message_mut(),
                    value => value.as_message_mut(),
                };
                if let Some(holder) = &mut holder {
                    holder.set_field(&list, Value::List(vec![value; 10_000]));
                }
                let started = Instant::now();
                let context = format!("{} 10 000 {}", Target::path(&rpc), list.full_name());
                let answer = target.call(&rpc, validate_only(request).encode_to_vec()).await;
                let set_or_output = answer.is_ok();
                if let Err(status) = answer
                    && let Err(why) = read(&status)
                {
                    wrong.push(format!("{context}: {why}"));
                }
                let bounded = !matches!(list.kind(), Kind::Enum(_)) && !is_output(list.name());
                if bounded && set_or_output {
                    wrong.push(format!("{context}: accepted"));
                }
                assert!(started.elapsed() < MAX_TIME, "{context}: {:?}", started.elapsed());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(target.state().await, before);
    target.end().await;
}

fn is_output(name: &str) -> bool {
    matches!(name, "unmatched_roles" | "secret_states" | "team_roles" | "synced_roles")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_elements_take_no_longer_than_their_number() {
    let target = Target::start().await;
    let before = target.state().await;
    let mut met = BTreeSet::new();
    for rpc in target.rpcs() {
        for site in sites(&rpc.input()) {
            if !site.last().is_list() || site.kind() != Kind::String || !met.insert(site.id()) {
                continue;
            }
            let mut request = target.valid(&rpc);
            site.put(&mut request, Value::String("abc_x".into()));
            site.fill(&mut request, 40_000);
            let started = Instant::now();
            let context = format!("{} 40 000 {}", Target::path(&rpc), site.name());
            let answer = target.call(&rpc, validate_only(request).encode_to_vec()).await;
            if let Err(status) = answer {
                refused(&status, &context);
            }
            assert!(started.elapsed() < MAX_TIME, "{context}: {:?}", started.elapsed());
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

fn users(count: usize) -> Json {
    (0..count).map(|at| format!("user.{at}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_end_where_they_say() {
    let target = Target::start().await;
    let name = "contoso_rep";
    for (path, request, reason, field) in [
        (
            "ProfileService/AddUsers",
            json!({"name": name, "users": users(1_001)}),
            "FIELD_INVALID",
            "users",
        ),
        (
            "ProfileService/AddUsers",
            json!({"name": name, "users": users(1_000)}),
            "USER_NOT_FOUND",
            "",
        ),
        ("ProfileService/AddUsers", json!({"name": name, "users": []}), "FIELD_INVALID", "users"),
        ("AgentService/BulkResolve", json!({"users": users(1_001)}), "FIELD_INVALID", "users"),
        (
            "DirectoryService/BatchUpsertUsers",
            json!({"rows": vec![json!({"user": {"id": "a"}}); 1_001]}),
            "FIELD_INVALID",
            "rows",
        ),
        ("DirectoryService/BatchUpsertUsers", json!({}), "FIELD_INVALID", "rows"),
        (
            "ProfileService/SetInbox",
            json!({"name": name, "views": {"views": vec![json!({
                "name": "x", "record_types": vec!["case"; 11],
            })]}}),
            "FIELD_INVALID",
            "inbox.views[0].record_types",
        ),
        (
            "ProfileService/SetCopilot",
            json!({"name": name, "features": (0..10_000)
                .map(|at| (format!("feature {at}"), json!("COPILOT_SETTING_ON")))
                .collect::<serde_json::Map<_, _>>()}),
            "FIELD_INVALID",
            "copilot",
        ),
    ] {
        assert_refused(target.ask(path, &request).await, reason, field, path);
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_json_is_refused() {
    let target = Target::start().await;
    let arrays = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let open = "{\"a\":".repeat(13_000);
    let conditions = format!(
        "{}{{\"script\":\"contoso_x\"}}{}",
        "{\"if\":{\"op\":\"eq\",\"left\":\"{a}\",\"right\":\"b\"},\"then\":".repeat(200),
        "}".repeat(200)
    );
    let numbers = "{\"a\":1e999999999}".to_owned();
    let wide = format!("{{{}}}", vec!["\"a\":1"; 100_000].join(","));
    let profile = "ProfileService/SetInbox";
    let template = "SessionTemplateService/UpdateSessionTemplate";
    let provider = "ProviderService/UpdateChannelProvider";
    for bomb in [&arrays, &objects, &open, &conditions, &numbers, &wide] {
        let context = format!("{bomb:.40}");
        let started = Instant::now();
        let view = json!({"name": "x", "record_types": ["case"], "advanced_filter": bomb});
        let request = json!({"name": "contoso_rep", "views": {"views": [view]}});
        let answer = target.ask(profile, &request).await;
        // Any object is a filter, however odd; the depth alone is bounded.
        if bomb != &conditions {
            assert_refused(answer, "FIELD_INVALID", "inbox.views[0].advanced_filter", &context);
        }
        let expression = json!({"enabled": true, "tree": bomb});
        let template_json = json!({"name": "contoso_chat", "expression": expression});
        let answer = target.ask(template, &json!({"session_template": template_json})).await;
        assert_refused(answer, "FIELD_INVALID", "expression.tree", &context);
        let provider_json = json!({"name": "contoso_voice", "config": bomb});
        let answer = target.ask(provider, &json!({"channel_provider": provider_json})).await;
        assert_refused(answer, "FIELD_INVALID", "config", &context);
        assert!(started.elapsed() < MAX_TIME, "{context}: {:?}", started.elapsed());
    }
    target.end().await;
}
