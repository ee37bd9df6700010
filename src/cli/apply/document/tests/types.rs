//! Values that are something else than their field takes, and values that stay what they are.

use super::*;

/// Values of another type than their field has: the field, the place, what was found, what to do.
#[test]
fn values_of_another_type_are_refused_by_field_and_place() {
    let text = "text is expected, ";
    let whole = "a whole number from -2147483648 to 2147483647, in decimal, is expected, ";
    let flag = "true or false is expected, ";
    let table = [
        ("kind: User\nid: 12345\n", format!("2:5: id: {text}12345 is a number; quote it")),
        ("kind: User\nid: true\n", format!("2:5: id: {text}`true` is a truth value; quote it")),
        ("kind: User\nid: ~\n", format!("2:5: id: {text}`~` is no value; quote it, write ''")),
        ("kind: User\nid:\n", format!("2:3: id: {text}nothing stands here; write a value")),
        ("kind: User\nid: [a]\n", format!("2:5: id: {text}this is a list")),
        ("kind: User\nid: {a: b}\n", format!("2:5: id: {text}this is a map")),
        ("{\"kind\":\"User\",\"id\":1e3}", format!("1:21: id: {text}1e3 is a number; quote it")),
        (
            "kind: User\nid: a\ndisplayName: Null\n",
            format!("3:14: displayName: {text}`Null` is no"),
        ),
        ("kind: User\nid: a\nemail: 0x10\n", format!("3:8: email: {text}0x10 is a number")),
        ("kind: User\nid: a\nemail: .5\n", format!("3:8: email: {text}.5 is a number")),
        ("kind: User\nid: a\nroles: [123]\n", format!("3:9: roles[0]: {text}123 is a number")),
        (
            "kind: User\nid: a\nroles: b\n",
            "3:8: roles: a list is expected, this is the text `b`; put it into [ ]".into(),
        ),
        (
            "kind: User\nid: a\nroles:\n",
            "3:6: roles: a list is expected, nothing stands here; write [] for".into(),
        ),
        (
            "kind: User\nid: a\nroles: {b: c}\n",
            "3:8: roles: a list is expected, this is a map".into(),
        ),
        (
            "kind: User\nid: a\ndisabled: yes\n",
            format!("3:11: disabled: {flag}this is the text `yes`"),
        ),
        ("kind: User\nid: a\ndisabled: 1\n", format!("3:11: disabled: {flag}1 is a number")),
        (
            "kind: User\nid: a\ndisabled: 'true'\n",
            format!("3:11: disabled: {flag}this is the text `true`; write it without quotes"),
        ),
        (
            "kind: User\nid: a\nuserKind: ROBOT\n",
            "3:11: userKind: one of HUMAN, APPLICATION is expected, this is the text `ROBOT`"
                .into(),
        ),
        (
            "kind: User\nid: a\nuserKind: 2\n",
            "3:11: userKind: one of HUMAN, APPLICATION is expected, 2 is a number".into(),
        ),
        ("kind: User\nid: a\nprofile: 5\n", format!("3:10: profile: {text}5 is a number")),
        (
            "kind: User\nid: a\ncreateTime: 2026-01-01\n",
            "3:13: createTime: a time such as 2026-03-01T08:00:00Z is expected, this is the text"
                .into(),
        ),
        (
            "kind: User\nid: a\ncreateTime: 5\n",
            "3:13: createTime: a time such as 2026-03-01T08:00:00Z is expected, 5 is a".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\nusers: [a, 5]\n",
            format!("3:12: users[1]: {text}5 is a number"),
        ),
        ("kind: Prof\nname: contoso_a\nrank: 5.5\n", format!("3:7: rank: {whole}5.5 is a number")),
        (
            "kind: Prof\nname: contoso_a\nrank: .nan\n",
            format!("3:7: rank: {whole}.nan is a number"),
        ),
        (
            "kind: Prof\nname: contoso_a\nrank: -.inf\n",
            format!("3:7: rank: {whole}-.inf is a number"),
        ),
        ("kind: Prof\nname: contoso_a\nrank: 017\n", format!("3:7: rank: {whole}017 is a number")),
        (
            "kind: Prof\nname: contoso_a\nrank: 0o17\n",
            format!("3:7: rank: {whole}0o17 is a number"),
        ),
        (
            "kind: Prof\nname: contoso_a\nrank: 1_000\n",
            format!("3:7: rank: {whole}this is the text `1_000`"),
        ),
        (
            "kind: Prof\nname: contoso_a\nrank: five\n",
            format!("3:7: rank: {whole}this is the text `five`"),
        ),
        (
            "kind: Prof\nname: contoso_a\nrank: 9007199254740993\n",
            format!("3:7: rank: {whole}9007199254740993 is a"),
        ),
        (
            "kind: Prof\nname: contoso_a\nrank: 18446744073709551616\n",
            format!("3:7: rank: {whole}1844"),
        ),
        ("kind: Prof\nname: contoso_a\nrank:\n", format!("3:5: rank: {whole}nothing stands here")),
        ("{kind: Prof, name: contoso_a, rank}", format!("1:35: rank: {whole}nothing stands here")),
        (
            "kind: Prof\nname: contoso_a\npane: {on: yes}\n",
            format!("3:12: pane.on: {flag}this is the text `yes`"),
        ),
        (
            "kind: Prof\nname: contoso_a\npane: true\n",
            "3:7: pane: a map is expected, `true` is a truth value".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\npane:\n",
            "3:5: pane: a map is expected, nothing stands here; write {}".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\npane: {tools: [{tool: a, order: b}]}\n",
            format!("3:33: pane.tools[0].order: {whole}this is the text `b`"),
        ),
        (
            "kind: Prof\nname: contoso_a\npane: {tools: [a]}\n",
            "3:16: pane.tools[0]: a map is expected, this is the text `a`".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\ncopilot: [a]\n",
            "3:10: copilot: a map is expected, this is a list".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\ncopilot: {a: maybe}\n",
            "3:14: copilot.a: one of UNSET, ON, OFF is expected, this is the text".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\ncopilot: {a: true}\n",
            "3:14: copilot.a: one of UNSET, ON, OFF is expected, `true` is a truth".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\ncopilot: {829050000: ON}\n",
            "3:11: copilot.829050000: a key is text, this is a number; quote it".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\nrevision: soon\n",
            "3:11: revision: a whole number from -9223372036854775808".into(),
        ),
        (
            "kind: Prof\nname: contoso_a\nrevision: 9223372036854775808\n",
            "3:11: revision: a whole number".into(),
        ),
    ];
    for (text, expected) in table {
        let found = mistakes(text);
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{text}: {found:#?}\n{expected}"
        );
    }
}

#[test]
fn values_keep_what_was_written() {
    let fields = |text: &str| {
        let text = format!("kind: Prof\nname: contoso_a\n{text}\n");
        Json::Object(read_as("t.yaml", &text).unwrap().remove(0).fields)
    };
    let table = [
        ("displayName: No", r#"{"display_name":"No"}"#),
        ("displayName: 1:30", r#"{"display_name":"1:30"}"#),
        ("displayName: 2026-01-01", r#"{"display_name":"2026-01-01"}"#),
        ("displayName: '12'", r#"{"display_name":"12"}"#),
        ("displayName: =", r#"{"display_name":"="}"#),
        ("displayName: 1e3", r#"{"display_name":"1e3"}"#),
        ("displayName: 089", r#"{"display_name":"089"}"#),
        ("displayName: ''", r#"{"display_name":""}"#),
        ("rank: null", r#"{"rank":null}"#),
        ("rank: ~", r#"{"rank":null}"#),
        ("rank: 5.0", r#"{"rank":5}"#),
        ("rank: '5'", r#"{"rank":5}"#),
        ("rank: -0", r#"{"rank":0}"#),
        ("roles: []", r#"{"roles":[]}"#),
        ("pane: {}", r#"{"pane":{}}"#),
        ("pane: {on: True}", r#"{"pane":{"on":true}}"#),
        ("copilot: {'829050000': ON}", r#"{"copilot":{"829050000":"COPILOT_SETTING_ON"}}"#),
        ("isDefault: FALSE", r#"{"is_default":false}"#),
        ("revision: '9007199254740993'", "{}"),
        ("revision: 9007199254740993", "{}"),
    ];
    for (text, expected) in table {
        let expected = expected.replacen('{', r#"{"unique_name":"contoso_a","#, 1);
        let expected: Json = serde_json::from_str(&expected.replace(",}", "}")).unwrap();
        assert_eq!(fields(text), expected, "{text}");
    }
}

#[test]
fn a_secret_is_in_no_message() {
    for secret in ["77701", "{a: 77701}", "[77701]", "0x77701", "!!str 77701"] {
        let text = format!(
            "kind: Provider\nuniqueName: contoso_a\nsecrets: {{token: {secret}}}\ncolour: 1\n"
        );
        let found = mistakes(&text).join("\n");
        assert!(!found.contains("77701"), "{found}");
        assert!(
            secret.starts_with('!') || found.contains("3:18: secrets.token: text is"),
            "{found}"
        );
    }
}
