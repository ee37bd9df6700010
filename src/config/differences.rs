//! The differences of two configurations, which a reload reports.

use figment::value::Value;

use super::{Config, layer};

impl Config {
    /// Keys of the settings that are not what they are in another configuration, in order.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let leaves = |config: &Self| {
            let value = Value::serialize(config).ok()?;
            Some(layer::leaves(&value.into_dict()?))
        };
        let (Some(ours), Some(theirs)) = (leaves(self), leaves(other)) else { return Vec::new() };
        // Both have every key.
        ours.into_iter()
            .filter(|(key, value)| theirs.get(key) != Some(value))
            .map(|(key, _)| key)
            .collect()
    }
}
