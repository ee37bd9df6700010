use super::*;
use PageType::{
    Control, CustomPage, Dashboard, EntityList, EntityRecord, Search, ThirdPartyWebsite,
    WebResource,
};

/// Page type, parameters, what is told.
type Row<'a> = (PageType, &'a [(&'a str, &'a str)], &'a str);

const GUID: &str = "0a1B2c3d-0000-1111-2222-0123456789ab";

#[test]
fn page_types_take_their_parameters() {
    const VALUE: &str = "parameters[1].value";
    let value = |reason: &str| format!("{reason} {VALUE}");
    let (bad, slug) = (value("FIELD_INVALID"), value("SLUG_SYNTAX"));
    let (bad, slug) = (bad.as_str(), slug.as_str());
    let entity = ("entityName", "{customerEntityName}");
    let url = ("url", "https://contoso.com");
    let missing = "TAB_PARAMETER_REQUIRED parameters";
    let unknown = "TAB_PARAMETER_UNKNOWN parameters[1].name";
    let table: &[Row<'_>] = &[
        (Control, &[], "FIELD_INVALID page_type"),
        (Dashboard, &[], missing),
        (Dashboard, &[("dashboardId", GUID)], "ok"),
        (Dashboard, &[("dashboardId", "")], "TAB_PARAMETER_REQUIRED parameters[0].value"),
        (Dashboard, &[("dashboardId", "42")], "FIELD_INVALID parameters[0].value"),
        (Dashboard, &[("dashboardId", "{caseId}")], "SLUG_SYNTAX parameters[0].value"),
        (EntityList, &[], missing),
        (EntityList, &[entity], "ok"),
        (EntityList, &[("entityName", "{x")], "SLUG_SYNTAX parameters[0].value"),
        (EntityList, &[entity, ("viewId", &GUID[1..])], bad),
        (EntityList, &[entity, ("viewId", "0a1B2c3d-00001111-2222-01234-56789ab")], bad),
        (EntityList, &[entity, ("viewID", GUID)], "ok"),
        (EntityList, &[entity, ("formId", GUID)], unknown),
        (EntityList, &[entity, ("ENTITYNAME", "x")], "FIELD_INVALID parameters[1]"),
        (EntityRecord, &[("entityId", "{anchor.id}")], missing),
        (EntityRecord, &[entity, ("entityId", "{anchor.id}")], "ok"),
        (EntityRecord, &[entity, ("formId", GUID), ("validateRecord", "true")], "ok"),
        (EntityRecord, &[entity, ("formId", "{anchor.form}")], slug),
        (EntityRecord, &[entity, ("validateRecord", "yes")], bad),
        (EntityRecord, &[entity, ("validateRecord", "{x}")], slug),
        (EntityRecord, &[entity, ("data", r#"{"title":"{caseTitle}"}"#)], "ok"),
        (EntityRecord, &[entity, ("data", r#"{"title":{caseTitle}}"#)], slug),
        (EntityRecord, &[entity, ("data", "[]")], bad),
        (EntityRecord, &[entity, ("data", "{}"), ("entityId", "x")], "FIELD_INVALID parameters[1]"),
        (EntityRecord, &[entity, ("url", "x")], unknown),
        (Search, &[("searchType", "0")], missing),
        (Search, &[("searchText", "{$odata.a.b}"), ("searchType", "1")], "ok"),
        (Search, &[("searchText", "x"), ("searchType", "2")], bad),
        (ThirdPartyWebsite, &[("data", "x")], missing),
        (ThirdPartyWebsite, &[url, ("data", "q={caseId}")], "ok"),
        (ThirdPartyWebsite, &[url, ("data", "q={caseId")], slug),
        (ThirdPartyWebsite, &[("url", "http://contoso.com")], "FIELD_INVALID parameters[0].value"),
        (ThirdPartyWebsite, &[("url", "https://{h}/")], "SLUG_SYNTAX parameters[0].value"),
        (WebResource, &[("data", "x")], missing),
        (WebResource, &[("webresourceName", "contoso_page"), ("data", "a={x}")], "ok"),
        (WebResource, &[("webresourceName", "{x}")], "SLUG_SYNTAX parameters[0].value"),
        (CustomPage, &[("recordId", "x")], missing),
        (CustomPage, &[("name", "page"), entity, ("recordId", "{$odata.a.b}")], "ok"),
        (CustomPage, &[("name", "{x}")], "SLUG_SYNTAX parameters[0].value"),
        (CustomPage, &[("name", "page"), ("data", "x")], unknown),
        (
            Search,
            &[("a", "x"), ("", "x")],
            "FIELD_INVALID parameters[1].name parameters[0].name parameters[1].name parameters",
        ),
    ];
    for (page_type, parameters, expected) in table {
        let command = create::<TabTemplate>("contoso_x", &tab(*page_type, parameters));
        assert_eq!(told(&catalog([]), &command), *expected, "{page_type:?} {parameters:?}");
    }
}

#[test]
fn values_are_stored_in_one_form() {
    let braced = format!("{{{GUID}}}");
    let patch = tab(EntityList, &[("ENTITYNAME", "account"), ("viewid", &braced)]);
    let made = done(&catalog([]), &create::<TabTemplate>("contoso_x", &patch));
    let stored = stored::<TabTemplate>(&made, "contoso_x");
    let written: Vec<_> =
        stored.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    assert_eq!(written, [("entityName", "account"), ("viewId", GUID)]);
    assert!(stored.can_close);
    assert_eq!(told(&made, &update::<TabTemplate>("contoso_x", &patch)), "same");
}

#[test]
fn updates_are_judged_by_the_stored_page_type() {
    let made = done(&catalog([]), &create::<TabTemplate>("contoso_x", &site()));
    let same_type = tab(ThirdPartyWebsite, &[("url", "https://contoso.com/2")]);
    let untyped = |mut patch: Values<TabTemplate>| {
        patch.take("page_type");
        patch
    };
    let unsaid = untyped(tab(Search, &[("url", "https://a.b/")]));
    for (patch, expected) in [
        (same_type, "ok"),
        (unsaid, "ok"),
        (untyped(tab(Search, &[])), "TAB_PARAMETER_REQUIRED parameters"),
        (new("page_type", &Dashboard), "FIELD_IMMUTABLE page_type"),
        (text("title", "{"), "SLUG_SYNTAX title"),
    ] {
        assert_eq!(told(&made, &update::<TabTemplate>("contoso_x", &patch)), expected);
    }
    let refused = told(&made, &create::<TabTemplate>("contoso_y", &untyped(site())));
    assert_eq!(refused, "FIELD_INVALID page_type");
}

#[test]
fn lists_and_templates_have_their_limits() {
    let seeded = catalog([]);
    let numbers: Vec<_> = (0..21).map(|n| format!("n{n}")).collect();
    let many: Vec<_> = numbers.iter().map(|n| (n.as_str(), "x")).collect();
    let patch = tab(Search, &many);
    let mut parameters: Vec<TabParameter> = patch.get("parameters").unwrap();
    for parameter in parameters.iter_mut().take(2) {
        parameter.unique_name = Some(name("contoso_row"));
    }
    let patch = patch.with("parameters", &parameters);
    let refused = told(&seeded, &create::<TabTemplate>("contoso_x", &patch));
    assert!(refused.starts_with("FIELD_INVALID parameters[1].unique_name "), "{refused}");

    // Old data may hold what is refused now; a copy is judged by the limits only.
    let made = done(&seeded, &create::<TabTemplate>("contoso_x", &site()));
    let mut old =
        crate::domain::tab_template::TabTemplate::clone(&stored::<TabTemplate>(&made, "contoso_x"));
    old.parameters = parameters;
    let copy = clone::<TabTemplate>("contoso_x", "contoso_y");
    assert_eq!(told(&catalog([old.clone().into_object()]), &copy), "LIMIT_REACHED");
    old.parameters.truncate(20);
    assert_eq!(told(&catalog([old.clone().into_object()]), &copy), "ok");
    for parameter in &mut old.parameters {
        parameter.value = "\u{1f600}".repeat(2_048);
    }
    let held = catalog([old.into_object()]);
    let refusal = crate::command::judge(&copy, &held, &context(1)).unwrap_err();
    assert_eq!((refusal.reason, &*refusal.metadata["limit"]), (Reason::ResourceTooLarge, "131072"));
}

#[test]
fn controls_are_not_copied() {
    let command = clone::<TabTemplate>("msdyn_search", "contoso_x");
    assert_eq!(told(&catalog([]), &command), "FIELD_INVALID page_type");
    let command = clone::<TabTemplate>("msdyn_entityrecord", "contoso_x");
    assert_eq!(told(&catalog([]), &command), "ok");
}
