//! Cuts a filter into fields, operators and values.

use super::FilterError;

/// Longest accepted filter, in characters.
pub const MAX_CHARS: usize = 2048;

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Two-character operators come before their first character.
const OPERATORS: [(&str, Op); 7] = [
    ("!=", Op::NotEqual),
    ("<=", Op::LessOrEqual),
    (">=", Op::GreaterOrEqual),
    ("=", Op::Equal),
    (":", Op::Contains),
    ("<", Op::Less),
    (">", Op::Greater),
];

/// A value as written.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Holds characters, not bytes: a position is the offset in an error.
pub(super) struct Lexer {
    chars: Vec<char>,
    position: usize,
}

impl Lexer {
    pub(super) fn new(text: &str) -> Result<Self, FilterError> {
        let chars: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
        if chars.len() > MAX_CHARS {
            let message = format!("a filter has at most {MAX_CHARS} characters");
            return Err(FilterError::new(MAX_CHARS, message));
        }
        Ok(Self { chars, position: 0 })
    }

    pub(super) fn offset(&self) -> usize {
        self.position
    }

    /// Skips blanks; true when nothing follows.
    pub(super) fn at_end(&mut self) -> bool {
        self.take_while(char::is_whitespace);
        self.position == self.chars.len()
    }

    /// Takes the `AND` between two comparisons; blanks must stand around it.
    pub(super) fn expect_and(&mut self) -> Result<(), FilterError> {
        let start = self.position;
        let blank_before = start > 0 && self.chars[start - 1].is_whitespace();
        let word = self.take_while(|c| !c.is_whitespace());
        if word != "AND" || !blank_before {
            let message = "comparisons are joined by ` AND `";
            return Err(FilterError::new(start, message));
        }
        Ok(())
    }

    pub(super) fn field(&mut self) -> Result<(usize, String), FilterError> {
        self.at_end();
        let start = self.position;
        let field = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if field.is_empty() {
            return Err(FilterError::new(start, "the name of a field is expected"));
        }
        Ok((start, field))
    }

    pub(super) fn op(&mut self) -> Result<(usize, Op), FilterError> {
        self.at_end();
        let start = self.position;
        let rest = &self.chars[start..];
        let found = OPERATORS.into_iter().find(|(sign, _)| {
            rest.len() >= sign.len()
                && sign.chars().zip(rest).all(|(wanted, found)| wanted == *found)
        });
        let Some((sign, op)) = found else {
            let message = "an operator is expected: =, !=, :, <, <=, > or >=";
            return Err(FilterError::new(start, message));
        };
        self.position += sign.len();
        Ok((start, op))
    }

    pub(super) fn value(&mut self) -> Result<(usize, Word), FilterError> {
        self.at_end();
        let start = self.position;
        if self.chars.get(start) == Some(&'"') {
            return Ok((start, Word { text: self.quoted()?, quoted: true }));
        }
        let text = self.take_while(|c| !c.is_whitespace());
        if text.is_empty() {
            return Err(FilterError::new(start, "a value is expected"));
        }
        Ok((start, Word { text, quoted: false }))
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.position;
        let mut text = String::new();
        self.position += 1;
        while let Some(&c) = self.chars.get(self.position) {
            self.position += 1;
            match c {
                '"' => return Ok(text),
                '\\' => match self.chars.get(self.position) {
                    Some(&escaped @ ('"' | '\\')) => {
                        text.push(escaped);
                        self.position += 1;
                    }
                    _ => text.push(c),
                },
                c => text.push(c),
            }
        }
        let message = if text.ends_with('"') {
            r#"the closing quote is missing; after a backslash at the end write `\\"`"#
        } else {
            "the closing quote is missing"
        };
        Err(FilterError::new(start, message))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = &self.chars[self.position..];
        let taken: String = rest.iter().take_while(|c| wanted(**c)).collect();
        self.position += taken.chars().count();
        taken
    }
}
