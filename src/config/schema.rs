//! The settings as a JSON Schema: names, types, defaults, ranges and meanings, from the structs
//! themselves. A range that an attribute of a field states is enforced from here, so it stands once.

use schemars::{
    JsonSchema, Schema,
    generate::{Contract, SchemaSettings},
};
use serde::Serialize;
use serde_json::Value;

/// The JSON Schema (draft 2020-12) of a configuration file.
pub(super) fn schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.contract = Contract::Deserialize;
    });
    settings.into_generator().into_root_schema_for::<T>()
}

/// One setting, as the schema describes it.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its key: `watch.quiet_ms`.
    pub(super) key: String,
    /// What the schema says of its value.
    pub(super) value: Value,
}

impl Setting {
    /// All settings, sections after single settings, each by its key.
    pub(super) fn all<T: JsonSchema>() -> Vec<Self> {
        let mut found = Vec::new();
        collect(schema::<T>().as_value(), "", &mut found);
        found
    }

    /// A number that the schema gives by this keyword.
    pub(super) fn number(&self, keyword: &str) -> Option<u64> {
        self.value.get(keyword)?.as_u64()
    }
}

fn collect(schema: &Value, prefix: &str, found: &mut Vec<Setting>) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let (sections, single): (Vec<_>, Vec<_>) =
        properties.partition(|(_, value)| value.get("properties").is_some());
    let settings = single.into_iter();
    found.extend(
        settings
            .map(|(name, value)| Setting { key: format!("{prefix}{name}"), value: value.clone() }),
    );
    for (name, section) in sections {
        collect(section, &format!("{prefix}{name}."), found);
    }
}

/// Notes every number that is outside the range that the schema gives it.
pub(super) fn check_ranges<T>(config: &T, mistakes: &mut Vec<String>)
where
    T: JsonSchema + Serialize,
{
    // A configuration consists of texts, numbers and truth values alone.
    let values = serde_json::to_value(config).unwrap_or_default();
    for setting in Setting::all::<T>() {
        let value = values.pointer(&format!("/{}", setting.key.replace('.', "/")));
        let Some(value) = value.and_then(Value::as_u64) else { continue };
        let least = setting.number("minimum").unwrap_or_default();
        let most = setting.number("maximum").unwrap_or(u64::MAX);
        if value < least || value > most {
            mistakes.push(format!("`{}`: {value} is not within {least} to {most}", setting.key));
        }
    }
}
