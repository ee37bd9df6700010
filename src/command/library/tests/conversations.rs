//! Rules of notification templates, scripts, macros, bots and work streams (SPEC §3.7 to §3.10).

use super::*;
use crate::domain::{
    Kind, UserId,
    agent_script::{AgentScript, ScriptAction, ScriptStep},
    channel::{Channel, ChannelKind},
    directory::{User, UserKind},
    macros::{Connector, MAX_DEPTH, Macro, MacroAction},
    notification_template::{NotificationField, NotificationTemplate},
    smart_assist_bot::SmartAssistBot,
    workstream::Workstream,
};

/// The creation of an object by its field table.
fn create<T: Strategy<Patch = Values<T>>>(name: &str, values: &Values<T>) -> Create<T> {
    super::create(name, values)
}

/// The change of one.
fn update<T: Strategy<Patch = Values<T>>>(name: &str, values: &Values<T>) -> Update<T> {
    super::update(name, values)
}

fn step(order: i32, action: ScriptAction, target: &str) -> ScriptStep {
    let target = |of| (action == of).then(|| name(target));
    ScriptStep {
        name: format!("Step {order}"),
        order,
        action,
        description: String::new(),
        text: if action == ScriptAction::Text { "Hello".to_owned() } else { String::new() },
        runs: target(ScriptAction::Macro),
        script: target(ScriptAction::Script),
        unique_name: None,
    }
}

fn script(steps: Vec<ScriptStep>) -> Values<AgentScript> {
    text("display_name", "Greeting").with("language", &Some(1_033)).with("steps", &steps)
}

fn action(connector: Connector, operation: &str, inputs: &[(&str, &str)]) -> MacroAction {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    MacroAction {
        connector,
        operation: operation.to_owned(),
        inputs: inputs.iter().map(owned).collect(),
        then_actions: Vec::new(),
        else_actions: Vec::new(),
    }
}

fn start() -> MacroAction {
    action(Connector::BuiltIn, "start", &[])
}

fn actions(actions: Vec<MacroAction>) -> Values<Macro> {
    text("display_name", "Macro").with("actions", &actions)
}

fn user(id: &str, kind: UserKind, roles: &[&str]) -> Object {
    Object::User(Arc::new(User {
        id: UserId::parse(id).unwrap(),
        stamp: stamp(&context(1)),
        display_name: String::new(),
        kind,
        email: String::new(),
        roles: roles.iter().map(|role| name(role)).collect(),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }))
}

fn of_user(id: &str) -> Values<SmartAssistBot> {
    text("display_name", "Bot").with("user", &UserId::parse(id).ok())
}

fn stream(channel: &str) -> Values<Workstream> {
    text("display_name", "Stream").with("channel", &Some(name(channel)))
}

#[test]
fn a_script_keeps_its_steps_in_order_and_never_goes_on_to_itself() {
    let catalog = catalog([]);
    let steps = vec![step(7, ScriptAction::Text, ""), step(2, ScriptAction::Text, "")];
    let catalog = done(&catalog, &create("contoso_a", &script(steps)));
    let orders: Vec<_> =
        stored::<AgentScript>(&catalog, "contoso_a").steps.iter().map(|s| s.order).collect();
    assert_eq!(orders, [2, 7]);

    let say = |steps| told(&catalog, &create("contoso_b", &script(steps)));
    let itself = step(1, ScriptAction::Script, "CONTOSO_B");
    assert_eq!(say(vec![itself]), "SCRIPT_SELF_REFERENCE steps[0].script");
    let twice = vec![step(1, ScriptAction::Text, ""), step(1, ScriptAction::Text, "")];
    assert_eq!(say(twice), "FIELD_INVALID steps[1].order");
    assert_eq!(say(vec![step(1, ScriptAction::Macro, "contoso_none")]), "OBJECT_NOT_FOUND");
    assert_eq!(say(vec![step(1, ScriptAction::Script, "contoso_A")]), "ok");
    let mut both = step(1, ScriptAction::Text, "");
    both.script = Some(name("contoso_a"));
    assert_eq!(say(vec![both]), "FIELD_INVALID steps[0].script");
    let many = (1..=101).map(|order| step(order, ScriptAction::Text, "")).collect();
    assert_eq!(say(many), "LIMIT_REACHED");

    let without = text::<AgentScript>("display_name", "Greeting");
    assert_eq!(told(&catalog, &create("contoso_b", &without)), "FIELD_INVALID language");
    let gone = new::<AgentScript>("language", &None::<i32>);
    assert_eq!(told(&catalog, &update("contoso_a", &gone)), "FIELD_INVALID language");
    // A cycle of several scripts is accepted.
    let back = vec![step(1, ScriptAction::Script, "contoso_a")];
    let catalog = done(&catalog, &create("contoso_b", &script(back)));
    let forth = new::<AgentScript>("steps", &vec![step(1, ScriptAction::Script, "contoso_b")]);
    assert_eq!(told(&catalog, &update("contoso_a", &forth)), "ok");
}

#[test]
fn a_step_goes_with_the_macro_that_it_runs() {
    let catalog = done(&catalog([]), &create("contoso_m", &actions(vec![start()])));
    let steps = vec![step(1, ScriptAction::Text, ""), step(2, ScriptAction::Macro, "contoso_m")];
    let catalog = done(&catalog, &create("contoso_a", &script(steps)));
    assert_eq!(told(&catalog, &delete::<Macro>("contoso_m", false)), "OBJECT_IN_USE");
    let catalog = done(&catalog, &delete::<Macro>("contoso_m", true));
    let left = &stored::<AgentScript>(&catalog, "contoso_a").steps;
    assert_eq!(left.iter().map(|step| step.order).collect::<Vec<_>>(), [1]);
}

#[test]
fn macros_begin_with_their_start_and_have_what_they_need() {
    let catalog = catalog([]);
    let say = |given| told(&catalog, &create("contoso_m", &actions(given)));
    let save = || action(Connector::Productivity, "save_record", &[]);
    assert_eq!(say(vec![start(), save()]), "ok");
    assert_eq!(say(vec![save(), start()]), "FIELD_INVALID actions[0] actions[1].operation");
    let open = |inputs: &[_]| action(Connector::Productivity, "open_record", inputs);
    let refused = say(vec![start(), open(&[("entity", "incident")])]);
    assert_eq!(refused, "MACRO_INPUT_REQUIRED actions[1].inputs");
    let whole = [("entity", "incident"), ("id", "${anchor.incidentid}"), ("attribute.x", "1")];
    assert_eq!(say(vec![start(), open(&whole)]), "ok");
    let session = action(Connector::Session, "open_record", &whole);
    assert_eq!(say(vec![start(), session]), "FIELD_INVALID actions[1].operation");

    let condition = |then| MacroAction {
        then_actions: then,
        ..action(Connector::BuiltIn, "condition", &[("if", "${$session.order}")])
    };
    let nested = |depth: usize| (0..depth).fold(save(), |inner, _| condition(vec![inner]));
    assert_eq!(say(vec![start(), nested(MAX_DEPTH)]), "ok");
    let refused = say(vec![start(), nested(MAX_DEPTH + 1)]);
    assert!(refused.starts_with("FIELD_INVALID actions[1].then_actions[0]"), "{refused}");
    let refused = say(vec![start(), condition(vec![start()])]);
    assert_eq!(refused, "FIELD_INVALID actions[1].then_actions[0].operation");
    let stray = MacroAction { else_actions: vec![save()], ..save() };
    assert_eq!(say(vec![start(), stray]), "FIELD_INVALID actions[1].else_actions");
    let many: Vec<_> = std::iter::once(start()).chain((0..50).map(|_| save())).collect();
    assert_eq!(say(many), "LIMIT_REACHED");
    let crowd = condition((0..51).map(|_| save()).collect());
    assert_eq!(say(vec![start(), crowd]), "FIELD_INVALID actions[1].then_actions");
}

#[test]
fn every_operation_asks_for_its_mandatory_inputs_and_no_other() {
    use crate::domain::field::Choice as _;
    let catalog = catalog([]);
    for connector in Connector::ALL.iter().copied() {
        for operation in connector.operations().filter(|operation| *operation != "start") {
            let mandatory = connector.mandatory(operation).unwrap();
            let given: Vec<_> = mandatory.iter().map(|name| (*name, "x")).collect();
            let say = |given: &[_]| {
                let one = action(connector, operation, given);
                told(&catalog, &create("contoso_m", &actions(vec![start(), one])))
            };
            assert_eq!(say(&given), "ok", "{operation}");
            for left_out in 0..given.len() {
                let mut less = given.clone();
                less.remove(left_out);
                assert_eq!(say(&less), "MACRO_INPUT_REQUIRED actions[1].inputs", "{operation}");
            }
        }
    }
}

#[test]
fn a_bot_works_as_a_program_that_holds_its_roles() {
    let agent = "msdyn_oc_agent";
    let catalog = catalog([
        user("bot.agent", UserKind::Application, &[agent]),
        user("bot.csr", UserKind::Application, &[agent, "msdyn_csr"]),
        user("bot.none", UserKind::Application, &[]),
        user("jane", UserKind::Human, &[agent, "msdyn_csr"]),
    ]);
    let say = |patch: Values<_>| told(&catalog, &create("contoso_b", &patch));
    assert_eq!(say(of_user("bot.agent")), "ok");
    assert_eq!(say(of_user("bot.agent").with("knowledge", &true)), "FIELD_INVALID user");
    assert_eq!(say(of_user("bot.csr").with("knowledge", &true)), "ok");
    assert_eq!(say(of_user("bot.none")), "FIELD_INVALID user");
    assert_eq!(say(of_user("jane")), "FIELD_INVALID user");
    assert_eq!(say(of_user("nobody")), "USER_NOT_FOUND");
    assert_eq!(say(text("display_name", "Bot")), "FIELD_INVALID user");

    // The user is spelled as he is stored, and may go: the bot stays as it is.
    let catalog = done(&catalog, &create("contoso_b", &of_user("BOT.Agent")));
    let id = stored::<SmartAssistBot>(&catalog, "contoso_b").user.clone().unwrap();
    assert_eq!(id.as_str(), "bot.agent");
    let gone = Change::Delete(ObjectKey::new(Kind::User, "bot.agent"));
    let catalog = catalog.apply(&[gone], catalog.revision, Time::default());
    let renamed = text::<SmartAssistBot>("display_name", "Other");
    assert_eq!(told(&catalog, &update("contoso_b", &renamed)), "ok");
    let clever = new::<SmartAssistBot>("knowledge", &true);
    assert_eq!(told(&catalog, &update("contoso_b", &clever)), "ok", "nobody is left to judge");
}

#[test]
fn a_work_stream_fits_its_channel() {
    let catalog = done(&catalog([]), &create("contoso_case", &session()));
    let say = |patch: Values<_>| told(&catalog, &create("contoso_w", &patch));
    let template = |name: &str| Some(UniqueName::parse(name).unwrap());
    let (chat, voice) = ("msdyn_channel_chat", "msdyn_channel_voice");
    let records = "msdyn_channel_entity_records";
    let alert = template("msdyn_chat_consult");
    for (patch, expected) in [
        (stream(chat), "ok"),
        (stream("contoso_none"), "OBJECT_NOT_FOUND"),
        (stream(chat).with("session_template", &template("msdyn_sms_session")), "ok"),
        (
            stream(chat).with("session_template", &template("contoso_case")),
            "FIELD_INVALID session_template",
        ),
        (stream(chat).with("consult", &alert), "ok"),
        (stream(chat).with("consult", &template("contoso_none")), "TEMPLATE_NOT_FOUND"),
        (stream(chat).with("supervisor_assign", &alert), "FIELD_INVALID supervisor_assign"),
        (stream(voice).with("supervisor_assign", &alert), "ok"),
        (stream(records), "FIELD_INVALID entity"),
        (stream(records).with("entity", &"incident".to_owned()), "ok"),
        (stream(chat).with("entity", &"incident".to_owned()), "FIELD_INVALID entity"),
        (text("display_name", "Stream"), "FIELD_INVALID channel"),
    ] {
        assert_eq!(say(patch.clone()), expected, "{patch:?}");
    }
    let catalog = done(&catalog, &create("contoso_w", &stream(chat)));
    let moved = new::<Workstream>("channel", &template(voice));
    assert_eq!(told(&catalog, &update("contoso_w", &moved)), "FIELD_IMMUTABLE channel");
    let in_catalog = stored::<Workstream>(&catalog, "contoso_w");
    assert_eq!(in_catalog.channel, template(chat));
}

#[test]
fn a_channel_stays_while_a_work_stream_needs_it() {
    let kind = text::<Channel>("display_name", "Web").with("kind", &ChannelKind::Chat);
    let catalog = done(&catalog([]), &create("contoso_web", &kind));
    let alert = text::<NotificationTemplate>("display_name", "A").with("title", &"A".to_owned());
    let catalog = done(&catalog, &create("contoso_alert", &alert));
    let named = stream("contoso_web").with("transfer", &Some(name("contoso_alert")));
    let catalog = done(&catalog, &create("contoso_w", &named));
    for force in [false, true] {
        assert_eq!(told(&catalog, &delete::<Channel>("contoso_web", force)), "OBJECT_IN_USE");
    }
    // A notification goes; the built-in one takes its place.
    let catalog = done(&catalog, &delete::<NotificationTemplate>("contoso_alert", true));
    assert_eq!(stored::<Workstream>(&catalog, "contoso_w").transfer, None);
}

#[test]
fn notifications_keep_their_lines_in_order() {
    let line = |header: &str, order| NotificationField {
        name: String::new(),
        header: header.to_owned(),
        value: "{customerName}".to_owned(),
        order,
        unique_name: None,
    };
    let alert = |fields: Vec<NotificationField>| {
        text::<NotificationTemplate>("display_name", "Alert")
            .with("title", &"Chat".to_owned())
            .with("fields", &fields)
    };
    let lines = vec![line("c", 2), line("a", 0), line("d", 2), line("b", 0)];
    let catalog = done(&catalog([]), &create("contoso_alert", &alert(lines)));
    let found = stored::<NotificationTemplate>(&catalog, "contoso_alert");
    let headers: Vec<_> = found.fields.iter().map(|field| field.header.as_str()).collect();
    assert_eq!(headers, ["a", "b", "c", "d"]);
    let many = (0..21).map(|order| line("x", order)).collect();
    assert_eq!(told(&catalog, &create("contoso_b", &alert(many))), "LIMIT_REACHED");
    let accept = new::<NotificationTemplate>("auto_accept", &true);
    let refused = "AUTO_ACCEPT_NEEDS_AUTO_ASSIGN auto_accept";
    assert_eq!(told(&catalog, &update("contoso_alert", &accept)), refused);
    let both = accept.with("auto_assign", &true);
    let catalog = done(&catalog, &update("contoso_alert", &both));
    let alone = new::<NotificationTemplate>("auto_assign", &false);
    assert_eq!(told(&catalog, &update("contoso_alert", &alone)), refused);
}
