//! The slug grammar: placeholders in template, script and macro texts.
//!
//! Parsing never fails half-way for the reader: [`parse`] validates writes, [`parse_lenient`] what
//! rendering uses, so that a malformed slug in imported text is delivered literally instead of losing the tab.

mod body;
mod lint;
mod scan;
mod segment;

use self::scan::{Scan, join};
pub use self::{
    lint::{KNOWN_KEYS, Lint, LintCode, lint},
    segment::{Body, Dialect, Segment, SessionSource, SyntaxError},
};

/// Parses a text; the first malformed or misplaced slug is an error.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Segment>, SyntaxError> {
    Scan::new(text, dialect, true).strict()
}

/// Parses a text of any quality: malformed slugs become literals, misplaced ones stay slugs.
pub fn parse_lenient(text: &str, dialect: Dialect) -> Vec<Segment> {
    let pieces = Scan::new(text, dialect, false);
    join(pieces.map(|piece| piece.unwrap_or_else(|bad| Segment::Literal(bad.raw.to_owned()))))
}

/// Whether a text holds at least one well-formed slug.
pub fn contains_slug(text: &str, dialect: Dialect) -> bool {
    Scan::new(text, dialect, false).any(|piece| matches!(piece, Ok(Segment::Slug { .. })))
}

/// Finds the first slug or malformed slug of a text, as an error where none is allowed.
pub(super) fn first_slug(text: &str, dialect: Dialect) -> Option<SyntaxError> {
    Scan::new(text, dialect, false).find_map(|piece| match piece {
        Ok(Segment::Literal(_)) => None,
        Ok(Segment::Slug { raw, offset_chars, .. }) => {
            Some(SyntaxError::about(&raw, offset_chars, "no slug is allowed here"))
        }
        Err(bad) => Some(bad.error),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIALECTS: [Dialect; 3] = [Dialect::Template, Dialect::Script, Dialect::Macro];

    fn hostile() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "{",
            "}",
            "{{",
            "}}",
            "$",
            "${",
            "@",
            ".",
            "?",
            " ",
            "é",
            "anchor.",
            "$odata.",
            "a.b.?",
            "Session.CurrentTab.EntityId",
            "$session.",
            "ReconnectUrl{ReconnectID}",
            "customerName",
        ]);
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    fn written(segments: &[Segment]) -> String {
        let parts = segments.iter().map(|segment| match segment {
            Segment::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
            Segment::Slug { raw, .. } => raw.clone(),
        });
        parts.collect()
    }

    #[test]
    fn escapes_hold_at_depth_zero_only() {
        for (text, expected) in
            [("{{a}}", "{a}"), ("a } b", "a } b"), ("}}}", "}}"), ("${{x}}", "${x}"), ("", "")]
        {
            let expected: Vec<_> = (!expected.is_empty())
                .then(|| Segment::Literal(expected.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(parse(text, Dialect::Template), Ok(expected), "{text}");
        }
        assert!(parse("{a{{b}}}", Dialect::Template).is_err());
    }

    #[test]
    fn macros_know_no_escapes() {
        let segments = parse("{{a}} ${ queueId }$", Dialect::Macro).unwrap();
        assert_eq!(segments.len(), 3);
        assert_eq!(segments[0], Segment::Literal("{{a}} ".to_owned()));
        let body = Body::Key("queueId".to_owned());
        let raw = "${ queueId }".to_owned();
        assert_eq!(segments[1], Segment::Slug { raw, offset_chars: 6, body });
    }

    #[test]
    fn offsets_count_characters() {
        let error = parse("Größe 👋 {}", Dialect::Template).unwrap_err();
        assert_eq!(error.offset_chars, 8);
        assert_eq!(error.to_string(), format!("{} (at character 8)", error.message));
    }

    #[test]
    fn lenient_parsing_delivers_malformed_slugs_literally() {
        let segments = parse_lenient("a {} {caseId} {open {x}", Dialect::Template);
        assert_eq!(written(&segments), "a {{}} {caseId} {{open {{x}}");
        assert_eq!(segments.len(), 3);
        let misplaced = parse_lenient("{$session.x}", Dialect::Template);
        let [Segment::Slug { body: Body::Session { source, key }, .. }] = &misplaced[..] else {
            panic!("{misplaced:?}")
        };
        assert_eq!((*source, key.as_str()), (SessionSource::Session, "x"));
    }

    #[test]
    fn contains_slug_wants_a_well_formed_one() {
        assert!(contains_slug("a {b}", Dialect::Template));
        assert!(!contains_slug("a {{b}} {} {c", Dialect::Template));
        assert!(!contains_slug("{b}", Dialect::Script));
        assert!(contains_slug("${b}", Dialect::Script));
    }

    proptest! {
        #[test]
        fn strict_and_lenient_agree_with_the_linter(text in hostile()) {
            for dialect in DIALECTS {
                let syntax = lint(&text, dialect).into_iter().find(|l| l.code == LintCode::SlugSyntax);
                match parse(&text, dialect) {
                    Ok(segments) => {
                        prop_assert_eq!(parse_lenient(&text, dialect), segments);
                        prop_assert_eq!(syntax, None);
                    }
                    Err(error) => prop_assert_eq!(syntax.map(|l| l.offset_chars), Some(error.offset_chars)),
                }
            }
        }

        #[test]
        fn writing_a_parsed_text_gives_an_equal_text(text in hostile()) {
            if let Ok(segments) = parse(&text, Dialect::Template) {
                let again = parse(&written(&segments), Dialect::Template).unwrap();
                prop_assert_eq!(written(&again), written(&segments));
            }
        }

        #[test]
        fn escaped_text_is_literal(text in any::<String>()) {
            let escaped = text.replace('{', "{{").replace('}', "}}");
            prop_assert!(!contains_slug(&escaped, Dialect::Template));
            let plain: String = parse_lenient(&escaped, Dialect::Template)
                .into_iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => text,
                    Segment::Slug { raw, .. } => raw,
                })
                .collect();
            prop_assert_eq!(plain, text);
        }

        #[test]
        fn slugs_stand_where_their_offset_says(text in hostile()) {
            for segment in parse_lenient(&text, Dialect::Macro) {
                if let Segment::Slug { raw, offset_chars, .. } = segment {
                    let tail: String = text.chars().skip(offset_chars).collect();
                    prop_assert!(tail.starts_with(&raw));
                }
            }
        }
    }
}
