//! Built-in templates of sessions and tabs (SPEC §4.2, §4.3).

use crate::domain::{
    Kind, Object, UniqueName,
    rules::Rules as _,
    session_template::{PanelMode, SessionTemplate, SessionType},
    tab_template::{
        PageType::{self, Control, Dashboard, EntityRecord, WebResource},
        TabParameter, TabTemplate,
    },
};

use super::seed::{CASE_SESSION, Seed};

const CONVERSATION_TAB: &str = "msdyn_active_conversation";
const RECORD_TAB: &str = "msdyn_entityrecord";
const SEARCH_TAB: &str = "msdyn_omnichannel_kbsearch";

/// Title of a session that belongs to a customer, and of one that belongs to a record.
const CUSTOMER_TITLE: &str = "{customerName}";
const RECORD_TITLE: &str = "{anchor.title}";

/// Unique name and display name of the sessions of messaging channels.
const MESSAGING_SESSIONS: [(&str, &str); 9] = [
    ("msdyn_chat_session", "Chat session - default"),
    ("msdyn_custom_messaging_session", "Custom messaging session - default"),
    ("msdyn_facebook_session", "Facebook session - default"),
    ("msdyn_line_session", "LINE session - default"),
    ("msdyn_sms_session", "SMS session - default"),
    ("msdyn_teams_session", "Teams session - default"),
    ("msdyn_twitter_session", "Twitter session - default"),
    ("msdyn_wechat_session", "WeChat session - default"),
    ("msdyn_whatsapp_session", "WhatsApp session - default"),
];

/// Name and value of a parameter.
type Parameter = (&'static str, &'static str);

/// Unique name, display name, page type, parameters, whether the tab can be closed.
type TabRow = (&'static str, &'static str, PageType, &'static [Parameter], bool);

const TABS: [TabRow; 8] = [
    (
        CONVERSATION_TAB,
        "Active Conversation",
        EntityRecord,
        &[("entityName", "msdyn_ocliveworkitem"), ("entityId", "{LiveWorkItemId}")],
        false,
    ),
    (
        RECORD_TAB,
        "Entity record",
        EntityRecord,
        &[("entityName", "{entityRoutingLogicalName}"), ("entityId", "{entityRoutingRecordId}")],
        true,
    ),
    (SEARCH_TAB, "Knowledge Search", WebResource, &[("webresourceName", "msdyn_kbsearch")], true),
    (
        "msdyn_omnichannel_conversations_dashboard",
        "Omnichannel Conversations Dashboard",
        Dashboard,
        &[("dashboardId", "00000000-0000-0000-0000-000000000000")],
        true,
    ),
    ("msdyn_omnichannel_intraday_insights", "Omnichannel Intraday Insights", Control, &[], true),
    ("msdyn_quick_reply_preview", "Quick Reply Preview", Control, &[], true),
    ("msdyn_rich_message_preview", "Rich Message Preview", Control, &[], true),
    ("msdyn_search", "Search (deprecated)", Control, &[], true),
];

/// All session templates.
pub(super) fn sessions(seed: &Seed) -> Vec<Object> {
    let conversation = |name, display_name, more: &[&'static str]| SessionTemplate {
        title: CUSTOMER_TITLE.to_owned(),
        anchor_tab: Some(UniqueName::known(CONVERSATION_TAB)),
        additional_tabs: more.iter().map(|tab| UniqueName::known(tab)).collect(),
        ..session(seed, name, display_name)
    };
    let mut sessions = vec![
        SessionTemplate {
            session_type: SessionType::Entity,
            entity: "incident".to_owned(),
            title: RECORD_TITLE.to_owned(),
            panel_mode: PanelMode::Hidden,
            ..session(seed, CASE_SESSION, "Case entity session - default")
        },
        conversation("msdyn_voice_call_session", "Voice call session - default", &[]),
        SessionTemplate {
            title: RECORD_TITLE.to_owned(),
            panel_mode: PanelMode::Hidden,
            anchor_tab: Some(UniqueName::known(RECORD_TAB)),
            ..session(seed, "msdyn_entity_records_session", "Entity records session - default")
        },
    ];
    sessions.extend(MESSAGING_SESSIONS.map(|(name, text)| conversation(name, text, &[SEARCH_TAB])));
    sessions.into_iter().map(|session| Object::SessionTemplate(session.into())).collect()
}

/// A docked session of a conversation, without title and tabs.
fn session(seed: &Seed, name: &'static str, display_name: &str) -> SessionTemplate {
    let (common, stamp) = seed.named(Kind::SessionTemplate, name, display_name);
    SessionTemplate { session_type: SessionType::Generic, ..SessionTemplate::empty(common, stamp) }
}

/// All tab templates. A built-in tab is titled as it is displayed.
pub(super) fn tabs(seed: &Seed) -> impl Iterator<Item = Object> {
    TABS.into_iter().map(|(name, display_name, page_type, parameters, can_close)| {
        let (common, stamp) = seed.named(Kind::TabTemplate, name, display_name);
        let parameters = parameters
            .iter()
            .map(|&(name, value)| TabParameter {
                name: name.to_owned(),
                value: value.to_owned(),
                unique_name: None,
            })
            .collect();
        Object::TabTemplate(
            TabTemplate {
                title: display_name.to_owned(),
                common,
                stamp,
                page_type,
                can_close,
                parameters,
            }
            .into(),
        )
    })
}
