use super::*;
use crate::domain::profile::PaneTool;

const CSW: &str = "msdyn_csw_default_profile";

fn options() -> ImportOptions {
    ImportOptions { adopt_built_in: true, ..Default::default() }
}

/// The row of a built-in profile as it is, with another pane and channels.
fn row(text: &str, before: &Catalog, change: impl FnOnce(&mut ProfilePatch)) -> Box<dyn Incoming> {
    let stored = found(before, text);
    let tool = PaneTool {
        tool: name("msdyn_tool_smart_assist"),
        enabled: true,
        order: 0,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    };
    let mut patch = ProfilePatch {
        display_name: Some(stored.common.display_name.clone()),
        pane_on: Some(false),
        pane_tools: Some(vec![tool]),
        all_active_channels: Some(true),
        session_templates: Some(Vec::new()),
        ..ProfilePatch::default()
    };
    change(&mut patch);
    sent_profile(text, patch, Assignment::default())
}

#[test]
fn s11_4_built_in_profiles_adopt_the_settings_of_an_upgrade_once() {
    let before = catalog([]);
    let import = bundle(
        ImportOptions { managed: true, ..options() },
        vec![profile("contoso_rep", flagged()), row(CSW, &before, |_| {})],
    );
    let (plan, after) = accepted(&before, &import);
    assert_eq!(findings(&plan), [(FindingCode::BuiltInAdopted, CSW)]);
    assert_eq!(results(&plan)[1], (CSW, ImportResult::Updated));
    let adopted = found(&after, CSW);
    assert!(adopted.adopted && adopted.all_active_channels && adopted.common.is_built_in());
    assert_eq!((adopted.pane.on, adopted.pane.tools.len()), (false, 1));
    assert!(adopted.session_templates.is_empty());
    assert_eq!(adopted.stamp.uid, found(&before, CSW).stamp.uid);

    // Once per store, and the profile is read-only again.
    let again = bundle(options(), vec![row(CSW, &after, |_| {})]);
    assert_eq!(refused(&after, &again).reason, Reason::AlreadyAdopted);
    let plain = ImportOptions { on_existing: OnExisting::Overwrite, ..Default::default() };
    let without = bundle(plain, vec![row(CSW, &after, |_| {})]);
    assert_eq!(refused(&after, &without).reason, Reason::BuiltInReadOnly);
}

#[test]
fn s11_4_nothing_is_adopted_once_there_are_other_profiles() {
    for origin in [Origin::Custom, managed("other_pack")] {
        let before = catalog([stored("contoso_rep", |profile| profile.common.origin = origin)]);
        let import = bundle(options(), vec![row(CSW, &before, |_| {})]);
        let refusal = refused(&before, &import);
        assert_eq!(refusal.reason, Reason::AlreadyAdopted);
        assert_eq!(refusal.resources[0].name, "contoso_rep");
        // Without such a row there is nothing to adopt.
        accepted(&before, &bundle(options(), vec![profile("contoso_new", Assignment::default())]));
    }
}

#[test]
fn what_a_built_in_profile_cannot_adopt_is_refused_and_not_dropped() {
    let before = catalog([]);
    let renamed = |patch: &mut ProfilePatch| patch.display_name = Some("Other".into());
    let inbox = |patch: &mut ProfilePatch| patch.inbox_enabled = Some(true);
    for sent in [row(CSW, &before, renamed), row(CSW, &before, inbox)] {
        let refusal = refused(&before, &bundle(options(), vec![sent]));
        assert_eq!(refusal.reason, Reason::FieldInvalid);
        assert_eq!(refusal.violations[0].field, format!("objects.profiles[{CSW}]"));
    }
    let patch = ProfilePatch {
        display_name: Some(found(&before, CSW).common.display_name.clone()),
        ..ProfilePatch::default()
    };
    let assigned = sent_profile(CSW, patch, rank(1, &["msdyn_csr"]));
    assert_eq!(refused(&before, &bundle(options(), vec![assigned])).reason, Reason::FieldInvalid);
}
