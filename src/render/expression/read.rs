//! Reads a tree from JSON and collects every violation with its path.

use serde_json::{Map, Value};

use super::super::slug::{self, Body, Dialect, Segment};
use super::{Condition, ExprError, Expression, MAX_BYTES, MAX_DEPTH, MAX_NODES, Op, Operand};

/// Enough to repair a tree by hand; the rest would only swell the answer.
const MAX_ERRORS: usize = 20;

/// A part is `None` when it was refused; the reason is already among the errors.
pub(super) struct Reader<'a> {
    allowed_scripts: Option<&'a dyn Fn(&str) -> bool>,
    nodes: usize,
    errors: Vec<ExprError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(allowed_scripts: Option<&'a dyn Fn(&str) -> bool>) -> Self {
        Self { allowed_scripts, nodes: 0, errors: Vec::new() }
    }

    pub(super) fn read(mut self, tree_json: &str) -> Result<Expression, Vec<ExprError>> {
        if tree_json.len() > MAX_BYTES {
            self.refuse::<()>("", format!("the tree has more than {MAX_BYTES} bytes"));
            return Err(self.errors);
        }
        let expression = match serde_json::from_str(tree_json) {
            Ok(value) => self.node(&value, "", 1),
            Err(error) => self.refuse("", format!("not valid JSON: {error}")),
        };
        if self.nodes > MAX_NODES {
            self.refuse::<()>("", format!("the tree has more than {MAX_NODES} nodes"));
        }
        expression.filter(|_| self.errors.is_empty()).ok_or(self.errors)
    }

    fn refuse<T>(&mut self, path: &str, message: impl Into<String>) -> Option<T> {
        if self.errors.len() < MAX_ERRORS {
            let (path, message) = (path.to_owned(), message.into());
            self.errors.push(ExprError { path, message });
        }
        None
    }

    /// Counts a node; none below the limits is looked at, so that a huge tree costs little.
    fn enter<'v>(
        &mut self,
        value: &'v Value,
        path: &str,
        depth: usize,
    ) -> Option<&'v Map<String, Value>> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return None;
        }
        if depth > MAX_DEPTH {
            return self.refuse(path, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let object = value.as_object();
        object.or_else(|| self.refuse(path, "must be an object"))
    }

    fn known_keys(&mut self, object: &Map<String, Value>, known: &[&str], path: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("unknown key; here belong {}", known.join(", "));
            let shown: String = key.chars().take(60).collect();
            self.refuse::<()>(&join(path, &shown), message);
        }
    }

    fn member<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        key: &str,
        path: &str,
    ) -> Option<&'v Value> {
        let member = object.get(key);
        member.or_else(|| self.refuse(&join(path, key), "is required"))
    }

    fn text<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        key: &str,
        path: &str,
    ) -> Option<&'v str> {
        let text = self.member(object, key, path)?.as_str();
        text.or_else(|| self.refuse(&join(path, key), "must be a string"))
    }

    fn node(&mut self, value: &Value, path: &str, depth: usize) -> Option<Expression> {
        let object = self.enter(value, path, depth)?;
        if object.contains_key("if") {
            return self.decision(object, path, depth);
        }
        if !object.contains_key("script") {
            let message = "every branch ends in a script: either `if`, `then`, `else` or `script` belongs here";
            return self.refuse(path, message);
        }
        self.known_keys(object, &["script"], path);
        let name = self.text(object, "script", path)?;
        if name.is_empty() {
            return self.refuse(&join(path, "script"), "must name a script");
        }
        if self.allowed_scripts.is_some_and(|allowed| !allowed(name)) {
            let message = "is not a script of the template";
            return self.refuse(&join(path, "script"), message);
        }
        Some(Expression::Script(name.to_owned()))
    }

    fn decision(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Option<Expression> {
        self.known_keys(object, &["if", "then", "else"], path);
        let condition = self.member(object, "if", path);
        let condition =
            condition.and_then(|value| self.condition(value, &join(path, "if"), depth + 1));
        let mut branch = |key| {
            let value = self.member(object, key, path)?;
            self.node(value, &join(path, key), depth + 1).map(Box::new)
        };
        let (then, otherwise) = (branch("then"), branch("else"));
        Some(Expression::If { condition: condition?, then: then?, otherwise: otherwise? })
    }

    fn condition(&mut self, value: &Value, path: &str, depth: usize) -> Option<Condition> {
        let object = self.enter(value, path, depth)?;
        let kind =
            ["all", "any", "not", "slug"].into_iter().find(|kind| object.contains_key(*kind));
        match kind {
            Some("slug") => self.test(object, path),
            Some("not") => {
                self.known_keys(object, &["not"], path);
                let part = self.member(object, "not", path)?;
                let part = self.condition(part, &join(path, "not"), depth + 1)?;
                Some(Condition::Not(Box::new(part)))
            }
            Some(kind) => {
                self.known_keys(object, &[kind], path);
                let parts = self.conditions(object, kind, path, depth)?;
                Some(if kind == "all" { Condition::All(parts) } else { Condition::Any(parts) })
            }
            None => self.refuse(path, "a condition is one of `all`, `any`, `not` and `slug`"),
        }
    }

    fn conditions(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        path: &str,
        depth: usize,
    ) -> Option<Vec<Condition>> {
        let path = join(path, key);
        match object.get(key).and_then(Value::as_array) {
            Some(list) if !list.is_empty() => {
                let indexed = list.iter().enumerate();
                let parts: Vec<_> = indexed
                    .map(|(index, part)| {
                        self.condition(part, &format!("{path}[{index}]"), depth + 1)
                    })
                    .collect();
                parts.into_iter().collect()
            }
            _ => self.refuse(&path, "must be a list of at least one condition"),
        }
    }

    fn test(&mut self, object: &Map<String, Value>, path: &str) -> Option<Condition> {
        self.known_keys(object, &["slug", "op", "value"], path);
        let slug = self.slug(object, path);
        let op = self.op(object, path);
        let value = self.operand(object, op, path);
        Some(Condition::Test { slug: slug?, op: op?, value: value? })
    }

    fn slug(&mut self, object: &Map<String, Value>, path: &str) -> Option<Body> {
        let text = self.text(object, "slug", path)?;
        match slug::parse(text, Dialect::Template) {
            Err(error) => self.refuse(&join(path, "slug"), error.to_string()),
            Ok(segments) => single_slug(segments).or_else(|| {
                self.refuse(&join(path, "slug"), "must be one slug such as `{caseId}`")
            }),
        }
    }

    fn op(&mut self, object: &Map<String, Value>, path: &str) -> Option<Op> {
        let name = self.text(object, "op", path)?;
        Op::parse(name).or_else(|| {
            let known = Op::ALL.map(|(known, _)| known).join(", ");
            self.refuse(&join(path, "op"), format!("is unknown; use one of {known}"))
        })
    }

    fn operand(
        &mut self,
        object: &Map<String, Value>,
        op: Option<Op>,
        path: &str,
    ) -> Option<Operand> {
        match object.get("value") {
            None if op == Some(Op::Exists) => Some(Operand::Text(String::new())),
            None => self.refuse(&join(path, "value"), "is required"),
            Some(Value::String(text)) => Some(Operand::Text(text.clone())),
            Some(Value::Bool(truth)) => Some(Operand::Text(truth.to_string())),
            Some(Value::Number(number)) if number.as_f64().is_some() => {
                number.as_f64().map(Operand::Number)
            }
            Some(_) => self.refuse(&join(path, "value"), "must be a string, a number or a boolean"),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Takes the body of a text that is one slug and nothing else.
fn single_slug(segments: Vec<Segment>) -> Option<Body> {
    match <[Segment; 1]>::try_from(segments) {
        Ok([Segment::Slug { body, .. }]) => Some(body),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Found, check, parse, scripts};
    use super::*;

    const TEST: &str = r#"{"slug":"{caseId}","op":"exists"}"#;

    fn paths(tree: &str) -> Vec<String> {
        let errors = check(tree, &|name| name.starts_with("con_")).err().unwrap_or_default();
        errors.into_iter().map(|error| error.path).collect()
    }

    fn branch(condition: &str, then: &str, otherwise: &str) -> String {
        format!(r#"{{"if":{condition},"then":{then},"else":{otherwise}}}"#)
    }

    /// A chain of decisions whose last script is at the given depth.
    fn chain(depth: usize) -> String {
        let script = r#"{"script":"con_a"}"#;
        (1..depth).fold(script.to_owned(), |tree, _| branch(TEST, script, &tree))
    }

    #[test]
    fn violations_carry_their_paths() {
        let script = r#"{"script":"con_a"}"#;
        for (tree, expected) in [
            (script.to_owned(), vec![]),
            (branch(TEST, script, script), vec![]),
            ("{".to_owned(), vec![""]),
            ("[]".to_owned(), vec![""]),
            ("{}".to_owned(), vec![""]),
            (r#"{"script":""}"#.to_owned(), vec!["script"]),
            (r#"{"script":7}"#.to_owned(), vec!["script"]),
            (r#"{"script":"con_a","x":1}"#.to_owned(), vec!["x"]),
            (format!(r#"{{"if":{TEST},"then":{script}}}"#), vec!["else"]),
            (branch(TEST, r#"{"script":"other"}"#, "{}"), vec!["then.script", "else"]),
            (branch("{}", script, script), vec!["if"]),
            (branch(r#"{"all":[]}"#, script, script), vec!["if.all"]),
            (branch(&format!(r#"{{"any":[{TEST},1]}}"#), script, script), vec!["if.any[1]"]),
            (
                branch(&format!(r#"{{"not":{TEST},"all":[{TEST}]}}"#), script, script),
                vec!["if.not"],
            ),
            (
                branch(r#"{"slug":"caseId","op":"like","value":[]}"#, script, script),
                vec!["if.slug", "if.op", "if.value"],
            ),
            (
                branch(r#"{"slug":"{a} {b}","op":"eq"}"#, script, script),
                vec!["if.slug", "if.value"],
            ),
            (
                branch(r#"{"slug":"{","op":"eq","value":null}"#, script, script),
                vec!["if.slug", "if.value"],
            ),
        ] {
            assert_eq!(paths(&tree), expected, "{tree}");
        }
    }

    #[test]
    fn limits_hold_at_their_edge() {
        assert!(paths(&chain(10)).is_empty());
        assert_eq!(paths(&chain(11)).len(), 3);
        assert_eq!(paths(&"[".repeat(60_000)), [""]);
        let wide = |tests: usize| {
            let list = vec![TEST; tests].join(",");
            branch(
                &format!(r#"{{"all":[{list}]}}"#),
                r#"{"script":"con_a"}"#,
                r#"{"script":"con_b"}"#,
            )
        };
        assert!(paths(&wide(MAX_NODES - 4)).is_empty());
        assert_eq!(paths(&wide(MAX_NODES - 3)), [""]);
        let padded = format!("{}{}", " ".repeat(MAX_BYTES), r#"{"script":"con_a"}"#);
        assert_eq!(paths(&padded), [""]);
        let unknown: Vec<_> = (0..99).map(|key| format!("\"{key}\":1")).collect();
        let tree = format!(r#"{{"script":"con_a",{}}}"#, unknown.join(","));
        assert_eq!(paths(&tree).len(), MAX_ERRORS);
    }

    fn tree() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec!["con_a", "{a}", "{", "eq", "gt", "exists", ""]);
        let leaf = prop_oneof![word.prop_map(Value::from), any::<i32>().prop_map(Value::from)];
        leaf.prop_recursive(8, 64, 4, |inner| {
            let keys =
                ["if", "then", "else", "script", "all", "any", "not", "slug", "op", "value", "x"];
            let object =
                prop::collection::vec((prop::sample::select(keys.to_vec()), inner.clone()), 1..5);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                object.prop_map(|members| {
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_tree_is_judged(tree in tree(), noise in any::<String>()) {
            let _ = check(&noise, &|_| true);
            let text = tree.to_string();
            let verdict = check(&text, &|_| true);
            prop_assert_eq!(verdict.is_ok(), parse(&text).is_ok());
            if let Err(errors) = verdict {
                prop_assert!(!errors.is_empty());
                prop_assert!(scripts(&text).is_empty());
            }
        }

        #[test]
        fn a_valid_tree_opens_one_of_its_scripts(depth in 1..10_usize, known in any::<bool>()) {
            let expression = parse(&chain(depth)).unwrap();
            let value = known.then(|| Found::from("1".to_owned()));
            let chosen = expression.evaluate(&|_| value.as_ref());
            prop_assert!(scripts(&chain(depth)).iter().any(|name| name == chosen));
        }
    }
}
