use super::*;

fn judged(patch: &Values<SessionTemplate>) -> String {
    told(&catalog([]), &create::<SessionTemplate>("contoso_x", patch))
}

const TREE: &str = r#"{"script":"contoso_greet"}"#;

#[test]
fn rules_of_both_types() {
    let of = |mut patch: Values<SessionTemplate>, field, text: &str| {
        patch.take(field);
        judged(&patch.with(field, &text.to_owned()))
    };
    let without = |mut patch: Values<SessionTemplate>, field| {
        patch.take(field);
        judged(&patch)
    };
    let no_anchor: Option<UniqueName> = None;
    for (result, expected) in [
        (judged(&session()), "ok"),
        (judged(&session().with("type", &SessionType::Entity)), "ok"),
        (without(session(), "entity"), "FIELD_INVALID entity"),
        (of(session(), "entity", ""), "FIELD_INVALID entity"),
        (of(session(), "entity", "Incident"), "FIELD_INVALID entity"),
        (of(session(), "entity", "1x"), "FIELD_INVALID entity"),
        (of(session(), "entity", &"x".repeat(100)), "ok"),
        (of(session(), "entity", &"x".repeat(101)), "FIELD_INVALID entity"),
        (of(session(), "icon", "/i.svg"), "FIELD_INVALID icon"),
        (
            judged(&session().with("anchor_tab", &Some(name("msdyn_search")))),
            "FIELD_INVALID anchor_tab",
        ),
        (judged(&generic()), "ok"),
        (of(generic(), "entity", "incident"), "FIELD_INVALID entity"),
        (without(generic(), "anchor_tab"), "FIELD_INVALID anchor_tab"),
        (judged(&generic().with("anchor_tab", &no_anchor)), "FIELD_INVALID anchor_tab"),
        (of(generic(), "icon", "/i.svg"), "ok"),
        (of(generic(), "icon", "/i.GIF"), "FIELD_INVALID icon"),
        (of(generic(), "icon", "/i.gif?v=1"), "FIELD_INVALID icon"),
        (of(generic(), "icon", "/{caseId}.svg"), "SLUG_SYNTAX icon"),
        (of(generic(), "icon", &"x".repeat(1_025)), "FIELD_INVALID icon"),
        (of(session(), "title", "{anchor.title} {$odata.a.b}"), "ok"),
        (of(session(), "title", "{anchor.title"), "SLUG_SYNTAX title"),
        (of(session(), "title", &"x".repeat(201)), "FIELD_INVALID title"),
        (judged(&session().with("expression.enabled", &true)), "FIELD_INVALID expression.tree"),
        (of(session(), "expression.tree", TREE), "FIELD_INVALID expression.tree"),
        (of(session(), "expression.tree", "{}"), "FIELD_INVALID expression.tree"),
    ] {
        assert_eq!(result, expected);
    }
}

#[test]
fn references_lead_to_stored_objects() {
    let tabs = |list: &[&str]| session().with("additional_tabs", &names(list));
    let ten = ["msdyn_search"; 10];
    for (result, expected) in [
        (judged(&tabs(&["msdyn_search", "contoso_gone"])), "TEMPLATE_NOT_FOUND"),
        (judged(&generic().with("anchor_tab", &Some(name("abc_x")))), "TEMPLATE_NOT_FOUND"),
        (judged(&tabs(&ten[..9])), "ok"),
        (judged(&tabs(&ten)), "LIMIT_REACHED"),
        (judged(&session().with("scripts", &names(&["contoso_greet"]))), "OBJECT_NOT_FOUND"),
    ] {
        assert_eq!(result, expected);
    }
    // The tree names a script of the template, so what is missing is the script alone.
    let patch = session()
        .with("scripts", &names(&["Contoso_Greet"]))
        .with("expression.enabled", &true)
        .with("expression.tree", &TREE.to_owned());
    let refusal = create::<SessionTemplate>("contoso_x", &patch).plan(&catalog([]), &context(1));
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.reason, Reason::ObjectNotFound);
    assert_eq!(refusal.resources[0].kind, "AgentScript");

    let refusal =
        create::<SessionTemplate>("contoso_x", &tabs(&ten)).plan(&catalog([]), &context(1));
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
        (text("entity", "account"), "FIELD_IMMUTABLE entity"),
        (generic().with("entity", &String::new()), "FIELD_IMMUTABLE type entity"),
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
    let patch = text("owner", "Ann");
    assert_eq!(told(&old, &update::<SessionTemplate>("contoso_x", &patch)), "ok");
    assert_eq!(told(&old, &clone::<SessionTemplate>("contoso_x", "contoso_y")), "ok");
    let patch = patch.with("scripts", &Vec::<UniqueName>::new());
    let refused = told(&old, &update::<SessionTemplate>("contoso_x", &patch));
    assert_eq!(refused, "FIELD_INVALID expression.tree");
}
