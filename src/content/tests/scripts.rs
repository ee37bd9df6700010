//! Scripts that sessions reach, what reaches them, and the remarks of the linter.

use super::{
    conversations::{alert, bot, content, generic, macro_, names, open, script, stream},
    *,
};
use crate::{
    catalog::Reach,
    domain::{
        Kind, ObjectKey,
        agent_script::{ScriptAction, ScriptStep},
    },
};

/// Names of scripts with the targets of their steps.
fn delivered(content: &v1::ProfileContent) -> Vec<(&str, Vec<&str>)> {
    let steps = |script: &'_ v1::ResolvedScript| -> Vec<String> {
        script.steps.iter().map(|step| format!("{}{}", step.script, step.r#macro)).collect()
    };
    content
        .scripts
        .iter()
        .map(|script| {
            let targets: Vec<&str> = steps(script)
                .into_iter()
                .map(|target| &*Box::leak(target.into_boxed_str()))
                .collect();
            (script.unique_name.as_str(), targets)
        })
        .collect()
}

#[test]
fn scripts_are_followed_and_cycles_are_cut_where_they_close() {
    let mut case = session("contoso_case", "incident", true, &[]);
    case.scripts = ["script_b", "script_off"].map(name).to_vec();
    let mut profile = open();
    profile.session_templates = vec![name("contoso_case")];
    let objects = [
        Object::SessionTemplate(case.into()),
        script("script_a", true, &["script_b", "script_off", "run_on"]),
        script("script_b", true, &["script_a", "script_c", "script_c"]),
        script("script_c", true, &["script_b", "script_d"]),
        script("script_d", true, &["run_off", "run_on", "run_gone"]),
        script("script_off", false, &["script_far"]),
        script("script_far", true, &[]),
        macro_("run_on", true),
        macro_("run_off", false),
    ];
    let compiled = compile(&catalog(objects), &profile, &Gates::default());
    let content = decoded(&compiled);
    assert_eq!(content.session_templates[0].scripts, ["script_b"]);
    let expected = [
        ("script_a", vec!["run_on"]),
        ("script_b", vec!["script_a", "script_c", "script_c"]),
        ("script_c", vec!["script_d"]),
        ("script_d", vec!["run_on"]),
    ];
    assert_eq!(delivered(&content), expected);
    assert_eq!(names(content.macros.iter().map(|m| &m.unique_name)), ["run_on"]);
    let inputs = &content.macros[0].actions[0].inputs;
    assert_eq!(names(inputs.iter().map(|input| &input.name)), ["a", "b"]);
    let found = found(&compiled);
    for expected in [
        ("SCRIPT_CYCLE", "script_a"),
        ("SCRIPT_CYCLE", "script_c"),
        ("SCRIPT_INACTIVE", "script_off"),
        ("MACRO_INACTIVE", "run_off"),
        ("MACRO_INACTIVE", "run_gone"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }

    profile.pane.tools.clear();
    let hidden = super::compile(&catalog([]), &profile, &Gates::default());
    assert!(decoded(&hidden).scripts.is_empty());
}

#[test]
fn scripts_of_conversations_come_with_open_channels() {
    let mut chat = generic("contoso_chat", "msdyn_active_conversation", &[]);
    chat.scripts = vec![name("script_a")];
    let objects = || {
        [
            Object::SessionTemplate(chat.clone().into()),
            stream("contoso_w", |w| w.session_template = Some(name("contoso_chat"))),
            script("script_a", true, &["run_on"]),
            macro_("run_on", true),
        ]
    };
    let found = content(objects(), &open());
    assert_eq!((found.scripts.len(), found.macros.len()), (1, 1));
    assert_eq!(found.generic_session_templates[0].icon, "/icons/chat.svg");
    let mut shut = open();
    shut.all_active_channels = false;
    let found = content(objects(), &shut);
    assert_eq!((found.scripts.len(), found.macros.len()), (0, 0));
}

#[test]
fn a_chain_of_scripts_longer_than_a_stack_is_followed() {
    let name_of = |n: usize| format!("script_{n}x");
    let chain = (0..20_000).map(|n| script(&name_of(n), true, &[&name_of((n + 1) % 20_000)]));
    let mut case = session("contoso_case", "incident", true, &[]);
    case.scripts = vec![name("script_0x")];
    let mut profile = open();
    profile.session_templates = vec![name("contoso_case")];
    let catalog = catalog(chain.chain([Object::SessionTemplate(case.into())]));
    let compiled = compile(&catalog, &profile, &Gates::default());
    let content = decoded(&compiled);
    assert_eq!(content.scripts.len(), 20_000);
    assert_eq!(content.scripts.iter().map(|script| script.steps.len()).sum::<usize>(), 19_999);
    assert!(Parts::new(&catalog).largest(&profile) >= compiled.bytes.len());
}

#[test]
fn a_change_reaches_the_profiles_whose_sessions_lead_to_it() {
    let with = |text: &str, entity: &str, first: &str| {
        let mut case = session(text, entity, true, &[]);
        case.scripts = vec![name(first)];
        Object::SessionTemplate(case.into())
    };
    let of = |text: &str, template: &str, channels: bool| {
        let mut profile = Profile::empty(common(text, true), stamp());
        profile.session_templates = vec![name(template)];
        profile.all_active_channels = channels;
        Object::Profile(profile.into())
    };
    let objects = [
        script("script_a", true, &["script_b"]),
        script("script_b", true, &["run_on"]),
        script("script_c", true, &[]),
        macro_("run_on", true),
        with("contoso_case", "incident", "script_a"),
        with("contoso_lead", "lead", "script_c"),
        Object::NotificationTemplate(alert("contoso_alert", true).into()),
        stream("contoso_w", |w| w.consult = Some(name("contoso_alert"))),
        bot("contoso_bot", true),
        of("contoso_cases", "contoso_case", false),
        of("contoso_leads", "contoso_lead", false),
        of("contoso_chats", "contoso_lead", true),
    ];
    let catalog = catalog(objects);
    let touched = |kind, text: &str| {
        let reach = Reach::of(&catalog, [&ObjectKey::new(kind, text)]);
        assert!(!reach.is_every());
        reach.names().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(touched(Kind::Macro, "run_on"), ["contoso_cases"]);
    assert_eq!(touched(Kind::Script, "script_b"), ["contoso_cases"]);
    assert_eq!(touched(Kind::Script, "script_c"), ["contoso_chats", "contoso_leads"]);
    let open = |names: Vec<String>| names.iter().any(|name| name == "contoso_chats");
    assert!(open(touched(Kind::NotificationTemplate, "contoso_alert")));
    assert!(!touched(Kind::Workstream, "contoso_w").contains(&"contoso_cases".to_owned()));
    assert_eq!(touched(Kind::Bot, "contoso_bot"), [""; 0], "no work stream has it");
    assert_eq!(touched(Kind::Queue, "contoso_any"), [""; 0]);
}

#[test]
fn the_linter_remarks_on_the_texts_of_the_library() {
    assert_eq!(super::library_findings(&catalog([])), [], "what is built in is in order");
    let mut chat = generic("contoso_chat", "msdyn_active_conversation", &[]);
    chat.title = "{customername} {orderId} {Mood} {orderId}".into();
    let mut broken = alert("contoso_alert", true);
    broken.title = "Chat {".into();
    let Object::Script(mut greeting) = script("contoso_script", true, &[]) else { panic!() };
    Arc::make_mut(&mut greeting).steps = vec![ScriptStep {
        name: "Greet".into(),
        order: 1,
        action: ScriptAction::Text,
        description: String::new(),
        text: "${mood}".into(),
        runs: None,
        script: None,
        unique_name: None,
    }];
    let objects = [
        Object::SessionTemplate(chat.into()),
        Object::NotificationTemplate(broken.into()),
        Object::TabTemplate(
            tab(0, true, &[("searchText", "{nothing}"), ("searchType", "{}")]).into(),
        ),
        Object::Script(greeting),
        macro_("run_on", true),
    ];
    let found = super::library_findings(&catalog(objects));
    let all: Vec<_> = found.iter().map(|f| (f.code.as_str(), f.subject.as_str())).collect();
    let expected = [
        ("UNKNOWN_SLUG", "contoso_chat"),
        ("UNKNOWN_SLUG", "tab_0x"),
        ("SLUG_SYNTAX", "contoso_alert"),
        ("UNKNOWN_SLUG", "contoso_script"),
    ];
    assert_eq!(all, expected);
    assert_eq!(found[0].message, "Mood, orderId are no keys that every conversation has.");
}
