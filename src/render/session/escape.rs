//! Escaping of values by the place they are put into (SPEC §9.4).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::values::Text;

/// Every byte outside the unreserved characters of an address (RFC 3986).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a text is, and so how a value is escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A text for people, of which no more characters count.
    Shown(usize),
    /// Part of an address.
    Address,
    /// The inside of a JSON string.
    Json,
    /// Options of a query.
    Options,
    /// A parameter that is used as it is.
    Raw,
}

impl Target {
    /// Appends a value; false, with nothing appended, when it has no place there.
    pub(super) fn put(self, value: &Text, out: &mut String) -> bool {
        let text = value.as_str();
        match self {
            Self::Shown(_) => out.push_str(value.shown()),
            Self::Address => out.extend(utf8_percent_encode(text, RESERVED)),
            Self::Json => put_json(text, out),
            Self::Options => {
                for (index, part) in text.split('\'').enumerate() {
                    out.push_str(if index == 0 { "" } else { "''" });
                    out.push_str(part);
                }
            }
            Self::Raw if value.has_controls() => return false,
            Self::Raw => out.push_str(text),
        }
        true
    }

    /// Whether what is put in is limited in all.
    pub(super) fn counts(self) -> bool {
        !matches!(self, Self::Shown(_))
    }

    /// Undoes the escaping of a piece of the template, which stands in the text as it is written.
    pub(super) fn decode(self, written: &str) -> Cow<'_, str> {
        if self != Self::Json || !written.contains('\\') {
            return Cow::Borrowed(written);
        }
        let decoded = serde_json::from_str::<String>(&format!("\"{written}\""));
        decoded.map_or(Cow::Borrowed(written), Cow::Owned)
    }
}

fn put_json(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}
