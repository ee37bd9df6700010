//! Text for people: titles and lines of notifications.

/// The characters of a text that people read: line breaks as blanks, no control characters.
#[derive(Debug)]
pub(super) struct Shown<'a>(pub(super) &'a str);

impl Iterator for Shown<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let c = self.0.chars().next()?;
            let width = if self.0.starts_with("\r\n") { 2 } else { c.len_utf8() };
            self.0 = &self.0[width..];
            match c {
                '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    return Some(' ');
                }
                c if c.is_control() => {}
                c => return Some(c),
            }
        }
    }
}
