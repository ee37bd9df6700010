use super::*;
use crate::domain::{
    Kind,
    copilot::{PANE_TOOL, Setting},
    profile::{PaneTool, Profile},
    session_template::SessionTemplate,
};

fn profile(unique_name: &str, change: impl FnOnce(&mut Profile)) -> Object {
    let mut profile = Profile::empty(Common::custom(name(unique_name), "Rep"), stamp(&context(1)));
    change(&mut profile);
    profile.into_object()
}

fn shown(tool: &str) -> PaneTool {
    PaneTool {
        tool: name(tool),
        enabled: true,
        order: 0,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    }
}

/// One object of each kind, all named `contoso_x`, with two profiles that refer to three of them.
fn linked() -> Catalog {
    let rep = |unique_name| {
        profile(unique_name, |p| {
            p.session_templates = names(&["contoso_X", "case_entity_session_default_template"]);
            p.providers.insert(name("contoso_x"));
            p.pane.tools = vec![shown("contoso_x"), shown(PANE_TOOL)];
        })
    };
    let catalog =
        catalog([rep("contoso_rep"), rep("contoso_lead"), profile("contoso_new", |_| {})]);
    let catalog = done(&catalog, &create::<SessionTemplate>("contoso_x", &session()));
    let catalog = done(&catalog, &create::<TabTemplate>("contoso_x", &site()));
    let catalog = done(&catalog, &create::<ProductivityTool>("contoso_x", &tool()));
    done(&catalog, &create::<ChannelProvider>("contoso_x", &voice()))
}

/// The referrers that a refused delete names: kind, name.
fn holding(catalog: &Catalog, command: &dyn Command) -> Vec<(String, String)> {
    let refusal = command.plan(catalog, &context(1)).unwrap_err();
    assert_eq!(refusal.reason, Reason::ObjectInUse);
    assert_eq!(refusal.metadata["referrers"], refusal.preconditions.len().to_string());
    assert_eq!(refusal.resources.len(), refusal.preconditions.len());
    for precondition in &refusal.preconditions {
        assert!(refusal.message.contains(&precondition.subject), "{}", refusal.message);
    }
    refusal.preconditions.into_iter().map(|p| (p.kind, p.subject)).collect()
}

fn pairs(kind: &str, subjects: &[&str]) -> Vec<(String, String)> {
    subjects.iter().map(|subject| (kind.to_owned(), (*subject).to_owned())).collect()
}

fn goes_with_force<T: Strategy>(left: impl Fn(&Profile) -> usize) {
    let catalog = linked();
    let held = holding(&catalog, &delete::<T>("contoso_x", false));
    assert_eq!(held, pairs("Profile", &["contoso_lead", "contoso_rep"]));

    let plan = delete::<T>("CONTOSO_x", true).plan(&catalog, &context(9)).unwrap();
    assert_eq!(plan.changes.len(), 3);
    let after = catalog.apply(&plan.changes, 9, Time::default());
    assert!(T::table(&after.tables).find("contoso_x").is_none());
    for unique_name in ["contoso_rep", "contoso_lead"] {
        let before = catalog.tables.profiles.find(unique_name).unwrap();
        let profile = after.tables.profiles.find(unique_name).unwrap();
        assert_eq!(left(profile), left(before) - 1);
        assert_eq!(profile.stamp.revision, 19);
    }
}

#[test]
fn force_takes_references_of_profiles_along() {
    goes_with_force::<SessionTemplate>(|p| p.session_templates.len());
    goes_with_force::<ProductivityTool>(|p| p.pane.tools.len());
    goes_with_force::<ChannelProvider>(|p| p.providers.len());
}

#[test]
fn force_takes_additional_tabs_along_but_no_anchor() {
    let tabs = names(&["contoso_x", "msdyn_search"]);
    let made = linked();
    let patch = session().with("additional_tabs", &tabs);
    let made = done(&made, &create::<SessionTemplate>("contoso_case", &patch));
    let plain = delete::<TabTemplate>("contoso_x", false);
    let force = delete::<TabTemplate>("contoso_x", true);
    assert_eq!(holding(&made, &plain), pairs("SessionTemplate", &["contoso_case"]));
    let after = done(&made, &force);
    let case = stored::<SessionTemplate>(&after, "contoso_case");
    assert_eq!(case.additional_tabs, names(&["msdyn_search"]));

    let anchor = Some(name("contoso_x"));
    let patch = generic().with("anchor_tab", &anchor).with("additional_tabs", &tabs);
    let made = done(&made, &create::<SessionTemplate>("contoso_chat", &patch));
    let both = pairs("SessionTemplate", &["contoso_case", "contoso_chat"]);
    assert_eq!(holding(&made, &plain), both);
    assert_eq!(holding(&made, &force), both[1..]);
    let refusal = force.plan(&made, &context(1)).unwrap_err();
    assert!(refusal.preconditions[0].description.contains("anchor"));
}

#[test]
fn force_changes_no_locked_referrer() {
    let lock = |origin: Origin| {
        let made = linked();
        let mut rep = Profile::clone(made.tables.profiles.find("contoso_rep").unwrap());
        rep.common.origin = origin;
        made.apply(&[Change::Put(rep.into_object())], made.revision, Time::default())
    };
    let bundle = Origin::Managed { bundle: "contoso_b".into(), version: "1".into() };
    for catalog in [lock(bundle), lock(Origin::BuiltIn)] {
        let held = holding(&catalog, &delete::<ChannelProvider>("contoso_x", true));
        assert_eq!(held, pairs("Profile", &["contoso_rep"]));
    }
    let made = done(
        &linked(),
        &create::<SessionTemplate>(
            "contoso_case",
            &session().with("additional_tabs", &names(&["contoso_x"])),
        ),
    );
    let locked = managed::<SessionTemplate>(&made, "contoso_case");
    let held = holding(&locked, &delete::<TabTemplate>("contoso_x", true));
    assert_eq!(held, pairs("SessionTemplate", &["contoso_case"]));
}

#[test]
fn force_breaks_no_rule_of_a_referrer() {
    // The tool is built in and so never deleted; were it a custom one, Copilot would hold it.
    let mut tool = ProductivityTool::clone(catalog([]).tables.tools.find(PANE_TOOL).unwrap());
    tool.common.origin = Origin::Custom;
    let rep = |unique_name, setting| {
        profile(unique_name, |p| {
            p.pane.on = true;
            p.pane.tools = vec![shown(PANE_TOOL)];
            p.copilot.insert("ask_a_question".into(), setting);
        })
    };
    let objects =
        [tool.into_object(), rep("contoso_on", Setting::On), rep("contoso_off", Setting::Off)];
    let seeded = builtin::objects(1, Time::default()).into_iter();
    let no_profiles = seeded.filter(|object| object.kind() != Kind::Profile);
    let catalog = Catalog::from_objects(no_profiles.chain(objects), 1, Time::default());
    let held = holding(&catalog, &delete::<ProductivityTool>(PANE_TOOL, true));
    assert_eq!(held, pairs("Profile", &["contoso_on"]));
}

#[test]
fn what_nobody_refers_to_goes_without_force() {
    let made = done(&linked(), &create::<SessionTemplate>("contoso_y", &session()));
    let plan = delete::<SessionTemplate>("contoso_y", false).plan(&made, &context(1)).unwrap();
    assert_eq!(plan.changes.len(), 1);
    assert!(plan.answers.is_empty());
    let mut other = SessionTemplate::clone(&stored::<SessionTemplate>(&made, "contoso_y"));
    other.common.state = State::Inactive;
    let etag = some("old");
    let stale = Delete::<SessionTemplate>::new(name("contoso_y"), etag, true);
    assert_eq!(told(&catalog([other.into_object()]), &stale), "ETAG_MISMATCH");
}
