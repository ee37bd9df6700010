//! The values of notification templates, scripts, macros, bots, channels and work streams.

use serde_json::{Value as Json, json};

const ALERT: &str = "NotificationTemplateService/CreateNotificationTemplate";
const SCRIPT: &str = "AgentScriptService/CreateAgentScript";
const MACRO: &str = "MacroService/CreateMacro";
const BOT: &str = "SmartAssistBotService/CreateSmartAssistBot";
const CHANNEL: &str = "ChannelService/CreateChannel";
const STREAM: &str = "WorkstreamService/CreateWorkstream";

/// Where a creation names the new object.
pub(super) const NAMES: &[(&str, &str)] = &[
    (ALERT, "notification_template/unique_name"),
    (SCRIPT, "agent_script/unique_name"),
    (MACRO, "macro/unique_name"),
    (BOT, "smart_assist_bot/unique_name"),
    (CHANNEL, "channel/unique_name"),
    (STREAM, "workstream/unique_name"),
];

/// RPC, place, value, reason, field.
pub(super) fn cases() -> Vec<(&'static str, &'static str, Json, &'static str, &'static str)> {
    vec![
        (CHANNEL, "channel/kind", json!(0), "FIELD_INVALID", "kind"),
        (BOT, "smart_assist_bot/user", json!(""), "FIELD_INVALID", "user"),
        (BOT, "smart_assist_bot/user", json!("nobody"), "USER_NOT_FOUND", ""),
        (BOT, "smart_assist_bot/user", json!("john.doe"), "FIELD_INVALID", "user"),
        (STREAM, "workstream/channel", json!(""), "FIELD_INVALID", "channel"),
        (STREAM, "workstream/channel", json!("contoso_none"), "OBJECT_NOT_FOUND", ""),
        (STREAM, "workstream/session_template", json!("contoso_none"), "TEMPLATE_NOT_FOUND", ""),
        (
            STREAM,
            "workstream/session_template",
            json!("contoso_case"),
            "FIELD_INVALID",
            "session_template",
        ),
        (
            STREAM,
            "workstream/supervisor_assign",
            json!("contoso_alert"),
            "FIELD_INVALID",
            "supervisor_assign",
        ),
        (STREAM, "workstream/entity", json!("incident"), "FIELD_INVALID", "entity"),
        (STREAM, "workstream/entity", json!("Incident"), "FIELD_INVALID", "entity"),
        (STREAM, "workstream/smart_assist_bots/0", json!("contoso_none"), "OBJECT_NOT_FOUND", ""),
        (STREAM, "workstream/queues/0", json!("contoso_none"), "OBJECT_NOT_FOUND", ""),
        (ALERT, "notification_template/title", json!(""), "FIELD_INVALID", "title"),
        (ALERT, "notification_template/title", json!("{"), "SLUG_SYNTAX", "title"),
        (ALERT, "notification_template/icon", json!("{a}"), "SLUG_SYNTAX", "icon"),
        (
            ALERT,
            "notification_template/countdown_seconds",
            json!(501),
            "FIELD_INVALID",
            "countdown_seconds",
        ),
        (
            ALERT,
            "notification_template/countdown_seconds",
            json!(-1),
            "FIELD_INVALID",
            "countdown_seconds",
        ),
        (ALERT, "notification_template/accept_text", json!(""), "FIELD_INVALID", "accept_text"),
        (
            ALERT,
            "notification_template/auto_accept",
            json!(true),
            "AUTO_ACCEPT_NEEDS_AUTO_ASSIGN",
            "auto_accept",
        ),
        (
            ALERT,
            "notification_template/fields/0/header",
            json!(""),
            "FIELD_INVALID",
            "fields[0].header",
        ),
        (
            ALERT,
            "notification_template/fields/0/order",
            json!(-1),
            "FIELD_INVALID",
            "fields[0].order",
        ),
        (
            ALERT,
            "notification_template/fields/0/value",
            json!("{}"),
            "SLUG_SYNTAX",
            "fields[0].value",
        ),
        (SCRIPT, "agent_script/language", json!(-1), "FIELD_INVALID", "language"),
        (SCRIPT, "agent_script/language", Json::Null, "FIELD_INVALID", "language"),
        (SCRIPT, "agent_script/steps/0/order", json!(0), "FIELD_INVALID", "steps[0].order"),
        (SCRIPT, "agent_script/steps/0/action", json!(0), "FIELD_INVALID", "steps[0].action"),
        (SCRIPT, "agent_script/steps/0/action", json!(2), "FIELD_INVALID", "steps[0].macro"),
        (SCRIPT, "agent_script/steps/0/text", json!(""), "FIELD_INVALID", "steps[0].text"),
        (SCRIPT, "agent_script/steps/0/text", json!("${"), "SLUG_SYNTAX", "steps[0].text"),
        (SCRIPT, "agent_script/steps/0/name", json!("${}"), "SLUG_SYNTAX", "steps[0].name"),
        (
            SCRIPT,
            "agent_script/steps/0/description",
            json!("x"),
            "FIELD_INVALID",
            "steps[0].description",
        ),
        (
            SCRIPT,
            "agent_script/steps/0",
            json!({"name": "x", "order": 1, "action": 3, "script": "CONTOSO_NEW"}),
            "SCRIPT_SELF_REFERENCE",
            "steps[0].script",
        ),
        (
            SCRIPT,
            "agent_script/steps/0",
            json!({"name": "x", "order": 1, "action": 2, "macro": "contoso_none"}),
            "OBJECT_NOT_FOUND",
            "",
        ),
        (MACRO, "macro/actions", json!([]), "FIELD_INVALID", "actions"),
        (MACRO, "macro/actions/0/operation", json!("condition"), "FIELD_INVALID", "actions[0]"),
        (MACRO, "macro/actions/1/connector", json!(0), "FIELD_INVALID", "actions[1].connector"),
        (
            MACRO,
            "macro/actions/1/operation",
            json!("sing"),
            "FIELD_INVALID",
            "actions[1].operation",
        ),
        (MACRO, "macro/actions/1/inputs", json!({}), "MACRO_INPUT_REQUIRED", "actions[1].inputs"),
        (
            MACRO,
            "macro/actions/1/inputs/phrase",
            json!(""),
            "MACRO_INPUT_REQUIRED",
            "actions[1].inputs",
        ),
        (
            MACRO,
            "macro/actions/1/inputs/phrase",
            json!("${"),
            "SLUG_SYNTAX",
            "actions[1].inputs[phrase]",
        ),
        (
            MACRO,
            "macro/actions/1/inputs/attribute.",
            json!("x"),
            "FIELD_INVALID",
            "actions[1].inputs[attribute.]",
        ),
        (
            MACRO,
            "macro/actions/1/then_actions",
            json!([{"connector": 1, "operation": "save_record"}]),
            "FIELD_INVALID",
            "actions[1].then_actions",
        ),
    ]
}

/// RPC, place of a text, the most characters that it may have, its field.
pub(super) const LIMITS: &[(&str, &str, usize, &str)] = &[
    (ALERT, "notification_template/title", 100, "title"),
    (ALERT, "notification_template/icon", 1_024, "icon"),
    (ALERT, "notification_template/accept_text", 100, "accept_text"),
    (ALERT, "notification_template/reject_text", 100, "reject_text"),
    (ALERT, "notification_template/fields/0/name", 100, "fields[0].name"),
    (ALERT, "notification_template/fields/0/header", 200, "fields[0].header"),
    (ALERT, "notification_template/fields/0/value", 1_028, "fields[0].value"),
    (SCRIPT, "agent_script/description", 100, "description"),
    (SCRIPT, "agent_script/steps/0/name", 100, "steps[0].name"),
    (SCRIPT, "agent_script/steps/0/text", 2_000, "steps[0].text"),
    (MACRO, "macro/actions/1/inputs/phrase", 2_048, "actions[1].inputs[phrase]"),
    (STREAM, "workstream/description", 2_000, "description"),
];
