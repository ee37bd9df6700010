use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde_json::json;

use super::*;
use crate::Registry;

/// Every construct that a derived schema of a configuration has.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of interest")]
struct Everything {
    /// Needed.
    name: String,
    count: Option<u16>,
    #[schemars(range(min = 2, max = 5))]
    small: Option<i64>,
    ratio: Option<f64>,
    flag: Option<bool>,
    colour: Option<Colour>,
    #[serde(default)]
    texts: BTreeMap<String, String>,
    #[serde(default)]
    set: BTreeSet<String>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(dead_code, reason = "only its schema is of interest")]
enum Colour {
    /// With a comment: a form of its own.
    Red,
    Green,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of interest")]
struct Part {
    key: String,
    next: Option<Box<Part>>,
}

fn everything() -> Value {
    schema_for!(Everything).to_value()
}

fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut violations = Violations::default();
    Schema::read(schema).unwrap().check(value, &mut violations);
    let violations = violations.into_sorted();
    violations.into_iter().map(|v| format!("{} {}", v.path, v.rule)).collect()
}

#[test]
fn every_mistake_is_named_with_its_path() {
    for (value, expected) in [
        (json!({"name": "a"}), &[][..]),
        (json!({"name": "a", "count": null, "colour": null}), &[]),
        (json!({}), &["name is required"]),
        (json!([]), &[" must be an object"]),
        (json!({"name": 1, "nam": 1}), &["nam is not known", "name must be a string"]),
        (json!({"name": "a", "count": "1"}), &["count must be an integer or null"]),
        (json!({"name": "a", "count": 1.5}), &["count must be an integer or null"]),
        (json!({"name": "a", "count": -1}), &["count must be at least 0"]),
        (json!({"name": "a", "count": 65_536}), &["count must be at most 65535"]),
        (
            json!({"name": "a", "small": 1, "flag": 0}),
            &["flag must be true or false or null", "small must be at least 2"],
        ),
        (json!({"name": "a", "small": 6}), &["small must be at most 5"]),
        (json!({"name": "a", "colour": "red"}), &[r#"colour must be "GREEN" or "RED""#]),
        (json!({"name": "a", "texts": {"a.b": 1}}), &["texts.a.b must be a string"]),
        (json!({"name": "a", "set": ["x", "y", "x"]}), &["set[2] is there twice"]),
        (
            json!({"name": "a", "parts": [{"key": ""}, {"next": {"key": 1}}]}),
            &["parts[1].key is required", "parts[1].next.key must be a string"],
        ),
    ] {
        assert_eq!(mistakes(&everything(), &value), expected, "{value}");
    }
}

#[test]
fn a_schema_with_an_unchecked_keyword_is_refused() {
    for schema in [
        json!({"pattern": "^a$"}),
        json!({"properties": {"a": {"minLength": 1}}}),
        json!({"type": "text"}),
        json!({"$ref": "#/$defs/Absent"}),
        json!({"items": {"$ref": "https://example.com/schema"}}),
        json!({"items": {"$defs": {"A": true}}}),
        json!(7),
    ] {
        assert!(Schema::read(&schema).is_err(), "{schema}");
    }
}

#[test]
fn every_adapter_has_a_schema_that_is_checked_whole() {
    let schemas = Registry::builtin().with_fake();
    let schemas: Vec<_> = schemas.iter().map(|adapter| adapter.schema().clone()).collect();
    assert!(schemas.len() > 1);
    for schema in schemas {
        Schema::read(&schema).unwrap();
    }
}

/// Values that a schema nearly takes: its own names, each with any value.
fn values(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..70_000).prop_map(Value::from),
        // No 1.0: the standard takes it for an integer.
        (0_i32..9).prop_map(|n| Value::from(f64::from(n) + 0.5)),
        prop_oneof![Just("RED"), Just("GREEN"), Just("blue"), Just("")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let fields = prop::collection::btree_map(prop::sample::select(names), inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// An engine of the whole standard takes the same values.
    #[test]
    fn it_agrees_with_an_engine_of_the_standard(
        value in values(&[
            "name", "count", "small", "ratio", "flag", "colour", "texts", "set", "parts", "key", "next",
        ]),
        named in any::<bool>(),
    ) {
        let mut value = value;
        if named && let Some(fields) = value.as_object_mut() {
            fields.insert("name".to_owned(), "a".into());
        }
        let schema = everything();
        let mistakes = mistakes(&schema, &value);
        prop_assert_eq!(mistakes.is_empty(), jsonschema::is_valid(&schema, &value), "{:?}", mistakes);
    }
}
