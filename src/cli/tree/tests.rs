use std::time::{Duration, Instant};

use super::*;

/// The JSON form of every value of a text.
fn read_json(text: &str) -> Vec<String> {
    let nodes = read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
    nodes.iter().map(|node| serde_json::to_string(node).unwrap()).collect()
}

fn mistake(text: &str) -> String {
    let Mistake { at, text } = read(text).unwrap_err();
    format!("{at}: {text}")
}

#[test]
fn every_way_to_put_several_values_into_one_text_is_read() {
    let both = [r#"{"id":"a"}"#, r#"{"id":"b"}"#];
    for text in [
        "id: a\n---\nid: b\n",
        "---\nid: a\n---\nid: b\n...\n",
        "id: a\n...\nid: b\n",
        "id: a\n...\n---\nid: b\n",
        "\u{feff}id: a\r\n---\r\nid: b\r\n",
        "%YAML 1.2\n---\nid: a\n---\n# nothing\n---\nid: b",
        "--- {id: a}\n--- {id: b}\n",
        "{id: a}\n---\n{id: b}\n",
        "{\"id\": \"a\"}\n{\"id\": \"b\"}\n",
        "{\"id\": \"a\"}{\"id\": \"b\"}",
        "{\n\t\"id\": \"a\"\n}\n{\n\t\"id\": \"b\"\n}",
        "\u{feff}{\"id\": \"a\"}\n\u{feff}{\"id\": \"b\"}\n",
        "{\"id\": \"a\"}\n---\n{\"id\": \"b\"}\n",
        "{\"id\": \"a\"}\n...\n{\"id\": \"b\"}\n",
    ] {
        assert_eq!(read_json(text), both, "{text:?}");
    }
    for text in ["", "\u{feff}", "\n# only this\n", "---\n", "---\n---\n", " \t\r\n", "...\n"] {
        assert_eq!(read_json(text), [""; 0], "{text:?}");
    }
}

#[test]
fn json_is_read_by_its_own_rules() {
    let long = "k".repeat(5000);
    let table = [
        ("{\"a\":\"\u{7f}\u{80}\u{fffe}\u{feff}\"}", "{\"a\":\"\u{7f}\u{80}\u{fffe}\u{feff}\"}"),
        (r#"{"a":"\ud83d\ude00\/\b\u0000"}"#, r#"{"a":"😀/\b\u0000"}"#),
        ("[1,-0.5e+3,true,false,null,[],{}]", "[1,-500.0,true,false,null,[],{}]"),
        (&format!("{{\"{long}\":1}}"), &format!("{{\"{long}\":1}}")),
        ("{\"a\"\t:\t\"\\\"\\\\\"}", r#"{"a":"\"\\"}"#),
    ];
    for (text, expected) in table {
        assert_eq!(read_json(text), [expected], "{text}");
    }
    for text in ["{\"a\":1", "{\"a\" 1}", "{\"a\":\"x}", "[1 2", "{\"a\":\"\\ud800\"}", "[01}"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn places_count_lines_and_characters() {
    let places = |text: &str| {
        let nodes = read(text).unwrap();
        let Value::Map(entries) = &nodes[0].value else { panic!("{text}") };
        entries.iter().map(|(key, node)| format!("{} {}", key.at, node.at)).collect::<Vec<_>>()
    };
    assert_eq!(places("\u{feff}é: a\n\nb:   {c: d}\n"), ["1:1 1:4", "3:1 3:6"]);
    assert_eq!(places("{\"é\": \"ü\",\n  \"b\": [1]}"), ["1:2 1:7", "2:3 2:8"]);
    assert_eq!(places("{é: ü,\n  b: [1]}"), ["1:2 1:5", "2:3 2:6"]);
}

#[test]
fn anchors_work_and_what_is_not_read_is_refused_by_name() {
    let text = "a: &x {b: [c]}\nd: *x\ne: &y f\ng: [*y, *y]\n";
    let expected = r#"{"a":{"b":["c"]},"d":{"b":["c"]},"e":"f","g":["f","f"]}"#;
    assert_eq!(read_json(text), [expected]);
    // A quoted `<<` is a key like any other, and so is one that stands as a value.
    assert_eq!(read_json("'<<': <<\n"), [r#"{"<<":"<<"}"#]);
    let table = [
        ("a: &x {b: c}\nd:\n  <<: *x\n", "3:3: the merge key `<<` is not read; write the fields"),
        ("a: *x\n", "1:4: `*x` stands for nothing"),
        ("a: &x [*x]\n", "1:8: an alias stands within what it stands for"),
        ("a: !!int 3\n", "1:4: the tag `!!int` is not read; quote what is text"),
        ("a: !custom {b: c}\n", "1:4: the tag `!custom` is not read"),
        ("a: !<tag:yaml.org,2002:str> 3\n", "1:4: the tag `!<tag:yaml.org,2002:str>` is not read"),
        ("- ! a\n", "1:3: the tag `!` is not read"),
        ("!!map {a: b}\n", "1:1: the tag `!!map` is not read"),
        ("? [a]\n: b\n", "1:3: a key must be text"),
        ("? {a: b}\n: c\n", "1:3: a key must be text"),
        ("a: &x b\n*x : c\n", "2:1: a key must be text"),
        ("a:\n\t- b\n", "2:2: a tab cannot indent YAML"),
        ("a: b\n---\n\u{feff}c: d\n", "3:1: a byte order mark (U+FEFF) stands within the text"),
        ("{a: b}\n{c: d}\n", "2:1: another document begins here; put `---`"),
        ("a: b\n c: d\n", "2:3: this is no YAML: "),
        ("a: 'b\n", "1:4: this is no YAML: unclosed quote"),
        ("{\"a\": 1,\n \"b\" 2}\n", "2:"),
        ("{\"a\": \"\\ud800\"}\n", "1:7: this is no "),
    ];
    for (text, expected) in table {
        let found = mistake(text);
        assert!(found.starts_with(expected), "{text:?}: {found}");
    }
}

/// Generous for a slow machine without optimization, and far below what quadratic work would take.
const AT_ONCE: Duration = Duration::from_secs(2);

fn within(limit: Duration, what: &str, text: &str) -> Result<Vec<Node>, Mistake> {
    let start = Instant::now();
    let read = read(text);
    assert!(start.elapsed() < limit, "{what}: {:?}", start.elapsed());
    read
}

#[test]
fn depth_is_limited_at_once() {
    let deep = |open: &str, close: &str, count: usize| open.repeat(count) + &close.repeat(count);
    let many = 100_000;
    let bombs = [
        format!("displayName: {}", deep("[", "]", many)),
        format!("displayName:\n- {}", deep("[", "]", many)),
        format!("displayName: {}", deep("{a: ", "}", many)),
        deep("[", "]", many),
        deep("{\"a\":", "}", many),
        "[{\"a\":".repeat(many),
        "- ".repeat(many),
        (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
    ];
    for bomb in bombs {
        let read = within(AT_ONCE, &bomb[..20], &bomb).map(|nodes| nodes.len());
        let error = read.unwrap_err().text;
        assert_eq!(error, "more than 64 lists and maps are within one another");
    }
    let keys = within(AT_ONCE, "keys", &"? ".repeat(many)).map(|nodes| nodes.len());
    assert_eq!(keys.unwrap_err().text, "a key must be text");
    // Without a blank it is one long text.
    let text = format!("displayName:{}", deep("[", "]", many));
    assert_eq!(within(AT_ONCE, "text", &text).map(|nodes| nodes.len()), Ok(1));
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{a: ", "}")] {
        let inner = if open == "[" { "" } else { "1" };
        let deep = |count: usize| open.repeat(count) + inner + &close.repeat(count);
        assert!(read(&deep(64)).is_ok(), "{open}");
        assert!(read(&deep(65)).is_err(), "{open}");
    }
    let block = |count: usize| "- ".repeat(count) + "a\n";
    assert!(read(&block(64)).is_ok() && read(&block(65)).is_err());
}

#[test]
fn aliases_count_as_what_they_stand_for() {
    let mut laughs = String::from("a0: &a0 [lol]\n");
    for level in 1..40 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let error = within(AT_ONCE * 5, "laughs", &laughs).unwrap_err().text;
    assert_eq!(error, "this text holds more than 4000000 values");
    let long = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(1000));
    let error = within(AT_ONCE * 5, "long alias", &long).unwrap_err().text;
    assert_eq!(error, "this text holds more than 67108864 bytes");
}

/// Twice the text takes about twice the time.
#[test]
fn reading_is_linear() {
    let keys = |count: usize| (0..count).map(|n| format!("k{n}: v\n")).collect::<String>();
    let json = |count: usize| {
        let all: Vec<_> = (0..count).map(|n| format!("\"k{n}\":[{{}},\"v\"]")).collect();
        format!("{{{}}}", all.join(","))
    };
    let flow = |count: usize| format!("a: [{}]\n", "{b: c}, ".repeat(count));
    let long =
        |count: usize| format!("a: {}\nb: \"{}\"\n", "x ".repeat(count), "\\n".repeat(count));
    let documents = |count: usize| "---\na: b\n".repeat(count);
    let anchors = |count: usize| (0..count).map(|n| format!("- &a{n} x\n")).collect::<String>();
    let time = |text: &str| {
        let start = Instant::now();
        read(text).unwrap();
        start.elapsed()
    };
    let makers: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("keys", &keys),
        ("json in one line", &json),
        ("flow", &flow),
        ("long lines", &long),
        ("documents", &documents),
        ("anchors", &anchors),
    ];
    for (what, make) in makers {
        let (small, large) = (make(1_000), make(16_000));
        // 16 times the text: 16 times the time, 256 times when it were quadratic. A busy machine may
        // spoil one comparison, and what is quadratic fails in every one.
        let linear = || time(&large) < time(&small) * 64 + Duration::from_millis(50);
        assert!((0..10).any(|_| linear()), "{what}");
    }
}
