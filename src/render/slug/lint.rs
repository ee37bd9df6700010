//! Remarks on stored texts: reported as findings, never refused.

use super::scan::{Malformed, Scan};
use super::{Body, Dialect, Segment};

/// Context keys that every conversation provides; other keys are legal but reported by [`lint`].
pub const KNOWN_KEYS: [&str; 11] = [
    "customerName",
    "caseId",
    "caseTitle",
    "queueId",
    "visitorLanguage",
    "visitorDevice",
    "entityRoutingLogicalName",
    "entityRoutingRecordId",
    "customerEntityName",
    "customerRecordId",
    "LiveWorkItemId",
];

/// One remark of [`lint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Which finding to report.
    pub code: LintCode,
    /// Where the slug begins, in characters.
    pub offset_chars: usize,
    /// The unknown key, or what is wrong with the syntax.
    pub detail: String,
}

/// The findings that [`lint`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintCode {
    /// The slug is malformed or its body is not legal in this kind of text.
    SlugSyntax,
    /// The key is none of [`KNOWN_KEYS`].
    UnknownSlug,
}

/// Reports malformed slugs and unknown keys in reading order; refuses nothing.
pub fn lint(text: &str, dialect: Dialect) -> Vec<Lint> {
    let mut lints = Vec::new();
    for piece in Scan::new(text, dialect, true) {
        match piece {
            Ok(segment) => lint_keys(&segment, &mut lints),
            Err(Malformed { error, .. }) => lints.push(Lint {
                code: LintCode::SlugSyntax,
                offset_chars: error.offset_chars,
                detail: error.message,
            }),
        }
    }
    lints
}

fn lint_keys(segment: &Segment, lints: &mut Vec<Lint>) {
    let Segment::Slug { offset_chars, body, .. } = segment else {
        return;
    };
    match body {
        Body::Key(key) if !KNOWN_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) => lints
            .push(Lint {
                code: LintCode::UnknownSlug,
                offset_chars: *offset_chars,
                detail: key.clone(),
            }),
        Body::OData { options: Some(options), .. } => {
            options.iter().for_each(|inner| lint_keys(inner, lints))
        }
        _ => {}
    }
}

// ===== impl LintCode =====

impl LintCode {
    /// Returns the name of the finding.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SlugSyntax => "SLUG_SYNTAX",
            Self::UnknownSlug => "UNKNOWN_SLUG",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linter_reports_keys_and_syntax_in_order() {
        let text = "{CUSTOMERNAME} {orderId} {anchor.zzz} {} {$odata.a.b.?f '{inner}'}{$session.x}";
        let lints = lint(text, Dialect::Template);
        let found: Vec<_> = lints.iter().map(|l| (l.code.as_str(), l.offset_chars)).collect();
        assert_eq!(
            found,
            [("UNKNOWN_SLUG", 15), ("SLUG_SYNTAX", 38), ("UNKNOWN_SLUG", 57), ("SLUG_SYNTAX", 66),]
        );
        assert_eq!(lints[0].detail, "orderId");
    }
}
