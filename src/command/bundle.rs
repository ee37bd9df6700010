//! Import of a bundle and removal of what one brought (SPEC §11.4).
//!
//! An import is one command: every object of the bundle goes through the rules that its Create and
//! Update go through, judged on the catalog with all of them in place. What an option decides otherwise
//! becomes a finding.

mod adopt;
mod defaults;
mod import;
mod incoming;
mod ranks;
mod refused;
mod roles;
mod row;
mod uninstall;

use serde::{Deserialize, Serialize};

pub use self::{
    import::ImportBundle,
    incoming::{Assignment, Incoming, Sent},
    uninstall::UninstallBundle,
};
use crate::domain::Kind;

/// What happens to an object whose name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExisting {
    /// The import is refused.
    #[default]
    Fail,
    /// The object that is there stays.
    Skip,
    /// It becomes the one of the bundle.
    Overwrite,
}

/// What happens to a profile whose rank another one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRankConflict {
    /// The import is refused.
    #[default]
    Fail,
    /// It gets the next free higher number.
    Rerank,
    /// Both hold it.
    Keep,
}

/// What happens to the default flag of a profile while another one has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDefaultConflict {
    /// The imported profile loses it.
    #[default]
    KeepIncumbent,
    /// The incumbent loses it.
    Replace,
    /// Both have it.
    KeepBoth,
    /// The import is refused.
    Fail,
}

/// What happens to a role that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknownRole {
    /// It is kept where it never matches.
    #[default]
    Report,
    /// The import is refused.
    Fail,
}

/// What happens to another URL of a provider whose URL is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPinnedUrl {
    /// The pinned URL stays.
    #[default]
    Keep,
    /// The import is refused.
    Fail,
}

/// How a bundle is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Of taken names.
    pub on_existing: OnExisting,
    /// Of held ranks.
    pub on_rank_conflict: OnRankConflict,
    /// Of a second default.
    pub on_default_conflict: OnDefaultConflict,
    /// Of unknown roles.
    pub on_unknown_role: OnUnknownRole,
    /// Of pinned URLs.
    pub on_pinned_url: OnPinnedUrl,
    /// Whether the built-in profiles take the settings of their rows.
    pub adopt_built_in: bool,
    /// Whether the objects become managed.
    pub managed: bool,
}

/// What became of one object of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportResult {
    /// It is new.
    Created,
    /// It is another one than before.
    Updated,
    /// It is what it was.
    Unchanged,
    /// It was left alone.
    Skipped,
}

/// Most objects that the answer of an import names; it counts all of them.
pub const MAX_NAMED: usize = 10_000;
/// Most findings of an import.
pub const MAX_FINDINGS: usize = 5_000;

/// What an import did, beside its findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Name of the bundle.
    pub bundle: String,
    /// Its version.
    pub version: String,
    /// Objects that were created.
    pub created: u32,
    /// Objects that changed.
    pub updated: u32,
    /// Objects that stayed what they were.
    pub unchanged: u32,
    /// Objects that were left alone.
    pub skipped: u32,
    /// The first [`MAX_NAMED`] of them, by kind, then ascending by name.
    pub objects: Vec<(Kind, String, ImportResult)>,
}

// ===== impl ImportOptions =====

/// The flag of a choice: `on_existing=SKIP`.
macro_rules! flags {
    ($($type:ident { $($value:ident = $word:literal),+ } in $field:literal;)+) => {$(
        impl $type {
            fn flag(self) -> (&'static str, bool) {
                let flag = match self { $(Self::$value => concat!($field, "=", $word),)+ };
                (flag, self != Self::default())
            }
        }
    )+};
}

flags! {
    OnExisting { Fail = "FAIL", Skip = "SKIP", Overwrite = "OVERWRITE" } in "on_existing";
    OnRankConflict { Fail = "FAIL", Rerank = "RERANK", Keep = "KEEP" } in "on_rank_conflict";
    OnDefaultConflict {
        KeepIncumbent = "KEEP_INCUMBENT", Replace = "REPLACE", KeepBoth = "KEEP_BOTH", Fail = "FAIL"
    } in "on_default_conflict";
    OnUnknownRole { Report = "REPORT", Fail = "FAIL" } in "on_unknown_role";
    OnPinnedUrl { Keep = "KEEP", Fail = "FAIL" } in "on_pinned_url";
}

impl ImportOptions {
    /// The options that are not the defaults, as audit and history keep them.
    pub(super) fn flags(self) -> Vec<(&'static str, bool)> {
        vec![
            self.on_existing.flag(),
            self.on_rank_conflict.flag(),
            self.on_default_conflict.flag(),
            self.on_unknown_role.flag(),
            self.on_pinned_url.flag(),
            ("adopt_built_in", self.adopt_built_in),
            ("managed", self.managed),
        ]
    }
}

// ===== impl ImportSummary =====

impl ImportSummary {
    fn add(&mut self, kind: Kind, name: &str, result: ImportResult) {
        let count = match result {
            ImportResult::Created => &mut self.created,
            ImportResult::Updated => &mut self.updated,
            ImportResult::Unchanged => &mut self.unchanged,
            ImportResult::Skipped => &mut self.skipped,
        };
        *count += 1;
        if self.objects.len() < MAX_NAMED {
            self.objects.push((kind, name.to_owned(), result));
        }
    }
}

#[cfg(test)]
mod tests;
