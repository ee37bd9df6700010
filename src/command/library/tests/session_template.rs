use super::*;
use crate::domain::template::{SessionTemplate, SessionType};

fn judged(change: impl FnOnce(&mut SessionTemplatePatch), of: SessionTemplatePatch) -> String {
    let mut patch = of;
    change(&mut patch);
    told(&catalog([]), &create::<SessionTemplate>("contoso_x", &patch))
}

const TREE: &str = r#"{"script":"contoso_greet"}"#;

#[test]
fn rules_of_both_types() {
    let of = |text: &str, broken: fn(&mut SessionTemplatePatch, String)| {
        let text = text.to_owned();
        move |patch: &mut SessionTemplatePatch| broken(patch, text)
    };
    let title = |text: &str| of(text, |p, text| p.title = Some(text));
    let icon = |text: &str| of(text, |p, text| p.icon = Some(text));
    let entity = |text: &str| of(text, |p, text| p.entity = Some(text));
    for (result, expected) in [
        (judged(|_| {}, session()), "ok"),
        (judged(|p| p.session_type = Some(SessionType::Entity), session()), "ok"),
        (judged(|p| p.entity = None, session()), "FIELD_INVALID entity"),
        (judged(entity(""), session()), "FIELD_INVALID entity"),
        (judged(entity("Incident"), session()), "FIELD_INVALID entity"),
        (judged(entity("1x"), session()), "FIELD_INVALID entity"),
        (judged(entity(&"x".repeat(100)), session()), "ok"),
        (judged(entity(&"x".repeat(101)), session()), "FIELD_INVALID entity"),
        (judged(icon("/i.svg"), session()), "FIELD_INVALID icon"),
        (
            judged(|p| p.anchor_tab = Some(Some(name("msdyn_search"))), session()),
            "FIELD_INVALID anchor_tab",
        ),
        (judged(|_| {}, generic()), "ok"),
        (judged(entity("incident"), generic()), "FIELD_INVALID entity"),
        (judged(|p| p.anchor_tab = None, generic()), "FIELD_INVALID anchor_tab"),
        (judged(|p| p.anchor_tab = Some(None), generic()), "FIELD_INVALID anchor_tab"),
        (judged(icon("/i.svg"), generic()), "ok"),
        (judged(icon("/i.GIF"), generic()), "FIELD_INVALID icon"),
        (judged(icon("/i.gif?v=1"), generic()), "FIELD_INVALID icon"),
        (judged(icon("/{caseId}.svg"), generic()), "SLUG_SYNTAX icon"),
        (judged(icon(&"x".repeat(1_025)), generic()), "FIELD_INVALID icon"),
        (judged(title("{anchor.title} {$odata.a.b}"), session()), "ok"),
        (judged(title("{anchor.title"), session()), "SLUG_SYNTAX title"),
        (judged(title(&"x".repeat(201)), session()), "FIELD_INVALID title"),
        (judged(|p| p.expression_enabled = Some(true), session()), "FIELD_INVALID expression.tree"),
        (
            judged(of(TREE, |p, t| p.expression_tree = Some(t)), session()),
            "FIELD_INVALID expression.tree",
        ),
        (
            judged(of("{}", |p, t| p.expression_tree = Some(t)), session()),
            "FIELD_INVALID expression.tree",
        ),
    ] {
        assert_eq!(result, expected);
    }
}

#[test]
fn references_lead_to_stored_objects() {
    let tabs = |list: &[&str]| {
        let list = names(list);
        move |p: &mut SessionTemplatePatch| p.additional_tabs = Some(list)
    };
    let ten = ["msdyn_search"; 10];
    for (result, expected) in [
        (judged(tabs(&["msdyn_search", "contoso_gone"]), session()), "TEMPLATE_NOT_FOUND"),
        (judged(|p| p.anchor_tab = Some(Some(name("abc_x"))), generic()), "TEMPLATE_NOT_FOUND"),
        (judged(tabs(&ten[..9]), generic()), "ok"),
        (judged(tabs(&ten), generic()), "LIMIT_REACHED"),
        (judged(|p| p.scripts = Some(names(&["contoso_greet"])), session()), "OBJECT_NOT_FOUND"),
    ] {
        assert_eq!(result, expected);
    }
    // The tree names a script of the template, so what is missing is the script alone.
    let patch = SessionTemplatePatch {
        scripts: Some(names(&["Contoso_Greet"])),
        expression_enabled: Some(true),
        expression_tree: some(TREE),
        ..session()
    };
    let refusal = create::<SessionTemplate>("contoso_x", &patch).plan(&catalog([]), &context(1));
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.reason, Reason::ObjectNotFound);
    assert_eq!(refusal.resources[0].kind, "AgentScript");

    let mut patch = generic();
    tabs(&ten)(&mut patch);
    let refusal = create::<SessionTemplate>("contoso_x", &patch).plan(&catalog([]), &context(1));
    let refusal = refusal.unwrap_err();
    assert_eq!(
        (&*refusal.metadata["limit"], &*refusal.metadata["field"]),
        ("9", "additional_tabs")
    );
}

#[test]
fn names_are_stored_as_their_objects_spell_them() {
    let made = done(&catalog([]), &create::<SessionTemplate>("contoso_x", &generic()));
    let template = stored::<SessionTemplate>(&made, "contoso_x");
    assert_eq!(template.anchor_tab.as_ref().unwrap().as_str(), "msdyn_entityrecord");
}

#[test]
fn type_and_entity_never_change() {
    let made = done(&catalog([]), &create::<SessionTemplate>("contoso_x", &session()));
    for (patch, expected) in [
        (
            SessionTemplatePatch { entity: some("account"), ..Default::default() },
            "FIELD_IMMUTABLE entity",
        ),
        (
            SessionTemplatePatch {
                session_type: Some(SessionType::Generic),
                entity: some(""),
                ..generic()
            },
            "FIELD_IMMUTABLE type entity",
        ),
        (session(), "same"),
    ] {
        assert_eq!(told(&made, &update::<SessionTemplate>("contoso_x", &patch)), expected);
    }
}

#[test]
fn dead_references_of_old_data_stay_until_they_are_replaced() {
    let made = done(&catalog([]), &create::<SessionTemplate>("contoso_x", &session()));
    let old = SessionTemplate {
        additional_tabs: names(&["contoso_gone"]),
        scripts: names(&["contoso_greet"]),
        expression_enabled: true,
        expression_tree: TREE.to_owned(),
        title: "{".to_owned(),
        ..SessionTemplate::clone(&stored::<SessionTemplate>(&made, "contoso_x"))
    };
    let old = catalog([old.into_object()]);
    let patch = SessionTemplatePatch { owner: some("Ann"), ..Default::default() };
    assert_eq!(told(&old, &update::<SessionTemplate>("contoso_x", &patch)), "ok");
    assert_eq!(told(&old, &clone::<SessionTemplate>("contoso_x", "contoso_y")), "ok");
    let patch = SessionTemplatePatch { scripts: Some(Vec::new()), ..patch };
    let refused = told(&old, &update::<SessionTemplate>("contoso_x", &patch));
    assert_eq!(refused, "FIELD_INVALID expression.tree");
}
