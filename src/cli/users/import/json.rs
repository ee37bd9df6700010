//! JSON lines: an object a line.

use std::io::{BufRead, Read as _};

use serde::Deserialize;

use super::user::{User, Users, Wrong};

/// Longest line.
const LONGEST: u64 = 1 << 20;

/// A line; a key twice, or one that is not known, is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    id: String,
    #[serde(alias = "displayName")]
    display_name: String,
    email: String,
    kind: String,
    #[serde(alias = "businessUnit")]
    business_unit: String,
    roles: Vec<String>,
    profile: String,
}

/// The users of a file.
pub(super) fn open(reader: impl BufRead + Send + 'static) -> Users {
    Box::new(Lines { reader, line: 0, bytes: Vec::new() })
}

struct Lines<R> {
    reader: R,
    line: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = (u64, Result<User, Wrong>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.bytes.clear();
            self.line += 1;
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.bytes);
            match read {
                Ok(0) => return None,
                Err(error) => return Some((self.line, Err(Wrong::File(error.to_string())))),
                Ok(_) if self.bytes.len() as u64 == LONGEST && !self.bytes.ends_with(b"\n") => {
                    let why = format!("is longer than {LONGEST} bytes");
                    return Some((self.line, Err(Wrong::File(why))));
                }
                Ok(_) if self.bytes.trim_ascii().is_empty() => {}
                Ok(_) => return Some((self.line, user(&self.bytes).map_err(Wrong::Row))),
            }
        }
    }
}

fn user(bytes: &[u8]) -> Result<User, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    let text = text.trim();
    if !text.starts_with('{') {
        return Err("is no JSON object".to_owned());
    }
    // The place that it names is within the line.
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Line { id, display_name, email, kind, business_unit, roles, profile } = line;
    Ok(User { id, display_name, email, kind, business_unit, roles, profile })
}
