//! The content of a profile, compiled.

use std::sync::Arc;

use bytes::Bytes;

use super::GateReport;
use crate::domain::{Finding, UniqueName};

/// What identifies a content: all that is kept of it for a client that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentId {
    /// The digest.
    pub digest: String,
    /// The profile that it is the content of; none where only the digest is known.
    pub profile: Option<UniqueName>,
}

/// The content of one profile for users with equal gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// Encoded [`ProfileContent`](deskplane_proto::v1::ProfileContent): a part of `fields`.
    pub bytes: Bytes,
    /// The fields `content` and `digest` of a [`ResolvedProfile`](deskplane_proto::v1::ResolvedProfile),
    /// encoded: what every answer with this content has in common.
    pub fields: Bytes,
    /// `d1:` and the SHA-256 of the bytes in 64 lower-case hexadecimal digits.
    pub digest: String,
    /// The digest with the profile, to be kept by those who do not keep the content.
    pub id: Arc<ContentId>,
    /// Remarks of SPEC §8.5, ascending by code, then subject; one per pair.
    pub findings: Vec<Finding>,
    /// First closed gate of everything that does not reach the user: tools in the order of the
    /// pane, features by code, channels, views in their order.
    pub gates: Vec<GateReport>,
    /// Visible tools in the order of the pane.
    pub tools: Vec<UniqueName>,
    /// Copilot features that are on, ascending by name.
    pub features: Vec<&'static str>,
    /// Copilot features that were decided by not being set, ascending by name.
    pub unset: Vec<&'static str>,
    /// The finding on them. Explanations and lists of findings have it, resolved profiles do not.
    pub unset_finding: Option<Finding>,
    /// Delivered providers, by channel order, then name.
    pub providers: Vec<UniqueName>,
}

impl Compiled {
    /// The findings of an explanation, ascending by code name, then subject.
    pub fn explained_findings(&self) -> Vec<Finding> {
        let mut all: Vec<_> = self.findings.iter().chain(&self.unset_finding).cloned().collect();
        all.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
        all
    }
}
