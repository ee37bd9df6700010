//! The rules of SPEC §9.3 to §9.6, each test named by section and rule.

mod bounds;
mod places;
mod properties;
mod scripts;

use super::*;

/// Values of the context and, with `anchor.` before the name, of the anchor record.
fn values(all: &[(&str, Value)]) -> Values {
    let mut values = Values::default();
    for (key, value) in all {
        let is_new = match key.strip_prefix("anchor.") {
            Some(name) => values.insert_attribute(name, value.clone()),
            None => values.insert_context(key, value.clone()),
        };
        assert!(is_new, "{key} is given twice");
    }
    values
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn template(title: &str) -> Template<'_> {
    Template {
        title,
        title_on_anchor_tab: false,
        anchor: Anchor::FirstTab,
        tabs: Vec::new(),
        scripts: Vec::new(),
        expression: None,
    }
}

/// A session with one tab.
fn tab<'a>(page: Page, parameters: &[(&'a str, &'a str)]) -> Template<'a> {
    let parameters = parameters.to_vec();
    let tab = Tab { title: "", page, can_close: true, parameters };
    Template { tabs: vec![tab], ..template("") }
}

fn titled(title: &str, all: &[(&str, Value)]) -> Rendered {
    render(&template(title), None, &values(all))
}

/// The parameters of a session with one tab, and what stays in them.
fn parameters(
    page: Page,
    parameters: &[(&str, &str)],
    all: &[(&str, Value)],
) -> (Vec<(String, String)>, Rendered) {
    let mut rendered = render(&tab(page, parameters), None, &values(all));
    (std::mem::take(&mut rendered.tabs[0].parameters), rendered)
}

/// The only parameter of a tab.
fn parameter(page: Page, name: &str, template: &str, all: &[(&str, Value)]) -> (String, Rendered) {
    let (mut found, rendered) = parameters(page, &[(name, template)], all);
    assert_eq!(found.len(), 1);
    (found.remove(0).1, rendered)
}

fn slugs(rendered: &Rendered) -> Vec<(&str, &str, UnresolvedReason)> {
    let all = rendered.unresolved.iter();
    all.map(|stays| (stays.place.as_str(), stays.slug.as_str(), stays.reason)).collect()
}

const MISSING: UnresolvedReason = UnresolvedReason::Missing;
const NOT_ALLOWED: UnresolvedReason = UnresolvedReason::NotAllowedHere;

#[test]
fn s9_3_1_keys_come_from_the_context_and_attributes_from_the_anchor() {
    let all = [("customerName", text("Ann")), ("anchor.title", text("Refund"))];
    let rendered = titled("{customerName}: {anchor.title}, {title}, {anchor.customerName}", &all);
    assert_eq!(rendered.title, "Ann: Refund, {title}, {anchor.customerName}");
    assert_eq!(
        slugs(&rendered),
        [
            ("session.title", "{title}", MISSING),
            ("session.title", "{anchor.customerName}", MISSING),
        ]
    );
}

#[test]
fn s9_3_1_names_ignore_ascii_case_and_no_other() {
    let formatted = "anchor._customerid_value@OData.Community.Display.V1.FormattedValue";
    let all = [("CustomerName", text("Ann")), (formatted, text("Contoso")), ("É", text("no"))];
    let slug = "{ANCHOR._CustomerID_Value@odata.community.display.v1.formattedvalue}";
    let rendered = titled(&format!("{{CUSTOMERNAME}} {slug} {{é}}"), &all);
    assert_eq!(rendered.title, "Ann Contoso {é}");
    assert!(!values(&[("key", Value::Null)]).insert_context("KEY", Value::Null));
    assert!(!values(&[("anchor.key", Value::Null)]).insert_attribute("KEY", Value::Null));
}

#[test]
fn s9_3_2_values_are_shown_by_their_type() {
    for (value, expected) in [
        (text(" as it is "), " as it is "),
        (Value::Number(5.0), "5"),
        (Value::Number(-0.0), "0"),
        (Value::Number(0.1), "0.1"),
        (Value::Number(-12.50), "-12.5"),
        (Value::Number(1e21), "1000000000000000000000"),
        (Value::Number(1e-7), "0.0000001"),
        (Value::Number(9_007_199_254_740_991.0), "9007199254740991"),
        (Value::Bool(true), "true"),
        (Value::Bool(false), "false"),
        (Value::Null, ""),
    ] {
        let rendered = titled("<{x}>", &[("x", value)]);
        assert_eq!(rendered.title, format!("<{expected}>"));
        assert_eq!(rendered.unresolved, []);
    }
}

#[test]
fn s9_3_3_inserted_text_is_never_scanned() {
    for value in ["{b}", "{{b}}", "{anchor.b}", "{$odata.a.b}", "}", "{"] {
        let all = [("a", text(value)), ("b", text("bad")), ("anchor.b", text("bad"))];
        let rendered = titled("{a}{a}", &all);
        assert_eq!(rendered.title, value.repeat(2));
        assert_eq!((rendered.unresolved, rendered.deferred), (Vec::new(), Vec::new()));
    }
    // Nor together with what stands around it.
    let rendered = titled("{{a{x}", &[("x", text("}")), ("a", text("bad"))]);
    assert_eq!(rendered.title, "{a}");
}

#[test]
fn s9_3_4_what_has_no_value_stays_and_is_listed() {
    let rendered = titled("{ a } {$session.x} {Session.CurrentTab.EntityId} {ä}{ a }", &[]);
    assert_eq!(rendered.title, "{ a } {$session.x} {Session.CurrentTab.EntityId} {ä}{ a }");
    assert_eq!(
        slugs(&rendered),
        [
            ("session.title", "{ a }", MISSING),
            ("session.title", "{$session.x}", NOT_ALLOWED),
            ("session.title", "{Session.CurrentTab.EntityId}", NOT_ALLOWED),
            ("session.title", "{ä}", MISSING),
        ]
    );
}

#[test]
fn s9_3_4_malformed_slugs_of_imported_texts_are_literal() {
    let rendered = titled("{} {a{b}c} {a} {open", &[("a", text("A"))]);
    assert_eq!(rendered.title, "{} {a{b}c} A {open");
    assert_eq!(rendered.unresolved, []);
}

#[test]
fn s9_3_5_queries_are_left_to_the_client() {
    let slug = "{$odata.incidents.title.?$filter=name eq '{customerName}' and id eq '{id}'&$top=1}";
    let all = [("customerName", text("O'Brien & {x}%\n"))];
    let rendered = titled(&format!("Case {slug} {{$odata.a.b}} {slug}"), &all);
    assert_eq!(rendered.title, format!("Case {slug} {{$odata.a.b}} {slug}"));
    let query = |slug: &str, entity: &str, attribute: &str, options: &str| Deferred {
        place: "session.title".to_owned(),
        slug: slug.to_owned(),
        entity: entity.to_owned(),
        attribute: attribute.to_owned(),
        options: options.to_owned(),
    };
    let options = "$filter=name eq 'O''Brien & {x}%\n' and id eq '{id}'&$top=1";
    assert_eq!(
        rendered.deferred,
        [query(slug, "incidents", "title", options), query("{$odata.a.b}", "a", "b", ""),]
    );
    assert_eq!(slugs(&rendered), [("session.title", "{id}", MISSING)]);
}

#[test]
fn s9_3_5_a_query_within_a_query_has_no_place() {
    let inner = "{$odata.c.d.?x={k}}";
    let slug = format!("{{$odata.a.b.?x={inner}&y={{ReconnectUrl{{ReconnectID}}}}}}");
    let rendered = titled(&slug, &[("k", text("v"))]);
    assert_eq!(rendered.deferred.len(), 1);
    assert_eq!(rendered.deferred[0].options, &slug["{$odata.a.b.?".len()..slug.len() - 1]);
    assert_eq!(
        slugs(&rendered),
        [
            ("session.title", inner, NOT_ALLOWED),
            ("session.title", "{ReconnectUrl{ReconnectID}}", NOT_ALLOWED),
        ]
    );
}

#[test]
fn s9_3_5_links_to_reconnect_are_left_to_the_client() {
    let rendered = titled("{ReconnectUrl{ReconnectID}}", &[]);
    let [Deferred { slug, entity, attribute, options, .. }] = &rendered.deferred[..] else {
        panic!("{rendered:?}")
    };
    assert_eq!(slug, "{ReconnectUrl{ReconnectID}}");
    assert!(entity.is_empty() && attribute.is_empty() && options.is_empty());
}

fn announced<'a>(title: &'a str, fields: &[(&'a str, &'a str)]) -> Notification<'a> {
    Notification {
        title,
        fields: fields.to_vec(),
        accept_text: "Accept",
        reject_text: Some("Reject"),
        auto_assign: false,
    }
}

#[test]
fn s9_3_6_long_texts_are_cut_within_their_limits() {
    let long = "é".repeat(3_000);
    let all = [("long", text(&long)), ("fits", text(&"é".repeat(198)))];
    let mut session = Template { title_on_anchor_tab: true, ..tab(Page::Other, &[]) };
    session.title = "a{long}";
    let notification = announced("a{long}", &[("Head", "{long}"), ("Short", "a{fits}")]);
    let rendered = render(&session, Some(&notification), &values(&all));
    let cut = |limit: usize| format!("a{}…", "é".repeat(limit - 2));
    assert_eq!(rendered.title, cut(200));
    assert_eq!(rendered.tabs[0].title, cut(200));
    let shown = rendered.notification.unwrap();
    assert_eq!(shown.title, cut(100));
    assert_eq!(shown.fields[0].1, format!("{}…", "é".repeat(1_027)));
    assert_eq!(shown.fields[1].1.chars().count(), 199);
    let places =
        ["session.title", "tabs[0].title", "notification.title", "notification.fields[0].value"];
    assert_eq!(rendered.truncated, places);
}

#[test]
fn s9_3_6_a_text_at_its_limit_is_whole() {
    for (chars, cut) in [(199, false), (200, false), (201, true)] {
        let rendered = titled("{x}", &[("x", text(&"x".repeat(chars)))]);
        assert_eq!(rendered.title.chars().count(), chars.min(200));
        assert_eq!(rendered.title.ends_with('…'), cut, "{chars}");
        assert_eq!(!rendered.truncated.is_empty(), cut, "{chars}");
    }
}

#[test]
fn s9_3_6_a_slug_is_kept_whole_or_cut_off() {
    let query = "{$odata.a.b.?x={gone}}";
    let title = format!("{{x}}{query}{{y}}");
    let at = |chars: usize| titled(&title, &[("x", text(&"x".repeat(chars)))]);
    let rendered = at(178 - query.len());
    assert_eq!(rendered.truncated, [""; 0]);
    assert_eq!((rendered.deferred.len(), rendered.unresolved.len()), (1, 2));
    // The limit goes through `{y}`, then through the query.
    let rendered = at(198 - query.len());
    assert_eq!(rendered.title, format!("{}{query}…", "x".repeat(198 - query.len())));
    assert_eq!((rendered.deferred.len(), rendered.unresolved.len()), (1, 1));
    let rendered = at(190);
    assert_eq!(rendered.title, format!("{}…", "x".repeat(190)));
    assert_eq!((rendered.deferred.len(), rendered.unresolved.len()), (0, 0));
}
