//! Work streams, scripts and what they lead to.

use super::*;
use crate::domain::{
    agent_script::{AgentScript, ScriptAction, ScriptStep},
    channel::{Channel, ChannelKind},
    macros::{Connector, Macro, MacroAction},
    notification_template::NotificationTemplate,
    rules::Rules as _,
    smart_assist_bot::SmartAssistBot,
    tool::{SCRIPTS_TOOL, SMART_ASSIST_TOOL},
    workstream::Workstream,
};

pub(super) fn stream(text: &str, change: impl FnOnce(&mut Workstream)) -> Object {
    let mut stream = Workstream::empty(common(text, true), stamp());
    stream.channel = Some(name("msdyn_channel_chat"));
    change(&mut stream);
    Object::Workstream(stream.into())
}

pub(super) fn generic(text: &str, anchor: &str, tabs: &[&str]) -> SessionTemplate {
    SessionTemplate {
        session_type: SessionType::Generic,
        anchor_tab: Some(name(anchor)),
        icon: "/icons/chat.svg".into(),
        ..session(text, "", true, tabs)
    }
}

pub(super) fn alert(text: &str, active: bool) -> NotificationTemplate {
    let mut alert = NotificationTemplate::empty(common(text, active), stamp());
    alert.title = "Chat with {customerName}".into();
    alert
}

/// A script whose steps go on to others: scripts, or macros where the name begins with `run_`.
pub(super) fn script(text: &str, active: bool, targets: &[&str]) -> Object {
    let mut script = AgentScript::empty(common(text, active), stamp());
    script.language = Some(1_033);
    script.steps = (1..)
        .zip(targets)
        .map(|(order, target)| {
            let runs = target.starts_with("run_");
            ScriptStep {
                name: format!("To {target}"),
                order,
                action: if runs { ScriptAction::Macro } else { ScriptAction::Script },
                description: String::new(),
                text: String::new(),
                runs: runs.then(|| name(target)),
                script: (!runs).then(|| name(target)),
                unique_name: None,
            }
        })
        .collect();
    Object::Script(script.into())
}

pub(super) fn macro_(text: &str, active: bool) -> Object {
    let mut found = Macro::empty(common(text, active), stamp());
    let inputs = [("b", "2"), ("a", "${customerName}")];
    found.actions = vec![MacroAction {
        connector: Connector::Productivity,
        operation: "relevance_search".into(),
        inputs: inputs.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        then_actions: Vec::new(),
        else_actions: Vec::new(),
    }];
    Object::Macro(found.into())
}

pub(super) fn bot(text: &str, active: bool) -> Object {
    Object::Bot(SmartAssistBot::empty(common(text, active), stamp()).into())
}

/// A profile that opens channels and shows both tools.
pub(super) fn open() -> Profile {
    let mut profile = profile();
    profile.all_active_channels = true;
    profile.pane.tools = vec![shown(SCRIPTS_TOOL, 0), shown(SMART_ASSIST_TOOL, 1)];
    profile
}

pub(super) fn content(
    objects: impl IntoIterator<Item = Object>,
    profile: &Profile,
) -> v1::ProfileContent {
    decoded(&compile(&catalog(objects), profile, &Gates::default()))
}

pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    all.into_iter().map(String::as_str).collect()
}

#[test]
fn a_work_stream_without_templates_shows_those_of_its_channel() {
    let streams = [
        ("contoso_b", "msdyn_channel_chat"),
        ("contoso_a", "msdyn_channel_voice"),
        ("contoso_c", "msdyn_channel_entity_records"),
        ("contoso_d", "msdyn_channel_whatsapp"),
    ];
    let objects = streams.map(|(text, channel)| stream(text, |w| w.channel = Some(name(channel))));
    let content = content(objects, &open());
    let [voice, chat, records, whatsapp] = &content.workstreams[..] else {
        panic!("{:?}", content.workstreams)
    };
    assert_eq!(chat.session_template, "msdyn_chat_session");
    assert_eq!(chat.incoming_authenticated, "msdyn_chat_incoming_authenticated");
    assert_eq!(chat.supervisor_assign, "");
    assert_eq!(voice.supervisor_assign, "msdyn_voice_call_supervisor_assign");
    assert_eq!(voice.channel_kind, i32::from(v1::ChannelKind::Voice));
    assert_eq!(records.incoming_unauthenticated, "msdyn_cds_entity_assigned");
    assert_eq!((&*records.consult, &*records.transfer), ("", ""));
    assert_eq!(whatsapp.session_template, "msdyn_whatsapp_session");
    assert_eq!(whatsapp.consult, "msdyn_custom_messaging_consult");
    let templates = names(content.generic_session_templates.iter().map(|t| &t.unique_name));
    assert!(templates.is_sorted() && templates.len() == 4, "{templates:?}");
    let alerts = names(content.notification_templates.iter().map(|t| &t.unique_name));
    assert!(alerts.is_sorted() && alerts.len() == 4 + 4 + 5 + 1, "{alerts:?}");
    let chat = &content.generic_session_templates[0];
    let tabs: Vec<_> = chat.tabs.iter().map(|tab| (&*tab.template, tab.can_close)).collect();
    let expected = [("msdyn_active_conversation", false), ("msdyn_omnichannel_kbsearch", true)];
    assert_eq!(tabs, expected);
}

#[test]
fn channels_that_are_not_open_lead_to_no_work_streams() {
    let objects = || [stream("contoso_a", |_| {})];
    let mut shut = open();
    shut.all_active_channels = false;
    assert!(content(objects(), &shut).workstreams.is_empty());
    let off = settings(|s| s.channels_provisioned = false);
    assert!(content(objects().into_iter().chain([off]), &open()).workstreams.is_empty());
    // Neither does a channel that is inactive, nor a work stream.
    let channel =
        Channel { common: common("contoso_web", false), stamp: stamp(), kind: ChannelKind::Chat };
    let inactive = stream("contoso_b", |w| w.channel = Some(name("contoso_web")));
    let off = stream("contoso_c", |w| w.common.state = State::Inactive);
    let all = objects().into_iter().chain([inactive, off, Object::Channel(channel.into())]);
    let found = content(all, &open());
    assert_eq!(names(found.workstreams.iter().map(|w| &w.unique_name)), ["contoso_a"]);
}

#[test]
fn what_is_inactive_leaves_its_place_empty_and_is_found() {
    let objects = [
        Object::TabTemplate(tab(0, false, &[]).into()),
        Object::SessionTemplate(generic("contoso_chat", "tab_0x", &[]).into()),
        Object::NotificationTemplate(alert("contoso_off", false).into()),
        stream("contoso_a", |w| {
            w.session_template = Some(name("contoso_chat"));
            w.consult = Some(name("contoso_off"));
            w.transfer = Some(name("contoso_gone"));
        }),
    ];
    let compiled = compile(&catalog(objects), &open(), &Gates::default());
    let workstream = decoded(&compiled).workstreams.remove(0);
    assert_eq!(workstream.session_template, "", "its anchor tab is inactive");
    assert_eq!((&*workstream.consult, &*workstream.transfer), ("", ""));
    let found = found(&compiled);
    for expected in [
        ("TAB_INACTIVE", "tab_0x"),
        ("TEMPLATE_INACTIVE", "contoso_off"),
        ("TEMPLATE_MISSING", "contoso_gone"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
}

#[test]
fn work_that_is_assigned_without_a_question_is_opened_and_never_rejected() {
    let mut assigned = alert("contoso_alert", true);
    (assigned.auto_assign, assigned.accept_text) = (true, "Take".into());
    let consult = |w: &mut Workstream| w.consult = Some(name("contoso_alert"));
    let objects = |alert: NotificationTemplate| {
        [Object::NotificationTemplate(alert.into()), stream("contoso_a", consult)]
    };
    let mine = |content: &v1::ProfileContent| {
        let mut all = content.notification_templates.iter();
        let found = all.find(|alert| alert.unique_name == "contoso_alert").unwrap();
        (found.accept_text.clone(), found.show_reject)
    };
    assert_eq!(mine(&content(objects(assigned.clone()), &open())), ("Open".into(), false));
    assigned.auto_assign = false;
    assert_eq!(mine(&content(objects(assigned), &open())), ("Take".into(), true));
}

#[test]
fn bots_are_listed_while_their_tool_is_visible() {
    let objects = || {
        let bots = ["contoso_b", "contoso_off", "contoso_a", "contoso_gone"].map(name);
        [
            bot("contoso_a", true),
            bot("contoso_b", true),
            bot("contoso_off", false),
            stream("contoso_w", |w| w.smart_assist_bots = bots.to_vec()),
        ]
    };
    let bots = |profile: &Profile| {
        let workstream = content(objects(), profile).workstreams.remove(0);
        workstream.smart_assist_bots.into_iter().map(|b| b.unique_name).collect::<Vec<_>>()
    };
    assert_eq!(bots(&open()), ["contoso_b", "contoso_a"]);
    let mut hidden = open();
    hidden.pane.tools.pop();
    assert!(bots(&hidden).is_empty());
    hidden = open();
    hidden.pane.on = false;
    assert!(bots(&hidden).is_empty());
}
