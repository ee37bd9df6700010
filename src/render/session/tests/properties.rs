//! Properties of rendering, over hostile templates and values.

use proptest::prelude::*;

use super::*;
use crate::render::{slug, targets};

/// Texts that hold slugs, malformed and in every form, and what escapes are about.
fn hostile() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "{{",
        "}}",
        "{a}",
        "{A}",
        "{b}",
        "{gone}",
        "{anchor.a}",
        "{anchor.gone}",
        "{$odata.e.f}",
        "{$odata.e.f.?x eq '{a}'}",
        "{$odata.e.f.?{$odata.g.h}{a}}",
        "{$session.x}",
        "{ReconnectUrl{ReconnectID}}",
        "'",
        "\"",
        "\\",
        "\\\"",
        "/",
        "?",
        "&",
        "#",
        "%",
        ":",
        ",",
        " ",
        "\n",
        "\r\n",
        "\t",
        "\u{0}",
        "\u{2028}",
        "é",
        "😀",
        "xyz",
    ]);
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

/// Values for `a`, `b` and the attribute `a`.
fn hostile_values() -> impl Strategy<Value = Values> {
    let value = prop_oneof![
        4 => hostile().prop_map(Value::Text),
        1 => any::<String>().prop_map(Value::Text),
        1 => any::<f64>().prop_filter("JSON has finite numbers", |n| n.is_finite()).prop_map(Value::Number),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    [value.clone(), value.clone(), value]
        .prop_map(|[a, b, c]| values(&[("a", a), ("b", b), ("anchor.A", c)]))
}

fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// A JSON object whose strings are hostile.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        3 => hostile().prop_map(Json::String),
        1 => any::<i32>().prop_map(Json::from),
        1 => Just(Json::Null),
    ];
    let inner = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::hash_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::hash_map("[a-z]{1,3}", inner, 0..4).prop_map(|map| map.into_iter().collect())
}

/// The same tree with its strings taken away.
fn structure(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::String(_) => Json::String(String::new()),
        Json::Array(all) => all.iter().map(structure).collect(),
        Json::Object(all) => {
            all.iter().map(|(key, value)| (key.clone(), structure(value))).collect()
        }
        other => other.clone(),
    }
}

fn session<'a>(texts: &'a [String; 3], page: Page) -> Template<'a> {
    let parameters = vec![("data", &texts[1][..]), ("p", &texts[2]), ("url", &texts[1])];
    let tab = Tab { title: &texts[0], page, can_close: true, parameters };
    Template { tabs: vec![tab.clone(), tab], title_on_anchor_tab: true, ..template(&texts[2]) }
}

proptest! {
    #[test]
    fn whatever_is_given_is_rendered(
        texts in [hostile(), hostile(), hostile()],
        values in hostile_values(),
        page in prop::sample::select(vec![Page::Record, Page::Website, Page::WebResource, Page::Other]),
    ) {
        let session = session(&texts, page);
        let notification = announced(&texts[0], &[("Head", &texts[1])]);
        let rendered = render(&session, Some(&notification), &values);
        prop_assert_eq!(&render(&session, Some(&notification), &values), &rendered);
        // What is listed stands in its text.
        let at = |place: &str| match place {
            "session.title" => rendered.title.clone(),
            "notification.title" => rendered.notification.as_ref().unwrap().title.clone(),
            place if place.starts_with("notification.fields[0]") => {
                rendered.notification.as_ref().unwrap().fields[0].1.clone()
            }
            place => {
                let numbers: Vec<usize> = place.split(['[', ']']).filter_map(|n| n.parse().ok()).collect();
                let tab = &rendered.tabs[numbers[0]];
                numbers.get(1).map_or(tab.title.clone(), |index| tab.parameters[*index].1.clone())
            }
        };
        for stays in &rendered.unresolved {
            prop_assert!(at(&stays.place).contains(&stays.slug), "{:?}", stays);
        }
        for stays in &rendered.deferred {
            prop_assert!(at(&stays.place).contains(&stays.slug), "{:?}", stays);
        }
    }

    #[test]
    fn inserted_text_is_never_evaluated(value in hostile()) {
        let all = [("a", text(&value)), ("b", text("EVALUATED")), ("anchor.a", text("EVALUATED")),
            ("gone", text("EVALUATED"))];
        let rendered = titled("{a}", &all);
        prop_assert!(!rendered.title.contains("EVALUATED"));
        prop_assert_eq!((rendered.unresolved, rendered.deferred), (Vec::new(), Vec::new()));
        let (raw, stays) = parameter(Page::Other, "p", "<{a}>", &all);
        match value.contains(char::is_control) {
            true => prop_assert_eq!((&raw[..], stays.unresolved.len()), ("<{a}>", 1)),
            false => prop_assert_eq!(raw, format!("<{value}>")),
        }
        for (page, name, template) in [
            (Page::Website, "url", "https://h.example/{a}"),
            (Page::WebResource, "data", "{a}"),
            (Page::Record, "data", r#"{"k":"{a}"}"#),
        ] {
            let (rendered, stays) = parameter(page, name, template, &all);
            prop_assert!(!rendered.contains("EVALUATED"));
            prop_assert_eq!((stays.unresolved, stays.deferred), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn an_address_keeps_scheme_and_host_and_parses(
        path in hostile(), data in hostile(), values in hostile_values(),
        start in prop::sample::select(vec!["https://h.example/", "https://h.example", "HTTPS://h.example:8443?", "https://[::1]#"]),
    ) {
        let url = format!("{start}{path}");
        prop_assume!(targets::check_url(&url).is_ok());
        let session = tab(Page::Website, &[("data", &data), ("url", &url)]);
        let rendered = render(&session, None, &values);
        let [(name, address)] = &rendered.tabs[0].parameters[..] else { panic!("{rendered:?}") };
        prop_assert_eq!(name, "url");
        let host: String = url.chars().take(targets::static_chars(&url)).collect();
        let (before, after) = (url::Url::parse(&host).unwrap(), url::Url::parse(address).unwrap());
        prop_assert_eq!(before.origin(), after.origin());
        prop_assert_eq!((after.username(), after.password()), ("", None));
    }

    #[test]
    fn a_value_in_an_address_is_one_segment_or_one_argument(values in hostile_values()) {
        let given = [("url", "https://h.example/a/{a}/b?q={b}&r=1#{anchor.a}")];
        let rendered = render(&tab(Page::Website, &given), None, &values);
        let address = &rendered.tabs[0].parameters[0].1;
        prop_assert_eq!(address.matches('/').count(), 5);
        prop_assert_eq!(address.matches(['?', '&', '#']).count(), 3);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%/?&#=:".contains(c);
        prop_assert!(address.chars().all(plain), "{}", address);
    }

    #[test]
    fn json_parses_and_keeps_its_structure(data in json(), values in hostile_values()) {
        let written = data.to_string();
        prop_assume!(targets::check_json_data(&written).is_ok());
        let rendered = render(&tab(Page::Record, &[("data", &written)]), None, &values);
        let found = &rendered.tabs[0].parameters[0].1;
        let read: serde_json::Value = serde_json::from_str(found).unwrap();
        prop_assert_eq!(structure(&read), structure(&data));
    }

    #[test]
    fn json_holds_the_value_itself(value in any::<String>()) {
        let (found, _) = parameter(Page::Record, "data", r#"{"k":"{a}"}"#, &[("a", text(&value))]);
        let read: serde_json::Value = serde_json::from_str(&found).unwrap();
        prop_assert_eq!(&read["k"], &serde_json::Value::String(value));
    }

    #[test]
    fn options_keep_their_quotes_balanced(values in hostile_values()) {
        let title = "{$odata.e.f.?$filter=x eq '{a}' and y eq '{b}' and z eq '{anchor.a}'&$top=1}";
        let rendered = render(&template(title), None, &values);
        let options = &rendered.deferred[0].options;
        prop_assert_eq!(options.matches('\'').count() % 2, 0);
        // Outside the quotes stands what the template says: no value leaves its string.
        let mut outside = String::new();
        let mut inside = false;
        for c in options.chars() {
            match c {
                '\'' => inside = !inside,
                c if !inside => outside.push(c),
                _ => {}
            }
        }
        prop_assert_eq!(outside, "$filter=x eq  and y eq  and z eq &$top=1");
    }

    #[test]
    fn titles_hold_no_control_characters(value in any::<String>(), tail in hostile()) {
        let value = text(&(value + &tail));
        let rendered = titled("<{a}{a}>", &[("a", value)]);
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        prop_assert!(!rendered.title.contains(breaks));
        prop_assert!(rendered.title.chars().count() <= MAX_TITLE_CHARS);
    }

    #[test]
    fn a_text_without_slugs_is_delivered_as_it_is(written in any::<String>(), values in hostile_values()) {
        let template = escaped(&written);
        prop_assert!(!slug::contains_slug(&template, slug::Dialect::Template));
        let rendered = render(&tab(Page::Other, &[("p", &template)]), None, &values);
        prop_assert_eq!(&rendered.tabs[0].parameters[0].1, &written);
        prop_assert_eq!((rendered.unresolved, rendered.deferred), (Vec::new(), Vec::new()));
        let rendered = render(&self::template(&template), None, &values);
        if written.chars().count() <= MAX_TITLE_CHARS {
            prop_assert_eq!(rendered.title, written);
        }
    }
}
