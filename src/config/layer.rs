//! One source of settings, with a name for messages.

use std::{collections::BTreeMap, ffi::OsString};

use figment::{
    Error, Metadata, Profile, Provider, Source,
    util::nest,
    value::{Dict, Map, Value},
};

use super::{
    injected,
    names::{NO_SETTING, PREFIX, SECRET},
};

/// Settings of one source.
#[derive(Debug)]
pub(super) struct Layer {
    name: &'static str,
    dict: Dict,
}

impl Layer {
    /// Variables of the environment: `DESKPLANE_WATCH__QUIET_MS` is `watch.quiet_ms`. One that is
    /// set to nothing counts as not set.
    pub(super) fn environment(
        env: &[(OsString, OsString)],
        known: &BTreeMap<String, Value>,
        mistakes: &mut Vec<String>,
    ) -> Self {
        let mut dict = Dict::new();
        for (name, value) in env {
            let Some(setting) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let foreign = NO_SETTING.contains(&setting) || setting.starts_with(SECRET);
            if value.is_empty() || foreign {
                continue;
            }
            let key = setting.to_ascii_lowercase().replace("__", ".");
            let Some(text) = value.to_str() else {
                mistakes.push(format!("`{key}` (environment): is not UTF-8"));
                continue;
            };
            if injected::is_injected(setting, text) {
                continue;
            }
            // A text stays a text, also when it looks like a number or a truth value.
            let value = match known.get(&key) {
                Some(Value::Num(..) | Value::Bool(..)) => {
                    text.parse().unwrap_or_else(|never| match never {})
                }
                _ => Value::from(text),
            };
            insert(&mut dict, nest(&key, value));
        }
        Self { name: "environment", dict }
    }

    /// Flags of the command line.
    pub(super) fn flags(dict: Dict) -> Self {
        Self { name: "command line", dict }
    }

    /// One setting.
    pub(super) fn single(key: &str, value: Value) -> Self {
        let mut dict = Dict::new();
        insert(&mut dict, nest(key, value));
        Self { name: "", dict }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// Joins the value of one nested key to those that are there.
fn insert(dict: &mut Dict, nested: Value) {
    for (key, value) in nested.into_dict().unwrap_or_default() {
        match (dict.get_mut(&key), value) {
            (Some(Value::Dict(_, inner)), value @ Value::Dict(..)) => insert(inner, value),
            (_, value) => drop(dict.insert(key, value)),
        }
    }
}

/// Every single value by its dotted key; an empty section counts as a value.
pub(super) fn leaves(dict: &Dict) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in dict {
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => found.extend(
                leaves(inner).into_iter().map(|(below, value)| (format!("{key}.{below}"), value)),
            ),
            _ => drop(found.insert(key.clone(), value.clone())),
        }
    }
    found
}

/// Where a value came from, as it stands in a message.
pub(super) fn describe(source: &Metadata) -> String {
    match &source.source {
        Some(Source::File(path)) => format!(" ({})", path.display()),
        _ => format!(" ({})", source.name),
    }
}
