use super::{
    super::{Key, Place, json::read as read_json, read, yaml::read as read_yaml},
    *,
};

fn node(json: &str) -> Node {
    read_json(json).unwrap().remove(0)
}

/// What YAML 1.1 or 1.2, or a reader of either, takes for something else than text.
const AMBIGUOUS: &[&str] = &[
    "",
    "~",
    "null",
    "Null",
    "NULL",
    "nUlL",
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "n",
    "N",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "0",
    "1",
    "-1",
    "+1",
    "007",
    "0o17",
    "017",
    "0x10",
    "0b101",
    "1_000",
    "1e3",
    "1E3",
    "1.5",
    ".5",
    "5.",
    "-.5",
    "+.5",
    ".",
    ".inf",
    "-.inf",
    ".INF",
    ".nan",
    ".NaN",
    "1:30",
    "12:30:45",
    "-1:30",
    "190:20:30.15",
    "2026-01-01",
    "2026-1-1",
    "2026-01-01T00:00:00Z",
    "2026-01-01 10:00:00 +1",
    "=",
    "<<",
    "-",
    "?",
    ":",
    "---",
    "...",
    "--- a",
    "a: b",
    "a:",
    ":a",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "'",
    "\"",
    "'a'",
    "\"a\"",
    "%a",
    "@a",
    "`a",
    "[a]",
    "{a}",
    "a, b",
    "[",
    "{",
    ",",
    " a",
    "a ",
    "\ta",
    "a\t",
    "a\tb",
    "- a",
    "? a",
    "a\nb",
    "a\n",
    "\na",
    "a\n\nb\n",
    "a\n b\n",
    " a\nb",
    "a\n \nb",
    "a\n\n",
    "a\r\nb",
    "\u{85}",
    "a\u{85}b",
    "\u{2028}",
    "a\u{a0}",
    "\u{feff}a",
    "\u{7f}",
    "\u{1}",
    "\\",
    "a\\n",
    "1e",
    "0x",
    "é",
    "😀",
    "\u{fffe}",
    "---\na",
    "a\n---\nb",
    "a\n...\nb",
    "a\n# b",
    "kim_fabrikam.example#EXT#@contoso.example",
    "o'brien@contoso.example",
    "auth0|64a1b2",
    "CONTOSO\\kim",
    "https://a.example/b",
    "d1:0123",
    "1.2.3",
    "10.0.0.1",
    "e3",
];

#[test]
fn texts_that_any_version_takes_for_something_else_are_quoted() {
    for text in AMBIGUOUS {
        let node = Node {
            at: Place { line: 1, column: 1 },
            value: Value::Map(vec![(
                Key { at: Place { line: 1, column: 1 }, scalar: Scalar::text(*text) },
                node(&format!(
                    "[{0}, {{{0}: {0}, \"a\": [[{0}], {{{0}: {0}}}]}}]",
                    serde_json::to_string(text).unwrap()
                )),
            )]),
        };
        let yaml = emit(&node);
        let read = read_yaml(&yaml).unwrap_or_else(|mistake| panic!("{yaml}{mistake:?}"));
        let json = serde_json::to_string(&node).unwrap();
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), json, "{yaml}");
        // No scalar of it is plain but what begins with a letter and is no word.
        let plain = !yaml.starts_with(['\'', '"']);
        let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !["y", "yes", "n", "no", "on", "off", "true", "false", "null"]
                .contains(&text.to_ascii_lowercase().as_str());
        assert!(!plain || word, "{yaml}");
    }
}

#[test]
fn documents_are_written_for_people() {
    let json = r#"{"kind":"Profile","on":true,"rank":5,"ratio":0.5,"none":null,"empty":[],
        "nothing":{},"roles":["a","no"],"views":[{"name":"My cases","types":["case"]},{}],
        "pane":{"on":"on","deep":{"x":[["1"],[]]}},"text":"one\n  two\n\nthree","end":"a\nb\n"}"#;
    let expected = "kind: Profile\n'on': true\nrank: 5\nratio: 0.5\nnone: null\nempty: []\n\
        nothing: {}\nroles:\n- a\n- 'no'\nviews:\n- name: My cases\n  types:\n  - case\n- {}\n\
        pane:\n  'on': 'on'\n  deep:\n    x:\n    - - '1'\n    - []\n\
        text: |-\n  one\n    two\n\n  three\nend: |\n  a\n  b\n";
    assert_eq!(emit(&node(json)), expected);
    let long = format!("{{\"{}\": [1, {{\"a\": 2}}]}}", "k".repeat(2000));
    let yaml = emit(&node(&long));
    assert!(yaml.starts_with("? k"), "{yaml}");
    let json = serde_json::to_string(&node(&long)).unwrap();
    assert_eq!(serde_json::to_string(&read_yaml(&yaml).unwrap()[0]).unwrap(), json);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let word = prop::sample::select(AMBIGUOUS).prop_map(str::to_owned);
        let text = prop_oneof![word, "\\PC{0,12}", "[a-z \n:#'-]{0,20}"].boxed();
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            text.clone().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|all| serde_json::Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in value()) {
            let node = node(&value.to_string());
            prop_assert_eq!(&serde_json::to_value(&node).unwrap(), &value);
            let yaml = emit(&node);
            let read = read_yaml(&yaml).map_err(|m| TestCaseError::fail(format!("{yaml}{m:?}")))?;
            // A document that is nothing but null is none.
            let read = read.first().map_or(serde_json::Value::Null, |n| serde_json::to_value(n).unwrap());
            prop_assert_eq!(read, value, "{}", yaml);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,&*!|>'\"%@`#?a0~ \t\n\u{feff}<=.-]{0,40}") {
            let _ = read(&text);
            let _ = read_json(&text);
        }
    }
}
