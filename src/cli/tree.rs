//! Documents as located trees: every value knows where it stands, nothing that was written is
//! dropped, and a text that would cost too much is refused.
//!
//! YAML is read by the rules of version 1.2 and its core schema; JSON, in which each text is one of
//! YAML but for a few characters, by its own. Both become the same tree.

mod emit;
pub(super) mod json;
mod node;
pub(super) mod scalar;
mod yaml;

#[cfg(test)]
mod tests;

pub(super) use emit::emit;
pub(super) use node::{Key, MAX_BYTES, Mistake, Node, Place, Value};
pub(super) use scalar::{Meaning, Scalar, Style};

/// Reads all values of a text, one after the other.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(text);
    }
    // A text that begins so is JSON, or YAML in its flow style; the error of one that is neither names what
    // the reader that came further has against it.
    json::read(text).or_else(|not_json| {
        yaml::read(text).map_err(
            |not_yaml| {
                if not_json.at > not_yaml.at { not_json } else { not_yaml }
            },
        )
    })
}
