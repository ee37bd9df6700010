//! §9.4 and §9.5: escaping by target, and what opens.

use super::*;

const HOSTILE: &str = "a b/../?x=1&y#z%\"'\\<é>{k}";
const ENCODED: &str = "a%20b%2F..%2F%3Fx%3D1%26y%23z%25%22%27%5C%3C%C3%A9%3E%7Bk%7D";

#[test]
fn s9_4_titles_have_no_control_characters_and_no_line_breaks() {
    let value = "a\r\nb\nc\rd\u{2028}e\u{85}f\u{c}g\u{0}\u{7f}\u{9f}\th<i>\u{202e}";
    let all = [("x", text(value))];
    let shown = "a b c d e f gh<i>\u{202e}";
    assert_eq!(titled("{x}", &all).title, shown);
    let notification = announced("{x}", &[("Head", "{x}")]);
    let rendered = render(&template(""), Some(&notification), &values(&all));
    let notification = rendered.notification.unwrap();
    assert_eq!(notification.title, shown);
    assert_eq!(notification.fields, [("Head".to_owned(), shown.to_owned())]);
}

#[test]
fn s9_4_addresses_take_percent_encoded_values() {
    let all = [("x", text(HOSTILE)), ("safe", text("AZaz09-._~"))];
    let (url, _) = parameter(Page::Website, "URL", "https://h.example/{x}?q={x}#{safe}", &all);
    assert_eq!(url, format!("https://h.example/{ENCODED}?q={ENCODED}#AZaz09-._~"));
    for page in [Page::Website, Page::WebResource] {
        let (data, _) = parameter(page, "data", "k={x}", &all);
        assert_eq!(data, format!("k={ENCODED}"));
    }
}

#[test]
fn s9_4_scheme_and_host_are_static() {
    let all = [("x", text("evil.example"))];
    for url in [
        "{x}",
        "https://{x}/",
        "https://h.example{x}/",
        "https://h.example:{x}/",
        "https://u{x}@h.example/",
        "javascript:{x}",
        "https://h.example\\{x}",
        "http://h.example/{x}",
        "https://user@h.example/{x}",
        "https://{$odata.a.b}/",
    ] {
        let (rendered, all) = parameter(Page::Website, "url", url, &all);
        assert_eq!(rendered, url);
        assert_eq!(all.deferred, [], "{url}");
        let [Unresolved { place, reason: NOT_ALLOWED, .. }] = &all.unresolved[..] else {
            panic!("{url}: {all:?}")
        };
        assert_eq!(place, "tabs[0].parameters[0].value");
    }
}

#[test]
fn s9_4_data_is_appended_to_the_address() {
    let all = [("k", text("v&w")), ("none", Value::Null)];
    for (url, data, expected) in [
        ("https://h.example", "a={k}", "https://h.example?a=v%26w"),
        ("https://h.example/p?x={k}", "a={k}", "https://h.example/p?x=v%26w&a=v%26w"),
        ("https://h.example/p?", "a=1", "https://h.example/p?a=1"),
        ("https://h.example/p?x=1&", "a=1", "https://h.example/p?x=1&a=1"),
        ("https://h.example/p", "?a=1", "https://h.example/p?a=1"),
        ("https://h.example/p?x=1", "&a=1", "https://h.example/p?x=1&a=1"),
        ("https://h.example/p#{k}", "a=1", "https://h.example/p?a=1#v%26w"),
        ("https://h.example/#/case?x=1", "a=1", "https://h.example/?a=1#/case?x=1"),
        ("https://h.example/p", "", "https://h.example/p"),
        ("https://h.example/p", "{none}", "https://h.example/p"),
        (
            "https://h.example/{$odata.a.b.?$top=1}",
            "a=1",
            "https://h.example/{$odata.a.b.?$top=1}?a=1",
        ),
    ] {
        let (found, _) = parameters(Page::Website, &[("data", data), ("url", url)], &all);
        assert_eq!(found, [("url".to_owned(), expected.to_owned())], "{url} {data}");
    }
}

#[test]
fn s9_4_slugs_of_appended_data_stand_in_the_address() {
    let given =
        [("data", "a={gone}&b={$odata.c.d}"), ("other", "{gone}"), ("url", "https://h.example/")];
    let (found, rendered) = parameters(Page::Website, &given, &[]);
    assert_eq!(found[1].1, "https://h.example/?a={gone}&b={$odata.c.d}");
    assert_eq!(
        slugs(&rendered),
        [
            ("tabs[0].parameters[0].value", "{gone}", MISSING),
            ("tabs[0].parameters[1].value", "{gone}", MISSING),
        ]
    );
    assert_eq!(rendered.deferred[0].place, "tabs[0].parameters[1].value");
}

#[test]
fn s9_4_json_takes_escaped_values_inside_strings() {
    let all = [("x", text("\"},{\\\n\r\t\u{1}\u{7f}é{k}")), (r#"say "hi""#, text("found"))];
    let data = r#"{"{x}": "<{x}>", "n": [1, {"k":"{{x}}"}], "q": "{say \"hi\"}"}"#;
    let (rendered, stays) = parameter(Page::Record, "Data", data, &all);
    let expected =
        r#"{"{x}": "<\"},{\\\n\r\t\u0001\u007fé{k}>", "n": [1, {"k":"{x}"}], "q": "found"}"#;
    assert_eq!(rendered, expected);
    assert_eq!(stays.unresolved, []);
    let (rendered, _) = parameter(Page::Other, "data", "{x}", &[("x", text("\""))]);
    assert_eq!(rendered, "\"", "data of other pages is raw");
}

#[test]
fn s9_4_options_within_json_are_written_without_its_escapes() {
    let data = r#"{"t":"{$odata.a.b.?$filter=x eq \"{gone}\" or y eq '{x}'}"}"#;
    let (rendered, stays) = parameter(Page::Record, "data", data, &[("x", text("\"'"))]);
    assert_eq!(rendered, data);
    assert_eq!(stays.deferred[0].options, r#"$filter=x eq "{gone}" or y eq '"'''"#);
    assert!(data.contains(&stays.deferred[0].slug));
}

#[test]
fn s9_4_json_of_imported_texts_is_delivered_as_written() {
    for data in ["", "{", r#"{"a":{x}}"#, r#"{"a":"b"#, r#"{"a\"#] {
        let (rendered, _) = parameter(Page::Record, "data", data, &[("x", text("1"))]);
        assert_eq!(rendered, data);
    }
}

#[test]
fn s9_4_other_parameters_are_raw_without_control_characters() {
    let all = [("x", text(HOSTILE)), ("bad", text("a\nb"))];
    for (page, name) in [
        (Page::Record, "entityId"),
        (Page::Other, "searchText"),
        (Page::WebResource, "webresourceName"),
        (Page::Website, "title"),
    ] {
        let (rendered, stays) = parameter(page, name, "<{x}{bad}>", &all);
        assert_eq!(rendered, format!("<{HOSTILE}{{bad}}>"));
        assert_eq!(slugs(&stays), [("tabs[0].parameters[0].value", "{bad}", NOT_ALLOWED)]);
    }
}

fn session<'a>(anchor: Anchor<'a>, title_on_anchor_tab: bool) -> Template<'a> {
    let tab = |title, can_close| Tab {
        title,
        page: Page::Other,
        can_close,
        parameters: vec![("p", "{gone}")],
    };
    Template {
        anchor,
        title_on_anchor_tab,
        tabs: vec![tab("First {x}", true), tab("Second", true), tab("Third", false)],
        ..template("Session {x}")
    }
}

fn shown(rendered: &Rendered) -> Vec<(&str, bool, bool)> {
    rendered.tabs.iter().map(|tab| (tab.title.as_str(), tab.can_close, tab.anchor)).collect()
}

#[test]
fn s9_5_the_anchor_of_a_record_is_the_record() {
    let all = values(&[("x", text("X"))]);
    for (on_anchor, title) in [(false, ""), (true, "Session X")] {
        let anchor = Anchor::Record { entity: "incident", id: "{x}" };
        let rendered = render(&session(anchor, on_anchor), None, &all);
        assert_eq!(
            shown(&rendered),
            [
                (title, false, true),
                ("First X", true, false),
                ("Second", true, false),
                ("Third", false, false),
            ]
        );
        let record = [("entityName", "incident"), ("entityId", "{x}")];
        assert_eq!(rendered.tabs[0].parameters, record.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(rendered.unresolved[0].place, "tabs[1].parameters[0].value");
    }
    let anchor = Anchor::Record { entity: "incident", id: "" };
    let rendered = render(&session(anchor, false), None, &all);
    assert_eq!(rendered.tabs[0].parameters, [("entityName".to_owned(), "incident".to_owned())]);
}

#[test]
fn s9_5_the_anchor_of_a_conversation_is_its_first_tab() {
    let all = values(&[("x", text("X"))]);
    for (on_anchor, title) in [(false, "First X"), (true, "Session X")] {
        let rendered = render(&session(Anchor::FirstTab, on_anchor), None, &all);
        let tabs = [(title, false, true), ("Second", true, false), ("Third", false, false)];
        assert_eq!(shown(&rendered), tabs);
        assert_eq!(rendered.unresolved[0].place, "tabs[0].parameters[0].value");
    }
}

#[test]
fn s9_5_a_title_on_the_anchor_lists_its_slugs_for_both_places() {
    let mut session = session(Anchor::FirstTab, true);
    session.title = "{gone}{$odata.a.b}";
    let rendered = render(&session, None, &Values::default());
    let places: Vec<_> = rendered.unresolved.iter().take(2).map(|stays| &stays.place[..]).collect();
    assert_eq!(places, ["session.title", "tabs[0].title"]);
    assert_eq!(rendered.deferred.len(), 2);
}

#[test]
fn s9_5_notifications_show_their_buttons() {
    let shown = |change: &dyn Fn(&mut Notification<'_>)| {
        let mut notification = announced("", &[]);
        change(&mut notification);
        let rendered = render(&template(""), Some(&notification), &Values::default());
        let shown = rendered.notification.unwrap();
        (shown.accept_text, shown.reject_text)
    };
    let texts = |accept: &str, reject: &str| (accept.to_owned(), reject.to_owned());
    assert_eq!(shown(&|_| ()), texts("Accept", "Reject"));
    assert_eq!(shown(&|n| n.reject_text = None), texts("Accept", ""));
    assert_eq!(shown(&|n| n.auto_assign = true), texts("Open", ""));
}

#[test]
fn s9_5_slugs_are_listed_in_reading_order() {
    let mut session = session(Anchor::FirstTab, false);
    session.title = "{a}";
    let notification = announced("{b}", &[("Head", "{c}{d}")]);
    let rendered = render(&session, Some(&notification), &Values::default());
    let places: Vec<_> = rendered.unresolved.iter().map(|stays| &stays.place[..]).collect();
    assert_eq!(
        places,
        [
            "session.title",
            "tabs[0].title",
            "tabs[0].parameters[0].value",
            "tabs[1].parameters[0].value",
            "tabs[2].parameters[0].value",
            "notification.title",
            "notification.fields[0].value",
            "notification.fields[0].value",
        ]
    );
}
