//! What texts with slugs are remarked on for.

use super::draft::Draft;
use crate::{
    domain::FindingCode,
    render::slug::{Lint, LintCode},
};

/// Notes a text with a malformed slug; an unknown key is no matter of the content.
pub(super) fn report(draft: &mut Draft<'_>, subject: &str, lints: impl FnOnce() -> Vec<Lint>) {
    if !draft.with_findings() {
        return;
    }
    let lints = lints();
    let malformed = lints.iter().find(|lint| lint.code == LintCode::SlugSyntax);
    if let Some(lint) = malformed {
        let message = format!("A slug of {subject} is delivered as text: {}.", lint.detail);
        draft.find(FindingCode::SlugSyntax, subject, message);
    }
}
