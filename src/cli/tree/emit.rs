//! Writes YAML that readers of version 1.1 and of version 1.2 take for the same.
//!
//! A text stands without quotes only when no version takes it for anything else; keys as well.

use std::fmt::Write as _;

use super::{Meaning, Node, Scalar, Value};

/// Words that some version of YAML takes for true, false or null, in any case.
const WORDS: [&str; 9] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null"];

/// Longest key that needs no mark of its own, with room for its quotes (YAML 1.2, §7.4.2).
const MAX_KEY: usize = 1000;

/// Writes one document, without the line that begins it.
pub(in crate::cli) fn emit(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Scalar(scalar) => out.push_str(&line(scalar)),
        Value::List(all) if !all.is_empty() => list(&mut out, all, 0, false),
        Value::Map(all) if !all.is_empty() => map(&mut out, all, 0, false),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// `inline`: the first entry continues a line.
fn map(out: &mut String, all: &[(super::Key, Node)], indent: usize, mut inline: bool) {
    for (key, node) in all {
        if !std::mem::take(&mut inline) {
            blanks(out, indent);
        }
        // A key is text, whatever it looks like.
        let key = line(&Scalar::text(key.scalar.text.as_str()));
        if key.len() > MAX_KEY {
            let _ = write!(out, "? {key}\n{:indent$}", "");
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match &node.value {
            Value::Scalar(scalar) => {
                out.push(' ');
                value(out, scalar, indent + 2);
            }
            Value::List(all) if all.is_empty() => out.push_str(" []\n"),
            Value::Map(all) if all.is_empty() => out.push_str(" {}\n"),
            Value::List(all) => {
                out.push('\n');
                list(out, all, indent, false);
            }
            Value::Map(all) => {
                out.push('\n');
                map(out, all, indent + 2, false);
            }
        }
    }
}

fn list(out: &mut String, all: &[Node], indent: usize, mut inline: bool) {
    for node in all {
        if !std::mem::take(&mut inline) {
            blanks(out, indent);
        }
        out.push_str("- ");
        match &node.value {
            Value::Scalar(scalar) => value(out, scalar, indent + 2),
            Value::List(all) if all.is_empty() => out.push_str("[]\n"),
            Value::Map(all) if all.is_empty() => out.push_str("{}\n"),
            Value::List(all) => list(out, all, indent + 2, true),
            Value::Map(all) => map(out, all, indent + 2, true),
        }
    }
}

fn blanks(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

/// A scalar and the end of its line; a text of several lines as a block.
fn value(out: &mut String, scalar: &Scalar, indent: usize) {
    if scalar.meaning() != Meaning::Text || !is_block(&scalar.text) {
        out.push_str(&line(scalar));
        out.push('\n');
        return;
    }
    let text = scalar.text.as_str();
    out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            blanks(out, indent);
        }
        out.push_str(line);
        out.push('\n');
    }
}

/// Whether a block shows the text as it is: several lines, the first of which shows the indentation.
fn is_block(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c != '\n' && c != ' ');
    let inner = text.strip_suffix('\n').unwrap_or(text);
    let blank = |line: &str| !line.is_empty() && line.trim_start_matches(' ').is_empty();
    starts
        && inner.contains('\n')
        && !inner.ends_with('\n')
        && !inner.split('\n').any(blank)
        && inner.chars().all(|c| c == '\n' || is_printable(c))
}

/// A scalar that fits in one line.
fn line(scalar: &Scalar) -> String {
    let text = scalar.text.as_str();
    match scalar.meaning() {
        Meaning::Nothing | Meaning::Null => "null".to_owned(),
        Meaning::Bool(value) => value.to_string(),
        Meaning::Whole | Meaning::Number => text.to_owned(),
        Meaning::Text if is_plain(text) => text.to_owned(),
        Meaning::Text if text.chars().all(is_printable) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Meaning::Text => quoted(text),
    }
}

/// Whether every version of YAML reads the text without quotes as what it is. A text that begins
/// with a letter is no number and no time in any of them.
fn is_plain(text: &str) -> bool {
    let known = |(at, c): (usize, char)| match c {
        ':' => text[at + 1..].starts_with(|next| next != ' '),
        c => c.is_ascii_alphanumeric() || " _-./@+".contains(c),
    };
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.char_indices().all(known)
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a character may stand in a text of one line without an escape, for every reader.
fn is_printable(c: char) -> bool {
    let odd = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    (' '..='~').contains(&c) || (c >= '\u{a0}' && !odd)
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            '\r' => write!(out, "\\r"),
            c if is_printable(c) => write!(out, "{c}"),
            c if u32::from(c) <= 0xff => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "\\u{:04x}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
