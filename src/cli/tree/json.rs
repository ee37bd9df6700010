//! Reads JSON: one value, or several in a row.

use serde::de::IgnoredAny;

use super::{
    Key, Mistake, Node, Place, Scalar, Style, Value,
    node::{Budget, MAX_DEPTH},
};

/// Reads all values of a text.
pub(in crate::cli) fn read(text: &str) -> Result<Vec<Node>, Mistake> {
    let mut reader =
        Reader { text, at: 0, counted: (0, Place { line: 1, column: 1 }), budget: Budget::new() };
    let mut all = Vec::new();
    loop {
        // Texts that were put one after the other keep their byte order marks.
        while reader.peek().is_some() && reader.text[reader.at..].starts_with('\u{feff}') {
            reader.at += '\u{feff}'.len_utf8();
        }
        if reader.peek().is_none() {
            return Ok(all);
        }
        all.push(reader.value(0)?);
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// A position up to which lines and columns were counted, and its place.
    counted: (usize, Place),
    budget: Budget,
}

impl<'a> Reader<'a> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes()[self.at..].iter();
        self.at += rest.take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Where the reader stands. Every character is counted once.
    fn place(&mut self) -> Place {
        let (from, mut place) = self.counted;
        for letter in self.text[from..self.at].chars() {
            match letter {
                '\n' => place = Place { line: place.line + 1, column: 1 },
                _ => place.column += 1,
            }
        }
        self.counted = (self.at, place);
        place
    }

    fn wrong<T>(&mut self, text: &str) -> Result<T, Mistake> {
        Err(Mistake::new(self.place(), format!("this is no JSON: {text}")))
    }

    fn value(&mut self, depth: usize) -> Result<Node, Mistake> {
        let next = self.peek();
        let at = self.place();
        self.budget.spend(1, 0, at)?;
        if depth >= MAX_DEPTH && matches!(next, Some(b'{' | b'[')) {
            return Err(Mistake::too_deep(at));
        }
        let value = match next {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Scalar(self.string()?),
            Some(_) => Value::Scalar(self.word()?),
            None => return self.wrong("a value is missing"),
        };
        Ok(Node { at, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value, Mistake> {
        self.at += 1;
        let mut all = Vec::new();
        if self.eat(b'}') {
            return Ok(Value::Map(all));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("a key in double quotes is missing");
            }
            let at = self.place();
            self.budget.spend(1, 0, at)?;
            let key = Key { at, scalar: self.string()? };
            if !self.eat(b':') {
                return self.wrong("`:` is missing after a key");
            }
            all.push((key, self.value(depth + 1)?));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(all));
                }
                _ => return self.wrong("`,` or `}` is missing"),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Mistake> {
        self.at += 1;
        let mut all = Vec::new();
        if self.eat(b']') {
            return Ok(Value::List(all));
        }
        loop {
            all.push(self.value(depth + 1)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(all));
                }
                _ => return self.wrong("`,` or `]` is missing"),
            }
        }
    }

    fn string(&mut self) -> Result<Scalar, Mistake> {
        let mut escaped = false;
        let end = self.text.as_bytes()[self.at + 1..].iter().position(|byte| {
            let end = !escaped && *byte == b'"';
            escaped = !escaped && *byte == b'\\';
            end
        });
        let Some(length) = end else { return self.wrong("a closing quote is missing") };
        let whole = &self.text[self.at..self.at + length + 2];
        match serde_json::from_str::<String>(whole) {
            Ok(text) => {
                self.at += whole.len();
                Ok(Scalar::text(text))
            }
            Err(_) => self.wrong("an escape or a control character in this text is invalid"),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Scalar, Mistake> {
        let rest: &'a str = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word.is_empty() || serde_json::from_str::<IgnoredAny>(word).is_err() {
            return self.wrong("a value is missing");
        }
        self.at += word.len();
        Ok(Scalar { text: word.to_owned(), style: Style::Word })
    }
}
