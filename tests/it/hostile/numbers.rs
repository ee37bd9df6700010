//! Numbers, enum values and update masks that do not belong where they stand.

use prost::Message;
use prost_reflect::{Kind, MethodDescriptor, Value};
use serde_json::json;
use tonic::Code;

use super::{
    sites::{Site, sites},
    target::{Target, assert_refused, message, read, validate_only},
};

/// What a number must come to where the server takes notice of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Accepted,
    Refused(&'static str),
}

/// Bad and extreme values for a place, with what must come of them.
fn numbers(site: &Site) -> Vec<(Value, Expect)> {
    use Expect::{Accepted, Refused};
    let name = site.last().name();
    // Large pages are lowered; neither an order nor a language has an upper end.
    let large = if matches!(name, "page_size" | "order" | "language") {
        Accepted
    } else if name == "rank" {
        Refused("RANK_OUT_OF_RANGE")
    } else {
        Refused("FIELD_INVALID")
    };
    let negative = if name == "rank" { large } else { Refused("FIELD_INVALID") };
    match site.kind() {
        Kind::Int32 => vec![
            (Value::I32(-1), negative),
            (Value::I32(i32::MIN), negative),
            (Value::I32(i32::MAX), large),
        ],
        // Only lengths of time are numbers of this kind that mean something in a request.
        Kind::Int64 if name == "seconds" => {
            [-1, i64::MIN, i64::MAX].map(|n| (Value::I64(n), Refused("FIELD_INVALID"))).to_vec()
        }
        Kind::Int64 if name == "expected_revision" => {
            [-1, i64::MIN].map(|n| (Value::I64(n), Refused("FIELD_INVALID"))).to_vec()
        }
        // A revision that is asked for: there is none of that number, or history has it no more.
        Kind::Int64 if site.is_of_a_rollback() => vec![
            (Value::I64(-1), Refused("FIELD_INVALID")),
            (Value::I64(i64::MIN), Refused("FIELD_INVALID")),
            (Value::I64(i64::MAX), Refused("REVISION_NOT_FOUND")),
        ],
        // Revisions of the past, below 2^53 as all are.
        Kind::Int64 if site.is_of_the_past() => {
            [-1, i64::MIN, i64::MAX].map(|n| (Value::I64(n), Refused("FIELD_INVALID"))).to_vec()
        }
        Kind::Int64 => [-1, i64::MIN, i64::MAX].map(|n| (Value::I64(n), Accepted)).to_vec(),
        Kind::Enum(_) => [99, -1, i32::MIN, i32::MAX]
            .map(|n| (Value::EnumNumber(n), Refused("FIELD_INVALID")))
            .to_vec(),
        _ => Vec::new(),
    }
}

async fn attack(
    target: &Target,
    rpc: &MethodDescriptor,
    site: &Site,
    (value, expect): (Value, Expect),
) -> Result<(), String> {
    let mut request = target.valid(rpc);
    site.put(&mut request, value);
    let answer = target.call(rpc, validate_only(request).encode_to_vec()).await;
    let wanted = if site.is_ignored(rpc) { Expect::Accepted } else { expect };
    match (answer, wanted) {
        (Ok(_), Expect::Accepted) => Ok(()),
        (Ok(_), Expect::Refused(reason)) => Err(format!("accepted, not {reason}")),
        (Err(status), Expect::Accepted) => Err(format!("refused: {:?}", read(&status)?)),
        (Err(status), Expect::Refused(reason)) => {
            let found = read(&status)?;
            // What is out of range is no bad field.
            let named = found.code == Code::OutOfRange
                || found.fields.iter().any(|(field, _)| site.is_named_by(field));
            let right = found.reason == reason && named;
            right.then_some(()).ok_or_else(|| format!("not {reason} but {found:?}"))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_in_any_field_does_harm() {
    let target = Target::start().await;
    let before = target.state().await;
    let mut wrong = Vec::new();
    for rpc in target.rpcs() {
        for site in sites(&rpc.input()) {
            for (value, expect) in numbers(&site) {
                if is_taken_by_action(&rpc, &site) {
                    continue;
                }
                if let Err(why) = attack(&target, &rpc, &site, (value.clone(), expect)).await {
                    wrong.push(format!("{} {} {value:?}: {why}", rpc.name(), site.name()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(target.state().await, before);
    target.end().await;
}

/// Fields of a profile that only an action sets: whatever is sent must be refused for that.
fn is_taken_by_action(rpc: &MethodDescriptor, site: &Site) -> bool {
    site.name() == "profile.rank" && rpc.name() != "SetRankAndRoles"
}

/// What each update mask may not name, beside what all resources have.
const IMMUTABLE: &[(&str, &str, &[&str])] = &[
    (
        "ProfileService/UpdateProfile",
        "profile",
        &[
            "unique_name",
            "state",
            "bundle",
            "bundle_version",
            "app_module",
            "rank",
            "roles",
            "unmatched_roles",
            "is_default",
            "default_set_time",
        ],
    ),
    (
        "SessionTemplateService/UpdateSessionTemplate",
        "session_template",
        &["unique_name", "state", "type", "entity"],
    ),
    (
        "ApplicationTabTemplateService/UpdateApplicationTabTemplate",
        "application_tab_template",
        &["unique_name", "state", "page_type"],
    ),
    (
        "ProductivityToolService/UpdateProductivityTool",
        "productivity_tool",
        &["unique_name", "state", "org_gate", "required_role"],
    ),
    ("QueueService/UpdateQueue", "queue", &["unique_name", "state"]),
    (
        "NotificationTemplateService/UpdateNotificationTemplate",
        "notification_template",
        &["unique_name", "state"],
    ),
    ("AgentScriptService/UpdateAgentScript", "agent_script", &["unique_name", "state"]),
    ("MacroService/UpdateMacro", "macro", &["unique_name", "state"]),
    ("SmartAssistBotService/UpdateSmartAssistBot", "smart_assist_bot", &["unique_name", "state"]),
    ("ChannelService/UpdateChannel", "channel", &["unique_name", "state", "kind"]),
    ("WorkstreamService/UpdateWorkstream", "workstream", &["unique_name", "state", "channel"]),
    (
        "ProviderService/UpdateChannelProvider",
        "channel_provider",
        &["unique_name", "state", "api_version", "adapter", "secret_states", "health"],
    ),
    (
        "DirectoryService/UpsertUser",
        "user",
        &["id", "kind", "roles", "team_roles", "synced_roles", "direct", "disabled"],
    ),
    ("DirectoryService/UpsertTeam", "team", &["id"]),
    ("DirectoryService/UpsertRole", "role", &["unique_name", "root_role", "family"]),
    ("SettingsService/UpdateSettings", "settings", &[]),
];

/// Written by the server wherever a resource has them.
const OUTPUT: &[&str] = &[
    "origin",
    "bundle",
    "bundle_version",
    "name",
    "uid",
    "etag",
    "revision",
    "create_time",
    "update_time",
    "created_by",
    "updated_by",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masks_name_mutable_fields_only() {
    let target = Target::start().await;
    let before = target.state().await;
    let masked = target
        .rpcs()
        .into_iter()
        .filter(|rpc| rpc.input().get_field_by_name("update_mask").is_some());
    let mut named: Vec<_> = masked.map(|rpc| Target::path(&rpc)).collect();
    named.sort();
    let mut listed: Vec<_> = IMMUTABLE.iter().map(|(path, ..)| (*path).to_owned()).collect();
    listed.sort();
    assert_eq!(named, listed);
    for &(path, field, immutable) in IMMUTABLE {
        let rpc = target.rpc(path);
        let Kind::Message(resource) = rpc.input().get_field_by_name(field).unwrap().kind() else {
            panic!("{path} {field}")
        };
        let bad = ["nothing", "display_name.x", "a\0b", "*.x", "", " ", "..", "\u{202e}", "NAME"];
        let own = resource.fields().map(|own| own.name().to_owned()).collect::<Vec<_>>();
        for mask in own.iter().map(String::as_str).chain(bad) {
            let mut request = message(&rpc, &target.json(path));
            let paths = Value::List(vec![Value::String(mask.to_owned())]);
            let field_mask = rpc.input().get_field_by_name("update_mask").unwrap();
            let Value::Message(inner) = request.get_field_mut(&field_mask) else {
                panic!("{path}")
            };
            inner.set_field_by_name("paths", paths);
            let context = format!("{path} mask {mask:?}");
            let answer = target.call(&rpc, validate_only(request).encode_to_vec()).await;
            if bad.contains(&mask) {
                assert_refused(answer, "UNKNOWN_FIELD", "update_mask", &context);
            } else if immutable.contains(&mask) || OUTPUT.contains(&mask) {
                assert_refused(answer, "FIELD_IMMUTABLE", mask, &context);
            } else if let Err(status) = answer {
                // A mutable field: whatever is wrong, it is not the mask.
                let found = read(&status).unwrap();
                let blamed =
                    found.fields.iter().any(|(field, _)| field == mask || field == "update_mask");
                assert!(!blamed, "{context}: {found:?}");
            }
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_star_stands_alone_in_a_mask() {
    let target = Target::start().await;
    let request = json!({
        "profile": {"name": "profiles/contoso_rep", "display_name": "x"},
        "update_mask": "*,displayName",
    });
    let answer = target.ask("ProfileService/UpdateProfile", &request).await;
    assert_refused(answer, "UNKNOWN_FIELD", "update_mask", "* with others");
    target.end().await;
}
