//! Plain field rules: length, range, characters. Each stands once, here (SPEC §2.1).

use super::refusal::{Reason, Violation, Violations};

/// Which control characters a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controls {
    /// None of U+0000 to U+001F.
    None,
    /// Tab and line breaks: descriptions, script texts, `custom_parameters`.
    TabAndNewline,
}

/// Checks the length in characters and the control characters of a text.
pub fn text(
    v: &mut Violations,
    field: &str,
    value: &str,
    range: std::ops::RangeInclusive<usize>,
    controls: Controls,
) {
    let length = value.chars().count();
    if !range.contains(&length) {
        let description = if *range.start() == 0 {
            format!("must be at most {} characters, has {length}", range.end())
        } else {
            format!("must be {} to {} characters, has {length}", range.start(), range.end())
        };
        v.invalid(field, description);
    }
    let bad = value.chars().position(|c| {
        c <= '\u{1f}' && !(controls == Controls::TabAndNewline && matches!(c, '\t' | '\n'))
    });
    if let Some(at) = bad {
        v.invalid(field, format!("must not hold the control character at offset {at}"));
    }
}

/// A text of several lines as it is stored: line breaks of another system become `\n`.
///
/// A carriage return elsewhere than before a newline or at the end stays, for [`text`] to refuse.
pub fn lines(value: &str) -> String {
    let joined = value.replace("\r\n", "\n");
    joined.strip_suffix('\r').map(str::to_owned).unwrap_or(joined)
}

/// Checks a text without control characters.
pub fn line(v: &mut Violations, field: &str, value: &str, range: std::ops::RangeInclusive<usize>) {
    text(v, field, value, range, Controls::None);
}

/// Checks and trims a display name: 1 to `max` characters after trimming.
pub fn display_name(v: &mut Violations, field: &str, value: &str, max: usize) -> String {
    let trimmed = value.trim();
    line(v, field, trimmed, 1..=max);
    trimmed.to_owned()
}

/// Checks the number of elements of a list.
pub fn count(v: &mut Violations, field: &str, len: usize, max: usize) {
    if len > max {
        v.invalid(field, format!("must have at most {max} elements, has {len}"));
    }
}

/// Checks that a number lies in a range.
pub fn range(v: &mut Violations, field: &str, value: i64, range: std::ops::RangeInclusive<i64>) {
    if !range.contains(&value) {
        v.invalid(field, format!("must be {} to {}, is {value}", range.start(), range.end()));
    }
}

/// Checks that a text holds a JSON object of at most `max` bytes.
pub fn json_object(v: &mut Violations, field: &str, value: &str, max: usize) {
    if value.len() > max {
        v.invalid(field, format!("must be at most {max} bytes, has {}", value.len()));
        return;
    }
    match serde_json::from_str::<serde_json::Value>(value) {
        Ok(serde_json::Value::Object(_)) => {}
        Ok(_) => v.invalid(field, "must be a JSON object"),
        Err(error) => v.invalid(field, format!("must be a JSON object: {error}")),
    }
}

/// A violation found outside of a collection.
pub fn violation(reason: Reason, field: &str, description: impl Into<String>) -> Violation {
    Violation { field: field.to_owned(), reason, description: description.into() }
}

/// Notes the second of two elements that are the same when ASCII case is ignored.
pub fn unique<'a>(v: &mut Violations, field: &str, names: impl IntoIterator<Item = &'a str>) {
    let mut seen = std::collections::HashSet::new();
    for (at, name) in names.into_iter().enumerate() {
        if !name.is_empty() && !seen.insert(name.to_ascii_lowercase()) {
            v.invalid(format!("{field}[{at}]"), format!("`{name}` stands twice"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_and_controls_are_refused() {
        let cases: &[(&str, Controls, usize)] = &[
            ("fine", Controls::None, 0),
            ("\u{202e}rtl is fine", Controls::None, 0),
            ("tab\there", Controls::None, 1),
            ("tab\there\n", Controls::TabAndNewline, 0),
            ("bell\u{7}", Controls::TabAndNewline, 1),
            (
                "\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
                Controls::None,
                0,
            ),
            ("more than fourteen", Controls::TabAndNewline, 1),
            ("", Controls::None, 1),
        ];
        for (value, controls, expected) in cases {
            let mut v = Violations::new();
            text(&mut v, "f", value, 1..=14, *controls);
            let found = v.finish().err().map_or(0, |r| r.violations.len());
            assert_eq!(found, *expected, "{value:?}");
        }
    }

    #[test]
    fn line_breaks_of_other_systems_are_read() {
        for (given, stored) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\r", "a"),
            ("a\r\n\r\nb", "a\n\nb"),
            ("a\nb", "a\nb"),
            ("", ""),
            // Neither of these is a line break.
            ("a\rb", "a\rb"),
            ("a\r\r\nb", "a\r\nb"),
            ("a\r\r", "a\r"),
        ] {
            assert_eq!(lines(given), stored, "{given:?}");
        }
    }

    #[test]
    fn display_names_are_trimmed() {
        let mut v = Violations::new();
        assert_eq!(display_name(&mut v, "display_name", "  Contoso Rep ", 100), "Contoso Rep");
        assert!(v.is_empty());
        display_name(&mut v, "display_name", "   ", 100);
        assert!(!v.is_empty());
    }
}
