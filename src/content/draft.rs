//! Content on its way: the input of every section, and what the sections remark.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Compiled, ContentId, Gate, GateReport, GateSubject, Gates};
use crate::{
    catalog::Catalog,
    domain::{Finding, FindingCode, UniqueName, profile::Profile},
};

/// What every section reads and adds to.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) profile: &'a Profile,
    pub(super) gates: &'a Gates,
    every_gate_open: bool,
    /// Whether findings are asked for; to look for them costs more than the rest.
    with_findings: bool,
    findings: BTreeMap<(FindingCode, String), String>,
    reports: Vec<GateReport>,
    pub(super) tools: Vec<UniqueName>,
    pub(super) features: Vec<&'static str>,
    pub(super) unset: Vec<&'static str>,
    pub(super) providers: Vec<UniqueName>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(catalog: &'a Catalog, profile: &'a Profile, gates: &'a Gates) -> Self {
        Self {
            catalog,
            profile,
            gates,
            every_gate_open: false,
            with_findings: true,
            findings: BTreeMap::new(),
            reports: Vec::new(),
            tools: Vec::new(),
            features: Vec::new(),
            unset: Vec::new(),
            providers: Vec::new(),
        }
    }

    /// For comparisons: what would be found is of no interest.
    pub(super) fn without_findings(
        catalog: &'a Catalog,
        profile: &'a Profile,
        gates: &'a Gates,
    ) -> Self {
        Self { with_findings: false, ..Self::new(catalog, profile, gates) }
    }

    /// For the size: no gate keeps anything.
    pub(super) fn with_every_gate_open(
        catalog: &'a Catalog,
        profile: &'a Profile,
        gates: &'a Gates,
    ) -> Self {
        Self { every_gate_open: true, ..Self::without_findings(catalog, profile, gates) }
    }

    /// Whether a gate lets pass, given what it depends on.
    pub(super) fn passes(&self, condition: bool) -> bool {
        condition || self.every_gate_open
    }

    /// The first closed one of some gates, each with what it depends on.
    pub(super) fn first_closed(&self, gates: &[(Gate, bool)]) -> Option<Gate> {
        gates.iter().find(|(_, condition)| !self.passes(*condition)).map(|(gate, _)| *gate)
    }

    /// Notes the first closed gate of something that does not reach the user.
    pub(super) fn closed(&mut self, kind: GateSubject, subject: &str, gate: Gate) {
        self.reports.push(GateReport { kind, subject: subject.to_owned(), gate });
    }

    /// Whether a built-in tool is visible. Needs the pane, which comes before.
    pub(super) fn shows(&self, tool: &str) -> bool {
        self.tools.iter().any(|visible| visible.as_str().eq_ignore_ascii_case(tool))
    }

    /// Whether texts are to be read for findings.
    pub(super) fn with_findings(&self) -> bool {
        self.with_findings
    }

    /// Notes a remark; the first one of a code about a subject stays.
    pub(super) fn find(&mut self, code: FindingCode, subject: &str, message: impl Into<String>) {
        if !self.with_findings {
            return;
        }
        self.findings.entry((code, subject.to_owned())).or_insert_with(|| message.into());
    }

    pub(super) fn finish(self, (bytes, fields): (Bytes, Bytes), digest: String) -> Compiled {
        let findings = self.findings.into_iter();
        let profile = Some(self.profile.name().clone());
        Compiled {
            bytes,
            fields,
            id: Arc::new(ContentId { digest: digest.clone(), profile }),
            digest,
            findings: findings
                .map(|((code, subject), message)| Finding { code, subject, message })
                .collect(),
            gates: self.reports,
            tools: self.tools,
            features: self.features,
            unset_finding: unset(self.profile, &self.unset),
            unset: self.unset,
            providers: self.providers,
        }
    }
}

/// What is said of features that are decided by not being set, all in one (SPEC §8.5).
fn unset(profile: &Profile, features: &[&str]) -> Option<Finding> {
    if features.is_empty() {
        return None;
    }
    let (state, kind) =
        if profile.common.is_built_in() { ("on", "built-in") } else { ("off", "custom") };
    let (verb, names) = (if features.len() == 1 { "is" } else { "are" }, features.join(", "));
    let message = format!("{names} {verb} not set and so {state} on a {kind} profile.");
    Some(Finding::new(FindingCode::CopilotUnset, profile.name().as_str(), message))
}
