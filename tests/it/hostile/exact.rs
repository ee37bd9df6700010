//! Values for which the specification names the reason and the field, and the ends of every limit.

use serde_json::{Value as Json, json};

use super::target::{Target, assert_refused};

mod conversations;

/// The valid request of an RPC with one value in its place; numbers in the pointer are list indexes.
fn with(target: &Target, path: &str, pointer: &str, value: Json) -> Json {
    let mut request = target.json(path);
    let mut place = &mut request;
    for part in pointer.split('/') {
        place = match part.parse::<usize>() {
            Ok(at) => {
                if !place.is_array() {
                    *place = json!([{}]);
                }
                &mut place[at]
            }
            Err(_) => &mut place[part],
        };
    }
    *place = value;
    if target.rpc(path).input().get_field_by_name("validate_only").is_some() {
        request["validate_only"] = true.into();
    }
    request
}

const PROFILE: &str = "ProfileService/CreateProfile";
const SESSION: &str = "SessionTemplateService/CreateSessionTemplate";
const TAB: &str = "ApplicationTabTemplateService/CreateApplicationTabTemplate";
const TOOL: &str = "ProductivityToolService/CreateProductivityTool";
const QUEUE: &str = "QueueService/CreateQueue";
const PROVIDER: &str = "ProviderService/CreateChannelProvider";
const USER: &str = "DirectoryService/UpsertUser";
const TEAM: &str = "DirectoryService/UpsertTeam";
const ROLE: &str = "DirectoryService/UpsertRole";
const RANK: &str = "ProfileService/SetRankAndRoles";
const ADD_USERS: &str = "ProfileService/AddUsers";

/// RPC, place, value, reason, field.
fn cases() -> Vec<(&'static str, &'static str, Json, &'static str, &'static str)> {
    let mut all = Vec::new();
    let long = format!("contoso_{}", "x".repeat(125));
    let names = [
        "",
        " contoso_x",
        "contoso_x ",
        "contoso",
        "co_x",
        "waytoolong_x",
        "contoso_",
        "con-t_x",
        "contoso_a b",
        "contoso_a/b",
        "../contoso_x",
        "contoso_\u{e9}",
        "contoso_\u{202e}x",
        "contoso_x\0",
        "profiles/contoso_x",
        long.as_str(),
    ];
    for (path, field) in [
        (PROFILE, "profile/unique_name"),
        (SESSION, "session_template/unique_name"),
        (TAB, "application_tab_template/unique_name"),
        (TOOL, "productivity_tool/unique_name"),
        (QUEUE, "queue/unique_name"),
        (PROVIDER, "channel_provider/unique_name"),
        (ROLE, "role/unique_name"),
        ("ProfileService/CloneProfile", "unique_name"),
        ("SessionTemplateService/CloneSessionTemplate", "unique_name"),
        ("ProviderService/CloneChannelProvider", "unique_name"),
    ]
    .iter()
    .chain(conversations::NAMES)
    .copied()
    {
        for name in names {
            all.push((path, field, json!(name), "UNIQUE_NAME_INVALID", "unique_name"));
        }
        for name in ["msdyn_x", "MSDYN_x", "MsDynX_x"] {
            all.push((path, field, json!(name), "RESERVED_PREFIX", "unique_name"));
        }
    }
    for (path, pointer) in [
        ("ProfileService/GetProfile", "name"),
        ("ProfileService/DeleteProfile", "name"),
        ("DirectoryService/GetUser", "name"),
        ("DirectoryService/DeleteTeam", "name"),
        ("ProviderService/GetChannelProvider", "name"),
        ("AgentService/ResolveProfile", "user"),
        ("AgentService/WatchProfile", "user"),
        ("InsightService/Explain", "user"),
        ("InsightService/SearchByUser", "profile"),
    ] {
        let empty_is_all = pointer == "profile";
        for name in ["profile/x", "/", "//x", "secrets/contoso_x", "a/../b", "x\0", "../../x"] {
            all.push((path, pointer, json!(name), "FIELD_INVALID", pointer));
        }
        if !empty_is_all {
            all.push((path, pointer, json!(""), "FIELD_INVALID", pointer));
        }
    }
    for rank in [-1, 101, i32::MIN, i32::MAX] {
        all.push((RANK, "rank", json!(rank), "RANK_OUT_OF_RANGE", "rank"));
    }
    all.extend([
        (RANK, "rank", Json::Null, "RANK_AND_ROLES_REQUIRED", "rank"),
        (RANK, "roles", json!([]), "RANK_AND_ROLES_REQUIRED", "roles"),
        (RANK, "roles", json!(["Contoso desk"]), "TEAM_NOT_SUPPORTED", "roles"),
        (RANK, "roles", json!(["a\0"]), "FIELD_INVALID", "roles[0]"),
        (ADD_USERS, "users", json!([]), "FIELD_INVALID", "users"),
        (ADD_USERS, "users", json!(["john.doe", "a b"]), "FIELD_INVALID", "users[1]"),
        (ADD_USERS, "request_id", json!("no uuid"), "FIELD_INVALID", "request_id"),
        (ADD_USERS, "reason", json!("a\u{7}"), "FIELD_INVALID", "reason"),
        (PROFILE, "profile", Json::Null, "FIELD_INVALID", "profile"),
        (PROFILE, "profile/display_name", json!("  "), "FIELD_INVALID", "display_name"),
        (PROFILE, "profile/rank", json!(5), "FIELD_IMMUTABLE", "rank"),
        (PROFILE, "profile/is_default", json!(true), "FIELD_IMMUTABLE", "is_default"),
        (PROFILE, "profile/copilot", json!({"x\0": 2}), "FIELD_INVALID", "copilot"),
        (PROFILE, "profile/pane/tools/0/tool", json!(""), "FIELD_INVALID", "pane.tools[0].tool"),
        (
            PROFILE,
            "profile/inbox/views/0/name",
            json!("a-b"),
            "FIELD_INVALID",
            "inbox.views[0].name",
        ),
        (
            PROFILE,
            "profile/inbox/views/0/record_types",
            json!(["spam"]),
            "FIELD_INVALID",
            "inbox.views[0].record_types",
        ),
        (
            PROFILE,
            "profile/inbox/views/0/simple_filters/0/values",
            json!(["all"]),
            "FIELD_INVALID",
            "inbox.views[0].simple_filters",
        ),
        (
            PROFILE,
            "profile/inbox/views/0/advanced_filter",
            json!("[]"),
            "FIELD_INVALID",
            "inbox.views[0].advanced_filter",
        ),
        (
            PROFILE,
            "profile/inbox/views/0/card/0/attributes",
            json!(["a\0"]),
            "FIELD_INVALID",
            "inbox.views[0].card",
        ),
        (PROFILE, "profile/providers", json!(["msdyn_omnichannel"]), "FIELD_INVALID", "providers"),
        (SESSION, "session_template/entity", json!("incident"), "FIELD_INVALID", "entity"),
        (SESSION, "session_template/anchor_tab", json!(""), "FIELD_INVALID", "anchor_tab"),
        (SESSION, "session_template/icon", json!("x.GIF?a"), "FIELD_INVALID", "icon"),
        (SESSION, "session_template/icon", json!("{x}"), "SLUG_SYNTAX", "icon"),
        (SESSION, "session_template/title", json!("a {b"), "SLUG_SYNTAX", "title"),
        (
            SESSION,
            "session_template/expression/enabled",
            json!(true),
            "FIELD_INVALID",
            "expression.tree",
        ),
        (
            SESSION,
            "session_template/expression/tree",
            json!("{"),
            "FIELD_INVALID",
            "expression.tree",
        ),
        (TAB, "application_tab_template/title", json!("{}"), "SLUG_SYNTAX", "title"),
        (
            TAB,
            "application_tab_template/parameters",
            json!([]),
            "TAB_PARAMETER_REQUIRED",
            "parameters",
        ),
        (
            TAB,
            "application_tab_template/parameters/0/name",
            json!("uri"),
            "TAB_PARAMETER_UNKNOWN",
            "parameters[0].name",
        ),
        (
            TAB,
            "application_tab_template/parameters/0/value",
            json!("javascript:alert(1)"),
            "FIELD_INVALID",
            "parameters[0].value",
        ),
        (TAB, "application_tab_template/page_type", json!(8), "FIELD_INVALID", "page_type"),
        (TOOL, "productivity_tool/control_name", json!(""), "FIELD_INVALID", "control_name"),
        (QUEUE, "queue/kind", json!("QUEUE_KIND_UNSPECIFIED"), "FIELD_INVALID", "kind"),
        (
            PROVIDER,
            "channel_provider/channel_order",
            json!(1_001),
            "FIELD_INVALID",
            "channel_order",
        ),
        (PROVIDER, "channel_provider/config", json!("[]"), "FIELD_INVALID", "config"),
        (PROVIDER, "channel_provider/sandbox", json!(["allow-all"]), "FIELD_INVALID", "sandbox"),
        (
            PROVIDER,
            "channel_provider/trusted_domains",
            json!(["a.*.example.com"]),
            "FIELD_INVALID",
            "trusted_domains[0]",
        ),
        (
            PROVIDER,
            "channel_provider/secrets",
            json!({"token": "env:DESKPLANE_SECRET_X"}),
            "ADAPTER_SECRET_UNKNOWN",
            "secrets[token]",
        ),
        (PROVIDER, "channel_provider/adapter", json!("x"), "ADAPTER_NOT_FOUND", ""),
        (USER, "user/id", json!(".a"), "FIELD_INVALID", "id"),
        (USER, "user/id", json!("a b"), "FIELD_INVALID", "id"),
        (USER, "user/id", json!("\u{fc}"), "FIELD_INVALID", "id"),
        (TEAM, "team/id", json!(" a"), "FIELD_INVALID", "id"),
        (TEAM, "team/id", json!("a/b"), "FIELD_INVALID", "id"),
        (TEAM, "team/roles", json!(["Contoso desk"]), "FIELD_INVALID", "roles[0]"),
        (ROLE, "role/grants", json!([4]), "FIELD_INVALID", "grants"),
        ("DirectoryService/SetUserRoles", "etag", json!("x"), "ETAG_MISMATCH", ""),
        ("DirectoryService/BatchUpsertUsers", "rows/0/user/etag", json!("x"), "ETAG_MISMATCH", ""),
        (
            "SettingsService/UpdateSettings",
            "settings/name",
            json!("settings/x"),
            "FIELD_INVALID",
            "name",
        ),
        (
            "SettingsService/UpdateSettings",
            "settings/max_streams_per_user",
            json!(0),
            "FIELD_INVALID",
            "max_streams_per_user",
        ),
        ("AgentService/WatchProfile", "client_id", json!("a b"), "FIELD_INVALID", "client_id"),
        ("AgentService/ResolveProfile", "app", json!(99), "FIELD_INVALID", "app"),
        ("ProviderService/ReportProviderHealth", "state", json!(0), "FIELD_INVALID", "state"),
    ]);
    all.extend(conversations::cases());
    for url in [
        "x",
        "http://a.example/",
        "https:///x",
        "https://user:pass@a.example/",
        "https://{x}/",
        "javascript:alert(1)",
        "https://a.example/\nx",
        "https://a b/",
        "//a.example",
        "https://\0/",
        "https://\u{202e}a.example/ ",
    ] {
        let reason =
            if url.chars().any(|c| c < ' ') { "FIELD_INVALID" } else { "PROVIDER_URL_INVALID" };
        all.push((PROVIDER, "channel_provider/channel_url", json!(url), reason, "channel_url"));
    }
    for secret in [
        "password=x",
        "PASSWORD: x",
        "api_key = x",
        "apiKey\"=x",
        "secret x",
        "Bearer x",
        "private-key=x",
        "a=b\npasswd=x",
        "acce\u{17f}s_token=x",
    ] {
        let reason = "SECRET_IN_CUSTOM_PARAMETERS";
        let field = "custom_parameters";
        all.push((PROVIDER, "channel_provider/custom_parameters", json!(secret), reason, field));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_refused_for_the_reason_that_the_specification_names() {
    let target = Target::start().await;
    let before = target.state().await;
    for (path, pointer, value, reason, field) in cases() {
        let request = with(&target, path, pointer, value.clone());
        let context = format!("{path} {pointer} {value}");
        assert_refused(target.ask(path, &request).await, reason, field, &context);
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

/// RPC, place of a text, the most characters that it may have, its field.
const LIMITS: &[(&str, &str, usize, &str)] = &[
    (PROFILE, "profile/display_name", 100, "display_name"),
    (PROFILE, "profile/description", 2_000, "description"),
    (PROFILE, "profile/owner", 100, "owner"),
    (PROFILE, "profile/app_module", 100, "app_module"),
    (PROFILE, "profile/pane/tools/0/label", 100, "pane.tools[0].label"),
    (PROFILE, "profile/pane/tools/0/tooltip", 100, "pane.tools[0].tooltip"),
    (PROFILE, "profile/pane/tools/0/icon", 100, "pane.tools[0].icon"),
    (PROFILE, "profile/inbox/views/0/name", 100, "inbox.views[0].name"),
    (PROFILE, "profile/inbox/views/0/sort/0/entity", 100, "inbox.views[0].sort"),
    (PROFILE, "profile/inbox/views/0/sort/0/attribute", 100, "inbox.views[0].sort"),
    (PROFILE, "profile/inbox/views/0/card/0/attributes/0", 100, "inbox.views[0].card"),
    (PROFILE, "reason", 500, "reason"),
    ("ProfileService/CloneProfile", "display_name", 100, "display_name"),
    (SESSION, "session_template/title", 200, "title"),
    (SESSION, "session_template/icon", 1_024, "icon"),
    (TAB, "application_tab_template/title", 200, "title"),
    (TOOL, "productivity_tool/control_name", 100, "control_name"),
    (TOOL, "productivity_tool/data", 1_000, "data"),
    (TOOL, "productivity_tool/description", 256, "description"),
    (TOOL, "productivity_tool/icon", 100, "icon"),
    (TOOL, "productivity_tool/learn_more", 100, "learn_more"),
    (TOOL, "productivity_tool/configuration_entity", 100, "configuration_entity"),
    (QUEUE, "queue/description", 2_000, "description"),
    (PROVIDER, "channel_provider/label", 100, "label"),
    (PROVIDER, "channel_provider/custom_parameters", 2_000, "custom_parameters"),
    ("ProviderService/ReportProviderHealth", "detail", 500, "detail"),
    (USER, "user/display_name", 200, "display_name"),
    (USER, "user/email", 254, "email"),
    (USER, "user/business_unit", 100, "business_unit"),
    (TEAM, "team/id", 128, "id"),
    (ROLE, "role/display_name", 100, "display_name"),
    (ROLE, "role/business_unit", 100, "business_unit"),
    ("AgentService/WatchProfile", "client_version", 64, "client_version"),
    ("InsightService/SearchByUser", "text", 200, "text"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_characters_and_end_where_they_say() {
    let target = Target::start().await;
    for &(path, pointer, limit, field) in LIMITS.iter().chain(conversations::LIMITS) {
        // Four bytes each: a limit in bytes would end early. It is a letter, for names of views.
        for (length, fits) in [(limit, true), (limit + 1, false)] {
            let text = "\u{20000}".repeat(length);
            let answer = target.ask(path, &with(&target, path, pointer, json!(text))).await;
            let context = format!("{path} {pointer} with {length} characters");
            if fits {
                answer.unwrap_or_else(|status| panic!("{context}: {status:?}"));
            } else {
                assert_refused(answer, "FIELD_INVALID", field, &context);
            }
        }
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_fields_of_one_call_are_named_together() {
    let target = Target::start().await;
    let request = json!({
        "profile": {
            "unique_name": "x", "display_name": "", "owner": "a\u{7}", "app_module": "\0",
            "session_templates": ["/"], "pane": {"mode": 99, "tools": [{"tool": "", "order": -1}]},
        },
        "request_id": "x",
        "reason": "\u{0}",
    });
    let status = target.ask(PROFILE, &request).await.unwrap_err();
    let found = super::target::refused(&status, "several bad fields");
    let fields: Vec<_> = found.fields.iter().map(|(field, _)| field.as_str()).collect();
    for field in [
        "unique_name",
        "display_name",
        "owner",
        "app_module",
        "session_templates[0]",
        "pane.mode",
        "pane.tools[0].tool",
        "pane.tools[0].order",
        "request_id",
        "reason",
    ] {
        assert!(fields.contains(&field), "{field} is missing in {fields:?}");
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_belongs_to_one_payload() {
    let target = Target::start().await;
    let id = "01234567-89ab-cdef-0123-456789abcdef";
    let request = json!({"user": {"id": "one.user", "display_name": "One"}, "request_id": id});
    target.ask(USER, &request).await.unwrap();
    let revision = target.revision().await;
    target.ask(USER, &request).await.unwrap();
    let other = json!({"user": {"id": "two.user", "display_name": "Two"}, "request_id": id});
    let answer = target.ask(USER, &other).await;
    assert_refused(answer, "REQUEST_ID_REUSED", "request_id", "the id of another payload");
    assert_eq!(target.revision().await, revision);
    target.end().await;
}
