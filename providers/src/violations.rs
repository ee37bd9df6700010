//! What is wrong with a configuration.

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
