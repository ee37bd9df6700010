//! Configuration of adapters: judged as a whole, every mistake named with its path.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::schema::Schema;

/// Something that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigViolation {
    /// Where, e.g. `presence.BUSY`; empty for the whole.
    pub path: String,
    /// What is wrong, continuing the path: `must be …`.
    pub rule: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Default)]
pub struct Violations(Vec<ConfigViolation>);

impl Violations {
    /// Notes a mistake.
    pub fn add(&mut self, path: impl Into<String>, rule: impl Into<String>) {
        self.0.push(ConfigViolation { path: path.into(), rule: rule.into() });
    }

    /// Notes a mistake unless it is right.
    pub fn check(&mut self, right: bool, path: impl Into<String>, rule: impl Into<String>) {
        if !right {
            self.add(path, rule);
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All mistakes, by path.
    pub(crate) fn into_sorted(mut self) -> Vec<ConfigViolation> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Reads a configuration; the schema finds what is missing, unknown or of another type, all at once,
/// and `check` what no schema can say.
pub(crate) fn read<C: DeserializeOwned>(
    schema: &Schema,
    text: &str,
    check: impl FnOnce(&C, &mut Violations),
) -> Result<C, Vec<ConfigViolation>> {
    let mut violations = Violations::default();
    let value: Value = match serde_json::from_str(if text.is_empty() { "{}" } else { text }) {
        Ok(value) => value,
        Err(error) => {
            violations.add("", format!("must be a JSON object: {error}"));
            return Err(violations.into_sorted());
        }
    };
    schema.check(&value, &mut violations);
    if violations.is_empty() {
        match serde_json::from_value::<C>(value) {
            Ok(config) => {
                check(&config, &mut violations);
                if violations.is_empty() {
                    return Ok(config);
                }
            }
            Err(error) => violations.add("", error.to_string()),
        }
    }
    Err(violations.into_sorted())
}
