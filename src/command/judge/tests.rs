//! Sizes are judged after the plan, whatever the command.

use std::sync::Arc;

use super::*;
use crate::{
    catalog::builtin,
    command::DirectoryPolicy,
    content::COMPILED,
    domain::{
        Actor, Common, Stamp, Time, UniqueName,
        agent_script::AgentScript,
        profile::{InboxView, PaneTool, Profile},
        rules::Rules as _,
        session_template::{SessionTemplate, SessionType},
        tab_template::{PageType, TabParameter, TabTemplate},
        tool::SCRIPTS_TOOL,
        workstream::Workstream,
    },
};

/// Writes the given changes.
#[derive(Debug)]
struct Write(Vec<Change>);

impl Command for Write {
    fn operation(&self) -> &'static str {
        "Write"
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, _: &Catalog, _: &Context) -> Result<Plan, Refusal> {
        Ok(Plan { changes: self.0.clone(), ..Plan::default() })
    }
}

/// Judges a write of these objects; nothing is compiled for that.
fn write(catalog: &Catalog, objects: impl IntoIterator<Item = Object>) -> Result<Catalog, Refusal> {
    let compiled = || COMPILED.with(std::cell::Cell::get);
    let before = compiled();
    let context = Context {
        actor: Actor::system(),
        revision: catalog.revision + 1,
        time: Time::default(),
        uid: uuid::Uuid::nil(),
        policy: DirectoryPolicy::default(),
    };
    let changes = objects.into_iter().map(Change::Put).collect();
    let judged = judge(&Write(changes), catalog, &context).map(|judged| judged.next);
    assert_eq!(compiled(), before, "contents were compiled");
    judged
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn common(text: &str) -> Common {
    Common::custom(name(text), text)
}

/// A tab of about that many bytes.
fn tab(number: usize, size: usize) -> Object {
    Object::TabTemplate(Arc::new(TabTemplate {
        common: common(&format!("tab_{number}")),
        stamp: stamp(),
        title: String::new(),
        page_type: PageType::Search,
        can_close: true,
        parameters: vec![TabParameter {
            name: "searchText".into(),
            value: "x".repeat(size),
            unique_name: None,
        }],
    }))
}

fn session(tabs: usize) -> Object {
    Object::SessionTemplate(Arc::new(SessionTemplate {
        common: common("contoso_case"),
        stamp: stamp(),
        session_type: SessionType::Entity,
        entity: "incident".into(),
        title: String::new(),
        panel_mode: Default::default(),
        icon: String::new(),
        title_on_anchor_tab: false,
        anchor_tab: None,
        additional_tabs: (0..tabs).map(|at| name(&format!("tab_{at}"))).collect(),
        scripts: Vec::new(),
        expression_enabled: false,
        expression_tree: String::new(),
    }))
}

fn profile(text: &str, session: Option<&str>) -> Profile {
    let mut profile = Profile::empty(common(text), stamp());
    profile.session_templates = session.into_iter().map(name).collect();
    profile
}

fn put(profile: Profile) -> Object {
    Object::Profile(Arc::new(profile))
}

#[test]
fn a_resource_may_have_128_kib_as_it_is_stored() {
    let catalog = Catalog::empty();
    let Err(refusal) = write(&catalog, [tab(0, 10), tab(1, 131_072)]) else { panic!("accepted") };
    assert_eq!(refusal.reason, Reason::ResourceTooLarge);
    assert_eq!(refusal.metadata["limit"], "131072");
    assert!(refusal.metadata["size"].parse::<u64>().unwrap() > 131_072);
    assert_eq!(refusal.violations.len(), 1);
    assert_eq!(refusal.violations[0].field, "name");
    assert_eq!(refusal.resources[0].name, "tab_1");

    let empty = encode(&tab(1, 0)).unwrap().get().len();
    assert!(write(&catalog, [tab(1, 131_072 - empty)]).is_ok());
    assert!(write(&catalog, [tab(1, 131_073 - empty)]).is_err());
}

#[test]
fn a_library_write_may_not_make_any_profile_too_large() {
    let objects = builtin::objects(1, Time::default());
    let catalog = Catalog::from_objects(objects, 1, Time::default());
    let tabs = (0..4).map(|at| tab(at, 80_000));
    let catalog = write(&catalog, tabs.chain([session(3)])).unwrap();
    let shown = |text| put(profile(text, Some("contoso_case")));
    let profiles = [shown("contoso_b"), shown("contoso_a"), put(profile("contoso_c", None))];
    let catalog = write(&catalog, profiles).unwrap();
    for change in [session(4), tab(1, 130_000)] {
        let Err(refusal) = write(&catalog, [change]) else { panic!("accepted") };
        assert_eq!(refusal.reason, Reason::ProfileTooLarge);
        let subjects: Vec<_> = refusal.preconditions.iter().map(|p| p.subject.as_str()).collect();
        assert_eq!(subjects, ["contoso_a", "contoso_b"]);
    }
    assert!(write(&catalog, [tab(3, 130_000)]).is_ok(), "no profile shows that tab");
    let refusal = write(&catalog, [shown("contoso_c"), session(4)]).unwrap_err();
    assert_eq!(refusal.preconditions.len(), 3);
    assert!(write(&catalog, [shown("contoso_c")]).is_ok());
}

#[test]
fn a_profile_that_is_too_large_already_may_be_repaired_step_by_step() {
    let large = profile("contoso_rep", Some("contoso_case"));
    let objects =
        [tab(0, 100_000), tab(1, 100_000), tab(2, 100_000), session(3), put(large.clone())];
    let catalog = Catalog::from_objects(objects, 1, Time::default());
    assert!(write(&catalog, [tab(0, 90_000)]).is_ok(), "smaller");
    assert!(write(&catalog, [put(Profile { rank: Some(1), ..large.clone() })]).is_ok(), "as large");
    assert!(write(&catalog, [tab(0, 100_001)]).is_err(), "larger");
    let mut more = large;
    more.inbox.views.push(InboxView { name: "More".into(), ..InboxView::default() });
    assert!(write(&catalog, [put(more)]).is_err(), "larger, though hidden");
}

#[test]
fn scripts_and_work_streams_count_where_they_are_shown() {
    let script = |number: usize| {
        let mut script = AgentScript::empty(common(&format!("script_{number}")), stamp());
        script.common.description = "x".repeat(90_000);
        Object::Script(script.into())
    };
    let Object::SessionTemplate(mut case) = session(0) else { unreachable!() };
    Arc::make_mut(&mut case).scripts = (0..3).map(|at| name(&format!("script_{at}"))).collect();
    let with = |text: &str, tools: &[&str], channels: bool| {
        let mut profile = profile(text, Some("contoso_case"));
        profile.pane.tools = tools
            .iter()
            .map(|tool| PaneTool {
                tool: name(tool),
                enabled: true,
                order: 0,
                label: String::new(),
                tooltip: String::new(),
                icon: String::new(),
            })
            .collect();
        profile.all_active_channels = channels;
        put(profile)
    };
    let seeded = builtin::objects(1, Time::default());
    let objects = [
        script(0),
        script(1),
        Object::SessionTemplate(case),
        with("contoso_a", &[SCRIPTS_TOOL], false),
        with("contoso_b", &[], false),
        with("contoso_c", &[], true),
    ];
    let catalog = Catalog::from_objects(seeded.into_iter().chain(objects), 1, Time::default());
    let too_large = |refusal: Refusal| -> Vec<String> {
        assert_eq!(refusal.reason, Reason::ProfileTooLarge);
        refusal.preconditions.into_iter().map(|profile| profile.subject).collect()
    };
    let refusal = write(&catalog, [script(2)]).unwrap_err();
    assert_eq!(too_large(refusal), ["contoso_a"], "the others show no scripts");

    // A work stream comes to every profile that opens channels, the built-in ones too.
    let Object::SessionTemplate(mut chat) = session(4) else { unreachable!() };
    let generic = Arc::make_mut(&mut chat);
    (generic.session_type, generic.anchor_tab) = (SessionType::Generic, Some(name("tab_0")));
    let mut stream = Workstream::empty(common("contoso_chat"), stamp());
    stream.channel = Some(name("msdyn_channel_chat"));
    stream.session_template = Some(name("contoso_case"));
    let tabs = (0..4).map(|at| tab(at, 80_000));
    let all = [Object::SessionTemplate(chat), Object::Workstream(stream.into())];
    let refusal = write(&catalog, tabs.chain(all)).unwrap_err();
    let builtin = ["msdyn_csw_channels_default_profile", "msdyn_omnichannel_default_profile"];
    assert_eq!(too_large(refusal), ["contoso_c", builtin[0], builtin[1]]);
}
