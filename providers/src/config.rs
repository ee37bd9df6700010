//! Configuration of adapters: judged as a whole, every mistake named with its path.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ConfigViolation, Violations, schema::Schema};

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
