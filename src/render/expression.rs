//! The default-script expression of a session template: which script a session opens with.

mod read;
mod tree;

pub use self::tree::{
    Condition, ExprError, Expression, Found, MAX_BYTES, MAX_DEPTH, MAX_NODES, Op, Operand,
};

/// Parses a tree; all violations are reported together.
pub fn parse(tree_json: &str) -> Result<Expression, Vec<ExprError>> {
    read::Reader::new(None).read(tree_json)
}

/// Checks a tree for a template with the given scripts; all violations are reported together.
pub fn check(
    tree_json: &str,
    allowed_scripts: &dyn Fn(&str) -> bool,
) -> Result<(), Vec<ExprError>> {
    read::Reader::new(Some(allowed_scripts)).read(tree_json).map(drop)
}

/// Lists the scripts that a tree names, each once, in reading order; an invalid tree names none.
pub fn scripts(tree_json: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(expression) = parse(tree_json) {
        expression.collect_scripts(&mut names);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::slug::Body;
    use super::*;

    fn opens(condition: &str, context: &[(&str, &str)]) -> bool {
        let tree =
            format!(r#"{{"if":{condition},"then":{{"script":"yes"}},"else":{{"script":"no"}}}}"#);
        let expression = parse(&tree).unwrap_or_else(|errors| panic!("{tree}: {errors:?}"));
        let context: Vec<_> =
            context.iter().map(|(name, value)| (*name, Found::from((*value).to_owned()))).collect();
        let value = expression.evaluate(&|body| match body {
            Body::Key(key) => {
                let found = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
                found.map(|(_, value)| value)
            }
            _ => None,
        });
        value == "yes"
    }

    #[test]
    fn operators_compare_as_promised() {
        let context = [("name", "Ärger AG"), ("count", "10"), ("vip", "true")];
        for (test, expected) in [
            (r#"{"slug":"{name}","op":"eq","value":"äRGER ag"}"#, true),
            (r#"{"slug":"{name}","op":"ne","value":"ärger ag"}"#, false),
            (r#"{"slug":"{name}","op":"contains","value":"GER"}"#, true),
            (r#"{"slug":"{name}","op":"starts_with","value":"är"}"#, true),
            (r#"{"slug":"{name}","op":"gt","value":1}"#, false),
            (r#"{"slug":"{count}","op":"gt","value":9}"#, true),
            (r#"{"slug":"{count}","op":"gt","value":"9"}"#, true),
            (r#"{"slug":"{count}","op":"lt","value":10}"#, false),
            (r#"{"slug":"{count}","op":"gt","value":"nan"}"#, false),
            (r#"{"slug":"{count}","op":"eq","value":10.0}"#, true),
            (r#"{"slug":"{count}","op":"contains","value":0}"#, true),
            (r#"{"slug":"{vip}","op":"eq","value":true}"#, true),
            (r#"{"slug":"{vip}","op":"exists"}"#, true),
        ] {
            assert_eq!(opens(test, &context), expected, "{test}");
        }
    }

    #[test]
    fn an_unresolved_slug_fails_every_test_but_ne() {
        for (name, op) in Op::ALL {
            let test = format!(r#"{{"slug":"{{gone}}","op":"{name}","value":""}}"#);
            assert_eq!(opens(&test, &[]), op == Op::Ne, "{name}");
        }
    }

    #[test]
    fn conditions_combine() {
        let (yes, no) = (r#"{"slug":"{a}","op":"exists"}"#, r#"{"slug":"{b}","op":"exists"}"#);
        for (condition, expected) in [
            (format!(r#"{{"all":[{yes},{yes}]}}"#), true),
            (format!(r#"{{"all":[{yes},{no}]}}"#), false),
            (format!(r#"{{"any":[{no},{yes}]}}"#), true),
            (format!(r#"{{"any":[{no}]}}"#), false),
            (format!(r#"{{"not":{no}}}"#), true),
        ] {
            assert_eq!(opens(&condition, &[("a", "1")]), expected, "{condition}");
        }
    }

    #[test]
    fn scripts_are_listed_once_in_reading_order() {
        let test = r#"{"slug":"{a}","op":"exists"}"#;
        let inner = format!(r#"{{"if":{test},"then":{{"script":"b"}},"else":{{"script":"A"}}}}"#);
        let tree = format!(r#"{{"else":{inner},"if":{test},"then":{{"script":"a"}}}}"#);
        assert_eq!(scripts(&tree), ["a", "b"]);
        assert!(scripts("{").is_empty());
    }
}
