use proptest::prelude::*;

use super::*;

const SCHEMA: [(&str, FieldType); 7] = [
    ("display_name", FieldType::Text),
    ("labels", FieldType::List),
    ("rank", FieldType::Number),
    ("disabled", FieldType::Bool),
    ("create_time", FieldType::Time),
    ("direct", FieldType::Name(Kind::Profile)),
    ("roles", FieldType::Names(Kind::Role)),
];

struct Row {
    rank: Option<i64>,
    direct: &'static str,
    roles: Vec<&'static str>,
}

impl Fields for Row {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let owned = |list: &[&'static str]| list.iter().map(|text| Cow::Borrowed(*text)).collect();
        Some(match name {
            "display_name" => Value::Text("Say \"Hi\" \\ Größe".into()),
            "labels" => Value::List(owned(&["Gold", "north west"])),
            "rank" => Value::Number(self.rank),
            "disabled" => Value::Bool(false),
            "create_time" => Value::Time(1_000_000),
            "direct" => Value::Name(self.direct.into()),
            "roles" => Value::Names(owned(&self.roles)),
            _ => return None,
        })
    }
}

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Option<Value<'_>> {
        None
    }
}

fn row() -> Row {
    Row { rank: Some(10), direct: "con_rep", roles: vec!["con_agent", "con_lead"] }
}

fn matches(filter: &str, row: &impl Fields) -> bool {
    match Filter::parse(filter, &SCHEMA) {
        Ok(parsed) => parsed.matches(row),
        Err(error) => panic!("{filter}: {error}"),
    }
}

#[test]
fn comparisons_decide() {
    for (filter, expected) in [
        ("", true),
        ("  ", true),
        (r#"display_name = "say \"hi\" \\ Größe""#, true),
        (r#"display_name = "say""#, false),
        (r#"display_name : "SAY""#, true),
        (r#"display_name:"""#, true),
        (r#"display_name != """#, true),
        (r#"labels = "gold""#, true),
        (r#"labels = "north""#, false),
        (r#"labels : "NORTH""#, true),
        (r#"labels != "gold""#, false),
        (r#"labels != "silver""#, true),
        ("rank<11", true),
        ("rank <= 10", true),
        (r#"rank > "10""#, false),
        ("rank >= -10", true),
        ("rank != 10", false),
        (r#"rank = """#, false),
        ("disabled = false", true),
        (r#"disabled != "false""#, false),
        ("create_time = 1970-01-01T00:00:01Z", true),
        (r#"create_time = "1970-01-01T01:00:01.0000009+01:00""#, true),
        ("create_time > 1970-01-01T00:00:00.999999Z", true),
        ("create_time < 1970-01-01T00:00:01Z", false),
        (r#"direct = "CON_REP""#, true),
        (r#"direct = "profiles/con_rep""#, true),
        (r#"direct = "profiles/con%5Frep""#, true),
        (r#"direct = "con%5Frep""#, false),
        (r#"direct : "rep""#, true),
        (r#"direct : "profiles/con""#, true),
        (r#"direct : "profiles""#, false),
        (r#"roles = "securityRoles/con_lead""#, true),
        (r#"roles != "con_lead""#, false),
        (r#"rank = 10 AND labels = "a AND b""#, false),
        (r#"rank = 10  AND	labels = "gold" AND disabled=false"#, true),
    ] {
        assert_eq!(matches(filter, &row()), expected, "{filter}");
    }
}

#[test]
fn empty_means_without_a_value() {
    let bare = Row { rank: None, direct: "", roles: vec![] };
    for field in ["rank", "direct", "roles"] {
        for (filter, expected) in [
            (format!("{field} = \"\""), (true, false)),
            (format!("{field} != \"\""), (false, true)),
            (format!("{field} = \"10\""), (false, field == "rank")),
            (format!("{field} != \"10\""), (true, field != "rank")),
        ] {
            assert_eq!((matches(&filter, &bare), matches(&filter, &row())), expected, "{filter}");
        }
    }
    for (field, _) in SCHEMA {
        assert!(matches(&format!("{field} = \"\""), &Nothing), "{field}");
        assert!(!matches(&format!("{field} != \"\""), &Nothing), "{field}");
    }
    assert!(!matches("rank < 1", &bare));
    assert!(!matches("rank >= 0", &Nothing));
    assert!(!matches("display_name : \"\"", &Nothing));
}

#[test]
fn errors_are_placed() {
    for (filter, offset) in [
        ("colour = \"red\"", 0),
        ("Rank = 1", 0),
        ("rank", 4),
        ("rank ~ 1", 5),
        ("rank =", 6),
        ("rank = ten", 7),
        ("rank = 1.5", 7),
        ("rank = 99999999999999999999", 7),
        ("rank < \"\"", 7),
        ("rank : 1", 5),
        ("disabled = yes", 11),
        ("disabled < true", 9),
        ("create_time > yesterday", 14),
        ("create_time > 2026-01-31", 14),
        ("display_name < \"a\"", 13),
        ("display_name = red", 15),
        ("display_name = \"ö\\\"", 15),
        ("direct = \"users/con_rep\"", 9),
        ("direct : \"users/con\"", 9),
        ("roles = \"securityRoles/%FF\"", 8),
        ("display_name = \"open", 15),
        ("rank = 1 OR rank = 2", 9),
        ("rank = 1 and rank = 2", 9),
        ("rank = 1 rank = 2", 9),
        ("display_name = \"é\"AND rank = 1", 18),
        ("rank = 1 AND", 12),
        ("rank = 1 AND AND rank = 2", 13),
        ("AND", 0),
        ("= 1", 0),
        ("é = 1", 0),
    ] {
        let error = Filter::parse(filter, &SCHEMA).unwrap_err();
        assert_eq!(error.offset_chars, offset, "{filter}: {error}");
    }
}

#[test]
fn a_backslash_stands_for_itself_unless_it_escapes() {
    for (written, text) in [
        (r"CONTOSO\kim", r"CONTOSO\kim"),
        (r"CONTOSO\\kim", r"CONTOSO\kim"),
        (r"a\\\b", r"a\\b"),
        (r"a\\\\b", r"a\\b"),
        (r"a\n", r"a\n"),
        (r#"a\"b"#, r#"a"b"#),
        (r#"a\\\"b"#, r#"a\"b"#),
        (r"a\\", r"a\"),
        ("#|'%$&", "#|'%$&"),
    ] {
        let filter = Filter::parse(&format!("display_name = \"{written}\""), &SCHEMA).unwrap();
        assert_eq!(filter.comparisons[0].operand, Operand::Text(text.to_owned()), "{written}");
    }
    let open = Filter::parse(r#"display_name = "a\""#, &SCHEMA).unwrap_err();
    assert!(open.message.contains(r#"`\\"`"#), "{open}");
}

#[test]
fn limits_hold_at_their_edge() {
    let comparisons = |count: usize| vec!["rank = 10"; count].join(" AND ");
    assert!(matches(&comparisons(MAX_COMPARISONS), &row()));
    assert!(Filter::parse(&comparisons(MAX_COMPARISONS + 1), &SCHEMA).is_err());
    let long = |chars: usize| format!("display_name != \"{}\"", "é".repeat(chars - 18));
    assert!(matches(&long(MAX_CHARS), &row()));
    let error = Filter::parse(&long(MAX_CHARS + 1), &SCHEMA).unwrap_err();
    assert_eq!(error.offset_chars, MAX_CHARS);
}

#[test]
fn orders_have_one_field() {
    let allowed = ["unique_name", "rank"];
    let order = |field: &str, descending| Ok(Some(Order { field: field.to_owned(), descending }));
    for (text, expected) in [
        ("", Ok(None)),
        (" ", Ok(None)),
        ("rank", order("rank", false)),
        (" rank  desc ", order("rank", true)),
        ("é", Err(0)),
        ("  color desc", Err(2)),
        ("rank asc", Err(5)),
        ("rank, unique_name", Err(0)),
        ("rank desc desc", Err(5)),
    ] {
        let found = parse_order(text, &allowed).map_err(|error| error.offset_chars);
        assert_eq!(found, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(text in r#"(rank|labels|direct| |AND|=|!=|<|:|"|\\|é|1|true|/){0,24}"#, noise in any::<String>()) {
        for text in [&text, &noise] {
            match Filter::parse(text, &SCHEMA) {
                Ok(filter) => {
                    filter.matches(&row());
                }
                Err(error) => prop_assert!(error.offset_chars <= text.chars().count()),
            }
            let _ = parse_order(text, &["rank"]);
        }
    }

    #[test]
    fn quoted_text_is_found_again(value in any::<String>()) {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let filter = Filter::parse(&format!("display_name = \"{quoted}\""), &SCHEMA).unwrap();
        let operand = if value.is_empty() { Operand::Empty } else { Operand::Text(value) };
        prop_assert_eq!(&filter.comparisons[0].operand, &operand);
    }

    #[test]
    fn not_equal_is_the_opposite_of_equal(rank in prop::option::of(-3..3_i64), wanted in -3..3_i64) {
        let row = Row { rank, ..row() };
        let equal = matches(&format!("rank = {wanted}"), &row);
        prop_assert_eq!(matches(&format!("rank != {wanted}"), &row), !equal);
        let ordered = matches(&format!("rank <= {wanted}"), &row) && matches(&format!("rank >= {wanted}"), &row);
        prop_assert_eq!(ordered, equal);
    }
}
