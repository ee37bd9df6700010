//! Content depends on what is stored and on nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

mod adapters;
mod big;
mod conversations;
mod properties;
mod scripts;

use super::*;
use crate::{
    catalog::{RoleClass, builtin},
    domain::{
        Common, Object, Stamp, State, Time, UniqueName,
        copilot::{FEATURES, PANE_TOOL, Setting},
        profile::{InboxView, PaneTool},
        provider::{Capability, ChannelProvider, Failover, WIDGET},
        role::{Persona, SecurityRole},
        session_template::{SessionTemplate, SessionType},
        settings::Settings,
        tab_template::{PageType, TabParameter, TabTemplate},
    },
};

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn common(text: &str, active: bool) -> Common {
    let state = if active { State::Active } else { State::Inactive };
    Common { state, ..Common::custom(name(text), text) }
}

fn tab(number: usize, active: bool, parameters: &[(&str, &str)]) -> TabTemplate {
    let parameter = |&(name, value): &(&str, &str)| TabParameter {
        name: name.into(),
        value: value.into(),
        unique_name: None,
    };
    TabTemplate {
        common: common(&format!("tab_{number}x"), active),
        stamp: stamp(),
        title: "{caseTitle}".into(),
        page_type: PageType::Search,
        can_close: true,
        parameters: parameters.iter().map(parameter).collect(),
    }
}

fn session(text: &str, entity: &str, active: bool, tabs: &[&str]) -> SessionTemplate {
    SessionTemplate {
        common: common(text, active),
        stamp: stamp(),
        session_type: SessionType::Entity,
        entity: entity.into(),
        title: "{anchor.title}".into(),
        panel_mode: Default::default(),
        icon: String::new(),
        title_on_anchor_tab: false,
        anchor_tab: None,
        additional_tabs: tabs.iter().map(|tab| name(tab)).collect(),
        scripts: Vec::new(),
        expression_enabled: false,
        expression_tree: String::new(),
    }
}

fn provider(text: &str, order: i32, active: bool) -> ChannelProvider {
    ChannelProvider {
        common: common(text, active),
        stamp: stamp(),
        label: text.into(),
        channel_url: "https://voice.example/".into(),
        pinned_url: false,
        outbound: true,
        channel_order: order,
        trusted_domains: vec!["voice.example".into(), "*.example".into()],
        custom_parameters: String::new(),
        sandbox: BTreeSet::from(["allow-forms".to_owned(), "allow-presentation".to_owned()]),
        analytics: false,
        capabilities: BTreeSet::from([
            Capability::Accept,
            Capability::ClientToken,
            Capability::Dial,
        ]),
        failover: Failover::Next,
        adapter: WIDGET.into(),
        config: "{}".into(),
        secrets: BTreeMap::new(),
        refused_url: None,
    }
}

fn shown(tool: &str, order: i32) -> PaneTool {
    PaneTool {
        tool: name(tool),
        enabled: true,
        order,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    }
}

fn catalog(objects: impl IntoIterator<Item = Object>) -> Catalog {
    let seeded = builtin::objects(1, Time::default());
    Catalog::from_objects(seeded.into_iter().chain(objects), 1, Time::default())
}

fn profile() -> Profile {
    let mut profile = Profile::empty(common("contoso_rep", true), stamp());
    profile.pane.on = true;
    profile.pane.tools = vec![shown(PANE_TOOL, 0), shown("msdyn_tool_screen_recording", 1)];
    profile
}

fn settings(change: impl FnOnce(&mut Settings)) -> Object {
    let mut settings = Settings::initial(stamp());
    change(&mut settings);
    Object::Settings(settings.into())
}

fn decoded(compiled: &Compiled) -> v1::ProfileContent {
    v1::ProfileContent::decode(compiled.bytes.as_ref()).unwrap()
}

fn found(compiled: &Compiled) -> Vec<(&'static str, &str)> {
    assert!(compiled.findings.iter().all(|f| f.code != FindingCode::CopilotUnset));
    compiled.findings.iter().map(|f| (f.code.as_str(), f.subject.as_str())).collect()
}

fn class(roles: &[&str]) -> RoleClass {
    RoleClass { held: roles.iter().map(|r| name(r)).collect(), team_only: BTreeSet::new() }
}

#[test]
fn a_role_of_the_family_or_with_a_persona_opens_presence() {
    let lead = SecurityRole {
        common: common("contoso_lead", true),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: None,
        grants: BTreeSet::new(),
        persona: Persona::Supervisor,
    };
    let catalog = catalog([Object::Role(lead.into())]);
    let presence = |roles: &[&str]| Gates::of(&catalog, &class(roles)).presence;
    assert!(presence(&["msdyn_oc_agent"]));
    assert!(presence(&["contoso_lead"]));
    assert!(!presence(&["msdyn_csr"]));
    let team = RoleClass { team_only: class(&["msdyn_oc_agent"]).held, ..class(&[]) };
    assert_eq!(Gates::of(&catalog, &team), Gates::default());
    let recorder = Gates::of(&catalog, &class(&["msdyn_csr", "msdyn_screen_recorder"]));
    assert_eq!(recorder.roles, BTreeSet::from([name("msdyn_screen_recorder")]));
}

#[test]
fn only_the_first_closed_gate_of_a_tool_is_reported() {
    let recording = "msdyn_tool_screen_recording";
    let gate = |on: bool, setting: bool, role: bool| {
        let catalog = catalog([settings(|s| s.screen_recording = setting)]);
        let mut profile = profile();
        profile.pane.on = on;
        let gates = if role { Gates::open(&catalog) } else { Gates::default() };
        let compiled = compile(&catalog, &profile, &gates);
        let codes: Vec<_> =
            found(&compiled).into_iter().filter(|f| f.1 == recording).map(|f| f.0).collect();
        let reports = compiled.gates.iter().filter(|r| r.subject == recording);
        (codes, reports.map(|r| r.gate).collect::<Vec<_>>())
    };
    assert_eq!(gate(false, false, false), (vec!["TOOL_GATED_BY_PANE"], vec![Gate::Pane]));
    assert_eq!(gate(true, false, false), (vec!["TOOL_GATED_BY_ORG"], vec![Gate::Organization]));
    assert_eq!(gate(true, true, false), (vec!["TOOL_GATED_BY_ROLE"], vec![Gate::Role]));
    assert_eq!(gate(true, true, true), (vec![], vec![]));
}

#[test]
fn a_feature_waits_for_its_parent() {
    let position = |name| FEATURES.iter().position(|f| f.name == name);
    assert!(
        FEATURES
            .iter()
            .all(|f| f.parent.is_none() || position(f.parent.unwrap()) < position(f.name))
    );
    let mut profile = profile();
    profile.copilot = FEATURES.iter().map(|f| (f.name.to_owned(), Setting::Off)).collect();
    profile.copilot.insert("intent_suggestions".into(), Setting::On);
    profile.copilot.insert("829059999".into(), Setting::On);
    let compiled = compile(&catalog([]), &profile, &Gates::default());
    assert!(found(&compiled).contains(&("COPILOT_GATED_BY_PARENT", "intent_suggestions")));
    let gate = |subject| compiled.gates.iter().find(|r| r.subject == subject).map(|r| r.gate);
    assert_eq!(gate("intent_suggestions"), Some(Gate::Parent));
    assert_eq!(gate("829059999"), Some(Gate::Value));
    profile.copilot.insert("ask_a_question".into(), Setting::On);
    let compiled = compile(&catalog([]), &profile, &Gates::default());
    assert_eq!(compiled.features, ["ask_a_question", "intent_suggestions"]);
}

#[test]
fn presence_is_missed_only_while_channels_are_open() {
    let mut profile = profile();
    profile.all_active_channels = true;
    let open = compile(&catalog([]), &profile, &Gates::default());
    assert!(found(&open).contains(&("PRESENCE_ROLE_MISSING", "")));
    let channels = decoded(&open).channels.unwrap();
    assert_eq!((channels.effective, channels.presence), (true, false));
    assert_eq!(channels.kinds, (1..=11).collect::<Vec<_>>());
    let shut = catalog([settings(|s| s.channels_provisioned = false)]);
    let shut = compile(&shut, &profile, &Gates::default());
    let codes: Vec<_> = found(&shut).into_iter().map(|f| f.0).collect();
    assert!(codes.contains(&"CHANNELS_NOT_PROVISIONED"));
    assert!(!codes.contains(&"PRESENCE_ROLE_MISSING"));
}

#[test]
fn a_template_carries_its_tabs_in_full() {
    let names: Vec<String> = (0..12).map(|n| format!("tab_{n}x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let parameters = [("searchType", "0"), ("searchText", "{broken")];
    let tabs = (0..11).map(|n| Object::TabTemplate(tab(n, n != 3, &parameters).into()));
    let mut case = session("contoso_case", "incident", true, &names);
    case.scripts = vec![name("contoso_greeting")];
    let objects = tabs.chain([
        Object::SessionTemplate(case.into()),
        Object::SessionTemplate(session("contoso_off", "account", false, &[]).into()),
    ]);
    let mut profile = profile();
    profile.session_templates = ["contoso_none", "contoso_off", "contoso_case"].map(name).to_vec();
    profile.pane.tools.clear();
    let compiled = compile(&catalog(objects), &profile, &Gates::default());
    let template = decoded(&compiled).session_templates.remove(0);
    let tabs: Vec<_> = template.tabs.iter().map(|t| t.template.as_str()).collect();
    assert_eq!(
        tabs,
        ["tab_0x", "tab_1x", "tab_2x", "tab_4x", "tab_5x", "tab_6x", "tab_7x", "tab_8x", "tab_9x"]
    );
    let names: Vec<_> = template.tabs[0].parameters.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["searchText", "searchType"]);
    let found = found(&compiled);
    for expected in [
        ("SCRIPT_INACTIVE", "contoso_greeting"),
        ("SLUG_SYNTAX", "tab_0x"),
        ("TABS_OVER_LIMIT", "contoso_case"),
        ("TAB_INACTIVE", "tab_11x"),
        ("TAB_INACTIVE", "tab_3x"),
        ("TEMPLATE_INACTIVE", "contoso_off"),
        ("TEMPLATE_MISSING", "contoso_none"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
}

#[test]
fn providers_are_described_for_the_launch() {
    let mut profile = profile();
    profile.providers = ["zeta_voice", "msdyn_omnichannel", "gone_voice"].map(name).into();
    let catalog = catalog([Object::Provider(provider("zeta_voice", 1, true).into())]);
    let compiled = compile(&catalog, &profile, &Gates::default());
    let content = decoded(&compiled);
    assert_eq!(content.extension_libraries, [CHANNEL_LOADER]);
    let [launch] = content.providers.as_slice() else { panic!("one provider") };
    assert_eq!(launch.capabilities, [1, 2, 3]);
    assert!(launch.capabilities_declared);
    assert_eq!(launch.sandbox.len(), 7);
    assert!(launch.sandbox.is_sorted());
    assert!(found(&compiled).contains(&("PROVIDER_MISSING", "gone_voice")));
}

#[test]
fn findings_without_a_user_are_about_the_profile() {
    let catalog = catalog([settings(|s| s.screen_recording = true)]);
    let mut profile = profile();
    profile.all_active_channels = true;
    let findings = profile_findings(&catalog, &profile);
    let [unset] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((unset.code, unset.subject.as_str()), (FindingCode::CopilotUnset, "contoso_rep"));
    assert!(FEATURES.iter().all(|f| unset.message.contains(f.name)));
    let compiled = compile(&catalog, &profile, &Gates::open(&catalog));
    assert_eq!(compiled.explained_findings(), findings);
    for feature in FEATURES {
        profile.copilot.insert(feature.name.to_owned(), Setting::Off);
    }
    assert!(profile_findings(&catalog, &profile).is_empty(), "nothing is left to its default");
}

#[test]
fn the_digest_follows_content_and_nothing_else() {
    let with = |value: &str| {
        catalog([
            Object::TabTemplate(tab(0, true, &[("searchText", value)]).into()),
            Object::SessionTemplate(session("contoso_case", "incident", true, &["tab_0x"]).into()),
        ])
    };
    let mut profile = profile();
    profile.session_templates = vec![name("contoso_case")];
    let digest = |c: &Catalog, p: &Profile| compile(c, p, &Gates::default()).digest;
    let before = digest(&with("one"), &profile);
    assert!(before.len() == 67 && before.starts_with("d1:"));
    assert_ne!(digest(&with("two"), &profile), before);

    let mut touched = profile;
    touched.rank = Some(7);
    touched.roles = BTreeSet::from([name("msdyn_csr")]);
    touched.unmatched_roles = BTreeSet::from(["gone".to_owned()]);
    touched.is_default = true;
    touched.default_set_time = Some(Time::from_micros(5));
    touched.common.owner = "somebody".into();
    touched.stamp = Stamp::new(uuid::Uuid::max(), 99, Time::from_micros(9), "else");
    touched.stamp.touch(100, Time::from_micros(10), "other");
    let mut stamped = session("contoso_case", "incident", true, &["tab_0x"]);
    stamped.stamp = touched.stamp.clone();
    let change = crate::domain::Change::Put(Object::SessionTemplate(stamped.into()));
    let later = with("one").apply(&[change], 100, Time::from_micros(11));
    assert_eq!(digest(&later, &touched), before);

    touched.common.description = "said otherwise".into();
    assert_ne!(digest(&later, &touched), before);
}
