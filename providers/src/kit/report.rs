//! What the kit found.

use std::fmt;

/// How one check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold; what was seen.
    Failed(String),
    /// It was not looked at, and why.
    Skipped(String),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, e.g. `calls.start_twice`.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Whether it does.
    pub outcome: Outcome,
}

/// All checks. It is shown as a table with counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Kind of the adapter.
    pub kind: &'static str,
    /// In the order in which they ran.
    pub entries: Vec<Entry>,
}

impl Report {
    /// How many hold.
    pub fn passed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Passed)
    }

    /// How many do not hold.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// How many were not looked at.
    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// Whether something holds and nothing fails.
    pub fn is_ok(&self) -> bool {
        self.failed() == 0 && self.passed() > 0
    }

    fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.entries.iter().filter(|entry| of(&entry.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
        for Entry { name, rule, outcome } in &self.entries {
            let (word, detail) = match outcome {
                Outcome::Passed => ("passed ", None),
                Outcome::Failed(detail) => ("FAILED ", Some(detail)),
                Outcome::Skipped(why) => ("skipped", Some(why)),
            };
            writeln!(f, "{word}  {name:width$}  {rule}")?;
            if let Some(detail) = detail {
                writeln!(f, "         {:width$}  -> {detail}", "")?;
            }
        }
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped());
        write!(f, "{}: {passed} passed, {failed} failed, {skipped} skipped", self.kind)
    }
}
