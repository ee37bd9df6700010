//! §9.6: the script that a session shows first.

use super::*;

fn chosen<'a>(
    scripts: &[&'a str],
    expression: Option<&'a str>,
    all: &[(&str, Value)],
) -> Option<String> {
    let template = Template { scripts: scripts.to_vec(), expression, ..template("") };
    render(&template, None, &values(all)).default_script
}

const BY_CASE: &str = r#"{"if": {"slug": "{anchor.title}", "op": "contains", "value": "REFUND"},
    "then": {"script": "con_Refund"},
    "else": {"if": {"slug": "{vip}", "op": "eq", "value": true},
        "then": {"script": "con_vip"}, "else": {"script": "con_greet"}}}"#;

#[test]
fn s9_6_the_expression_chooses_by_context_and_anchor() {
    let scripts = ["con_greet", "con_refund", "con_vip"];
    let refund = [("anchor.title", text("My refund"))];
    assert_eq!(chosen(&scripts, Some(BY_CASE), &refund).as_deref(), Some("con_refund"));
    let vip = [("VIP", Value::Bool(true)), ("anchor.title", Value::Null)];
    assert_eq!(chosen(&scripts, Some(BY_CASE), &vip).as_deref(), Some("con_vip"));
    assert_eq!(chosen(&scripts, Some(BY_CASE), &[]).as_deref(), Some("con_greet"));
}

#[test]
fn s9_6_a_slug_without_a_value_fails_every_test_but_ne() {
    for slug in ["{gone}", "{$odata.a.b}", "{ReconnectUrl{ReconnectID}}"] {
        for (op, script) in [("ne", "con_then"), ("eq", "con_else"), ("exists", "con_else")] {
            let tree = format!(
                r#"{{"if": {{"slug": "{slug}", "op": "{op}", "value": ""}},
                "then": {{"script": "con_then"}}, "else": {{"script": "con_else"}}}}"#
            );
            let found = chosen(&["con_then", "con_else"], Some(&tree), &[]);
            assert_eq!(found.as_deref(), Some(script), "{slug} {op}");
        }
    }
    let exists = r#"{"if": {"slug": "{none}", "op": "exists"}, "then": {"script": "con_then"},
        "else": {"script": "con_else"}}"#;
    let found = chosen(&["con_else", "con_then"], Some(exists), &[("none", Value::Null)]);
    assert_eq!(found.as_deref(), Some("con_then"), "null is a value");
}

#[test]
fn s9_6_without_a_usable_expression_the_first_active_script_counts() {
    for expression in [None, Some("{"), Some(r#"{"script": "con_inactive"}"#)] {
        assert_eq!(chosen(&["con_a", "con_b"], expression, &[]).as_deref(), Some("con_a"));
        assert_eq!(chosen(&[], expression, &[]), None);
    }
}
